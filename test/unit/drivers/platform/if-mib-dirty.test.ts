// Replies of an SNMP agent in which values are lost, have another type, or are those of another
// row: a port may be unknown, and is never read from the row of another one.

import { describe, expect, it } from "vitest";
import { leavesOf, readIndices, readPorts } from "#drivers/platform/if-mib.ts";
import type { SnmpReply, SnmpValue } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "if-mib-dirty";
const runs = effort(2_000, 100_000);
const ifTable = "1.3.6.1.2.1.2.2.1";
const ifXTable = "1.3.6.1.2.1.31.1.1.1";

interface Row {
  readonly description: string;
  readonly name: string;
  readonly oper: bigint;
  readonly frames: bigint;
}

const octets = (text: string): SnmpValue => ({ kind: "octets", value: Buffer.from(text) });
const number = (value: bigint): SnmpValue => ({ kind: "number", value });

function valuesOf(rows: readonly Row[]): Map<string, SnmpValue> {
  const values = new Map<string, SnmpValue>([
    ["1.3.6.1.2.1.1.3.0", number(4_200n)],
    ["1.3.6.1.2.1.31.1.5.0", number(0n)],
  ]);
  for (const [place, { description, name, oper, frames }] of rows.entries()) {
    const index = place + 1;
    values.set(`${ifTable}.2.${index}`, octets(description));
    values.set(`${ifTable}.7.${index}`, number(1n));
    values.set(`${ifTable}.8.${index}`, number(oper));
    values.set(`${ifXTable}.1.${index}`, octets(name));
    for (const column of [7, 8, 9, 11, 12, 13]) {
      values.set(`${ifXTable}.${column}.${index}`, number(frames));
    }
    values.set(`${ifXTable}.19.${index}`, number(0n));
  }
  return values;
}

/** One port is up and busy, and one is down and idle, beside rows with names much like theirs. */
const layouts = {
  "IOS XE": {
    ports: ["TenGigabitEthernet0/0/0", "TenGigabitEthernet0/0/1"],
    rows: [
      { description: "TenGigabitEthernet0/0/0", name: "Te0/0/0", oper: 1n, frames: 9_999n },
      { description: "TenGigabitEthernet0/0/1", name: "Te0/0/1", oper: 2n, frames: 5n },
      { description: "TwoGigabitEthernet0/0/1", name: "Tw0/0/1", oper: 1n, frames: 9_999n },
      { description: "TenGigabitEthernet0/0/1.100", name: "Te0/0/1.100", oper: 1n, frames: 9_999n },
      { description: "Null0", name: "Nu0", oper: 1n, frames: 0n },
    ],
  },
  Junos: {
    ports: ["et-0/0/0", "et-0/0/1"],
    rows: [
      { description: "et-0/0/0", name: "et-0/0/0", oper: 1n, frames: 9_999n },
      { description: "et-0/0/1", name: "et-0/0/1", oper: 2n, frames: 5n },
      { description: "et-0/0/1.0", name: "et-0/0/1.0", oper: 1n, frames: 9_999n },
      { description: "et-0/0/10", name: "et-0/0/10", oper: 1n, frames: 9_999n },
    ],
  },
} as const;

const kinds = ["lost", "octets", "otherName", "garbledName", "identifier", "negative"] as const;

/** Changes one value; a count or a state is never replaced by another valid one. */
function changed(values: Map<string, SnmpValue>, kind: (typeof kinds)[number], prng: Prng): void {
  const oids = [...values.keys()];
  const names = oids.filter((oid) => values.get(oid)?.kind === "octets");
  const oid = prng.pick(oids);
  const name = prng.pick(names);
  switch (kind) {
    case "lost":
      values.delete(oid);
      return;
    case "octets":
      values.set(oid, octets("\u{fffd}1"));
      return;
    case "identifier":
      values.set(oid, { kind: "identifier", value: "1.3.6.1" });
      return;
    case "negative":
      values.set(oid, number(-1n));
      return;
    case "otherName": {
      const other = values.get(prng.pick(names));
      if (other !== undefined) values.set(name, other);
      return;
    }
    case "garbledName":
      values.set(name, octets(`${prng.pick(["", "\0", "x"])}TenGigabitEthernet0/0/1\u{202e}`));
  }
}

describe.each(Object.entries(layouts))("a dirty reply of the SNMP agent of %s", (_, layout) => {
  const [up, down] = layout.ports;

  it("a whole reply gives each port its own row", () => {
    const reply: SnmpReply = { values: valuesOf(layout.rows), evidence: "authenticated" };
    const { ports } = readPorts(reply, readIndices(reply, layout.ports));
    expect([ports.get(up)?.linkUp, ports.get(down)?.linkUp]).toEqual([true, false]);
    expect([ports.get(up)?.frames?.rx, ports.get(down)?.frames?.rx]).toEqual([29_997n, 15n]);
  });

  it("a port that is down in a whole reply is never up in a dirty one", () => {
    console.log(`dirty SNMP: LINKSEAL_SEED=${seed}, ${runs} cases`);
    const prng = new Prng(seed);
    const differing = new Set<string>();
    for (let run = 0; run < runs; run += 1) {
      const [walk, later] = [valuesOf(layout.rows), valuesOf(layout.rows)];
      const kind = kinds[run % kinds.length] ?? "lost";
      changed(prng.chance(0.5) ? walk : later, kind, prng);
      const indices = readIndices({ values: walk, evidence: "authenticated" }, layout.ports);
      const leaves = new Set(leavesOf(indices.values()));
      const values = new Map([...later].filter(([oid]) => leaves.has(oid)));
      const { ports } = readPorts({ values, evidence: "authenticated" }, indices);
      const reported = ports.get(down);
      if (reported?.linkUp !== false || ports.get(up)?.linkUp !== true) differing.add(kind);
      expect(reported?.linkUp).not.toBe(true);
      expect(reported?.frames?.rx ?? 0n).toBeLessThanOrEqual(15n);
      expect(ports.get(up)?.frames?.rx ?? 29_997n).toBeGreaterThan(15n);
    }
    // A port whose names are alike is found by the other one if one of them is garbled.
    const idle = kinds.filter((kind) => !differing.has(kind));
    expect(idle).toEqual(layout.ports[0] === layout.rows[0].name ? ["garbledName"] : []);
  });
});
