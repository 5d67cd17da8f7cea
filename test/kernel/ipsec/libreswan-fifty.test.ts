// Fifty tunnels to a libreswan gateway, in virtual time: an emulated computer is too slow for them.

import { afterEach, describe, expect, it } from "vitest";
import { carryWhileRekeyed } from "./libreswan-rekeys.ts";

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

describe("fifty tunnels to libreswan", { timeout: 1_800_000 }, () => {
  it("50 tunnels carry while all are rekeyed", async () => {
    const clear = await carryWhileRekeyed(50, (end) => ends.push(end));
    expect(clear).toEqual([]);
  });
});
