import { describe, expect, it } from "vitest";
import { freezeOf, windowOf } from "#agent/config/span.ts";
import { Zone, zoneExists } from "#agent/config/zone.ts";
import type { Freeze, Window } from "#agent/model/desired.ts";
import { isoTime } from "#agent/model/iso-time.ts";
import { windowAt } from "#agent/rotation/window.ts";
import type { WallTime } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";

const at = (iso: string): WallTime => Date.parse(iso) as WallTime;

const exact = (wall: WallTime): string => new Date(wall).toISOString().replace(".000Z", "Z");

/** `open until X` or `closed until X`. */
function said(windows: readonly string[], freezes: readonly string[], iso: string): string {
  const state = windowAt(windows.map(windowOf), freezes.map(freezeOf), at(iso));
  const next = state.kind === "open" ? state.closesAt : state.opensAt;
  return `${state.kind} until ${next === undefined ? "ever" : exact(next)}`;
}

const dublin = "Sat 02:00-06:00 Europe/Dublin";
const berlin = "Sun 02:00-06:00 Europe/Berlin";
const night = "Fri 22:00-02:00 UTC";

describe("a window", () => {
  it.each([
    {
      name: "no window",
      windows: [],
      iso: "2026-11-24T10:00:00Z",
      says: "open until ever",
    },
    {
      name: "the moment before a window",
      windows: [dublin],
      iso: "2026-11-28T01:59:59.999Z",
      says: "closed until 2026-11-28T02:00:00Z",
    },
    {
      name: "the first moment of a window",
      windows: [dublin],
      iso: "2026-11-28T02:00:00Z",
      says: "open until 2026-11-28T06:00:00Z",
    },
    {
      name: "the last moment of a window",
      windows: [dublin],
      iso: "2026-11-28T05:59:59.999Z",
      says: "open until 2026-11-28T06:00:00Z",
    },
    {
      name: "the end of a window",
      windows: [dublin],
      iso: "2026-11-28T06:00:00Z",
      says: "closed until 2026-12-05T02:00:00Z",
    },
    {
      name: "a window in summer time",
      windows: [dublin],
      iso: "2026-07-04T00:59:00Z",
      says: "closed until 2026-07-04T01:00:00Z",
    },
    {
      name: "a window over midnight",
      windows: [night],
      iso: "2026-11-27T23:00:00Z",
      says: "open until 2026-11-28T02:00:00Z",
    },
    {
      name: "a window over midnight, past it",
      windows: [night],
      iso: "2026-11-28T01:00:00Z",
      says: "open until 2026-11-28T02:00:00Z",
    },
    {
      name: "a window over midnight, a day later",
      windows: [night],
      iso: "2026-11-28T23:00:00Z",
      says: "closed until 2026-12-04T22:00:00Z",
    },
    {
      name: "a window from Saturday into Sunday",
      windows: ["Sat 23:00-01:00 UTC"],
      iso: "2026-11-29T00:30:00Z",
      says: "open until 2026-11-29T01:00:00Z",
    },
    {
      name: "a window to 24:00",
      windows: ["Sat 23:00-24:00 UTC"],
      iso: "2026-11-28T23:30:00Z",
      says: "open until 2026-11-29T00:00:00Z",
    },
    {
      name: "a window to 00:00",
      windows: ["Sat 23:00-00:00 UTC"],
      iso: "2026-11-28T23:30:00Z",
      says: "open until 2026-11-29T00:00:00Z",
    },
    {
      name: "a window over the whole week",
      windows: ["daily 00:00-24:00 Europe/Dublin"],
      iso: "2026-11-28T23:30:00Z",
      says: "open until ever",
    },
    {
      name: "a window over a working week",
      windows: ["Mon-Fri 00:00-24:00 UTC"],
      iso: "2026-11-25T12:00:00Z",
      says: "open until 2026-11-28T00:00:00Z",
    },
    {
      name: "a window on all days but Sunday",
      windows: ["Mon-Sat 00:00-24:00 UTC"],
      iso: "2026-11-23T00:00:00Z",
      says: "open until 2026-11-29T00:00:00Z",
    },
    {
      name: "a gap of a quarter of an hour",
      windows: ["daily 00:00-23:45 UTC"],
      iso: "2026-11-28T23:50:00Z",
      says: "closed until 2026-11-29T00:00:00Z",
    },
    {
      name: "a window on the day of another zone",
      windows: ["Sat 00:00-06:00 Asia/Tokyo"],
      iso: "2026-11-27T15:30:00Z",
      says: "open until 2026-11-27T21:00:00Z",
    },
  ])("$name: the state is $says", ({ windows, iso, says }) => {
    expect(said(windows, [], iso)).toBe(says);
  });

  it.each([
    ["adjacent", ["Sat 02:00-04:00 UTC", "Sat 04:00-06:00 UTC"]],
    ["overlapping", ["Sat 03:00-06:00 UTC", "Sat 02:00-05:00 UTC"]],
    ["one inside the other", ["Sat 02:00-06:00 UTC", "Sat 03:00-04:00 UTC"]],
    ["of two zones", ["Sat 02:00-05:00 UTC", "Sat 05:00-07:00 Europe/Berlin"]],
  ])("%s windows open and close as one", (_name, windows) => {
    expect(said(windows, [], "2026-11-28T02:30:00Z")).toBe("open until 2026-11-28T06:00:00Z");
  });

  // Berlin: 02:00 becomes 03:00 on 2026-03-29 at 01:00 UTC, and 03:00 becomes 02:00 on 2026-10-25.
  it.each([
    {
      name: "forward, before",
      window: berlin,
      iso: "2026-03-29T00:59:00Z",
      says: "closed until 2026-03-29T01:00:00Z",
    },
    {
      name: "forward, inside",
      window: berlin,
      iso: "2026-03-29T01:00:00Z",
      says: "open until 2026-03-29T04:00:00Z",
    },
    {
      name: "back, before",
      window: berlin,
      iso: "2026-10-24T23:59:00Z",
      says: "closed until 2026-10-25T00:00:00Z",
    },
    {
      name: "back, first 02:30",
      window: berlin,
      iso: "2026-10-25T00:30:00Z",
      says: "open until 2026-10-25T05:00:00Z",
    },
    {
      name: "back, second 02:30",
      window: berlin,
      iso: "2026-10-25T01:30:00Z",
      says: "open until 2026-10-25T05:00:00Z",
    },
    {
      name: "and skip the span",
      window: "Sun 02:15-02:45 Europe/Berlin",
      iso: "2026-03-28T12:00:00Z",
      says: "closed until 2026-04-05T00:15:00Z",
    },
    {
      name: "and double the span, first time",
      window: "Sun 02:15-02:45 Europe/Berlin",
      iso: "2026-10-25T00:15:00Z",
      says: "open until 2026-10-25T00:45:00Z",
    },
    {
      name: "and double the span, again",
      window: "Sun 02:15-02:45 Europe/Berlin",
      iso: "2026-10-25T00:45:00Z",
      says: "closed until 2026-10-25T01:15:00Z",
    },
    {
      name: "and skip midnight",
      window: "Thu 23:00-02:00 Africa/Cairo",
      iso: "2026-04-23T21:30:00Z",
      says: "open until 2026-04-23T23:00:00Z",
    },
  ])("clocks change $name: the window is $says", ({ window, iso, says }) => {
    expect(said([window], [], iso)).toBe(says);
  });
});

