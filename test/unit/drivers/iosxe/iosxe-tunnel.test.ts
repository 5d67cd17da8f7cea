import { describe, expect, it } from "vitest";
import { iosxe } from "#drivers/iosxe/iosxe.ts";
import { capabilitiesOf } from "#drivers/iosxe/quirks.ts";
import { limits, type TunnelTexts } from "#drivers/iosxe/tunnel-config.ts";
import {
  readIkeSas,
  readIpsecSas,
  readTunnelRoutes,
  tunnelStates,
} from "#drivers/iosxe/tunnel-parsers.ts";
import { tunnelCommands } from "#drivers/iosxe/tunnel-renderer.ts";
import { planTunnels, tunnelLines } from "#drivers/platform/tunnel-change.ts";
import type { DeviceChange } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { preview } from "#hal/secret.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { Instant } from "#hal/world.ts";
import { refusalIn } from "../change-kit.ts";
import { pskText, put, take, tunnel, workOf } from "../tunnel-kit.ts";
import {
  ikeText,
  ipsecText,
  none,
  pairText,
  routesText,
  texts,
  tunnelsOf,
} from "./iosxe-tunnel-kit.ts";

function rendered(change: DeviceChange, over: Partial<TunnelTexts> = {}) {
  const config = tunnelsOf(over);
  const standing = new Map([...config.tunnels].map(([name, { plan }]) => [name, plan]));
  const changed = planTunnels(change, { work: workOf(change, iosxe.offers), limits, standing });
  const commands = tunnelCommands(changed, config, "edge-a").map(preview);
  return { commands, lines: tunnelLines(changed) };
}

function refusal(change: DeviceChange, over: Partial<TunnelTexts> = {}): LinksealError {
  return refusalIn(() => rendered(change, over));
}

describe("tunnels that are configured", () => {
  it("configured tunnels are read if all their objects have the profile's name", () => {
    const { tunnels, homes, numbers } = tunnelsOf();
    const { localPrefixes: _behind, ifId: _number, auth: _auth, ...rest } = tunnel;
    const psk = "hub-1-psk/0f1e2d3c4b5a69780f1e2d3c4b5a6978";
    expect(tunnels.get("hub-1")).toMatchObject({ interface: "Tunnel3" });
    expect(tunnels.get("hub-1")?.plan).toEqual({ ...rest, psk });
    expect(tunnels.get("BRANCH")).toMatchObject({ interface: "Tunnel7", plan: undefined });
    expect([...numbers]).toEqual([3, 7]);
    // What lies in a VRF ends no tunnel of the global table.
    expect([...homes.keys()]).toEqual(["198.51.100.1", "172.16.0.1"]);
  });

  it("configured tunnels that share a profile have the names of their interfaces", () => {
    const interfaces = texts.interfaces.replace("profile BRANCH", "profile hub-1");
    const { tunnels } = tunnelsOf({ interfaces });
    expect([...tunnels.keys()]).toEqual(["Tunnel3", "Tunnel7"]);
    expect([...tunnels.values()].every(({ plan }) => plan === undefined)).toBe(true);
  });

  const strange: readonly (readonly [keyof TunnelTexts, string, string])[] = [
    ["interfaces", " tunnel mode ipsec ipv4\n", ""],
    ["interfaces", " ip mtu 1400\n", ""],
    ["ike", " keyring local hub-1\n", " keyring local OTHER\n"],
    ["ike", " group 20\n", " group 21\n"],
    ["ike", " proposal linkseal-198.51.100.1\n", " proposal A\n proposal B\n"],
    ["ike", "203.0.113.1 255.255.255.255", "203.0.113.0 255.255.255.0"],
    ["ipsec", "esp-gcm 256", "esp-gcm 512"],
    ["ipsec", " set ikev2-profile hub-1\n", ""],
  ];

  it.each(strange)("a configured tunnel whose %s differs is not ours: %j", (part, from, to) => {
    const over = { [part]: texts[part].replace(from, to) };
    expect(tunnelsOf(over).tunnels.get("hub-1")?.plan).toBeUndefined();
    expect(refusal([put()], over)).toMatchObject({ code: "device.rejected", effect: "none" });
  });

  it("a text that is not a configuration has no tunnels", () => {
    expect(() => tunnelsOf({ ike: "Unable to get data" })).toThrow("no configuration");
  });
});

