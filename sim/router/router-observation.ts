// The observations that a router returns: readings of one moment.

import type { Capabilities } from "#hal/device.ts";
import {
  type BgpSession,
  type DeviceState,
  type KeySlot,
  known,
  type MacsecPort,
  type PortName,
  type Route,
  type Routing,
  type TunnelSession,
  unknown,
} from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { PortEndpoint } from "../mka/port-endpoint.ts";
import { type BgpPeering, holdMs } from "./router-bgp.ts";
import type { MutableConfig } from "./router-config.ts";
import type { SimTunnel } from "./tunnel.ts";

/** The counters of a port as they were when they froze. */
export type PortCounters = Pick<MacsecPort, "frames" | "mkpdus" | "rate">;

export interface ObservedPort {
  readonly name: PortName;
  readonly endpoint: PortEndpoint;
  readonly peer: string;
  readonly bgp: BgpPeering;
  readonly drained: boolean;
  /** True if the best paths leave by another router of the group. */
  readonly yields: boolean;
  readonly frozen: PortCounters | undefined;
}

export function readPort(
  port: ObservedPort,
  running: MutableConfig,
  capabilities: Capabilities,
  at: Instant,
): MacsecPort {
  const { endpoint } = port;
  const admin = running.ports.get(port.name)?.admin;
  const counters = port.frozen ?? readCounters(endpoint, capabilities, at);
  return {
    port: port.name,
    admin: admin === undefined ? unknown("queryFailed", at) : known(admin, at),
    linkUp: known(endpoint.linkUp(), at),
    settings: known(endpoint.settings(), at),
    liveSuite: known(endpoint.liveSuite(), at),
    keys: known(slots(endpoint.keys(), capabilities), at),
    session: known(endpoint.session(), at),
    // A frozen counter is reported with the present time: that is what makes it dangerous.
    frames: { ...counters.frames, at },
    mkpdus: { ...counters.mkpdus, at },
    rate: { ...counters.rate, at },
  };
}

// A port endpoint prefers one key by making the others fallback; a key chain has no such role.
function slots(keys: readonly KeySlot[], capabilities: Capabilities): readonly KeySlot[] {
  if (capabilities.macsec?.overlap === "fallback") return keys;
  return keys.map((key) => (key.role === "fallback" ? { ...key, role: "primary" } : key));
}

export function readCounters(
  endpoint: PortEndpoint,
  capabilities: Capabilities,
  at: Instant,
): PortCounters {
  const counts = capabilities.macsec?.counters !== "none";
  return {
    frames: counts ? known(endpoint.frames(), at) : unknown("notSupported", at),
    mkpdus: known(endpoint.mkpdus(), at),
    rate: known(endpoint.rate(), at),
  };
}

/** The prefixes that the two ends advertise on every port. */
interface Advertised {
  /** The prefixes that the far end advertises. */
  readonly learned: ReadonlySet<string>;
  /** The prefixes that this router advertises. */
  readonly announced: ReadonlySet<string>;
}

export function readRouting(
  ports: readonly ObservedPort[],
  tunnels: Iterable<SimTunnel>,
  running: MutableConfig,
  { learned, announced }: Advertised,
): Routing {
  const sessions: BgpSession[] = [];
  const routes: Route[] = [];
  const drains: Routing["drains"][number][] = [];
  const tunnelled = new Set<string>();
  const tunnelSessions: TunnelSession[] = [];
  for (const tunnel of tunnels) {
    const { name, bgp } = tunnel.spec;
    if (bgp !== undefined) {
      tunnelSessions.push({ tunnel: name, peer: bgp.peer, asn: bgp.asn, up: tunnel.bgpUp() });
    }
    if (!tunnel.established()) continue;
    const via = { kind: "tunnel", name: tunnel.spec.name } as const;
    for (const prefix of tunnel.spec.remotePrefixes) {
      tunnelled.add(prefix);
      routes.push({ prefix, via, best: true });
    }
  }
  const open = ports.some((port) => port.bgp.up() && !port.drained);
  for (const port of ports) {
    const up = port.bgp.up();
    const detection = up ? { bfd: port.bgp.bfd, holdMs } : {};
    sessions.push({ port: port.name, peer: port.peer, up, ...detection });
    const means = running.ports.get(port.name)?.drain;
    if (means !== undefined) drains.push({ port: port.name, means });
    if (!up) continue;
    const via = { kind: "port", port: port.name } as const;
    const leaves = !port.yields && !(port.drained && open);
    for (const prefix of learned) {
      routes.push({ prefix, via, best: leaves && !tunnelled.has(prefix) });
    }
  }
  const advertised = ports
    .filter((port) => port.bgp.up())
    .flatMap(({ name, peer }) => [...announced].map((prefix) => ({ port: name, peer, prefix })));
  const inside = tunnelSessions.length === 0 ? {} : { tunnelSessions };
  return { sessions, routes, drains, advertised, ...inside };
}

/** Returns the observation of a reply that arrived and could not be parsed. */
export function unparsedState(
  device: string,
  ports: readonly PortName[],
  tunnels: readonly string[],
  at: Instant,
): DeviceState {
  const blind = unknown("unparsed", at);
  const readings = {
    admin: blind,
    linkUp: blind,
    settings: blind,
    liveSuite: blind,
    keys: blind,
    session: blind,
    mkpdus: blind,
    frames: blind,
    rate: blind,
  };
  return {
    device,
    at,
    control: blind,
    macsec: ports.map((port) => ({ port, ...readings })),
    ipsec: tunnels.map((name) => ({ name, ike: blind, sas: blind })),
    routing: blind,
  };
}
