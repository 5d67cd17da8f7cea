// Translates between the tunnels of a configuration in EOS' own lines and those of the simulated
// router, and prints them as EOS does; written from Arista's manual and output that was published.

import type { IpsecSa } from "#hal/model.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { Router } from "../router/router.ts";
import type { TunnelConfig } from "../router/router-config.ts";
import type { SimTunnel } from "../router/tunnel.ts";
import { CommandError } from "./eos-config.ts";
import { type Block, block, blocksAt, childOf, keepOnly, linesIn, restOf } from "./line-tree.ts";
import { type Json, known, sasOf } from "./router-facts.ts";
import {
  groups as allGroups,
  asTheyStand,
  type Bound,
  followTunnels as follow,
  freeInterface,
  isInUse,
  keyFor,
  prefixesInto,
  runningTunnels,
} from "./tunnel-config.ts";
import { obscured, plainOf } from "./type-seven.ts";

/** EOS has no group 19. */
const groups = Object.fromEntries(Object.entries(allGroups).filter(([number]) => number !== "19"));
const ikeCiphers: Readonly<Record<string, string>> = {
  "3des": "3des-cbc",
  aes128: "aes-128-cbc",
  aes256: "aes-256-cbc",
};
const espCiphers: Readonly<Record<string, string>> = {
  aes128: "aes-128-cbc",
  aes256: "aes-256-cbc",
  aes128gcm128: "aes-128-gcm",
  aes256gcm128: "aes-256-gcm",
  aes256gcm256: "aes-256-gcm",
};

/**
 * Returns the bound tunnels.
 * @throws CommandError if the profile of a tunnel is incomplete
 */
function boundTunnels(lines: readonly Block[]): readonly Bound[] {
  return lines.flatMap(({ line, children }): readonly Bound[] => {
    const at = /^interface (Tunnel\d+)$/.exec(line)?.[1];
    const profile = restOf(children, "tunnel ipsec profile");
    if (at === undefined || profile === undefined) return [];
    if (restOf(children, "tunnel mode") !== "ipsec") return [];
    const tunnel = tunnelFrom(lines, at, children, profile);
    return [{ interface: at, tunnel, isTimed: true }];
  });
}

export function tunnelsFrom(lines: readonly Block[], router: Router): Map<string, TunnelConfig> {
  return asTheyStand(boundTunnels(lines), router);
}

function tunnelFrom(
  lines: readonly Block[],
  at: string,
  own: readonly Block[],
  name: string,
): TunnelConfig {
  const security = linesIn(lines, "ip security");
  const profile = childOf(security, `profile ${name}`)?.children;
  if (profile === undefined) throw new CommandError(`% IPsec profile ${name} is not configured`);
  const ike = linesIn(security, `ike policy ${restOf(profile, "ike-policy")}`);
  const sa = linesIn(security, `sa policy ${restOf(profile, "sa-policy")}`);
  const integrity = restOf(ike, "integrity") ?? "sha256";
  const pfs = restOf(sa, "pfs dh-group");
  const mac = restOf(sa, "esp integrity") ?? "sha256";
  const hidden = restOf(profile, "shared-key 7") ?? "";
  const spec: TunnelSpec = {
    name,
    localAddress: restOf(own, "tunnel source") ?? "",
    remoteAddress: restOf(own, "tunnel destination") ?? "",
    localPrefixes: [],
    remotePrefixes: prefixesInto(routesOf(lines), at),
    ike: {
      encryption: ikeCiphers[restOf(ike, "encryption") ?? "aes128"] ?? "",
      ...{ integrity, prf: integrity },
      dhGroup: groups[restOf(ike, "dh-group") ?? "14"] ?? "",
    },
    transforms: {
      encryption: espCiphers[restOf(sa, "esp encryption") ?? "aes128"] ?? "",
      integrity: mac === "null" ? "none" : mac,
      dhGroup: pfs === undefined ? "none" : (groups[pfs] ?? ""),
    },
    life: lifeOf(sa),
    mtu: Number(restOf(own, "mtu") ?? 1_476),
    ifId: Number(at.replace("Tunnel", "")),
    auth: { kind: "psk", secretId: "" },
  };
  return { spec, psk: new TextEncoder().encode(plainOf(hidden) ?? "") };
}

/** The most that an SA protects if its policy has no limit by traffic, in kilobytes. */
const kilobytesMax = 6_000 * 1_024 * 1_024;

/** A policy has one limit, by time or by traffic; a second line replaces the first. */
function lifeOf(policy: readonly Block[]): TunnelSpec["life"] {
  const [count = "1", unit = "hours"] = restOf(policy, "sa lifetime")?.split(" ") ?? [];
  const number = Number(count);
  switch (unit) {
    case "minutes":
      return { seconds: number * 60, kilobytes: kilobytesMax };
    case "megabytes":
      return { seconds: 3_600, kilobytes: number * 1_024 };
    case "gigabytes":
      return { seconds: 3_600, kilobytes: number * 1_024 * 1_024 };
    default:
      return { seconds: number * 3_600, kilobytes: kilobytesMax };
  }
}

