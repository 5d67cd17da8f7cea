// A session in which a key was typed serves that one change, and ends with it.

import { describe, expect, it } from "vitest";
import type { Dialect, Session } from "#drivers/platform/define-dialect.ts";
import { Line } from "#drivers/platform/define-line.ts";
import type { TransactionToken } from "#hal/device.ts";
import type { Target } from "#hal/target.ts";
import type { WallTime, World } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";

const never = new AbortController().signal;
const [ours, other] = ["ours" as TransactionToken, "other" as TransactionToken];
const withinMs = 300_000;

class Opened implements Session {
  readonly where = "edge-a";
  isOver = false;

  async [Symbol.asyncDispose](): Promise<void> {
    this.isOver = true;
  }
}

function bench() {
  const opened: Opened[] = [];
  const dialect = {
    channel: "shell",
    open: async () => {
      const session = new Opened();
      opened.push(session);
      return session;
    },
    lock: async () => undefined,
  } as unknown as Dialect<Opened>;
  const clock = new SimClock(0 as WallTime);
  const world = { clock, dial: { channel: async () => ({}) }, entropy: {} };
  const target = { device: "edge-a" } as Target;
  const line = new Line(dialect, target, world as unknown as World, () => undefined);
  /** Begins a trial, whose session stays open. */
  const trial = () => line.edit(ours, never, async (session) => line.hold(ours, session, withinMs));
  return { line, clock, opened, trial };
}

describe("a session in which a key was typed", () => {
  it("a session ends with its edit, also with one that fails", async () => {
    const { line, opened } = bench();
    await line.edit(ours, never, async () => undefined);
    const failing = line.edit(other, never, () => Promise.reject(new Error("refused")));
    await expect(failing).rejects.toThrow("refused");
    expect(opened.map(({ isOver }) => isOver)).toEqual([true, true]);
  });

  it("the session of a trial serves its own confirm, and ends with that", async () => {
    const { line, opened, trial } = bench();
    await trial();
    expect(opened[0]?.isOver).toBe(false);
    await line.edit(ours, never, async (session) => {
      expect(session).toBe(opened[0]);
      line.release(ours);
    });
    expect(opened.map(({ isOver }) => isOver)).toEqual([true]);
  });

  it("another change does not enter the session of a trial, nor end it", async () => {
    const { line, opened, trial } = bench();
    await trial();
    await line.edit(other, never, async (session) => {
      expect(session).not.toBe(opened[0]);
      line.release(other);
    });
    expect(opened.map(({ isOver }) => isOver)).toEqual([false, true]);
  });

  it("the session of a trial that is never confirmed ends at its limit", async () => {
    const { clock, opened, trial } = bench();
    await trial();
    await clock.runFor(withinMs - 1);
    expect(opened[0]?.isOver).toBe(false);
    await clock.runFor(1);
    expect(opened[0]?.isOver).toBe(true);
  });
});
