import { describe, expect, it } from "vitest";
import { eos } from "#drivers/eos/eos.ts";
import { capabilitiesOf } from "#drivers/eos/quirks.ts";
import { limits } from "#drivers/eos/tunnel-config.ts";
import { readConnections, readTunnelRoutes, tunnelStates } from "#drivers/eos/tunnel-parsers.ts";
import { tunnelCommands } from "#drivers/eos/tunnel-renderer.ts";
import { planTunnels, tunnelLines } from "#drivers/platform/tunnel-change.ts";
import type { DeviceChange } from "#hal/device.ts";
import type { LinksealError } from "#hal/error.ts";
import { preview } from "#hal/secret.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { Instant } from "#hal/world.ts";
import { refusalIn } from "../change-kit.ts";
import { put, take, tunnel, workOf } from "../tunnel-kit.ts";
import {
  bareText,
  connectionText,
  ike,
  routesText,
  tunnelConfig,
  tunnelText,
} from "./eos-tunnel-kit.ts";

const plainPsk = "Quiet.Gate/Seven=Lamps";

function rendered(change: DeviceChange, text = tunnelText(), psk = plainPsk) {
  const { tunnels } = tunnelConfig(text);
  const standing = new Map([...tunnels.tunnels].map(([name, { plan }]) => [name, plan]));
  const work = workOf(change, eos.offers, psk);
  const changed = planTunnels(change, { work, limits, standing });
  const commands = tunnelCommands(changed, tunnels, "edge-a").map(preview);
  return { commands, lines: tunnelLines(changed) };
}

function refusal(change: DeviceChange, text = tunnelText(), psk = plainPsk): LinksealError {
  return refusalIn(() => rendered(change, text, psk));
}

describe("tunnels that are configured", () => {
  it("configured tunnels are read if their policies have the name of their profile", () => {
    const { tunnels: standing, homes, numbers } = tunnelConfig().tunnels;
    const { localPrefixes: _behind, ifId: _number, auth: _auth, ...rest } = tunnel;
    const psk = "hub-1-psk/0f1e2d3c4b5a69780f1e2d3c4b5a6978";
    // A limit by traffic that is configured beside the one by time is left as it is.
    const life = { seconds: 27_000, kilobytes: "unlimited" };
    expect(standing.get("hub-1")?.plan).toEqual({ ...rest, ike, life, psk });
    expect(standing.get("BRANCH")).toMatchObject({ interface: "Tunnel7", plan: undefined });
    expect([...numbers]).toEqual([3, 7]);
    // What lies in a VRF ends no tunnel of the default one.
    expect([...homes.keys()]).toEqual(["198.51.100.1"]);
  });

  it("configured tunnels keep nothing of a PSK, with a form before it or without", () => {
    const reported = JSON.stringify([...tunnelConfig().tunnels.tunnels]);
    expect(reported).not.toMatch(/047F0E021A70|Quiet/);
    const other = tunnelText("shared-key Quiet", "shared-key Loud");
    expect(tunnelConfig(other).id).toBe(tunnelConfig().id);
  });

  it.each([
    ["tunnel mode ipsec", "tunnel mode gre"],
    ["connection start", "connection add"],
    ["dh-group 20", "dh-group 21"],
    ["integrity sha384", "integrity md5"],
    ["sa lifetime 450 minutes", "sa lifetime 1 thousand-packets"],
    ["local-id 198.51.100.1", "local-id 10.0.0.1"],
    ["mtu 1400", "mtu all"],
  ])("a configured tunnel with another %s is not ours", (from, to) => {
    const text = tunnelText(from, to);
    expect(tunnelConfig(text).tunnels.tunnels.get("hub-1")?.plan).toBeUndefined();
    expect(refusal([put({ ike })], text)).toMatchObject({ code: "device.rejected" });
  });

  it("configured tunnels that share a profile have the names of their interfaces", () => {
    const { tunnels: standing } = tunnelConfig(
      tunnelText("ipsec profile BRANCH", "ipsec profile hub-1"),
    ).tunnels;
    expect([...standing.keys()]).toEqual(["Tunnel3", "Tunnel7"]);
  });
});

