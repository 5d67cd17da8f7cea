// What IF-MIB (RFC 2863) reports about ports: their state, and how many frames they passed.

import type { PortName } from "#hal/model.ts";
import type { SnmpReply } from "#hal/world.ts";
import { isNameOf } from "./cisco-text.ts";

const interfaces = "1.3.6.1.2.1.2.2.1";
const extended = "1.3.6.1.2.1.31.1.1.1";
const upTime = "1.3.6.1.2.1.1.3.0";
/** ifTableLastChange: sysUpTime when a row was added or removed last. */
const lastChange = "1.3.6.1.2.1.31.1.5.0";

const columns = {
  description: `${interfaces}.2`,
  name: `${extended}.1`,
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

/** The columns with names of interfaces. ifAlias is none: operators write into it. */
export const names: readonly string[] = [columns.description, columns.name];

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
  /** When rows were added or removed last, by the same clock; undefined = not reported. */
  readonly lastChange: bigint | undefined;
  readonly ports: ReadonlyMap<PortName, IfMibPort>;
}

export type PortIndices = ReadonlyMap<PortName, string>;

/** The names of one row of the table; undefined = the agent has none there. */
interface RowNames {
  readonly description: string | undefined;
  readonly name: string | undefined;
}

const decoder = new TextDecoder("utf-8", { fatal: false });

/**
 * Returns the index that the agent has given each of these ports. Junos, EOS and IOS XR write the
 * name of a port into both columns. IOS XE writes it into ifDescr, and a short form of it into
 * ifName. A port that no row has, or several, is left out.
 */
export function readIndices(reply: SnmpReply, ports: readonly PortName[]): PortIndices {
  const rows = rowsIn(reply);
  const byName = new Map<string, Set<string>>();
  for (const [index, { description, name }] of rows) {
    for (const each of [description, name]) {
      if (each === undefined) continue;
      const known = byName.get(each) ?? new Set();
      byName.set(each, known.add(index));
    }
  }
  return new Map(
    ports.flatMap((port): [PortName, string][] => {
      const found = [...(byName.get(port) ?? shortlyNamed(rows, port))];
      const [index] = found;
      return index === undefined || found.length > 1 ? [] : [[port, index]];
    }),
  );
}

function rowsIn({ values }: SnmpReply): ReadonlyMap<string, RowNames> {
  const rows = new Map<string, RowNames>();
  for (const oid of values.keys()) {
    const column = names.find((each) => oid.startsWith(`${each}.`));
    const index = column === undefined ? "" : oid.slice(column.length + 1);
    if (/^\d{1,10}$/.test(index)) rows.set(index, namesIn(values, index));
  }
  return rows;
}

function namesIn(values: SnmpReply["values"], index: string): RowNames {
  const text = (column: string): string | undefined => {
    const reported = values.get(`${column}.${index}`);
    return reported?.kind === "octets" ? decoder.decode(reported.value) : undefined;
  };
  return { description: text(columns.description), name: text(columns.name) };
}

function shortlyNamed(rows: ReadonlyMap<string, RowNames>, port: PortName): readonly string[] {
  const place = /\d.*$/.exec(port)?.[0] ?? port;
  return [...rows]
    .filter(([, { name }]) => name?.endsWith(place))
    .filter(([, row]) => isRowOf(row, port))
    .map(([index]) => index);
}

/** Returns whether no name of the row contradicts that it is the row of the port. */
function isRowOf({ description, name }: RowNames, port: PortName): boolean {
  const isShort = name !== undefined && isNameOf(name, port);
  return description === port || name === port || (isShort && description === undefined);
}

export function leavesOf(indices: Iterable<string>): readonly string[] {
  const rows = [...indices].flatMap((index) =>
    Object.values(columns).map((column) => `${column}.${index}`),
  );
  return [upTime, lastChange, ...rows];
}

/** Reads the ports; one whose index now has another name is left out. */
export function readPorts({ values }: SnmpReply, indices: PortIndices): IfMib {
  const number = (oid: string): bigint | undefined => {
    const reported = values.get(oid);
    return reported?.kind === "number" ? reported.value : undefined;
  };
  const ports = new Map<PortName, IfMibPort>();
  for (const [port, index] of indices) {
    if (!isRowOf(namesIn(values, index), port)) continue;
    const cell = (column: keyof typeof columns): bigint | undefined =>
      number(`${columns[column]}.${index}`);
    ports.set(port, {
      admin: adminOf(cell("admin")),
      linkUp: linkOf(cell("oper")),
      frames: framesOf(cell),
    });
  }
  return { upTime: number(upTime), lastChange: number(lastChange), ports };
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
