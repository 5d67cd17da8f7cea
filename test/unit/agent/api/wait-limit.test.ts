// Requests that wait: how many one user and all users may have at a socket.

import { describe, expect, it } from "vitest";
import { WaitLimit } from "#agent/api/wait-limit.ts";
import { LinksealError } from "#hal/error.ts";

function entered(limit: WaitLimit, user: number | undefined, count: number): (() => void)[] {
  return Array.from({ length: count }, () => limit.enter(user));
}

const refusalOf = (limit: WaitLimit, user: number | undefined): string | undefined => {
  try {
    limit.enter(user)();
    return undefined;
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return `${error.code}, effect ${error.effect}: ${error.message}`;
  }
};

describe("requests that wait", () => {
  it("of one user are sixteen at most, and those of another user still come in", () => {
    const limit = new WaitLimit();
    const leave = entered(limit, 1_000, 16);
    expect(refusalOf(limit, 1_000)).toBe(
      "agent.busy, effect none: 16 requests of this user wait for an answer already",
    );
    expect(refusalOf(limit, 1_001)).toBeUndefined();
    leave[0]?.();
    expect(refusalOf(limit, 1_000)).toBeUndefined();
  });

  it("of all users are half of the connections at most", () => {
    const limit = new WaitLimit();
    for (const user of [1, 2, 3, 4]) entered(limit, user, 8);
    expect(refusalOf(limit, 5)).toBe(
      "agent.busy, effect none: 32 requests wait for an answer already",
    );
  });

  it("of clients that the kernel was not asked about count as one user", () => {
    const limit = new WaitLimit();
    entered(limit, undefined, 16);
    expect(refusalOf(limit, undefined)).toMatch(/^agent.busy/);
  });

  it("leave nothing behind", () => {
    const limit = new WaitLimit();
    for (let round = 0; round < 100; round += 1) {
      for (const leave of entered(limit, round % 3, 16)) leave();
    }
    expect(refusalOf(limit, 0)).toBeUndefined();
  });
});
