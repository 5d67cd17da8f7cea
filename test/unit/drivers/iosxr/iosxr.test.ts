import { describe, expect, it } from "vitest";
import { allCommands, command, ping, received } from "#drivers/iosxr/commands.ts";
import { neighboursOn, portOf, readConfig } from "#drivers/iosxr/config.ts";
import { iosxr } from "#drivers/iosxr/iosxr.ts";
import { isPort, momentText, ownName } from "#drivers/iosxr/names.ts";
import { isUnread, planChange, planOf } from "#drivers/iosxr/plan.ts";
import { capabilitiesOf } from "#drivers/iosxr/quirks.ts";
import { renderChange } from "#drivers/iosxr/renderer.ts";
import { momentOf } from "#drivers/platform/cisco-text.ts";
import { missingCapability } from "#hal/capability.ts";
import type { Capabilities, DeviceChange, PortChange } from "#hal/device.ts";
import type { LinksealError } from "#hal/error.ts";
import { preview } from "#hal/secret.ts";
import { addKey as addKeyTo, protect as protectPort, refusalIn } from "../change-kit.ts";
import { tryTimes } from "../cisco-suite.ts";
import { configOf, port, surroundings, texts } from "../iosxr-kit.ts";
import { cknOf, keyOf, wall } from "../junos-kit.ts";

const protect = (index: number, over?: Parameters<typeof protectPort>[1]): PortChange =>
  protectPort(port(index), over);
const addKey = (index: number, n: number, role: "primary" | "fallback"): PortChange =>
  addKeyTo(port(index), n, role);

function commandsFor(...change: DeviceChange): readonly string[] {
  const around = surroundings(change);
  return planChange(change, around).flatMap(({ before, after }) =>
    renderChange(before, after, around.config).sent.map(preview),
  );
}

function refusal(
  change: DeviceChange,
  over: Parameters<typeof surroundings>[1] = {},
  octets = 32,
): LinksealError {
  return refusalIn(() => planChange(change, surroundings(change, over, octets)));
}

describe("what is configured", () => {
  it("a configuration is read without a key", () => {
    expect(planOf(configOf(), port(1))).toMatchObject({
      admin: "down",
      policy: "ls-Hu0-0-0-1",
      settings: { policy: "mustSecure", includeSci: true, keyServerPriority: 20, replayWindow: 64 },
      primary: { name: "ls-Hu0-0-0-1-a", keys: [{ ckn: cknOf(1) }] },
      fallback: undefined,
      drains: ["peeringShutdown"],
    });
    expect(planOf(configOf(), port(2)).settings).toEqual({
      suite: "gcm-aes-128",
      policy: "shouldSecure",
      includeSci: true,
      confidentialityOffset: 30,
      keyServerPriority: 16,
      replayWindow: 64,
      sakRekeyMs: 600_000,
    });
    expect(planOf(configOf(), port(0)).settings).toBeUndefined();
  });

  tryTimes(planOf(configOf(), port(2)));

  it.each([5, 6, 7])("the configuration of port %i is reported as not understood", (index) => {
    expect(isUnread(configOf(), port(index))).toBe(true);
  });

  it("the times of a chain are the router's own if its zone is UTC", () => {
    expect(isUnread(configOf({}, true), port(6))).toBe(false);
  });

  it("a configuration is unknown if the router prints something else", () => {
    for (const text of ["sysmgr: no output", "%% Failure", "hello"]) {
      expect(readConfig({ ...texts, policies: text }, true)).toBeUndefined();
    }
    expect(configOf({ policies: "% No such configuration item(s)" }).policies.size).toBe(0);
  });

  it("the port of a neighbour is found only by its subnet", () => {
    const at = (address: string, vrf?: string) => portOf(configOf(), { address, vrf });
    expect(at("198.51.100.2")).toBe(port(0));
    expect(at("198.51.100.2", "AZURE")).toBeUndefined();
    expect(neighboursOn(configOf(), port(1)).map(({ address }) => address)).toEqual([
      "2001:db8::2",
    ]);
    expect(at("203.0.113.9")).toBeUndefined();
  });

  it("a time that is written is read back", () => {
    expect(momentText(wall)).toBe("18:00:00 november 25 2026");
    expect(momentOf(momentText(wall))).toBe(wall - 250);
    expect(momentOf("18:00:00 brumaire 25 2026")).toBeUndefined();
  });

  it("ports are recognised and have short names", () => {
    expect(["HundredGigE0/0/0/0", "FourHundredGigE0/1/0/3/2"].every(isPort)).toBe(true);
    expect(["Bundle-Ether1", "HundredGigE0/0/0/0.100", "et-0/0/0"].some(isPort)).toBe(false);
    expect(ownName("FourHundredGigE0/10/0/3/2")).toBe("ls-FH0-10-0-3-2");
    expect(ownName("HundredGigE0/100/0/100/10")).toBeUndefined();
  });
});