describe("a tunnel", () => {
  it("a new tunnel is sent from the inside out, with its PSK as a hole of hex digits", () => {
    const { commands, lines } = rendered([put()], none);
    const all = commands.join("\n");
    expect(all).toContain("pre-shared-key hex [secret psk]");
    expect(all).not.toContain(pskText);
    const order = ["ikev2 proposal", "ikev2 policy", "ikev2 keyring", "ikev2 profile"];
    const heads = [...order, "ipsec transform-set", "ipsec profile"].map((one) =>
      commands.findIndex((line) => line.startsWith(`crypto ${one} `)),
    );
    expect(heads).toEqual(heads.toSorted((a, b) => a - b));
    expect(heads.every((at) => at >= 0 && at < commands.indexOf("interface Tunnel1"))).toBe(true);
    expect(commands).toContain("crypto ipsec transform-set hub-1 esp-gcm 256");
    expect(commands).toContain("ip tcp adjust-mss 1360");
    expect(commands).toContain("ip unnumbered Loopback0");
    expect(commands.at(-1)).toBe("ip route 10.100.0.0 255.255.0.0 Tunnel1");
    expect(lines).toHaveLength(1);
  });

  it("a tunnel whose cipher needs a digest has one in IKE and in ESP", () => {
    const ike = { ...tunnel.ike, encryption: "aes-256-cbc", integrity: "sha384" };
    const transforms = { encryption: "aes-256-cbc", integrity: "sha256", dhGroup: "none" };
    const { commands } = rendered([put({ ike, transforms })], none);
    expect(commands).toContain("integrity sha384");
    expect(commands).toContain("crypto ipsec transform-set hub-1 esp-aes 256 esp-sha256-hmac");
    expect(commands.join("\n")).not.toContain("set pfs");
  });

  it("a tunnel that is as wanted is left alone", () => {
    expect(rendered([put()])).toEqual({ commands: [], lines: [] });
  });

  it("a tunnel gets another PSK and other prefixes without being rebuilt", () => {
    const ike = texts.ike.replace("psk/0f1e2d3c4b5a69780f1e2d3c4b5a6978", "psk/0000");
    expect(rendered([put()], { ike }).commands).toEqual([
      "crypto ikev2 keyring hub-1",
      "peer hub-1",
      "address 203.0.113.1",
      "pre-shared-key hex [secret psk]",
      // Written before the key, it said that the key was there when a change was cut off between.
      "description psk hub-1-psk/0f1e2d3c4b5a69780f1e2d3c4b5a6978",
      "exit",
      "exit",
    ]);
    expect(rendered([put({ remotePrefixes: ["10.101.0.0/17"] })]).commands).toEqual([
      "ip route 10.101.0.0 255.255.128.0 Tunnel3",
      "no ip route 10.100.0.0 255.255.0.0 Tunnel3",
    ]);
  });

  it("a tunnel with other ends or algorithms is rebuilt under its number", () => {
    const { commands } = rendered([put({ mtu: 1_300 })]);
    expect(commands.indexOf("no interface Tunnel3")).toBeLessThan(
      commands.indexOf("interface Tunnel3"),
    );
    expect(commands).toContain("no crypto ikev2 proposal linkseal-198.51.100.1");
    expect(commands).toContain("ip tcp adjust-mss 1260");
  });

  it("a removed tunnel goes with all that has its name; a policy that others need stays", () => {
    expect(rendered([take()]).commands).toEqual([
      "no ip route 10.100.0.0 255.255.0.0 Tunnel3",
      "no interface Tunnel3",
      "no crypto ipsec profile hub-1",
      "no crypto ipsec transform-set hub-1",
      "no crypto ikev2 profile hub-1",
      "no crypto ikev2 keyring hub-1",
      "no crypto ikev2 policy linkseal-198.51.100.1",
      "no crypto ikev2 proposal linkseal-198.51.100.1",
    ]);
    const both = [put({ name: "hub-2", remoteAddress: "203.0.113.2" }), take()];
    expect(rendered(both).commands.join("\n")).not.toContain("no crypto ikev2 policy");
    expect(rendered([take("hub-9")])).toEqual({ commands: [], lines: [] });
  });

  const unfit: readonly (readonly [string, Partial<TunnelSpec>, string])[] = [
    ["IPv6", { remoteAddress: "2001:db8::1" }, "device.unsupported"],
    ["MD5", { transforms: { ...tunnel.transforms, integrity: "md5" } }, "device.unsupported"],
    ["a life of 1024 kB", { life: { seconds: 27_000, kilobytes: 1_024 } }, "device.rejected"],
    ["an address that no interface has", { localAddress: "198.51.100.7" }, "device.rejected"],
    ["an address in a VRF", { localAddress: "198.51.100.9" }, "device.rejected"],
    ["the two ends of another", { name: "x", remoteAddress: "192.0.2.9" }, "device.rejected"],
    ["the prefix of another", { remotePrefixes: ["0.0.0.0/0"] }, "device.rejected"],
    ["the name of another", { name: "BRANCH" }, "device.rejected"],
    [
      "other algorithms of IKE at the same address",
      {
        ...{ name: "hub-2", remoteAddress: "203.0.113.2" },
        ike: { ...tunnel.ike, dhGroup: "ecp-256" },
      },
      "device.rejected",
    ],
  ];

  it.each(unfit)("a tunnel with %s is refused", (_what, over, code) => {
    const error = refusal([put(over)]);
    expect(error).toMatchObject({ code, effect: "none" });
    expect(error.message).not.toContain(pskText);
  });

  it("a tunnel is refused if names or policies of the operator are in its place", () => {
    expect(refusal([put()], { ...none, ipsec: texts.ipsec }).code).toBe("device.rejected");
    const policy = "crypto ikev2 policy linkseal-198.51.100.1\n proposal default\n!\n";
    expect(refusal([put()], { ...none, ike: policy }).code).toBe("device.rejected");
  });

  const policyHead = "crypto ikev2 policy linkseal-198.51.100.1\n";
  const proposalText = texts.ike.slice(0, texts.ike.indexOf(policyHead));

  it.each([
    ["only its heading", policyHead, ["policy"]],
    ["no proposal in it", `${policyHead} match address local 198.51.100.1\n`, ["policy"]],
    ["a proposal alone", proposalText, ["proposal"]],
    ["half a proposal", proposalText.replace(/ prf .*\n group .*\n/, ""), ["proposal"]],
    ["a proposal and its heading", `${proposalText}${policyHead}`, ["policy", "proposal"]],
  ])("a policy that was half typed, with %s, is typed anew", (_case, ike, parts) => {
    const { commands } = rendered([put()], { ...none, ike: `${ike}!\n` });
    expect(commands.slice(0, parts.length)).toEqual(
      parts.map((part) => `no crypto ikev2 ${part} linkseal-198.51.100.1`),
    );
    expect(commands[parts.length]).toBe("crypto ikev2 proposal linkseal-198.51.100.1");
  });

  it("a policy that is whole, and has other algorithms, is left alone", () => {
    const whole = texts.ike.slice(0, texts.ike.indexOf("crypto ikev2 keyring"));
    const other = whole.replace("group 20", "group 14");
    expect(refusal([put()], { ...none, ike: other }).code).toBe("device.rejected");
  });

  it("a tunnel whose PSK has too many digits for one line is refused", () => {
    const change = [put()];
    const work = workOf(change, iosxe.offers, "k".repeat(117));
    const plan = (): unknown => planTunnels(change, { work, limits, standing: new Map() });
    expect(plan).toThrow(LinksealError);
    expect(`pre-shared-key hex ${"00".repeat(limits.pskOctetsMax)}`.length).toBeLessThan(254);
  });
});

