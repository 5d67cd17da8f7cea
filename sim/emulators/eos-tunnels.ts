// What the tunnels of a configuration in EOS' own lines make of the simulated router, the other way
// round, and what EOS prints of them; written from Arista's manual and output that was published.

import type { IpsecSa, Reading, TunnelSpec } from "#hal/model.ts";
import type { Router } from "../router/router.ts";
import type { TunnelConfig } from "../router/router-config.ts";
import type { SimTunnel } from "../router/tunnel.ts";
import { CommandError, childOf, type Line, line, restOf } from "./eos-config.ts";
import { asTheyStand, sameTunnel } from "./tunnel-sameness.ts";
import { obscured, plainOf } from "./type-seven.ts";

type Json = Readonly<Record<string, unknown>>;

const groups: Readonly<Record<string, string>> = {
  "2": "modp-1024",
  "14": "modp-2048",
  "20": "ecp-384",
  "24": "modp-2048-256",
};
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

interface Bound {
  readonly interface: string;
  readonly tunnel: TunnelConfig;
}

/** Throws CommandError where a profile that a tunnel has is not whole. */
function boundTunnels(lines: readonly Line[]): readonly Bound[] {
  return lines.flatMap(({ text, children }): readonly Bound[] => {
    const at = /^interface (Tunnel\d+)$/.exec(text)?.[1];
    const profile = restOf(children, "tunnel ipsec profile");
    if (at === undefined || profile === undefined) return [];
    if (restOf(children, "tunnel mode") !== "ipsec") return [];
    return [{ interface: at, tunnel: tunnelFrom(lines, at, children, profile) }];
  });
}

export function tunnelsFrom(lines: readonly Line[], router: Router): Map<string, TunnelConfig> {
  return asTheyStand(
    boundTunnels(lines).map(({ tunnel }) => tunnel),
    router,
  );
}