describe("a change", () => {
  it("a change of a bare port makes a policy, a chain and their attachment", () => {
    expect(commandsFor(protect(0), addKey(0, 9, "primary"))).toEqual([
      "root",
      "macsec-policy ls-Hu0-0-0-0",
      "cipher-suite GCM-AES-XPN-256",
      "conf-offset CONF-OFFSET-0",
      "security-policy must-secure",
      "key-server-priority 16",
      "window-size 64",
      "root",
      "key chain ls-Hu0-0-0-0-a",
      "timezone gmt",
      "macsec",
      `key ${cknOf(9)}`,
      "key-string [secret cak] cryptographic-algorithm aes-256-cmac",
      "lifetime 18:00:00 november 25 2026 infinite",
      "root",
      `interface ${port(0)}`,
      "macsec psk-keychain ls-Hu0-0-0-0-a policy ls-Hu0-0-0-0",
    ]);
  });

  it("a change puts the next key into a fallback chain and does not touch the one in use", () => {
    const lines = commandsFor(addKey(1, 9, "fallback"));
    expect(lines).toContain("key chain ls-Hu0-0-0-1-b");
    expect(lines.at(-1)).toBe(
      "macsec psk-keychain ls-Hu0-0-0-1-a fallback-psk-keychain ls-Hu0-0-0-1-b policy ls-Hu0-0-0-1",
    );
    expect(lines).not.toContain("key chain ls-Hu0-0-0-1-a");
  });

  const remove = (n: number) =>
    ({ kind: "macsec.removeKey", port: port(2), ckn: cknOf(n) }) as const;

  it("a change removes a fallback with its chain", () => {
    expect(commandsFor(remove(3))).toEqual([
      "root",
      `interface ${port(2)}`,
      "macsec psk-keychain ls-Hu0-0-0-2-a policy HAND",
      "root",
      "no key chain ls-Hu0-0-0-2-b",
    ]);
    const used = refusal([remove(3)], { principal: () => cknOf(3) });
    expect(used.message).toContain("in use now");
  });

  it("a change removes the primary key alone: its chain stays, and so does the fallback", () => {
    expect(commandsFor(remove(2))).toEqual([
      "root",
      "key chain ls-Hu0-0-0-2-a",
      "timezone gmt",
      "macsec",
      `no key ${cknOf(2).toUpperCase()}`,
    ]);
    const used = refusal([remove(2)], { principal: () => cknOf(2) });
    expect(used.message).toContain("in use now");
  });

  it("where a port has one key at a time, the primary one goes only after a promotion", () => {
    const { macsec, ...others } = iosxr.offers;
    const capabilities: Capabilities = {
      ...others,
      ...(macsec && { macsec: { ...macsec, overlap: "none" } }),
    };
    const change = [remove(2)];
    const { work } = surroundings(change);
    const why = refusal(change, { work: { ...work, capabilities } }).message;
    expect(why).toContain("promoted before");
  });

  it("the next key goes into the primary chain once that has none, and no chain moves", () => {
    expect(commandsFor(remove(2), addKey(2, 9, "primary"))).toEqual([
      ...["root", "key chain ls-Hu0-0-0-2-a", "macsec"],
      `no key ${cknOf(2).toUpperCase()}`,
      `key ${cknOf(9)}`,
      "key-string [secret cak] cryptographic-algorithm aes-256-cmac",
      "lifetime 18:00:00 november 25 2026 infinite",
    ]);
  });

  it("a bare chain of the operator's takes the next key beside a fallback in use", () => {
    const chains = `${texts.chains}key chain BARE\n timezone gmt\n macsec\n !\n!\n`;
    const interfaces =
      `interface ${port(2)}\n macsec psk-keychain BARE` +
      " fallback-psk-keychain ls-Hu0-0-0-2-b policy HAND\n!\n";
    const config = configOf({ interfaces, chains });
    expect(planOf(config, port(2)).primary).toEqual({ name: "BARE", keys: [] });
    const change = [addKey(2, 9, "fallback")];
    const [plan] = planChange(change, surroundings(change, { config }));
    const sent = plan && renderChange(plan.before, plan.after, config).sent.map(preview);
    expect(sent?.slice(0, 3)).toEqual(["root", "key chain BARE", "macsec"]);
    expect(sent?.filter((text) => text.startsWith("no ") || text.includes("psk"))).toEqual([]);
    const replace = [{ kind: "macsec.replaceKey", port: port(2), key: keyOf(9) }] as const;
    const [other] = planChange(replace, surroundings(replace, { config }));
    expect(other?.after).toMatchObject({ primary: { name: "BARE" }, fallback: undefined });
  });

  it("no commit changes the keys of both chains: a promotion is not offered", () => {
    const change = [{ kind: "macsec.promoteKey", port: port(2), ckn: cknOf(3) }] as const;
    expect(missingCapability(change, iosxr.offers)).toBe("the promotion of a fallback key");
  });

  it("a change replaces the key in the other chain and removes the first chain", () => {
    const lines = commandsFor({ kind: "macsec.replaceKey", port: port(1), key: keyOf(9) });
    expect(lines).toContain("macsec psk-keychain ls-Hu0-0-0-1-b policy ls-Hu0-0-0-1");
    expect(lines.at(-1)).toBe("no key chain ls-Hu0-0-0-1-a");
  });

  it("a change makes a port must-secure", () => {
    expect(commandsFor(protect(2))).toContain("security-policy must-secure");
  });

  it("a change drains by prepending, and leaves a maintenance of the operator alone", () => {
    const drain = (index: number) =>
      ({ kind: "port.drain", port: port(index), means: "prepend" }) as const;
    expect(commandsFor(drain(0))).toEqual([
      "root",
      "router bgp 64512",
      "neighbor 198.51.100.2",
      "graceful-maintenance",
      "as-prepends 6",
      "activate",
      "exit",
    ]);
    expect(refusal([drain(1)]).message).toContain("of the operator's");
    expect(refusal([drain(2)]).message).toContain("no neighbour");
  });

  it("a drain that version 0.2.0 began, with a local preference, can be ended", () => {
    const bgp =
      "router bgp 64512\n neighbor 198.51.100.2\n  remote-as 12076\n  graceful-maintenance\n" +
      "   local-preference 50\n   as-prepends 6\n   activate\n  !\n !\n!\n";
    const config = configOf({ bgp });
    const change = [{ kind: "port.restore", port: port(0), means: "prepend" }] as const;
    const [plan] = planChange(change, surroundings(change, { config }));
    const sent = plan && renderChange(plan.before, plan.after, config).sent;
    expect(sent?.map(preview).at(-1)).toBe("no graceful-maintenance");
  });

  const inVrf = {
    interfaces:
      `interface ${port(0)}\n ipv4 address 198.51.100.1 255.255.255.252\n!\n` +
      `interface ${port(1)}.7\n vrf azure\n ipv4 address 198.51.100.1 255.255.255.252\n!\n`,
    bgp:
      "router bgp 64512\n neighbor 198.51.100.2\n  remote-as 64999\n !\n" +
      " vrf azure\n  rd auto\n  neighbor 198.51.100.2\n   remote-as 12076\n  !\n !\n!\n",
  };

  it("a drain in a VRF is configured there, and the VRF is asked for its routes", () => {
    const config = configOf(inVrf);
    const change = [{ kind: "port.drain", port: port(1), means: "peeringShutdown" }] as const;
    const [plan] = planChange(change, surroundings(change, { config }));
    const sent = plan && renderChange(plan.before, plan.after, config).sent;
    expect(sent?.map(preview)).toEqual([
      ...["root", "router bgp 64512", "vrf azure", "neighbor 198.51.100.2", "shutdown"],
    ]);
    const [one] = neighboursOn(config, port(1));
    if (one === undefined) throw new Error("it has no neighbour");
    expect([received("ipv4", one, "#"), ping(one, 5)].map(preview)).toEqual([
      "show bgp vrf azure ipv4 unicast neighbors 198.51.100.2 routes",
      "ping vrf azure 198.51.100.2 count 5 timeout 1",
    ]);
  });

  it("an aggregate counts as its port only without another member", () => {
    const member = (index: number): string =>
      `interface ${port(index)}\n bundle id 7 mode active\n!\n`;
    const unit = `interface Bundle-Ether7.9\n ipv4 address 198.51.100.1/30\n!\n`;
    const interfaces = `${member(0)}${unit}`;
    const change = [{ kind: "port.drain", port: port(0), means: "peeringShutdown" }] as const;
    const one = configOf({ interfaces });
    expect(planChange(change, surroundings(change, { config: one }))).toHaveLength(1);
    const two = configOf({ interfaces: interfaces + member(3) });
    expect(neighboursOn(two, port(0))).toEqual([]);
    expect(refusal(change, { config: two }).message).toContain("Bundle-Ether7 has 2 members");
  });

  it.each([
    ["a port that is not there", [protect(99)], "no such port"],
    ["a chain that two ports share", [protect(3)], "shares SHARED"],
    ["what is not understood", [protect(7)], "not understood"],
    ["an offset under XPN", [protect(0, { confidentialityOffset: 30 as 0 })], "offset 0 only"],
    ["a window beyond the platform's", [protect(0, { replayWindow: 4_096 as 64 })], "at most 1024"],
    ["a third key", [addKey(2, 9, "fallback")], "already has two keys"],
    ["a key without settings", [addKey(0, 9, "primary")], "no MACsec settings"],
  ] as const)("a change of %s is refused", (_, change, why) => {
    expect(refusal(change)).toMatchObject({ effect: "none" });
    expect(refusal(change).message).toContain(why);
  });

  it("a change with a key of another length is refused", () => {
    expect(refusal([protect(0), addKey(0, 9, "primary")], {}, 24).code).toBe("vault.malformedKey");
  });
});

