// Every platform, one row each; the config schema, `init`, `sim router`, the conformance suite and
// the documents use it.

import type { ByHand } from "#hal/by-hand.ts";
import type { Driver } from "#hal/device.ts";
import type { PlatformFacts } from "#hal/platform-facts.ts";
import type { ChannelKind } from "#hal/world.ts";
import { eosByHand } from "./eos/by-hand.ts";
import { eos } from "./eos/eos.ts";
import { eosFacts } from "./eos/facts.ts";
import { eosReader } from "./eos/queries.ts";
import { iosxeByHand } from "./iosxe/by-hand.ts";
import { iosxeFacts } from "./iosxe/facts.ts";
import { iosxe } from "./iosxe/iosxe.ts";
import { iosxeReader } from "./iosxe/queries.ts";
import { iosxrByHand } from "./iosxr/by-hand.ts";
import { iosxrFacts } from "./iosxr/facts.ts";
import { iosxr } from "./iosxr/iosxr.ts";
import { iosxrReader } from "./iosxr/queries.ts";
import { junosByHand } from "./junos/by-hand.ts";
import { junosFacts } from "./junos/facts.ts";
import { junos } from "./junos/junos.ts";
import { junosReader } from "./junos/queries.ts";
import { linuxByHand } from "./linux/driver/by-hand.ts";
import { linuxFacts } from "./linux/driver/facts.ts";
import { linux } from "./linux/driver/linux.ts";
import { linuxReader } from "./linux/driver/queries.ts";
import { nxosByHand } from "./nxos/by-hand.ts";
import { nxosFacts } from "./nxos/facts.ts";
import { nxos } from "./nxos/nxos.ts";
import { nxosReader } from "./nxos/queries.ts";
import type { QueryReader } from "./platform/define-reader.ts";
import { withSnmpCrossCheck } from "./platform/snmp-cross-check.ts";
import { simByHand } from "./sim/by-hand.ts";
import { simFacts } from "./sim/facts.ts";
import { sim } from "./sim/sim.ts";

interface Row {
  readonly driver: Driver;
  /** The commands for a person without an agent. */
  readonly byHand: ByHand;
  /** What operators, the config and `init` have to know of it. */
  readonly facts: PlatformFacts;
  /** How the device is reached: by SSH with a login, or at sockets of this host. */
  readonly access:
    | { readonly kind: "ssh"; readonly channel: ChannelKind; readonly defaultPort: number }
    /** `address`: whether the config must name the socket; `peer`: another host may have it. */
    | {
        readonly kind: "local";
        readonly address: "required" | "default";
        readonly peer: boolean;
      };
}

/** A router behind SSH; its SNMP agent may be read beside the session. */
function router(own: Omit<Row, "access">, channel: ChannelKind, defaultPort: number) {
  const access = { kind: "ssh", channel, defaultPort } as const;
  return { ...own, driver: withSnmpCrossCheck(own.driver), access };
}

/** The platforms by their names in the config. */
export const platforms = {
  eos: router({ driver: eos, byHand: eosByHand, facts: eosFacts }, "shell", 22),
  iosxe: router({ driver: iosxe, byHand: iosxeByHand, facts: iosxeFacts }, "shell", 22),
  iosxr: router({ driver: iosxr, byHand: iosxrByHand, facts: iosxrFacts }, "shell", 22),
  // RFC 6242, section 1: the port that IANA assigned to NETCONF over SSH.
  junos: router({ driver: junos, byHand: junosByHand, facts: junosFacts }, "netconf", 830),
  linux: {
    ...{ driver: linux, byHand: linuxByHand, facts: linuxFacts },
    access: { kind: "local", address: "default", peer: true },
  },
  nxos: router({ driver: nxos, byHand: nxosByHand, facts: nxosFacts }, "shell", 22),
  sim: {
    ...{ driver: sim, byHand: simByHand, facts: simFacts },
    access: { kind: "local", address: "required", peer: false },
  },
} as const satisfies Readonly<Record<string, Row>>;

export type PlatformName = keyof typeof platforms;

export const platformNames = Object.keys(platforms) as PlatformName[];

const rows: ReadonlyMap<string, Row> = new Map(Object.entries(platforms));

/** Returns the commands for a person; undefined = no platform has that name. */
export function byHandOf(name: string): ByHand | undefined {
  return rows.get(name)?.byHand;
}

/** Returns the facts about a platform; undefined = no platform has that name. */
export function factsOf(name: string): PlatformFacts | undefined {
  return rows.get(name)?.facts;
}

/**
 * Returns the platforms that an operator may mean by the name of a vendor, a model or an operating
 * system; none = it is not known.
 */
export function platformsMeant(word: string): readonly string[] {
  if (word.length > 40) return [];
  const plain = word.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  return platformNames.filter((name) => factsOf(name)?.meant.test(plain) === true);
}

/** Returns how devices of a platform are reached; undefined = no platform has that name. */
export function accessOf(name: string): Row["access"] | undefined {
  return rows.get(name)?.access;
}

/**
 * Returns the TCP port of SSH on a router of this platform, if its config names none.
 * @throws RangeError for a platform that is not reached by SSH.
 */
export function sshPortOf(name: string): number {
  const access = accessOf(name);
  if (access?.kind === "ssh") return access.defaultPort;
  // OpenSSH of a Linux host with `linkseal peer`.
  if (access?.kind === "local" && access.peer) return 22;
  throw new RangeError(`${name} is not reached over SSH`);
}

/** Platforms with a login by SSH. */
export const routerNames = platformNames.filter(
  (name): name is Exclude<PlatformName, "linux" | "sim"> => accessOf(name)?.kind === "ssh",
);

/** What each platform sends to read a device; `sim` speaks the contract's own words. */
export const readers: Readonly<Record<Exclude<PlatformName, "sim">, QueryReader>> = {
  eos: eosReader,
  iosxe: iosxeReader,
  iosxr: iosxrReader,
  junos: junosReader,
  linux: linuxReader,
  nxos: nxosReader,
};

export const drivers: Readonly<Record<string, Driver>> = Object.fromEntries(
  Object.entries(platforms).map(([name, { driver }]) => [name, driver]),
);
