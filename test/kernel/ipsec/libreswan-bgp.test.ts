// Bundles of tunnels to a libreswan gateway; the long run measures what each program uses.

import { afterEach, describe, expect, it } from "vitest";
import { effort } from "../../effort.ts";
import { carryWhileRekeyed } from "./libreswan-rekeys.ts";

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

describe("a bundle of tunnels to libreswan", { timeout: 1_800_000 }, () => {
  it.each(effort([8], [1, 8]))("%i tunnels carry while all are rekeyed", async (count) => {
    const clear = await carryWhileRekeyed(count, (end) => ends.push(end));
    expect(clear).toEqual([]);
  });
});