describe("what is asked", () => {
  it("a query never prints a key", () => {
    const forbidden = [
      /^show key chain/,
      /^show running-config$/,
      /^show running-config key chain(?! \| exclude key-string$)/,
      /^show running-config router bgp(?! \| exclude password$)/,
      /^show configuration (?!commit list \d+ detail$|sessions detail$)/,
      /^show tech/,
      /^show run(?!ning-config )/,
    ];
    for (const name of allCommands) {
      const text = preview(command(name, "#", "x"));
      for (const pattern of forbidden) expect(text).not.toMatch(pattern);
      expect(text).toMatch(/^show /);
    }
  });

  it("a query reaches the running router from inside the configuration as well", () => {
    expect(preview(command("clock", "(config)#"))).toBe("do show clock");
  });
});

describe("a platform", () => {
  it.each([
    ["asr9k", "7.11.2", "keychain"],
    ["8201-32fh", "24.2.1", "keychain"],
    ["8201-32fh", "7.9.2", "none"],
    ["ncs-5500", "7.11.2", "keychain"],
    ["xrv9000", "7.11.2", undefined],
  ])("%s with %s has the next key as %s", (platform, version, overlap) => {
    expect(capabilitiesOf(iosxr.offers, { platform, version }).macsec?.overlap).toBe(overlap);
  });

  it("a platform has no IPsec and no fresh SAK", () => {
    expect(iosxr.offers.ipsec).toBeUndefined();
    expect(iosxr.offers.macsec?.freshSak).toBeUndefined();
  });

  it.each(["asr9k", "8201-32fh", "ncs540", "xrv9000"])("IPsec is not offered on %s", (platform) => {
    const ipsec: NonNullable<Capabilities["ipsec"]> = {
      keying: ["ike"],
      authentication: ["psk"],
      atomicReplace: false,
      rekeys: [],
    };
    const commandsFor = capabilitiesOf({ ...iosxr.offers, ipsec }, { platform, version: "24.4.1" });
    expect(commandsFor.ipsec).toBeUndefined();
  });
});
