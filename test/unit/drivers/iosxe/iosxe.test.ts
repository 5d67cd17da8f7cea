import { describe, expect, it } from "vitest";
import { allCommands, command, refresh } from "#drivers/iosxe/commands.ts";
import { neighboursOn, portOf, readConfig, readRouteMap } from "#drivers/iosxe/config.ts";
import { isPort, ownName } from "#drivers/iosxe/names.ts";
import { isUnread, planChange, planOf, refuseFirstOnMember } from "#drivers/iosxe/plan.ts";
import { keepsOnMember } from "#drivers/iosxe/quirks.ts";
import { renderChange } from "#drivers/iosxe/renderer.ts";
import { momentOf } from "#drivers/platform/cisco-text.ts";
import type { DeviceChange, PortChange } from "#hal/device.ts";
import type { LinksealError } from "#hal/error.ts";
import { preview } from "#hal/secret.ts";
import { addKey as addKeyTo, protect as protectPort, refusalIn } from "../change-kit.ts";
import { tryTimes } from "../cisco-suite.ts";
import { cknOf, keyOf } from "../junos-kit.ts";
import { configOf, parts, port, surroundings, textsOf } from "./iosxe-kit.ts";

const protect = (index: number, over?: Parameters<typeof protectPort>[1]): PortChange =>
  protectPort(port(index), over);
const addKey = (index: number, n: number, role: "primary" | "fallback"): PortChange =>
  addKeyTo(port(index), n, role);
const drain = (index: number, means: "prepend" | "peeringShutdown" = "prepend"): PortChange => ({
  kind: "port.drain",
  port: port(index),
  means,
});

function rendered(change: DeviceChange, over: Parameters<typeof surroundings>[1] = {}) {
  const around = surroundings(change, over);
  return planChange(change, around).map(({ before, after }) =>
    renderChange(before, after, around, ["macsec"]),
  );
}

function commandsFor(...change: DeviceChange): readonly string[] {
  return rendered(change).flatMap(({ sent }) => sent.map(preview));
}

const refreshing = (config: ReturnType<typeof configOf>, index: number): readonly string[] =>
  neighboursOn(config, port(index)).map((one) => preview(refresh(one)));

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
      policy: "ls-Te0-0-1",
      isSsciBySci: true,
      settings: { policy: "mustSecure", includeSci: true, keyServerPriority: 20, replayWindow: 64 },
      primary: { name: "ls-Te0-0-1-a", keys: [{ ckn: cknOf(1), startsAt: undefined }] },
      fallback: undefined,
      drains: ["peeringShutdown"],
    });
    expect(planOf(configOf(), port(2)).settings).toEqual({
      suite: "gcm-aes-128",
      policy: "shouldSecure",
      includeSci: false,
      confidentialityOffset: 30,
      keyServerPriority: 0,
      replayWindow: 128,
      sakRekeyMs: 600_000,
    });
    expect(planOf(configOf(), port(0)).settings).toBeUndefined();
  });

  tryTimes(planOf(configOf(), port(2)));

  it.each([5, 7, 8])("the configuration of port %i is reported as not understood", (index) => {
    expect(isUnread(configOf(), port(index))).toBe(true);
  });

  it("the times of a chain are the router's own if its zone is UTC", () => {
    expect(isUnread(configOf(), port(6))).toBe(false);
    expect(isUnread(configOf({}, false), port(6))).toBe(true);
    // A key that is always valid has no time.
    expect(isUnread(configOf({}, false), port(1))).toBe(false);
  });

  it("a configuration is unknown if the router prints something else", () => {
    for (const text of ["Unable to get data", "% Failure"]) {
      expect(readConfig(textsOf({ policies: text }), true)).toBeUndefined();
    }
    expect(configOf({ policies: "" }).policies.size).toBe(0);
  });

  it("a line of a configuration belongs to the printed block, and to none before it", () => {
    const interfaces = `interface ${port(0)}\n!\n shutdown\n!\n`;
    expect(planOf(configOf({ interfaces }), port(0)).admin).toBe("up");
  });

  it("the port of a neighbour is found only by its subnet and VRF", () => {
    const ports = configOf().neighbours.map((one) => [one.address, portOf(configOf(), one)]);
    expect(ports).toEqual([
      ["198.51.100.2", port(0)],
      ["2001:db8::2", port(1)],
      ["203.0.113.2", port(2)],
    ]);
    const legacy = parts.interfaces.replace(" vrf forwarding AZURE", " ip vrf forwarding AZURE");
    expect(neighboursOn(configOf({ interfaces: legacy }), port(2))).toHaveLength(1);
    const global = parts.interfaces.replace(" vrf forwarding AZURE\n", "");
    expect(neighboursOn(configOf({ interfaces: global }), port(2))).toEqual([]);
    const [vrf] = neighboursOn(configOf(), port(2));
    expect(vrf).toMatchObject({ vrf: "AZURE", families: ["address-family ipv4 vrf AZURE"] });
  });

  it("ports are recognised and have short names", () => {
    expect([port(0), "HundredGigE1/0/49", "TwentyFiveGigE1/0/1"].every(isPort)).toBe(true);
    expect(["GigabitEthernet0", `${port(0)}.100`, "Port-channel1"].some(isPort)).toBe(false);
    expect(ownName("TwentyFiveGigE1/0/48")).toBe("ls-Twe1-0-48");
    expect(ownName("TwentyFiveGigE100/100/148")).toBeUndefined();
    expect(momentOf("18:00:00 Brumaire 25 2026")).toBeUndefined();
  });
});

