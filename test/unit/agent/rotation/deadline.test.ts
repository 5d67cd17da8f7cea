import { describe, expect, it } from "vitest";
import { withDeadline } from "#hal/deadline.ts";
import type { Instant } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";

const deadline = { ms: 100, where: "edge-a", effect: "unknown" } as const;
const never = new AbortController().signal;

// Runs the question on a clock of its own and tells what came out, when, and what is left waiting.
async function outcome(
  ask: (clock: SimClock, signal: AbortSignal) => Promise<unknown>,
  parent: AbortSignal = never,
  prepare: (clock: SimClock) => void = () => undefined,
): Promise<{ result: unknown; at: number; left: number | undefined }> {
  const clock = new SimClock(0);
  prepare(clock);
  const result = withDeadline(clock, deadline, parent, (signal) => ask(clock, signal)).then(
    (value) => ({ result: value, at: clock.now() }),
    (error: unknown) => ({ result: error, at: clock.now() }),
  );
  await clock.run(1000 as Instant);
  return { ...(await result), left: clock.next() };
}

describe("withDeadline", () => {
  it("withDeadline passes an answer in time on, and removes the deadline", async () => {
    const ask = async (clock: SimClock): Promise<string> => {
      await clock.sleep(99);
      return "answer";
    };
    expect(await outcome(ask)).toEqual({ result: "answer", at: 99, left: undefined });
  });

  it("withDeadline passes an error on as it is", async () => {
    const { result, at } = await outcome(async (clock) => {
      await clock.sleep(5);
      throw new Error("refused");
    });
    expect([result, at]).toEqual([new Error("refused"), 5]);
  });

  it("withDeadline ends a call that ignores the signal, with place and effect", async () => {
    const { result, at } = await outcome((clock) => clock.sleep(500));
    expect(result).toMatchObject({ code: "transport.timeout", where: "edge-a", effect: "unknown" });
    expect(at).toBe(100);
  });

  it("withDeadline aborts a late call with the error that it throws", async () => {
    let reason: unknown;
    const { result } = await outcome(async (clock, signal) => {
      signal.addEventListener("abort", () => {
        reason = signal.reason;
      });
      await clock.sleep(500, signal);
    });
    expect(reason).toBe(result);
  });

  it("withDeadline ends with the reason of a parent that aborts", async () => {
    const parent = new AbortController();
    const { result, at, left } = await outcome(
      (clock, signal) => clock.sleep(500, signal),
      parent.signal,
      (clock) =>
        clock.after(30, () => {
          clock.wake();
          parent.abort(new Error("stopped"));
        }),
    );
    expect([result, at, left]).toEqual([new Error("stopped"), 30, undefined]);
  });

  it("withDeadline calls nothing once the parent has ended", async () => {
    let asked = false;
    const { result } = await outcome(
      async () => {
        asked = true;
      },
      AbortSignal.abort(new Error("stopped")),
    );
    expect([result, asked]).toEqual([new Error("stopped"), false]);
  });
});
