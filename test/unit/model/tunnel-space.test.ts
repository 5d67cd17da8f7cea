// The real machine of tunnel keys in a world where every fault may happen, and the proof that each
// of its rows and guards is needed there.

import { describe, expect, it } from "vitest";
import type { TunnelAction } from "#agent/model/tunnel-change.ts";
import { tunnelGuards, tunnelTable } from "#agent/rotation/tunnel-change.ts";
import { effort } from "../../effort.ts";
import { exploreTunnels, realTunnelMachine, type TunnelMachine } from "../../model/tunnel-space.ts";
import type { TunnelConfig } from "../../model/tunnel-world.ts";

const one = { name: "one", tunnels: 1, kind: "psk", farEnd: "agent", isDeaf: false } as const;
const pair = { ...one, name: "pair", tunnels: 2 } as const;
const deaf = { ...one, name: "one, gateway deaf", isDeaf: true } as const;
const manual = { ...one, name: "one, manual", farEnd: "manual" } as const;
const certificate = { ...manual, name: "certificate", kind: "certificate" } as const;
const leaves = { ...one, name: "one, left to a person", mayLeave: true } as const;
const deafPair = { ...pair, name: "pair, one instance deaf", isDeaf: true } as const;
const configs: readonly TunnelConfig[] = [
  ...[one, deaf, manual, certificate, leaves, pair, deafPair],
];

/** No change can succeed at a gateway that uses no newer key. */
const isExpected = ({ tunnels, isDeaf }: TunnelConfig, broken: string): boolean =>
  isDeaf && tunnels === 1 && broken.startsWith("LIVE");

const rows = Object.values(tunnelTable).flat();
const taken = new Set<string>();

describe("the machine of tunnel keys in a world where every fault may happen", () => {
  it.each(configs)("the tunnels' machine breaks no promise and always ends: $name", (config) => {
    const faults = config.tunnels === 1 ? effort(2, 3) : effort(1, 2);
    const { states, turns, broken, rows: here } = exploreTunnels(config, { faults, words: 2 });
    console.log(`${config.name}: ${states} states, ${turns} turns; ${faults} faults, 2 words`);
    for (const row of here) taken.add(row);
    const left = [...broken].filter(([what]) => !isExpected(config, what));
    expect(Object.fromEntries(left)).toEqual({});
  });

  it("every row of the tunnels' table is taken there", () => {
    expect(rows.map(({ name }) => name).filter((name) => !taken.has(name))).toEqual([]);
  });
});

type Where = readonly [config: TunnelConfig, faults: number, words: number];
const places: readonly Where[] = [
  ...([[one, 1, 0]] as const),
  ...[one, manual, certificate, deaf, pair].map((config): Where => [config, 1, 1]),
  ...([[leaves, 2, 1]] as const),
];

/** Returns the first promise that a lesser machine breaks; undefined = it is not noticed. */
function noticed(machine: TunnelMachine): string | undefined {
  for (const [config, faults, words] of places) {
    const { broken } = exploreTunnels(config, { faults, words }, machine);
    const found = [...broken.keys()].find((what) => !isExpected(config, what));
    if (found !== undefined) return `${config.name}: ${found}`;
  }
  return undefined;
}

/** Rows that lead to the same end as the rows after them, and why they stay. */
const sooner: Readonly<Record<string, string>> = {
  "tunnel.waiting.proceedGive": "a gateway with a third key gets this one (tunnel-gateway.test.ts)",
  "tunnel.giving.allRefused": "the tunnel comes up while Azure takes no write",
};

describe("each part of the machine of tunnel keys", () => {
  const guarded = Object.entries(tunnelGuards).flatMap(([action, some]) =>
    some.map((guard) => ({ action: action as TunnelAction, name: guard.name, guard })),
  );

  it.each(guarded)("the tunnels' machine without a guard is noticed: $action: $name", (one) => {
    const { action, guard } = one;
    const guards = { ...tunnelGuards, [action]: tunnelGuards[action].filter((g) => g !== guard) };
    expect(noticed({ ...realTunnelMachine, guards })).toEqual(expect.any(String));
  });

  const states = ["waiting", "giving", "switching", "returning", "held"] as const;
  const listed = states.flatMap((state) =>
    tunnelTable[state].map((row) => ({ name: row.name, state, row })),
  );

  it.each(listed)(
    "the tunnels' machine without a row is noticed: $name",
    ({ name, state, row }) => {
      const table = { ...tunnelTable, [state]: tunnelTable[state].filter((each) => each !== row) };
      const found = noticed({ ...realTunnelMachine, table });
      if (sooner[name] === undefined) expect(found).toEqual(expect.any(String));
      else expect(found).toBeUndefined();
    },
  );
});