function tunnelFrom(
  lines: readonly Line[],
  at: string,
  own: readonly Line[],
  name: string,
): TunnelConfig {
  const security = childOf(lines, "ip security")?.children ?? [];
  const profile = childOf(security, `profile ${name}`)?.children;
  if (profile === undefined) throw new CommandError(`% IPsec profile ${name} is not configured`);
  const ike = childOf(security, `ike policy ${restOf(profile, "ike-policy")}`)?.children ?? [];
  const sa = childOf(security, `sa policy ${restOf(profile, "sa-policy")}`)?.children ?? [];
  const integrity = restOf(ike, "integrity") ?? "sha256";
  const pfs = restOf(sa, "pfs dh-group");
  const mac = restOf(sa, "esp integrity") ?? "sha256";
  const hidden = restOf(profile, "shared-key 7") ?? "";
  const spec: TunnelSpec = {
    name,
    localAddress: restOf(own, "tunnel source") ?? "",
    remoteAddress: restOf(own, "tunnel destination") ?? "",
    localPrefixes: [],
    remotePrefixes: prefixesInto(lines, at),
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

function lifeOf(policy: readonly Line[]): TunnelSpec["life"] {
  const count = (pattern: RegExp): number | undefined => {
    const found = policy.map(({ text }) => pattern.exec(text)?.[1]).find((one) => one);
    return found === undefined ? undefined : Number(found);
  };
  const minutes = count(/^sa lifetime (\d+) minutes$/);
  const hours = count(/^sa lifetime (\d+) hours$/) ?? 1;
  const megabytes = count(/^sa lifetime (\d+) megabytes$/);
  const gigabytes = count(/^sa lifetime (\d+) gigabytes$/) ?? 6_000;
  return {
    seconds: minutes === undefined ? hours * 3_600 : minutes * 60,
    kilobytes: (megabytes ?? gigabytes * 1_024) * 1_024,
  };
}

function prefixesInto(lines: readonly Line[], at: string): readonly string[] {
  return lines
    .flatMap(({ text }) => {
      const [, prefix = "", hop] = /^ip route (\S+) (\S+)$/.exec(text) ?? [];
      return hop === at ? [prefix] : [];
    })
    .toSorted();
}

/** The lines after somebody changed the tunnels of the router by another way than this face. */
export function followTunnels(lines: Line[], router: Router): void {
  for (const { interface: at, tunnel } of boundTunnels(lines)) {
    const stands = router.running.tunnels.get(tunnel.spec.name);
    if (stands !== undefined && sameTunnel(stands, tunnel)) continue;
    const isOf = (text: string): boolean => text === `interface ${at}` || text.endsWith(` ${at}`);
    const rest = lines.filter(({ text }) => !isOf(text));
    lines.splice(0, lines.length, ...rest);
    forget(lines, tunnel.spec.name);
  }
  const told = new Set(boundTunnels(lines).map(({ tunnel }) => tunnel.spec.name));
  for (const [name, tunnel] of router.running.tunnels) if (!told.has(name)) putIn(lines, tunnel);
}

/** Its policies and its profile. */
function forget(lines: readonly Line[], name: string): void {
  const security = childOf(lines, "ip security");
  if (security === undefined) return;
  const own = [`ike policy ${name}`, `sa policy ${name}`, `profile ${name}`];
  security.children = security.children.filter(({ text }) => !own.includes(text));
}

const keyFor = (words: Readonly<Record<string, string>>, word: string): string =>
  Object.entries(words).find(([, one]) => one === word)?.[0] ?? word;

function putIn(lines: Line[], { spec, psk }: TunnelConfig): void {
  const { name, ike, transforms, life, mtu } = spec;
  const numbers = lines.map(({ text }) => Number(/^interface Tunnel(\d+)$/.exec(text)?.[1] ?? 0));
  const at = `Tunnel${Math.max(1_000, ...numbers) + 1}`;
  const all = (...texts: readonly string[]): readonly Line[] => texts.map((text) => line(text));
  let security = childOf(lines, "ip security");
  if (security === undefined) {
    security = line("ip security");
    lines.push(security);
  }
  forget(lines, name);
  const { dhGroup, integrity } = transforms;
  const pfs = dhGroup === "none" ? [] : [`pfs dh-group ${keyFor(groups, dhGroup)}`];
  const ikeLines = [
    `encryption ${keyFor(ikeCiphers, ike.encryption)}`,
    `integrity ${ike.integrity}`,
    `dh-group ${keyFor(groups, ike.dhGroup)}`,
  ];
  const saLines = [
    `esp encryption ${keyFor(espCiphers, transforms.encryption)}`,
    `esp integrity ${integrity === "none" ? "null" : integrity}`,
    `sa lifetime ${life.seconds / 60} minutes`,
    `sa lifetime ${life.kilobytes / 1_024} megabytes`,
    ...pfs,
  ];
  const hidden = obscured(new TextDecoder().decode(psk));
  security.children.push(
    line(`ike policy ${name}`, ...all(...ikeLines)),
    line(`sa policy ${name}`, ...all(...saLines)),
    line(
      `profile ${name}`,
      ...all(`ike-policy ${name}`, `sa-policy ${name}`, `shared-key 7 ${hidden}`),
    ),
  );
  lines.push(
    line(
      `interface ${at}`,
      ...all(
        `mtu ${mtu}`,
        "tunnel mode ipsec",
        `tunnel source ${spec.localAddress}`,
        `tunnel destination ${spec.remoteAddress}`,
        `tunnel ipsec profile ${name}`,
      ),
    ),
    ...spec.remotePrefixes.map((prefix) => line(`ip route ${prefix} ${at}`)),
  );
}

const known = <T>(reading: Reading<T>): T | undefined =>
  reading.kind === "known" ? reading.value : undefined;

export function connections(lines: readonly Line[], router: Router): string {
  const pages = boundTunnels(lines).flatMap(({ interface: at, tunnel }): readonly string[] => {
    const runs = router.tunnels().find(({ spec }) => spec.name === tunnel.spec.name);
    const state = runs && known(runs.read().ike);
    if (runs === undefined || state === undefined || state === "down") return [];
    const sas = (known(runs.read().sas) ?? []).filter(({ phase }) => phase !== "deleting");
    return [
      `${at}:`,
      `  Source address: ${runs.spec.localAddress}, ` +
        `Destination address: ${runs.spec.remoteAddress}`,
      `  State: ${state === "established" ? "established" : "idle"}`,
      `  Uptime: ${state === "established" ? "2 minutes, 4 seconds" : "N/A"}`,
      "  VRF: default",
      ...sas.flatMap((sa) => saOf(sa, runs)),
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

/** A route into a tunnel is in use while the tunnel is up. */
export function staticRoutes(lines: readonly Line[], router: Router): Json {
  const up = new Set(
    boundTunnels(lines).flatMap(({ interface: at, tunnel }) => {
      const runs = router.tunnels().find(({ spec }) => spec.name === tunnel.spec.name);
      return runs?.established() === true ? [at] : [];
    }),
  );
  const routes = lines.flatMap(({ text }): readonly (readonly [string, Json])[] => {
    const [, prefix, hop = ""] = /^ip route (\S+) (\S+)$/.exec(text) ?? [];
    if (prefix === undefined || (hop.startsWith("Tunnel") && !up.has(hop))) return [];
    const via = hop.startsWith("Tunnel")
      ? { interface: hop }
      : { nexthopAddr: hop, interface: "Management1" };
    return [[prefix, { routeType: "static", kernelProgrammed: true, vias: [via] }]];
  });
  return { vrfs: { default: { routingDisabled: false, routes: Object.fromEntries(routes) } } };
}
