// Which connection a server closes for a newcomer.

import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { ConnectionLimiter } from "#agent/host/connection-limiter.ts";

class TestSocket extends EventEmitter {
  isClosed = false;

  destroy(): void {
    this.isClosed = true;
    this.emit("close");
  }
}

function entered(limiter: ConnectionLimiter, count: number, user?: number): TestSocket[] {
  return Array.from({ length: count }, () => {
    const socket = new TestSocket();
    limiter.enter(socket as unknown as Socket, user);
    return socket;
  });
}

const serve = (limiter: ConnectionLimiter, sockets: readonly TestSocket[]): void => {
  for (const socket of sockets) limiter.serve(socket as unknown as Socket);
};

const closed = (sockets: readonly TestSocket[]): number =>
  sockets.filter(({ isClosed }) => isClosed).length;

describe("the connections of a socket", () => {
  it("of a user who fills a socket never close those of another user", () => {
    const limiter = new ConnectionLimiter(false);
    const others = entered(limiter, 10, 7);
    const flood = entered(limiter, 1_000, 1_000);
    expect(closed(others)).toBe(0);
    expect(flood.filter(({ isClosed }) => !isClosed)).toHaveLength(32);
    // The oldest without a request goes first.
    expect(flood.slice(-32).every(({ isClosed }) => !isClosed)).toBe(true);
  });

  it("that are answered stay, and the newcomer of that user is closed", () => {
    const limiter = new ConnectionLimiter(false);
    const busy = entered(limiter, 32, 1_000);
    serve(limiter, busy);
    const [late] = entered(limiter, 1, 1_000);
    const [other] = entered(limiter, 1, 7);
    expect([closed(busy), late?.isClosed, other?.isClosed]).toEqual([0, true, false]);
    busy[0]?.destroy();
    expect(entered(limiter, 1, 1_000)[0]?.isClosed).toBe(false);
  });

  it("of users who are not known share the limit of the socket", () => {
    const limiter = new ConnectionLimiter(false);
    const all = entered(limiter, 65);
    expect(closed(all)).toBe(1);
    expect(all[0]?.isClosed).toBe(true);
  });

  it("that only read slowly yield where answers take no time", () => {
    const limiter = new ConnectionLimiter(true);
    const slow = entered(limiter, 64);
    serve(limiter, slow);
    const [late] = entered(limiter, 1);
    expect([slow[0]?.isClosed, late?.isClosed]).toEqual([true, false]);
  });
});