describe("an answer that is kept", () => {
  const windows = [windowOf(night), windowOf(dublin)];
  const freezes = ["2026-11-21/2026-11-21", "2026-11-29/2026-11-29"].map((text) => freezeOf(text));
  const first = at("2026-11-20T12:00:00Z");
  const walls = Array.from({ length: 1_000 }, (_, at) => (first + at * 900_000) as WallTime);
  const fresh = (wall: WallTime) => windowAt([...windows], [...freezes], wall);

  it("a kept answer equals a fresh one, forward and backward in time", () => {
    for (const wall of [...walls, ...walls.toReversed()]) {
      expect(windowAt(windows, freezes, wall), isoTime(wall)).toEqual(fresh(wall));
    }
  });

  it("an answer is kept while nothing changes, and not for other freezes", () => {
    const free = at("2026-11-22T12:00:00Z");
    const kept = windowAt(windows, freezes, free);
    const until = at("2026-11-27T21:59:59Z");
    expect(windowAt(windows, freezes, free)).toBe(kept);
    expect(windowAt(windows, freezes, until)).toBe(kept);
    expect(windowAt(windows, [freezeOf("2026-11-22/2026-11-22")], free)).toMatchObject({
      why: { code: "window.frozen" },
    });
    const open = at("2026-11-27T22:00:00Z");
    const now = windowAt(windows, freezes, open);
    expect(windowAt(windows, freezes, (open + 3_600_000) as WallTime)).toBe(now);
  });

  it("an answer is kept for ever where nothing ever changes", () => {
    const always: Window[] = [];
    const kept = windowAt(always, freezes.slice(0, 1), first);
    const none: Freeze[] = [];
    expect(kept).toMatchObject({ kind: "open" });
    const free = windowAt(always, none, first);
    expect(windowAt(always, none, at("2126-11-20T12:00:00Z"))).toBe(free);
  });
});

describe("a window on no day", () => {
  it("a window on no day never opens", () => {
    const none = { ...windowOf(night), days: [] };
    expect(windowAt([none], [], at("2026-11-27T23:00:00Z"))).toEqual({
      ...{ kind: "closed", why: { code: "window.none" }, opensAt: undefined },
    });
  });
});

