// Who gets which snapshot when, under virtual time.

import { beforeEach, describe, expect, it } from "vitest";
import type { User } from "#agent/model/client.ts";
import {
  Feed,
  type FeedEnd,
  untakenBytesMax,
  userViewersMax,
  type Viewer,
  viewersMax,
} from "#agent/page/feed.ts";
import { SimClock } from "#sim/base/clock.ts";

class Watching implements Viewer {
  readonly got: string[] = [];
  over: FeedEnd | undefined;
  session = true;
  /** Lets the system take what was sent; undefined = it takes all at once. */
  take: (() => void) | undefined;
  readonly #isSlow: boolean;
  readonly user: User;

  constructor(pace: "quick" | "slow", user?: User) {
    this.#isSlow = pace === "slow";
    this.user = user;
  }

  readonly send = async (text: Uint8Array): Promise<void> => {
    this.got.push(Buffer.from(text).toString());
    if (!this.#isSlow) return;
    await new Promise<void>((resolve) => {
      this.take = resolve;
    });
  };
  readonly holds = (): boolean => this.session;
  readonly end = (why: FeedEnd): void => {
    this.over = why;
  };
}

describe("a feed", () => {
  let clock: SimClock;
  let made: number;
  let turns: number;
  let openings: number;
  let openingText: string;
  let dropped: FeedEnd[];
  let feed: Feed;
  const stop = (): AbortController => new AbortController();
  let end: AbortController;

  beforeEach(() => {
    clock = new SimClock(0);
    made = 0;
    turns = 0;
    openings = 0;
    openingText = "opening";
    dropped = [];
    end = stop();
    feed = new Feed({
      clock,
      turn: () => {
        turns += 1;
      },
      opening: () => {
        openings += 1;
        return openingText;
      },
      snapshot: () => {
        made += 1;
        return `snapshot ${made}`;
      },
      dropped: (why) => dropped.push(why),
    });
    void feed.run(end.signal);
  });

  it("a feed begins with the opening and goes on once a second", async () => {
    const viewer = new Watching("quick");
    feed.join(viewer);
    expect(viewer.got).toEqual(["opening"]);
    await clock.runFor(3_500);
    expect(viewer.got).toEqual(["opening", "snapshot 1", "snapshot 2", "snapshot 3"]);
  });

  it("a feed sends events within a fifth of a second, and simultaneous ones together", async () => {
    const viewer = new Watching("quick");
    feed.join(viewer);
    await clock.runFor(100);
    for (let n = 0; n < 50; n += 1) feed.wake();
    await clock.runFor(210);
    expect(viewer.got).toEqual(["opening", "snapshot 1"]);
  });

  it("a feed makes no snapshot without viewers, and one for all viewers", async () => {
    await clock.runFor(10_000);
    expect([made, turns]).toEqual([0, 10]);
    const all = [new Watching("quick"), new Watching("quick")];
    for (const viewer of all) feed.join(viewer);
    await clock.runFor(1_000);
    expect(made).toBe(1);
    expect(all.map(({ got }) => got.at(-1))).toEqual(["snapshot 1", "snapshot 1"]);
  });

  it("a slow viewer has one snapshot under way, then gets the newest", async () => {
    const [slow, quick] = [new Watching("slow"), new Watching("quick")];
    feed.join(slow);
    feed.join(quick);
    await clock.runFor(5_000);
    expect(slow.got).toEqual(["opening"]);
    expect(quick.got).toHaveLength(6);
    slow.take?.();
    await clock.runFor(1_000);
    expect(slow.got).toEqual(["opening", "snapshot 6"]);
  });

  it("a feed ends for a viewer that reads nothing for 30 s, and for no other", async () => {
    const [slow, quick] = [new Watching("slow"), new Watching("quick")];
    feed.join(slow);
    feed.join(quick);
    await clock.runFor(29_000);
    expect(slow.over).toBeUndefined();
    await clock.runFor(2_000);
    expect([slow.over, quick.over, feed.size, dropped]).toEqual([
      "tooSlow",
      undefined,
      1,
      ["tooSlow"],
    ]);
  });

  it("a feed ends with the viewer's session", async () => {
    const viewer = new Watching("quick");
    feed.join(viewer);
    viewer.session = false;
    await clock.runFor(1_000);
    expect([viewer.over, viewer.got]).toEqual(["loggedOut", ["opening"]]);
  });

  it("a feed has a limited number of viewers, and one that leaves makes room", () => {
    const all = Array.from({ length: viewersMax + 1 }, () => new Watching("quick"));
    for (const viewer of all) feed.join(viewer);
    expect(all.map(({ over }) => over).filter((over) => over === "tooMany")).toHaveLength(1);
    expect(all.at(-1)?.got).toEqual([]);
    const [first] = all;
    if (first !== undefined) feed.leave(first);
    const next = new Watching("quick");
    feed.join(next);
    expect(next.got).toEqual(["opening"]);
  });

  it("C: a user of this host cannot hold all feeds, with any number of subordinate uids", () => {
    for (let count = 0; count < 2 * viewersMax; count += 1) feed.join(new Watching("quick", "ada"));
    const other = new Watching("quick", 1001);
    feed.join(other);
    expect([feed.size, other.got]).toEqual([userViewersMax + 1, ["opening"]]);
  });

  it("issue 32: a viewer that comes again and again costs one opening a round", async () => {
    for (let count = 0; count < 1_000; count += 1) {
      const viewer = new Watching("quick");
      feed.join(viewer);
      feed.leave(viewer);
      expect(viewer.got).toEqual(["opening"]);
    }
    expect(openings).toBe(1);
    await clock.runFor(1_000);
    feed.join(new Watching("quick"));
    expect(openings).toBe(2);
  });

  it("issue 32: of long texts that nothing reads the oldest are cut off", async () => {
    openingText = "x".repeat(untakenBytesMax * 0.4);
    const all: Watching[] = [];
    for (let count = 0; count < 4; count += 1) {
      // Two come at once, and share their text.
      for (const viewer of [new Watching("slow"), new Watching("slow")]) {
        all.push(viewer);
        feed.join(viewer);
      }
      await clock.runFor(1_000);
    }
    const cut = all.map(({ over }) => over === "tooSlow");
    expect(cut).toEqual([true, true, false, false, false, false, false, false]);
  });

  it("a feed that ends tells its viewers so", async () => {
    const viewer = new Watching("quick");
    feed.join(viewer);
    end.abort();
    await clock.runFor(1);
    expect([viewer.over, feed.size]).toEqual(["closing", 0]);
  });
});