describe("a change", () => {
  it("a change of a bare port makes the policy and chain before the port refers to them", () => {
    expect(commandsFor(protect(0), addKey(0, 9, "primary"))).toEqual([
      "mka policy ls-Te0-0-0",
      "confidentiality-offset 0",
      "macsec-cipher-suite gcm-aes-xpn-256",
      "key-server priority 16",
      "ssci-based-on-sci",
      "exit",
      "key chain ls-Te0-0-0-a macsec",
      `key ${cknOf(9)}`,
      "cryptographic-algorithm aes-256-cmac",
      "key-string [secret cak]",
      "exit",
      "exit",
      `interface ${port(0)}`,
      "macsec access-control must-secure",
      "macsec replay-protection window-size 64",
      "mka policy ls-Te0-0-0",
      "mka pre-shared-key key-chain ls-Te0-0-0-a",
      "macsec",
      "exit",
    ]);
  });

  it("a change puts the next key into a fallback chain and does not touch the one in use", () => {
    const lines = commandsFor(addKey(1, 9, "fallback"));
    expect(lines[0]).toBe("key chain ls-Te0-0-1-b macsec");
    expect(lines.slice(-3)).toEqual([
      `interface ${port(1)}`,
      "mka pre-shared-key key-chain ls-Te0-0-1-a fallback-key-chain ls-Te0-0-1-b",
      "exit",
    ]);
    expect(lines).not.toContain("key chain ls-Te0-0-1-a macsec");
  });

  it("a change removes what an interrupted change left under its chain's name", () => {
    const left = `${parts.chains}key chain ls-Te0-0-1-b macsec\n key ab\n!\n`;
    const [first] = rendered([addKey(1, 9, "fallback")], { config: configOf({ chains: left }) });
    expect(first?.sent.map(preview)[0]).toBe("no key chain ls-Te0-0-1-b macsec");
  });

  it("a change promotes by exchanging the chains in one line, without a key", () => {
    const promote = { kind: "macsec.promoteKey", port: port(2), ckn: cknOf(3) } as const;
    expect(commandsFor(promote)).toEqual([
      `interface ${port(2)}`,
      "mka pre-shared-key key-chain ls-Te0-0-2-b fallback-key-chain ls-Te0-0-2-a",
      "exit",
    ]);
  });

  it("a change removes a fallback after the port dropped it, and never the primary key", () => {
    const remove = (n: number) =>
      ({ kind: "macsec.removeKey", port: port(2), ckn: cknOf(n) }) as const;
    expect(commandsFor(remove(3))).toEqual([
      `interface ${port(2)}`,
      "mka pre-shared-key key-chain ls-Te0-0-2-a",
      "exit",
      "no key chain ls-Te0-0-2-b macsec",
    ]);
    expect(refusal([remove(2)]).message).toContain("promoted before");
    const used = refusal([remove(3)], { principal: () => cknOf(3) });
    expect(used.message).toContain("in use now");
  });

  it("a change shuts a port before it touches a key, and opens it after that", () => {
    const replace = { kind: "macsec.replaceKey", port: port(2), key: keyOf(9) } as const;
    const one = { ...configOf() };
    const interfaces = new Map(one.interfaces);
    const own = interfaces.get(port(2));
    if (own === undefined) throw new RangeError("no port");
    interfaces.set(port(2), { ...own, macsec: { ...own.macsec, fallback: undefined } });
    const change = [{ kind: "port.shut", port: port(2) } as const, replace];
    const [first] = rendered(change, { config: { ...one, interfaces } });
    const lines = first?.sent.map(preview) ?? [];
    expect(lines.slice(0, 2)).toEqual([`interface ${port(2)}`, "shutdown"]);
    expect(lines.at(-1)).toBe("no key chain ls-Te0-0-2-a macsec");
    expect(commandsFor({ kind: "port.open", port: port(1) })).toEqual([
      `interface ${port(1)}`,
      "no shutdown",
      "exit",
    ]);
  });

  it("a change makes a port must-secure, and its offset 0 before its suite is XPN", () => {
    const lines = commandsFor(protect(2));
    expect(lines).toContain("macsec access-control must-secure");
    expect(lines).toContain("no macsec disable-sci");
    const offset = lines.indexOf("confidentiality-offset 0");
    expect(offset).toBeGreaterThan(0);
    expect(offset).toBeLessThan(lines.indexOf("macsec-cipher-suite gcm-aes-xpn-256"));
  });

  it("a change drains by prepending, and requests the routes anew", () => {
    const [first] = rendered([drain(0)]);
    expect(first?.sent.map(preview)).toEqual([
      "route-map linkseal-drain-out-198.51.100.2 permit 10",
      "set as-path prepend 64512 64512 64512",
      "exit",
      "route-map linkseal-drain-in-198.51.100.2 permit 10",
      "set local-preference 50",
      "exit",
      "router bgp 64512",
      "address-family ipv4",
      "neighbor 198.51.100.2 route-map linkseal-drain-out-198.51.100.2 out",
      "neighbor 198.51.100.2 route-map linkseal-drain-in-198.51.100.2 in",
      "exit",
      "exit",
    ]);
    expect(refreshing(configOf(), 0)).toEqual(["clear ip bgp 198.51.100.2 soft"]);
    expect(refusal([drain(1)]).message).toContain("the route map OPS");
    expect(refusal([drain(9)]).message).toContain("no neighbour");
  });

  it("a drain in a VRF is configured there, under names of its own", () => {
    const bgp = parts.bgp.replace(
      "router bgp 64512\n",
      "router bgp 64512\n neighbor 203.0.113.2 remote-as 64999\n",
    );
    const config = configOf({ bgp });
    const [first] = rendered([drain(2)], { config });
    expect(first?.sent.map(preview).slice(6)).toEqual([
      "router bgp 64512",
      "address-family ipv4 vrf AZURE",
      "neighbor 203.0.113.2 route-map linkseal-drain-out-AZURE-203.0.113.2 out",
      "neighbor 203.0.113.2 route-map linkseal-drain-in-AZURE-203.0.113.2 in",
      "exit",
      "exit",
    ]);
    // In a VRF, the command takes the AS of neighbours alone.
    expect(refreshing(config, 2)).toEqual(["clear ip bgp vrf AZURE ipv4 unicast 12076 soft"]);
  });

  it("a drain in a VRF is refused if no command exchanges the routes there again", () => {
    const inVrf = (name: string): LinksealError => {
      const interfaces = parts.interfaces.replace("AZURE", name);
      const bgp = parts.bgp.replace("vrf AZURE", `vrf ${name}`);
      return refusal([drain(2)], { config: configOf({ interfaces, bgp }) });
    };
    for (const name of ["A@B", "A;B"]) expect(inVrf(name).message).toContain("in a VRF");
  });

  it("an aggregate counts as its port only without another member", () => {
    const member = (index: number): string =>
      `interface ${port(index)}\n channel-group 7 mode active\n!\n`;
    const unit = "interface Port-channel7.9\n ip address 198.51.100.1 255.255.255.252\n!\n";
    const one = configOf({ interfaces: member(0) + unit });
    expect(neighboursOn(one, port(0)).map(({ address }) => address)).toEqual(["198.51.100.2"]);
    const two = configOf({ interfaces: member(0) + unit + member(3) });
    expect(neighboursOn(two, port(0))).toEqual([]);
    const { message } = refusal([drain(0, "peeringShutdown")], { config: two });
    expect(message).toContain("Port-channel7 has 2 members");
  });

  it("a Catalyst takes no first MACsec on a member, from which it would not remove it", () => {
    const member = `interface ${port(0)}\n channel-group 7 mode active\n!\n`;
    const interfaces = parts.interfaces.replace(`interface ${port(0)}\n!\n`, member);
    const config = configOf({ interfaces });
    const firstOn = (index: number): (() => void) => {
      const around = surroundings([protect(index)], { config });
      const [one] = planChange([protect(index)], around);
      if (one === undefined) throw new Error("nothing is planned");
      return () => refuseFirstOnMember(one, around);
    };
    expect(refusalIn(firstOn(0))).toMatchObject({ code: "device.rejected", effect: "none" });
    expect(refusalIn(firstOn(0)).message).toContain("Port-channel7");
    expect(firstOn(1)).not.toThrow();
    // A port that has MACsec keeps it, and gets other settings and keys as any port does.
    const joined = parts.interfaces.replace(
      `interface ${port(1)}\n`,
      `interface ${port(1)}\n channel-group 7 mode active\n`,
    );
    const around = surroundings([protect(1)], { config: configOf({ interfaces: joined }) });
    const [kept] = planChange([protect(1)], around);
    if (kept === undefined) throw new Error("nothing is planned");
    expect(() => refuseFirstOnMember(kept, around)).not.toThrow();
    const software = (platform: string) => ({
      platform,
      version: "17.12.1",
      ...{ restartedAt: undefined, uptimeMs: undefined, licence: undefined },
    });
    expect([
      keepsOnMember(software("c9500-48y4c")),
      keepsOnMember(software("c8500-12x4qc")),
    ]).toEqual([true, false]);
  });

  it("a drain repeats the operator's route map with the drain in it, and restores it", () => {
    const text =
      "route-map OPS permit 10\n description Azure\n match ipv6 address prefix-list A\n" +
      " set as-path prepend 64999\nroute-map OPS deny 20\nroute-map OPS permit 30\n";
    const entries = readRouteMap(text, "OPS") ?? [];
    const around = { routeMaps: new Map([["OPS", entries]]) };
    const [first] = rendered([drain(1)], around);
    const name = "linkseal-drain-out-2001-db8--2@OPS";
    expect(first?.sent.map(preview).slice(3, 12)).toEqual([
      `route-map ${name} permit 10`,
      "match ipv6 address prefix-list A",
      "set as-path prepend 64999 64512 64512 64512",
      "exit",
      `route-map ${name} deny 20`,
      "exit",
      `route-map ${name} permit 30`,
      "set as-path prepend 64512 64512 64512",
      "exit",
    ]);
    const bgp = parts.bgp.replace("route-map OPS out", `route-map ${name} out`);
    const restore = { kind: "port.restore", port: port(1), means: "prepend" } as const;
    const [back] = rendered([restore], { config: configOf({ bgp }) });
    const lines = back?.sent.map(preview) ?? [];
    expect(lines).toContain("neighbor 2001:db8::2 route-map OPS out");
    expect(lines.indexOf(`no route-map ${name}`)).toBeGreaterThan(
      lines.indexOf("neighbor 2001:db8::2 route-map OPS out"),
    );
  });

  it.each([
    ["that is another one's", "route-map OTHER permit 10\n"],
    ["that is not there", ""],
    ["with a word that is none", "route-map OPS permit 10\n set metric +10\n"],
    ["that replaces a path", "route-map OPS permit 10\n set as-path tag\n"],
  ])("a drain does not copy a route map %s", (_, text) => {
    const entries = readRouteMap(text, "OPS");
    const routeMaps = new Map(entries === undefined ? [] : [["OPS", entries]]);
    expect(refusal([drain(1)], { routeMaps }).message).toContain("cannot be repeated");
  });

  it("a change shuts a peering where it is configured", () => {
    expect(commandsFor(drain(2, "peeringShutdown"))).toEqual([
      "router bgp 64512",
      "address-family ipv4 vrf AZURE",
      "neighbor 203.0.113.2 shutdown",
      "exit",
      "exit",
    ]);
  });

  it.each([
    ["a port that is not there", [protect(99)], "no such port"],
    ["a chain that two ports share", [protect(3)], "shares SHARED"],
    ["what is not understood", [protect(7)], "not understood"],
    ["an offset under XPN", [protect(0, { confidentialityOffset: 30 as 0 })], "offset 0 only"],
    ["a priority that is none", [protect(0, { keyServerPriority: 256 as 16 })], "at most 255"],
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
  const secrets = [
    "  key-string 7 06070D221D1C5A4B",
    " neighbor 198.51.100.2 password 7 0822455D0A16",
    " key 7 0822455D0A16",
    "enable secret 9 $9$abc",
    "username operator privilege 15 secret 9 $9$abc",
    "snmp-server community private RW",
    " pre-shared-key address 0.0.0.0 0.0.0.0 key abc",
    " ip ospf message-digest-key 1 md5 7 0822455D0A16",
    "  pre-shared-key hex 0A0B",
    "  pre-shared-key local 6 abc",
    " authentication local pre-share key abc",
    " encryption vlan 10 key 1 size 128bit 7 ABC transmit-key",
    " tunnel key 7",
    "crypto isakmp key abc address 0.0.0.0",
    " set session-key inbound esp 256 cipher abc",
  ];

  it("the queries let no line through that contains a secret", () => {
    for (const name of allCommands) {
      const text = preview(command(name, "x"));
      expect(text).toMatch(/^show /);
      expect(text).not.toMatch(/^show (?:key chain|tech|run$|archive (?!config rollback timer$))/);
      const [, pattern] = /^show running-config \| include (.*)$/.exec(text) ?? [];
      if (pattern === undefined) {
        expect(text).not.toMatch(
          /^show run(?!ning-config \| section \^(?:mka policy|route-map) ?)/,
        );
        continue;
      }
      for (const secret of secrets) expect(secret).not.toMatch(new RegExp(pattern));
    }
  });

  it("the queries fit on a line of the router", () => {
    for (const name of allCommands) {
      expect(preview(command(name, "x")).length).toBeLessThan(254);
    }
  });
});
