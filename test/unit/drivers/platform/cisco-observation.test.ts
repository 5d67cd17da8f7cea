// The ports of a router whose reply about its interfaces is empty or incomplete.

import { describe, expect, it } from "vitest";
import { portStates } from "#drivers/platform/cisco-observation.ts";
import { readInterfaces } from "#drivers/platform/cisco-system.ts";
import type { QueryResult } from "#drivers/platform/query-result.ts";
import type { PortName } from "#hal/model.ts";
import type { Instant, WallTime } from "#hal/world.ts";

const at = 0 as Instant;
const plan = { admin: "up", settings: undefined, primary: undefined, fallback: undefined } as const;

async function statesOf(text: string) {
  const physical = readInterfaces(text, () => true);
  const unparsed = { why: "unparsed" } as const;
  const unasked: QueryResult<never> = { why: "queryFailed" };
  return await portStates(
    {
      where: "edge-a",
      config: { value: { aggregates: new Map<string, never>() } },
      physical: physical === undefined ? unparsed : { value: physical },
      clock: { value: 0 as WallTime },
      pages: { value: [] },
      portsWithMacsec: (): readonly PortName[] => ["one", "two"],
      planOf: (_, port) => ({ ...plan, port }),
      isUnread: () => false,
      countersOf: async () => ({ mkpdus: unasked, frames: unasked }),
    },
    at,
  );
}

describe("the ports of a Cisco router", () => {
  it("ports with MACsec are unknown, and not absent, without any interface", async () => {
    const states = await statesOf("");
    expect(states.map(({ port, linkUp }) => [port, linkUp.kind])).toEqual([
      ["one", "unknown"],
      ["two", "unknown"],
    ]);
  });

  it("a port with MACsec that is missing among the interfaces is unknown", async () => {
    const states = await statesOf(
      "one is up, line protocol is up\nthree is up, line protocol is up",
    );
    expect(states.map(({ port, linkUp }) => [port, linkUp.kind])).toEqual([
      ["one", "known"],
      ["three", "known"],
      ["two", "unknown"],
    ]);
  });
});
