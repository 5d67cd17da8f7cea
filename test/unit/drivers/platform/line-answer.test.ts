// An answer that breaks its reader is one answer that is not understood, and no end of the agent.

import { AssertionError } from "node:assert";
import { describe, expect, it } from "vitest";
import type { Dialect, Session } from "#drivers/platform/define-dialect.ts";
import { Line } from "#drivers/platform/define-line.ts";
import type { Target } from "#hal/target.ts";
import type { WallTime, World } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";

const never = new AbortController().signal;

function lineOf(
  opened: Session[],
  onBefore: (before: unknown) => void = () => undefined,
): Line<Session> {
  const dialect = {
    channel: "shell",
    open: async (_: unknown, { before }: { readonly before: unknown }) => {
      onBefore(before);
      const session = { isOver: false, [Symbol.asyncDispose]: async () => undefined };
      opened.push(session as unknown as Session);
      return session;
    },
  } as unknown as Dialect<Session>;
  const world = {
    clock: new SimClock(0 as WallTime),
    dial: { channel: async () => ({}) },
    entropy: {},
  };
  return new Line(
    dialect,
    { device: "edge-a" } as Target,
    world as unknown as World,
    () => undefined,
  );
}

describe("an answer of a device that breaks its reader", () => {
  it.each([
    ["a TypeError", new TypeError("row[3] is undefined")],
    ["a RangeError", new RangeError("Maximum call stack size exceeded")],
    ["a SyntaxError", new SyntaxError("Unexpected token")],
  ])(
    "a reply with %s is device.unparsed without an effect, and the next query has a new session",
    async (_, broken) => {
      const opened: Session[] = [];
      const line = lineOf(opened);
      const asked = line.ask(never, async () => {
        throw broken;
      });
      await expect(asked).rejects.toMatchObject({
        code: "device.unparsed",
        effect: "none",
        where: "edge-a",
      });
      expect(await line.ask(never, async () => "read")).toBe("read");
      expect(opened).toHaveLength(2);
    },
  );

  it("a session gets the one for observations before it", async () => {
    const opened: Session[] = [];
    const befores: unknown[] = [];
    const line = lineOf(opened, (before) => befores.push(before));
    await line.ask(never, async () => "read");
    const [first] = opened;
    const broken = () => Promise.reject(new TypeError("x"));
    await expect(line.ask(never, broken)).rejects.toThrow("could not be read");
    await line.ask(never, async () => "read");
    expect(befores).toEqual([undefined, first]);
  });

  it("a failed assert in a reader ends the process", async () => {
    const line = lineOf([]);
    const broken = new AssertionError({ message: "a key that is not ours" });
    const asked = line.ask(never, async () => {
      throw broken;
    });
    await expect(asked).rejects.toBe(broken);
  });
});