describe("SAs", () => {
  const at = 5 as Instant;

  function state(ike: string, sas: string) {
    const [ikeSas, ipsecSas] = [readIkeSas(ike), readIpsecSas(sas)];
    if (ikeSas === undefined || ipsecSas === undefined) throw new Error("not understood");
    const answers = { ikeSas: { value: ikeSas }, ipsecSas: { value: ipsecSas } };
    return tunnelStates(tunnelsOf(), answers, at);
  }

  it("SAs are reported each way, the newest of a direction as the one in use", () => {
    const [own, other] = state(ikeText("READY"), pairText());
    expect(own?.ike).toMatchObject({ value: "established" });
    expect(own?.sas).toMatchObject({
      kind: "known",
      value: [
        { spi: 363_795_572, direction: "in", phase: "rekeyed", packets: 7n },
        { spi: 0x9c2f0001, direction: "in", phase: "installed", transforms: tunnel.transforms },
        { spi: 162, direction: "out", phase: "installed", packets: 9n },
      ],
    });
    expect(other).toMatchObject({ name: "BRANCH", ike: { value: "down" }, sas: { value: [] } });
  });

  it.each(["IN-NEG", "DELETE"])("SAs of IKE in the state %s are not established", (status) => {
    expect(state(ikeText(status), "No SAs found")[0]?.ike).toMatchObject({ value: "connecting" });
  });

  it("SAs that are not active are reported as deleting", () => {
    const [own] = state(ikeText("READY"), pairText("DELETED"));
    expect(own?.sas).toMatchObject({ value: [{ phase: "deleting" }, {}, { phase: "deleting" }] });
  });

  it.each([
    ["Y  replay window size: 1024", "on"],
    ["N", "off"],
    ["?", undefined],
  ])("SAs that receive report anti-replay if its support is %j", (support, antiReplay) => {
    const line = `        replay detection support: ${support}\n        Status: `;
    const text = pairText()
      .replaceAll(/^.*replay detection support.*\n/gm, "")
      .replaceAll(/ {8}Status: /g, line);
    const [own] = state(ikeText("READY"), text);
    const sas = own?.sas.kind === "known" ? own.sas.value : [];
    expect(sas.map((sa) => sa.antiReplay)).toEqual([antiReplay, antiReplay, undefined]);
  });

  const installed = (text: string): readonly number[] | undefined => {
    const sas = readIpsecSas(text)?.get("Tunnel3")?.sas;
    return sas?.filter(({ phase }) => phase === "installed").map(({ spi }) => spi);
  };

  it("SAs whose lives are in hours are told apart, or not understood", () => {
    const hours = (old: string) =>
      pairText()
        .replaceAll("(k/sec): (4259661/2577)", "1 hours, 10 mins")
        .replace("(k/sec): (4259661/25)", old);
    expect(installed(hours("0 hours, 4 mins"))).toEqual([0x9c2f0001, 162]);
    expect(installed(hours("4 mins"))).toEqual([0x9c2f0001, 162]);
    // Two generations that may both be in use.
    expect(installed(hours("1 hours, 10 mins"))).toBeUndefined();
    expect(installed(hours("is not applicable"))).toBeUndefined();
    expect(installed(hours("soon"))).toBeUndefined();
  });

  it("SAs that send are told apart by the SPI that is in use", () => {
    const two = pairText()
      .replaceAll("inbound esp", "OTHER")
      .replaceAll("outbound esp", "inbound esp");
    const text = two.replace("OTHER", "outbound esp");
    const used = (spi: number) =>
      text.replace(
        "     PFS",
        `     current outbound spi: 0x${spi.toString(16).toUpperCase()}(${spi})\n     PFS`,
      );
    expect(installed(text)).toContain(0x9c2f0001);
    expect(installed(used(0x15af1474))).toContain(0x15af1474);
    expect(installed(used(0x15af1474))).not.toContain(0x9c2f0001);
  });

  it("SAs have the group of a key exchange that another one follows", () => {
    for (const more of [", AKE group: AKE1: MLKEM512", ", PQC Key Exchange: ML-KEM-1024"]) {
      const text = pairText().replace("group20", `group20${more}`);
      expect(readIpsecSas(text)?.get("Tunnel3")?.sas?.[0]?.transforms.dhGroup).toBe("ecp-384");
    }
  });

  it.each([
    ["without an SPI", "spi: 0xA2(162)", "spi: [Not Available]"],
    ["with an SPI of two values", "spi: 0xA2(162)", "spi: 0xA2(163)"],
    ["with a digest that is not offered", "esp-gcm 256 ", "esp-3des esp-md5-hmac "],
    ["of AH", "outbound ah sas:", "outbound ah sas:\n      spi: 0x100(256)"],
    ["without a count of packets", "#pkts encaps", "#pkts"],
    [
      "of an interface whose head is missing",
      "   protected vrf",
      "    Crypto map tag: T\n   protected vrf",
    ],
  ])("SAs %s are not understood", (_, from, to) => {
    expect(readIpsecSas(pairText())?.get("Tunnel3")?.sas).toHaveLength(3);
    expect(readIpsecSas(pairText().replace(from, to))?.get("Tunnel3")?.sas).toBeUndefined();
  });

  it("SAs of IKE over IPv6 have their ends in two rows", () => {
    const text =
      " IPv4 Crypto IKEv2  SA\n\n IPv6 Crypto IKEv2  SA\n\n" +
      "Tunnel-id    fvrf/ivrf              Status\n1          none/none             READY\n" +
      "Local  2001:db8::131/500\nRemote  2001:db8::122/500\n      Encr: AES-CBC, keysize: 256\n";
    const [localAddress, remoteAddress] = ["2001:db8::131", "2001:db8::122"];
    expect(readIkeSas(text)).toEqual([{ localAddress, remoteAddress, isReady: true }]);
    expect(readIkeSas(text.replace("Remote  2001:db8::122/500\n", ""))).toBeUndefined();
    expect(readIkeSas(text.replace("READY", "WELL"))).toBeUndefined();
  });

  it("SAs are not understood as a whole if one of them is not", () => {
    const [own] = state(ikeText("READY"), ipsecText("      spi: 0xZZ(1)\n", ""));
    expect(own?.sas).toEqual({ kind: "unknown", why: "unparsed", at });
  });

  it("SAs are read if lines have no indents and blank lines between them", () => {
    const loose = pairText()
      .split("\n")
      .map((row) => row.trim())
      .join("\n\n");
    expect(state(ikeText("READY"), loose)[0]?.sas).toMatchObject({ value: [{}, {}, {}] });
  });

  it("a reply without a word is not understood, and never means that there are no SAs", () => {
    for (const text of ["", "\n", " \n \n"]) {
      expect(readIkeSas(text)).toBeUndefined();
      expect(readIpsecSas(text)).toBeUndefined();
    }
    expect(readIpsecSas("\nNo SAs found\n")?.size).toBe(0);
    expect(readIkeSas(" IPv4 Crypto IKEv2  SA \n\n IPv6 Crypto IKEv2  SA ")).toEqual([]);
    expect(readIkeSas("Unable to get data")).toBeUndefined();
    expect(readIpsecSas("Unable to get data")).toBeUndefined();
    expect(readTunnelRoutes("Unable to get data", new Map())).toBeUndefined();
  });

  it("SAs of IKE whose reply is cut off before the heading of IPv6 are not understood", () => {
    const rows = ikeText("READY").trimEnd().split("\n");
    expect(readIkeSas(rows.join("\n"))).toHaveLength(1);
    for (const cut of rows.keys()) {
      if (cut > 0) expect(readIkeSas(rows.slice(0, cut).join("\n"))).toBeUndefined();
      if (cut > 0) expect(readIkeSas(rows.slice(cut).join("\n"))).toBeUndefined();
    }
  });

  it("SAs of an interface whose page is cut off before its first flow are not understood", () => {
    const rows = pairText().trimEnd().split("\n");
    const end = rows.findIndex((row) => row.includes("outbound ah sas:"));
    for (const cut of rows.keys()) {
      if (cut < 2 || cut > end) continue;
      const first = rows.slice(0, cut).join("\n");
      expect(readIpsecSas(first)?.get("Tunnel3")).toMatchObject({ sas: undefined });
      const second = `${pairText()}\n${first.replace("Tunnel3", "Tunnel7")}`;
      expect(readIpsecSas(second)?.get("Tunnel3")?.sas).toHaveLength(3);
      expect(readIpsecSas(second)?.get("Tunnel7")).toMatchObject({ sas: undefined });
    }
  });

  it("routes cut off in the legend, or behind the heading of a network, are not understood", () => {
    const rows = routesText.trimEnd().split("\n");
    const cutAt = (end: number) => readTunnelRoutes(rows.slice(0, end).join("\n"), new Map());
    const [gateway, ...networks] = rows.flatMap((row, index) =>
      /^Gateway | subnetted, /.test(row) ? [index + 1] : [],
    );
    for (let end = 0; end < (gateway ?? 0); end++) expect(cutAt(end)).toBeUndefined();
    expect(cutAt(gateway ?? 0)).toEqual([]);
    expect(networks).toHaveLength(2);
    for (const end of networks) expect(cutAt(end)).toBeUndefined();
    expect(cutAt(rows.length)).toEqual([]);
  });

  it("routes into a tunnel's interface are reported, with the length of either layout", () => {
    const names = new Map([
      ["Tunnel3", "hub-1"],
      ["Tunnel7", "BRANCH"],
    ]);
    const route = (prefix: string, name: string) => ({
      prefix,
      via: { kind: "tunnel", name },
      best: true,
    });
    expect(readTunnelRoutes(routesText, names)).toEqual([
      route("10.100.0.0/16", "hub-1"),
      route("10.100.0.0/16", "BRANCH"),
      route("172.16.5.0/24", "hub-1"),
    ]);
  });
});

describe("IPsec", () => {
  it.each([
    ["c8500-12x4qc", "17.15.1", true],
    ["asr1001-hx", "16.12.1", true],
    ["asr1001-hx", "16.6.4", false],
    ["c9500-48y4c", "17.9.4", false],
  ])("IPsec on a %s with %s is offered: %s", (platform, version, has) => {
    const software = {
      ...{ platform, version, restartedAt: undefined, uptimeMs: undefined },
      licence: undefined,
    };
    expect(capabilitiesOf(iosxe.offers, software, true).ipsec !== undefined).toBe(has);
  });
});