function routesOf(lines: readonly Block[]) {
  return lines.flatMap(({ line }) => {
    const [, prefix, hop = ""] = /^ip route (\S+) (\S+)$/.exec(line) ?? [];
    return prefix === undefined ? [] : [{ prefix, hop }];
  });
}

/** Updates the lines after the router's tunnels were changed other than through this emulator. */
export function followTunnels(lines: Block[], router: Router): void {
  follow(
    router,
    boundTunnels(lines),
    ({ interface: at, tunnel }) => {
      keepOnly(lines, ({ line }) => line !== `interface ${at}` && !line.endsWith(` ${at}`));
      forget(lines, tunnel.spec.name);
    },
    (tunnel) => putIn(lines, tunnel),
  );
}

/** Removes the policies and the profile of a tunnel. */
function forget(lines: readonly Block[], name: string): void {
  const own = [`ike policy ${name}`, `sa policy ${name}`, `profile ${name}`];
  const security = childOf(lines, "ip security")?.children ?? [];
  keepOnly(security, ({ line }) => !own.includes(line));
}

function putIn(lines: Block[], { spec, psk }: TunnelConfig): void {
  const { name, ike, transforms, life, mtu } = spec;
  const at = freeInterface(lines);
  const security = blocksAt(lines, ["ip security"]);
  forget(lines, name);
  const { dhGroup, integrity } = transforms;
  const pfs = dhGroup === "none" ? [] : [`pfs dh-group ${keyFor(groups, dhGroup)}`];
  security.push(
    block(
      `ike policy ${name}`,
      `encryption ${keyFor(ikeCiphers, ike.encryption)}`,
      `integrity ${ike.integrity}`,
      `dh-group ${keyFor(groups, ike.dhGroup)}`,
    ),
    block(
      `sa policy ${name}`,
      `esp encryption ${keyFor(espCiphers, transforms.encryption)}`,
      `esp integrity ${integrity === "none" ? "null" : integrity}`,
      `sa lifetime ${life.seconds / 60} minutes`,
      ...pfs,
    ),
    block(
      `profile ${name}`,
      `ike-policy ${name}`,
      `sa-policy ${name}`,
      `shared-key 7 ${obscured(new TextDecoder().decode(psk))}`,
    ),
  );
  lines.push(
    block(
      `interface ${at}`,
      `mtu ${mtu}`,
      "tunnel mode ipsec",
      `tunnel source ${spec.localAddress}`,
      `tunnel destination ${spec.remoteAddress}`,
      `tunnel ipsec profile ${name}`,
    ),
    ...spec.remotePrefixes.map((prefix) => block(`ip route ${prefix} ${at}`)),
  );
}

export function connections(lines: readonly Block[], router: Router): string {
  const running = [...runningTunnels(boundTunnels(lines), router)];
  const pages = running.flatMap(([at, runs]): readonly string[] => {
    const state = known(runs.read().ike);
    if (state === undefined || state === "down") return [];
    return [
      `${at}:`,
      `  Source address: ${runs.spec.localAddress}, ` +
        `Destination address: ${runs.spec.remoteAddress}`,
      `  State: ${state === "established" ? "established" : "idle"}`,
      `  Uptime: ${state === "established" ? "2 minutes, 4 seconds" : "N/A"}`,
      "  VRF: default",
      ...sasOf(runs).flatMap((sa) => saOf(sa, runs)),
    ];
  });
  return pages.length === 0 ? "" : `${pages.join("\n")}\n`;
}

function saOf(sa: IpsecSa, { spec }: SimTunnel): readonly string[] {
  const made = sa.phase === "rekeyed" ? "Tue Mar 19 11:11:37 2024" : "Tue Mar 19 12:11:37 2024";
  const hard = spec.life.seconds;
  return [
    `  ${sa.direction === "in" ? "Inbound" : "Outbound"} SPI: 0x${sa.spi.toString(16)}:`,
    `    Request ID: 3, Mode: tunnel, Replay window size: ${sa.direction === "in" ? 16_384 : 0}, ` +
      "Seq: 0x0",
    "    Errors:",
    "      Packets outside replay window: 0, Replay: 0, Integrity failed: 0",
    "    Lifetime config:",
    "      Soft byte limit: 4068946580249, Hard byte limit: 6442450944000",
    "      Soft packet limit: 2977623660, Hard packet limit: 4000000000",
    `      Soft time limit: ${hard - 700} secs, Hard time limit: ${hard} secs`,
    "    Lifetime current:",
    `      Current bytes: ${sa.packets * 100n}`,
    `      Current packets: ${sa.packets}`,
    `      SA add time: ${made}`,
    "      SA last use time: -",
  ];
}

export function staticRoutes(lines: readonly Block[], router: Router): Json {
  const running = runningTunnels(boundTunnels(lines), router);
  const routes = routesOf(lines)
    .filter(({ hop }) => isInUse(hop, running))
    .map(({ prefix, hop }) => {
      const via = hop.startsWith("Tunnel")
        ? { interface: hop }
        : { nexthopAddr: hop, interface: "Management1" };
      return [prefix, { routeType: "static", kernelProgrammed: true, vias: [via] }];
    });
  return { vrfs: { default: { routingDisabled: false, routes: Object.fromEntries(routes) } } };
}