describe("a freeze", () => {
  const december = "2026-12-20/2027-01-05";
  it.each([
    {
      name: "a freeze without a window",
      windows: [],
      freezes: [december],
      iso: "2026-12-24T12:00:00Z",
      says: "closed until 2027-01-06T00:00:00Z",
    },
    {
      name: "a freeze ahead, without a window",
      windows: [],
      freezes: [december],
      iso: "2026-11-24T12:00:00Z",
      says: "open until 2026-12-20T00:00:00Z",
    },
    {
      name: "a freeze that has ended",
      windows: [],
      freezes: [december],
      iso: "2027-01-06T00:00:00Z",
      says: "open until ever",
    },
    {
      name: "a freeze before the next window",
      windows: [dublin],
      freezes: [december],
      iso: "2026-12-24T12:00:00Z",
      says: "closed until 2027-01-09T02:00:00Z",
    },
    {
      name: "a freeze that begins in a window",
      windows: ["Sat 12:00-11:00 UTC"],
      freezes: ["2026-11-29/2026-11-29"],
      iso: "2026-11-28T13:00:00Z",
      says: "open until 2026-11-29T00:00:00Z",
    },
    {
      name: "a freeze that ends in a window",
      windows: ["Sat 22:00-04:00 UTC"],
      freezes: ["2026-11-28/2026-11-28"],
      iso: "2026-11-28T23:00:00Z",
      says: "closed until 2026-11-29T00:00:00Z",
    },
    {
      name: "a freeze that follows another",
      windows: [],
      freezes: ["2026-12-01/2026-12-02", "2026-12-03/2026-12-04"],
      iso: "2026-12-01T12:00:00Z",
      says: "closed until 2026-12-05T00:00:00Z",
    },
    {
      name: "a freeze in its own zone",
      windows: [],
      freezes: ["2026-12-01/2026-12-01 Asia/Tokyo"],
      iso: "2026-11-30T14:59:00Z",
      says: "open until 2026-11-30T15:00:00Z",
    },
    {
      name: "a freeze of a day that lasts 25 hours",
      windows: [],
      freezes: ["2026-10-25/2026-10-25 Europe/Berlin"],
      iso: "2026-10-25T22:59:00Z",
      says: "closed until 2026-10-25T23:00:00Z",
    },
    {
      name: "a freeze from a skipped midnight",
      windows: [],
      freezes: ["2026-04-24/2026-04-24 Africa/Cairo"],
      iso: "2026-04-23T21:00:00Z",
      says: "open until 2026-04-23T22:00:00Z",
    },
    {
      name: "a freeze of years",
      windows: [dublin],
      freezes: ["2026-01-01/2039-12-31"],
      iso: "2026-11-24T12:00:00Z",
      says: "closed until 2040-01-07T02:00:00Z",
    },
    {
      name: "a freeze far ahead",
      windows: ["daily 00:00-24:00 UTC"],
      freezes: ["2036-01-01/2036-01-01"],
      iso: "2026-11-24T12:00:00Z",
      says: "open until 2036-01-01T00:00:00Z",
    },
  ])("$name: the windows are $says", ({ windows, freezes, iso, says }) => {
    expect(said(windows, freezes, iso)).toBe(says);
  });
});

describe("why it is closed", () => {
  const opens = { code: "window.opens", window: dublin, at: "2026-11-28T02:00:00Z" };
  it.each([
    [[dublin], [], opens],
    [["Sun 02:00-06:00 UTC", dublin], [], opens],
    [
      [dublin],
      ["2026-11-24/2026-11-24"],
      {
        ...{ code: "window.frozen", until: "2026-11-25T00:00:00Z" },
        freeze: "2026-11-24/2026-11-24",
      },
    ],
  ])("a closed state says why for windows %j and freezes %j", (windows, freezes, why) => {
    const state = windowAt(
      windows.map(windowOf),
      freezes.map(freezeOf),
      at("2026-11-24T12:00:00Z"),
    );
    expect(state).toMatchObject({ kind: "closed", why });
  });
});

