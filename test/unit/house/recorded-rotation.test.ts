// The rotation that was recorded on a real kernel, and the same one in the simulator.

import { describe, expect, it } from "vitest";
import type { Move } from "../../lab/recording.ts";
import { recorded, tookMs } from "../../recorded-rotation.ts";

const { drained } = recorded();
const statesOf = (moves: readonly Move[]): readonly string[] =>
  moves.map(({ link, state }) => `${link} ${state}`);

describe("the recorded rotation", () => {
  it("the recorded rotation lost nothing, and let nothing pass in the clear", () => {
    expect([drained.received, drained.clear]).toEqual([drained.sent, 0]);
  });

  it("the recorded rotation took the rehearsed steps, within a fifth of their time", () => {
    expect(statesOf(drained.rehearsed)).toEqual(statesOf(drained.steps));
    expect(statesOf(drained.replayed)).toEqual(statesOf(drained.steps));
    const ratio = tookMs(drained.replayed) / tookMs(drained.steps);
    expect(ratio).toBeGreaterThan(0.8);
    expect(ratio).toBeLessThan(1.2);
  });
});
