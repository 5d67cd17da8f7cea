// The state that NX-OS reports about itself: boot, interfaces, checkpoints, BGP, routes.
// Undefined = nothing in the reply is understood.

import { isIP } from "node:net";
import type { PortName, Route } from "#hal/model.ts";
import type { BootTimes } from "../platform/cisco-boot.ts";
import { isPrefix } from "../platform/cisco-routes.ts";
import { type Peer, type Physical, peerKey } from "../platform/cisco-system.ts";
import { holdMsOf } from "../platform/detection.ts";
import type { JsonRecord } from "../platform/json.ts";
import { wholeOf } from "../platform/text.ts";
import { leafIn, replyIn, rowsOf } from "./json.ts";
import { isPort } from "./names.ts";

export interface Software extends BootTimes {
  /** `c9336c-fx2`, of the chassis. */
  readonly platform: string;
  readonly version: string;
}

/**
 * Returns undefined for a reply of another system, and for one without a release or a boot. A
 * switch that does not know why it booted, as after a loss of power, prints no moment of that boot.
 */
export function readSoftware(text: string): Software | undefined {
  const release =
    /^ {0,4}(?:NXOS|system): {1,8}version {1,4}(\d{1,3}\.\d{1,3})\((\d{1,3})[^)\n]*\)/m;
  const [, train, last] = release.exec(text) ?? [];
  const platform = /^ {0,4}cisco (?:Nexus ?\d{4}\w{0,2} )?(\S{1,40}) .{0,40}?[Cc]hassis/m.exec(
    text,
  )?.[1];
  const boot = /^ {0,4}Last reset at \d{1,9} usecs after {1,4}(\S.{1,60}?) *$/m.exec(text)?.[1];
  const uptimeMs = uptimeIn(text);
  if (train === undefined || platform === undefined) return undefined;
  if (boot === undefined && uptimeMs === undefined) return undefined;
  return {
    platform: platform.toLowerCase(),
    version: `${train}.${last}`,
    restartedAt: boot?.replaceAll(/ +/g, " "),
    uptimeMs,
  };
}

const uptimeLine =
  /^ {0,4}Kernel uptime is (\d{1,5}) day\(s\), (\d{1,2}) hour\(s\), (\d{1,2}) minute\(s\)/m;

function uptimeIn(text: string): number | undefined {
  const found = uptimeLine.exec(text);
  const [days = 0, hours = 0, minutes = 0] = found?.slice(1).map(Number) ?? [];
  return found === null ? undefined : ((days * 24 + hours) * 60 + minutes) * 60_000;
}

const unread: Physical = { linkUp: undefined, rate: undefined };

/** Reads the interfaces that are ports; undefined = the reply has no interface. */
export function readInterfaces(text: string): ReadonlyMap<PortName, Physical> | undefined {
  const rows = rowsOf(replyIn(text), "interface");
  if (rows === undefined || rows.length === 0) return undefined;
  const ports = new Map<PortName, Physical>();
  for (const row of rows) {
    const name = leafIn(row, "interface");
    if (name === undefined) return undefined;
    // Two rows of one port were not printed for one question.
    if (isPort(name)) ports.set(name, ports.has(name) ? unread : physicalOf(row));
  }
  return ports;
}

function physicalOf(row: JsonRecord): Physical {
  const number = (name: string): number => wholeOf(leafIn(row, name)) ?? Number.NaN;
  const rate = {
    ...{ rxPps: number("eth_inrate1_pkts"), txPps: number("eth_outrate1_pkts") },
    ...{ rxBps: number("eth_inrate1_bits"), txBps: number("eth_outrate1_bits") },
    lineBps: number("eth_bw") * 1000,
  };
  return {
    linkUp: linkOf(row),
    rate: Object.values(rate).every(Number.isFinite) ? rate : undefined,
  };
}

/** A port that MACsec keeps closed is down with a reason of its own, and its link is up. */
function linkOf(row: JsonRecord): boolean | undefined {
  const state = leafIn(row, "state");
  if (state === "up") return leafIn(row, "admin_state") === "up" ? true : undefined;
  const reason = leafIn(row, "state_rsn_desc");
  if (state !== "down" || reason === undefined) return undefined;
  return /^\(?Authorization pending\)?$/i.test(reason);
}

/** Returns the names of the checkpoints; undefined = the reply is not understood. */
export function readCheckpoints(text: string): readonly string[] | undefined {
  const rows = text.split("\n").filter((row) => row.trim() !== "");
  const own = /^ *\d{1,3}\) (\S{1,80}):$/;
  const others =
    /^ *(?:Created (?:by|at) |Size is |(?:User|System) Checkpoint Summary|-+$|Description:)/;
  if (!rows.every((row) => own.test(row) || others.test(row.trimStart()))) return undefined;
  return rows.flatMap((row) => own.exec(row.trimEnd())?.[1] ?? []);
}