describe("a tunnel", () => {
  it("a new tunnel is sent with its PSK as a hole", () => {
    const { commands, lines } = rendered([put({ ike })], bareText);
    expect(commands).toContain("shared-key 0 [secret psk]");
    expect(commands.join("\n")).not.toContain(plainPsk);
    expect(commands).toContain("esp encryption aes256gcm128");
    expect(commands.filter((one) => one.startsWith("sa lifetime"))).toEqual([
      "sa lifetime 450 minutes",
    ]);
    expect(commands).toContain("tcp mss ceiling ipv4 1360");
    expect(commands).toContain("ip address unnumbered Loopback0");
    expect(commands.at(-1)).toBe("ip route 10.100.0.0/16 Tunnel1");
    expect(lines).toHaveLength(1);
  });

  it("a lifetime of whole hours is sent in hours, which every release knows", () => {
    const life = { seconds: 28_800, kilobytes: 1_025 };
    const { commands, lines } = rendered([put({ ike, life })], bareText);
    expect(commands).toContain("sa lifetime 8 hours");
    expect(lines.join("\n")).toContain("for 28800s, IKE");
  });

  it("a tunnel has the group ECP256", () => {
    const ecp = { ike: { ...ike, dhGroup: "ecp-256" } };
    expect(rendered([put(ecp)], bareText).commands).toContain("dh-group 19");
  });

  it("a tunnel that is as wanted is left alone", () => {
    expect(rendered([put({ ike })])).toEqual({ commands: [], lines: [] });
  });

  it("a tunnel loses stale prefixes and a group that it no longer has", () => {
    const transforms = { ...tunnel.transforms, dhGroup: "none" };
    const { commands } = rendered([put({ ike, transforms, remotePrefixes: ["10.101.0.0/16"] })]);
    expect(commands).toContain("no pfs dh-group");
    expect(commands.slice(-2)).toEqual([
      "ip route 10.101.0.0/16 Tunnel3",
      "no ip route 10.100.0.0/16 Tunnel3",
    ]);
  });

  it("a removed tunnel goes with all that has its name", () => {
    expect(rendered([take()]).commands).toEqual([
      "no ip route 10.100.0.0/16 Tunnel3",
      "no interface Tunnel3",
      "ip security",
      "no profile hub-1",
      "no sa policy hub-1",
      "no ike policy hub-1",
      "exit",
    ]);
    expect(rendered([take("hub-9")])).toEqual({ commands: [], lines: [] });
  });

  const unfit: readonly (readonly [string, Partial<TunnelSpec>, string])[] = [
    ["the policy strong", {}, "device.unsupported"],
    ["another PRF", { ike: { ...ike, prf: "sha256" } }, "device.rejected"],
    [
      "a life of odd seconds",
      { ike, life: { seconds: 27_001, kilobytes: 1_024 } },
      "device.rejected",
    ],
    ["an address that no interface has", { ike, localAddress: "198.51.100.7" }, "device.rejected"],
    ["an address in a VRF", { ike, localAddress: "198.51.100.9" }, "device.rejected"],
    ["the prefix of another", { ike, remotePrefixes: ["0.0.0.0/0"] }, "device.rejected"],
    ["the ends of another", { ike, name: "x", remoteAddress: "192.0.2.9" }, "device.rejected"],
    ["the name of another", { ike, name: "BRANCH" }, "device.rejected"],
  ];

  it.each(unfit)("a tunnel with %s is refused", (_what, over, code) => {
    expect(refusal([put(over)])).toMatchObject({ code, effect: "none" });
  });

  it.each(["Quiet?Gate-Seven", 'Quiet"Gate"Seven', "Quiet;Gate|Seven"])(
    "a tunnel with a PSK that a terminal would interpret is refused: %s",
    (psk) => {
      const error = refusal([put({ ike })], bareText, psk.replace("-", "|"));
      expect(error.code).toBe("vault.malformedKey");
      expect(error.message).not.toContain("Quiet");
    },
  );

  it("a tunnel is refused if a policy of the operator has its name and no interface does", () => {
    const text = tunnelText("tunnel ipsec profile hub-1", "tunnel path-mtu-discovery");
    expect(refusal([put({ ike })], text).code).toBe("device.rejected");
  });
});

describe("SAs", () => {
  const at = 5 as Instant;

  function state(text: string) {
    const connections = readConnections(text);
    if (connections === undefined) throw new Error("not understood");
    return tunnelStates(tunnelConfig().tunnels, { value: connections }, at);
  }

  it("SAs are reported each way, the newest of a direction as the one in use", () => {
    const [own, other] = state(connectionText("established"));
    expect(own?.ike).toMatchObject({ value: "established" });
    expect(own?.sas).toMatchObject({
      kind: "known",
      value: [
        { spi: 0xcb256c, direction: "in", phase: "rekeyed", packets: 6n },
        { spi: 0xcb256d, direction: "in", phase: "installed", transforms: tunnel.transforms },
        { spi: 0xc056b26f, direction: "out", phase: "installed", packets: 9n },
      ],
    });
    expect(other).toMatchObject({ name: "BRANCH", ike: { value: "down" }, sas: { value: [] } });
  });

  it("SAs of a connection in any other state are not established", () => {
    expect(state(connectionText("idle"))[0]?.ike).toMatchObject({ value: "connecting" });
  });

  it("SAs are not understood as a whole if one of them is not", () => {
    const [own] = state(connectionText("established", false));
    expect(own?.sas).toEqual({ kind: "unknown", why: "unparsed", at });
  });

  it.each(["Current packets: 9", "SA add time: Tue Mar 19 12:11:37 2024"])(
    "an SA with the row of another one is not understood: %s",
    (row) => {
      const text = connectionText("established").replace(
        /(?=^ {6}Current packets: )/m,
        `      ${row}\n`,
      );
      expect(state(text)[0]?.sas).toEqual({ kind: "unknown", why: "unparsed", at });
    },
  );

  it("an empty reply means no SAs, and any other text is not understood", () => {
    expect(readConnections("")).toEqual(new Map());
    expect(readConnections("Sysdb connection lost")).toBeUndefined();
    expect(readTunnelRoutes("Sysdb connection lost", new Map())).toBeUndefined();
  });

  it("routes that lead into a tunnel's interface are reported", () => {
    const via = { kind: "tunnel", name: "hub-1" };
    expect(readTunnelRoutes(routesText, new Map([["Tunnel3", "hub-1"]]))).toEqual([
      { prefix: "10.100.0.0/16", via, best: true },
    ]);
  });
});

describe("IPsec", () => {
  it.each([
    ["AWE-5510-16S-F", "4.32.2F", true],
    ["vEOS", "4.27.1F", true],
    ["vEOS", "4.26.4M", false],
    ["DCS-7280CR3MK-32P4-F", "4.30.5M", false],
  ])("IPsec on a %s with %s is offered: %s", (model, version, has) => {
    expect(capabilitiesOf(eos.offers, { model, version }).ipsec !== undefined).toBe(has);
  });
});
