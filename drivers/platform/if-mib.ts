// What IF-MIB (RFC 2863) reports about ports: their state, and how many frames they passed.

import type { PortName } from "#hal/model.ts";
import type { SnmpReply } from "#hal/world.ts";

const interfaces = "1.3.6.1.2.1.2.2.1";
const extended = "1.3.6.1.2.1.31.1.1.1";
const upTime = "1.3.6.1.2.1.1.3.0";
export const names = `${extended}.1`;

const columns = {
  name: names,
  admin: `${interfaces}.7`,
  oper: `${interfaces}.8`,
  rxUnicast: `${extended}.7`,
  rxMulticast: `${extended}.8`,
  rxBroadcast: `${extended}.9`,
  txUnicast: `${extended}.11`,
  txMulticast: `${extended}.12`,
  txBroadcast: `${extended}.13`,
  discontinuity: `${extended}.19`,
} as const;

interface PortCount {
  readonly rx: bigint;
  readonly tx: bigint;
  /** When the counters last restarted, by the agent's own clock. */
  readonly since: bigint;
}

/**
 * State and counters of a port. Undefined = the agent has no such value, or none that is
 * understood.
 */
export interface IfMibPort {
  readonly admin: "up" | "down" | undefined;
  readonly linkUp: boolean | undefined;
  readonly frames: PortCount | undefined;
}

export interface IfMib {
  /** Hundredths of a second since the agent started; the value wraps after 497 days. */
  readonly upTime: bigint | undefined;
  readonly ports: ReadonlyMap<PortName, IfMibPort>;
}

export type PortIndices = ReadonlyMap<PortName, string>;

const decoder = new TextDecoder("utf-8", { fatal: false });

/** Returns the index that the agent has given each port. */
export function readIndices({ values }: SnmpReply): PortIndices {
  const indices = new Map<PortName, string>();
  for (const [oid, reported] of values) {
    const index = oid.startsWith(`${names}.`) ? oid.slice(names.length + 1) : "";
    if (!/^\d{1,10}$/.test(index) || reported.kind !== "octets") continue;
    indices.set(decoder.decode(reported.value), index);
  }
  return indices;
}

export function leavesOf(indices: Iterable<string>): readonly string[] {
  const rows = [...indices].flatMap((index) =>
    Object.values(columns).map((column) => `${column}.${index}`),
  );
  return [upTime, ...rows];
}

/** Reads the ports; one whose index now has another name is left out. */
export function readPorts({ values }: SnmpReply, indices: PortIndices): IfMib {
  const number = (oid: string): bigint | undefined => {
    const reported = values.get(oid);
    return reported?.kind === "number" ? reported.value : undefined;
  };
  const ports = new Map<PortName, IfMibPort>();
  for (const [port, index] of indices) {
    const name = values.get(`${columns.name}.${index}`);
    if (name?.kind !== "octets" || decoder.decode(name.value) !== port) continue;
    const cell = (column: keyof typeof columns): bigint | undefined =>
      number(`${columns[column]}.${index}`);
    ports.set(port, {
      admin: adminOf(cell("admin")),
      linkUp: linkOf(cell("oper")),
      frames: framesOf(cell),
    });
  }
  return { upTime: number(upTime), ports };
}

/** A port under test passes nothing and is not shut. */
function adminOf(state: bigint | undefined): "up" | "down" | undefined {
  if (state === 1n) return "up";
  return state === 2n ? "down" : undefined;
}

/** A state that is neither up nor down (testing, unknown, dormant) says nothing about the link. */
function linkOf(state: bigint | undefined): boolean | undefined {
  if (state === 1n) return true;
  return state === 2n || state === 7n ? false : undefined;
}

function framesOf(cell: (column: keyof typeof columns) => bigint | undefined) {
  const rx = cell("rxUnicast");
  const tx = cell("txUnicast");
  if (rx === undefined || tx === undefined) return undefined;
  return {
    rx: rx + (cell("rxMulticast") ?? 0n) + (cell("rxBroadcast") ?? 0n),
    tx: tx + (cell("txMulticast") ?? 0n) + (cell("txBroadcast") ?? 0n),
    since: cell("discontinuity") ?? 0n,
  };
}