const downStates = "Idle|Shut|Connect|Active|OpenSent|OpenConfirm|Closing";
const bgpStates = new RegExp(`^(?:(?:${downStates})(?: \\([\\w ]{1,40}\\))?|Established)$`);

/** Reads the neighbours of one instance, by instance and address. */
export function readPeers(
  text: string,
  vrf: string | undefined,
): ReadonlyMap<string, Peer> | undefined {
  const rows = rowsOf(replyIn(text), "neighbor");
  if (rows === undefined) return undefined;
  const peers = new Map<string, Peer>();
  for (const row of rows) {
    const address = leafIn(row, "neighbor") ?? leafIn(row, "ipv6neighbor") ?? "";
    const state = leafIn(row, "state") ?? "";
    const isUp = leafIn(row, "up");
    if (isIP(address) === 0 || !bgpStates.test(state)) return undefined;
    if (isUp !== String(state === "Established")) return undefined;
    const key = peerKey(vrf, address);
    if (peers.has(key)) return undefined;
    peers.set(key, {
      ...{ address, vrf, state },
      lastError: lastErrorIn(row),
      // No source shows the state of BFD there.
      ...{ bfd: undefined, holdMs: holdMsOf(leafIn(row, "holdtime")) },
    });
  }
  return peers;
}

function lastErrorIn(row: JsonRecord): string | undefined {
  const reasons = [leafIn(row, "peerresetreason"), leafIn(row, "resetreason")];
  return reasons.find((one) => one !== undefined && one !== "" && !/^no error$/i.test(one));
}

/** Reads the routes of one neighbour that is established, from its only instance. */
export function readRoutes(text: string, port: PortName): readonly Route[] | undefined {
  const [instance, ...others] = rowsOf(replyIn(text), "vrf") ?? [];
  const families = rowsOf(instance, "afi", "safi");
  // A table of routes has its family even where it has no route.
  if (families === undefined || families.length === 0 || others.length > 0) return undefined;
  const best = new Map<string, boolean>();
  for (const family of families) {
    const tables = [...(rowsOf(family, "rd") ?? []), family];
    for (const row of tables.flatMap((one) => rowsOf(one, "prefix") ?? [{}])) {
      const prefix = leafIn(row, "ipprefix") ?? leafIn(row, "ipv6prefix") ?? "";
      const paths = rowsOf(row, "path")?.map(pathOf);
      if (!isPrefix(prefix) || paths === undefined || paths.length === 0) return undefined;
      if (paths.includes(undefined)) return undefined;
      const used = paths.filter((one) => one !== "none");
      if (used.length > 0) best.set(prefix, best.get(prefix) === true || used.includes("best"));
    }
  }
  return [...best].map(([prefix, isBest]) => {
    return { prefix, via: { kind: "port", port }, best: isBest };
  });
}

/** What one path is to BGP; a path that is suppressed or only remembered leads nowhere. */
function pathOf(row: JsonRecord): "best" | "valid" | "none" | undefined {
  const status = leafIn(row, "statuscode");
  const code = leafIn(row, "bestcode");
  if (status === undefined || !/^[*sxSdhr ]{0,2}$/.test(status)) return undefined;
  if (code === undefined || !/^[>|& ]{0,2}$/.test(code)) return undefined;
  if (!/[*rS]/.test(status)) return "none";
  return /[>|]/.test(code) ? "best" : "valid";
}

/**
 * Returns the interfaces of all next hops; none = the instance has no route. A next hop without an
 * interface is reached by another route: `interfaceTo` returns the interface in whose subnet it is.
 */
export function readRouteTo(
  text: string,
  interfaceTo: (address: string) => string | undefined,
): readonly string[] | undefined {
  const reply = replyIn(text);
  if (rowsOf(reply, "vrf", "addrf")?.length === 0) return undefined;
  const paths = rowsOf(reply, "vrf", "addrf", "prefix", "path");
  const names = paths?.map(
    (row) => leafIn(row, "ifname") ?? interfaceTo(leafIn(row, "ipnexthop") ?? "") ?? "",
  );
  return names?.every((name) => /^[A-Za-z][ \w./-]{1,60}$/.test(name)) === true ? names : undefined;
}

/** Returns whether the switch says that it has put back a checkpoint. */
export const isRolledBack = (text: string): boolean =>
  /^Rollback completed successfully\.? *$/m.test(text);
