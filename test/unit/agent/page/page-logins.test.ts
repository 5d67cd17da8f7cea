// Codes and sessions of the status page under virtual time.

import { beforeEach, describe, expect, it } from "vitest";
import { Logins, type SessionHalves } from "#agent/page/logins.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";

const minute = 60_000;
const hour = 60 * minute;
const here = "127.0.0.1";

describe("logins", () => {
  let clock: SimClock;
  let logins: Logins;
  beforeEach(() => {
    clock = new SimClock(0);
    logins = new Logins({ clock, entropy: new Prng("logins") });
  });

  function open(user?: number): SessionHalves {
    const entry = logins.enter(logins.code(user).code, here);
    if (entry.kind !== "open") throw new Error(entry.kind);
    return entry.halves;
  }

  it("a login code works once", () => {
    const { code } = logins.code();
    expect(logins.enter(code, here).kind).toBe("open");
    expect(logins.enter(code, here).kind).toBe("wrong");
  });

  it("a login code may be typed with small letters, spaces and similar letters", () => {
    const { code } = logins.code();
    const typed = code.toLowerCase().replaceAll("-", "").replaceAll("0", "o").replaceAll("1", "l");
    expect(logins.enter(` ${typed} `, here).kind).toBe("open");
  });

  it("a login code is refused after its time", async () => {
    const { code, validMs } = logins.code();
    const late = logins.code().code;
    await clock.runFor(validMs - 1);
    expect(logins.enter(code, here).kind).toBe("open");
    await clock.runFor(1);
    expect(logins.enter(late, here).kind).toBe("wrong");
  });

  it("eight login codes are valid at once, and the ninth replaces the oldest", () => {
    const codes = Array.from({ length: 9 }, () => logins.code().code);
    expect(logins.enter(codes[0] ?? "", here).kind).toBe("wrong");
    for (const code of codes.slice(1)) expect(logins.enter(code, here).kind).toBe("open");
  });

  // A viewer who asked for codes without an end locked all others out.
  it("a user who asks for codes and sessions without an end ends none of another user", () => {
    const session = open(1000);
    const { code } = logins.code(1000);
    for (let count = 0; count < 300; count += 1) {
      open(1001);
      logins.code(1001);
    }
    expect(logins.holds(session)).toBe(true);
    expect(logins.enter(code, here).kind).toBe("open");
  });

  // Six other uids with 64 sessions each ended the session of the first one.
  it("A7: a session and a code stay, however many users have more of them", () => {
    const session = open(1000);
    const { code } = logins.code(1000);
    for (let user = 2000; user < 2200; user += 1) {
      for (let count = 0; count < 64; count += 1) {
        open(user);
        logins.code(user);
      }
    }
    expect(logins.holds(session)).toBe(true);
    expect(logins.enter(code, here).kind).toBe("open");
  });

  it("of all users 256 codes are valid at once, and the next one replaces the oldest", () => {
    const codes = Array.from({ length: 257 }, (_, user) => logins.code(user).code);
    expect(logins.enter(codes[0] ?? "", here).kind).toBe("wrong");
    for (const code of codes.slice(1)) expect(logins.enter(code, here).kind).toBe("open");
  });

  it("login codes and session halves never repeat", () => {
    const codes = Array.from({ length: 500 }, () => logins.code().code);
    expect(new Set(codes).size).toBe(500);
    const halves = Array.from({ length: 100 }, () => open()).flatMap(({ cookie, half }) => [
      cookie,
      half,
    ]);
    expect(new Set(halves).size).toBe(200);
  });

  it("ten wrong codes make an address wait, one try comes back each six seconds", async () => {
    for (let n = 0; n < 10; n += 1) expect(logins.enter("X", here).kind).toBe("wrong");
    expect(logins.enter("X", here)).toEqual({ kind: "later", waitMs: 6_000 });
    expect(logins.enter("X", "::1").kind).toBe("wrong");
    await clock.runFor(6_000);
    expect(logins.enter("X", here).kind).toBe("wrong");
    expect(logins.enter("X", here).kind).toBe("later");
  });

  it("a right code opens a session however many wrong codes came from its address before", () => {
    for (let n = 0; n < 1_000; n += 1) logins.enter("X", here);
    expect(logins.enter("X", here).kind).toBe("later");
    expect(logins.enter(logins.code().code, here).kind).toBe("open");
    expect(logins.enter("X", here).kind).toBe("later");
  });

  it("wrong codes from thousands of addresses use bounded memory: the oldest is forgotten", () => {
    const from = (n: number): string => `10.0.${n >> 8}.${n & 255}`;
    for (let n = 0; n < 11; n += 1) logins.enter("X", here);
    for (let n = 0; n < 1_023; n += 1) logins.enter("X", from(n));
    expect(logins.enter("X", here).kind).toBe("later");
    for (let n = 0; n < 1_024; n += 1) logins.enter("X", from(n));
    expect(logins.enter("X", here).kind).toBe("wrong");
    expect(logins.enter(logins.code().code, "192.0.2.1").kind).toBe("open");
  });

  it("a session needs both of its halves, and ends after twelve hours", async () => {
    const [one, two] = [open(), open()];
    expect(logins.holds(one)).toBe(true);
    expect(logins.holds({ cookie: one.cookie, half: two.half })).toBe(false);
    expect(logins.holds({ cookie: one.half, half: one.cookie })).toBe(false);
    expect(logins.holds({ cookie: one.cookie, half: "" })).toBe(false);
    await clock.runFor(12 * hour - 1);
    expect(logins.holds(one)).toBe(true);
    await clock.runFor(1);
    expect(logins.holds(one)).toBe(false);
  });

  it("a session that is logged out ends, and no other", () => {
    const [one, two] = [open(), open()];
    logins.end(one);
    expect([logins.holds(one), logins.holds(two)]).toEqual([false, true]);
  });

  it("the sixty-fifth session ends the oldest", () => {
    const all = Array.from({ length: 65 }, () => open());
    expect(all.map((halves) => logins.holds(halves)).filter(Boolean)).toHaveLength(64);
    expect(logins.holds(all[0] ?? { cookie: "", half: "" })).toBe(false);
  });
});