describe("a time zone", () => {
  it.each([
    ["Europe/Dublin", true],
    ["UTC", true],
    ["America/Argentina/Buenos_Aires", true],
    ["Europe/Dubln", false],
    ["", false],
  ])('the time zone "%s" exists: %s', (zone, exists) => {
    expect(zoneExists(zone)).toBe(exists);
  });

  it("a time zone is steady between the moments at which its clock is changed", () => {
    const from = at("2026-02-01T00:00:00Z");
    const until = at("2026-04-01T12:34:56Z");
    // Morocco goes back for Ramadan: both changes lie within one stretch of equal ends.
    const stretches = [...new Zone("Africa/Casablanca").steady(from, until)];
    expect(stretches).toEqual([
      { from, until: at("2026-02-15T02:00:00Z"), offsetMs: 3_600_000 },
      { from: at("2026-02-15T02:00:00Z"), until: at("2026-03-22T02:00:00Z"), offsetMs: 0 },
      { from: at("2026-03-22T02:00:00Z"), until, offsetMs: 3_600_000 },
    ]);
  });

  it("a day that a time zone leaves out begins at the next one", () => {
    const day = Date.UTC(2011, 11, 30);
    expect(isoTime(new Zone("Pacific/Apia").startOfDay(day))).toBe("2011-12-30T10:00:00Z");
  });
});

describe("against the clock's reading in every minute", () => {
  const minuteMs = 60_000;
  const names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const zones = ["UTC", "Europe/Dublin", "America/New_York", "Asia/Kolkata", "Africa/Cairo"];
  zones.push("Australia/Lord_Howe", "America/Santiago");
  const changes = ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-24"];
  changes.push("2026-04-05", "2026-09-06", "2026-06-15");

  const clocks = new Map(
    zones.map((timeZone) => {
      const options = { timeZone, weekday: "short", hour: "2-digit", minute: "2-digit" } as const;
      return [timeZone, new Intl.DateTimeFormat("en-GB", { ...options, hourCycle: "h23" })];
    }),
  );

  function shows({ timeZone, days, fromMinute, toMinute }: Window, wall: number): boolean {
    const text = clocks.get(timeZone)?.format(wall) ?? "";
    const [, name = "", hour = "", minute = ""] = /^(\w+),? (\d\d):(\d\d)$/.exec(text) ?? [];
    const today = names.indexOf(name);
    const now = Number(hour) * 60 + Number(minute);
    if (toMinute > fromMinute) return days.includes(today) && now >= fromMinute && now < toMinute;
    const yesterday = (today + 6) % 7;
    return (
      (days.includes(today) && now >= fromMinute) || (days.includes(yesterday) && now < toMinute)
    );
  }

  function isOpen(windows: readonly Window[], freezes: readonly Freeze[], wall: number): boolean {
    if (freezes.some(({ from, until }) => wall >= from && wall < until)) return false;
    return windows.length === 0 || windows.some((window) => shows(window, wall));
  }

  function drawn(prng: Prng): { windows: Window[]; freezes: Freeze[]; wall: WallTime } {
    const day = at(`${prng.pick(changes)}T00:00:00Z`);
    const time = (minutes: number): string =>
      isoTime((minutes * minuteMs) as WallTime).slice(11, 16);
    const windows = Array.from({ length: prng.between(0, 4) }, () => {
      const from = prng.between(0, 95) * 15;
      const to = (from + prng.between(1, 95) * 15) % 1_440;
      const days = prng.pick([...names, "daily", "Mon-Fri", "Fri-Mon", "Sat,Sun"]);
      return windowOf(`${days} ${time(from)}-${time(to)} ${prng.pick(zones)}`);
    });
    const freezes = Array.from({ length: prng.between(0, 2) }, () => {
      const first = day + prng.between(-2, 3) * 86_400_000;
      const last = first + prng.between(0, 2) * 86_400_000;
      const date = (ms: number): string => isoTime(ms as WallTime).slice(0, 10);
      return freezeOf(`${date(first)}/${date(last)} ${prng.pick(zones)}`);
    });
    const wall = day + prng.between(-1_440, 1_440) * minuteMs;
    return { windows, freezes, wall: wall as WallTime };
  }

  const runs = effort(300, 20_000);
  it(`${runs} drawn windows open as the clock shows (seed window-N)`, () => {
    const seen = { open: 0, closed: 0, turned: 0 };
    for (let run = 0; run < runs; run += 1) {
      const { windows, freezes, wall } = drawn(new Prng(`window-${run}`));
      const state = windowAt(windows, freezes, wall);
      const open = isOpen(windows, freezes, wall);
      const inputs = `window-${run}: ${JSON.stringify({ windows, freezes, wall: isoTime(wall) })}`;
      expect(state.kind, inputs).toBe(open ? "open" : "closed");
      seen[state.kind] += 1;
      let turn: number | undefined;
      const end = wall + 3 * 86_400_000;
      for (let at = wall + minuteMs; at < end && turn === undefined; at += minuteMs) {
        if (isOpen(windows, freezes, at) !== open) turn = at;
      }
      const next = state.kind === "open" ? state.closesAt : state.opensAt;
      if (turn === undefined) expect(next ?? end, inputs).toBeGreaterThanOrEqual(end);
      else expect(next, inputs).toBe(turn);
      if (turn !== undefined) seen.turned += 1;
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(runs / 10);
  });
});
