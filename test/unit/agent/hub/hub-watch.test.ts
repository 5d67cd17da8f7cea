// What a hub knows of all sites: ages, silence, contradictions, and an engine that lies or ends.

import { describe, expect, it } from "vitest";
import { headText } from "#agent/evidence/report/head.ts";
import { freezeOctets } from "#agent/fleet/records.ts";
import { type Wave, waveOctets } from "#agent/fleet/wave.ts";
import { FleetWatch } from "#agent/hub/fleet-watch.ts";
import type { WallTime } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { HubEngine, noReply } from "../../kit/hub-engine.ts";
import { refused, settled, wallStart } from "../../kit/site-bench.ts";
import { downLink, siteStatus } from "../../kit/site-statuses.ts";
import { memberOf, nonceOf, wallAt, waveOf } from "../../kit/wave-kit.ts";

class Hub {
  readonly clock = new SimClock(wallStart);
  readonly engine = new HubEngine(this.clock);
  readonly watch = new FleetWatch(this.clock);

  /** Publishes what an agent of now would. */
  tell(site: string, edit: Parameters<typeof siteStatus>[1] = {}): void {
    const at = new Date(this.clock.wall()).toISOString().replace(/\.\d+/, "");
    this.engine.put("linkseal-status", site, siteStatus(site, { at, ...edit }));
  }

  async read(): Promise<this> {
    await settled(this.clock, this.watch.read(this.engine));
    return this;
  }

  /** Names of the sites with verdict and voice, in the order of the view. */
  get list(): readonly string[] {
    return this.watch.view().sites.map(({ site, verdict, voice }) => `${site} ${verdict} ${voice}`);
  }

  pass(ms: number): Promise<unknown> {
    return this.clock.runFor(ms);
  }
}

describe("a view of all sites", () => {
  it("wrong sites come first, then silent ones, then the rest, each by name", async () => {
    const hub = new Hub();
    hub.tell("lost", { verdict: "unprotected" });
    await hub.pass(95_000);
    hub.tell("b-fine");
    hub.tell("a-fine");
    hub.tell("dub", downLink("dub"));
    hub.tell("ams", { verdict: "unprotected", verdicts: { unprotected: 2 } });
    hub.tell("cork", { verdict: "degraded", verdicts: { degraded: 2 } });
    hub.engine.put("linkseal-status", "odd", "{");
    expect((await hub.read()).list).toEqual([
      ...["ams unprotected told", "dub down told", "odd unknown unreadable", "cork degraded told"],
      ...["lost unknown silent", "a-fine protected told", "b-fine protected told"],
    ]);
    expect(hub.watch.view()).toMatchObject({
      ...{ verdict: "unprotected", all: 7, silent: 1, engine: { connected: true } },
      verdicts: { unprotected: 1, down: 1, unknown: 2, degraded: 1, protected: 2 },
    });
  });

  it("a silent site is unknown, and never what it said last", async () => {
    const hub = new Hub();
    hub.tell("dub");
    await hub.read();
    await hub.pass(89_000);
    expect(hub.list).toEqual(["dub protected told"]);
    await hub.pass(2_000);
    const [row] = hub.watch.view().sites;
    expect(row).toMatchObject({ verdict: "unknown", voice: "silent", was: "protected" });
    expect(hub.watch.view().verdict).toBe("unknown");
    hub.tell("dub");
    expect((await hub.read()).list).toEqual(["dub protected told"]);
  });

  it("a hub that starts late takes an old status for old, by the engine's clock", async () => {
    const hub = new Hub();
    hub.engine.aheadMs = 3_600_000;
    hub.tell("dub");
    await hub.pass(300_000);
    await hub.read();
    expect(hub.list).toEqual(["dub unknown silent"]);
    expect(hub.watch.view().sites[0]?.ageMs).toBe(300_000);
  });

  it("a status of an engine whose clock went back has no age, and says nothing", async () => {
    const hub = new Hub();
    hub.tell("dub");
    hub.engine.aheadMs = -60_000;
    await hub.read();
    expect(hub.watch.view().sites[0]).toMatchObject({ verdict: "unknown", ageMs: null });
  });

  it("the key names a site, whatever its status says; a clock that differs is told", async () => {
    const hub = new Hub();
    const at = new Date(hub.clock.wall() + 7_200_000).toISOString();
    hub.tell("dub", { site: "ams", at });
    await hub.read();
    expect(hub.watch.view().sites).toMatchObject([
      { site: "dub", notes: [{ kind: "otherName", name: "ams" }, { kind: "clock" }] },
    ]);
    expect(hub.watch.site("ams")).toBeUndefined();
    hub.engine.put("linkseal-status", "Not a name", siteStatus("x"));
    expect((await hub.read()).watch.view().all).toBe(1);
  });

  it("a message that the server wrote as a reply says nothing of the site", async () => {
    const hub = new Hub();
    const forged = "NATS/1.0\r\nNats-Subject: $KV.linkseal-status.ams\r\n\r\n";
    hub.engine.put("linkseal-status", "dub", siteStatus("dub"), forged);
    expect((await hub.read()).list).toEqual(["dub unknown forged"]);
  });

  it("a log with fewer records than a head was cut; a later head says nothing", async () => {
    const hub = new Hub();
    const mac = "ab".repeat(32);
    const head = (seq: number, host: string): string => {
      const at = new Date(hub.clock.wall()).toISOString();
      return headText({ host, seq, at, hash: mac });
    };
    hub.tell("dub");
    hub.tell("ams");
    await hub.pass(5_000);
    hub.engine.head("dub", head(121, "a1b2c3d4"));
    hub.engine.head("ams", head(9, "another"));
    await hub.read();
    const notes = () => hub.watch.view().sites.map(({ site, notes: all }) => [site, all]);
    expect(notes()).toEqual([
      ["ams", [{ kind: "otherLog", host: "another" }]],
      ["dub", []],
    ]);
    await hub.pass(30_000);
    hub.tell("dub");
    await hub.read();
    expect(notes()).toContainEqual(["dub", [{ kind: "logCut", head: 121, newest: 120 }]]);
    expect(hub.watch.view().sites[0]?.head?.seq).toBe(9);
  });

  it("1,000 rows are listed, and all sites counted", async () => {
    const hub = new Hub();
    for (let n = 0; n < 1_005; n += 1) hub.tell(`s${n}`);
    hub.tell("wrong", downLink("wrong"));
    await hub.read();
    const view = hub.watch.view();
    expect([view.sites.length, view.all, view.verdicts.protected]).toEqual([1_000, 1_006, 1_005]);
    expect(view.sites[0]?.site).toBe("wrong");
  });
});

describe("waves and freezes", () => {
  const by = { at: wallAt(0), by: "ann" };
  const given = { nonce: nonceOf(1), at: wallAt(0), notAfter: wallAt(1) };
  const recordOf = (name: string, part: Partial<Wave>): string => {
    const begun = memberOf("b", { kind: "begun", ...given });
    const stages = [
      [memberOf("a", { kind: "reached", ...given })],
      [begun, memberOf("c"), memberOf("d")],
    ];
    return Buffer.from(waveOctets({ ...waveOf([]), stage: 1, stages, name, ...part })).toString();
  };

  it("a wave is shown with its progress, those that are done last", async () => {
    const hub = new Hub();
    const put = (name: string, part: Partial<Wave> = {}): void =>
      hub.engine.put("linkseal-waves", name, recordOf(name, part));
    put("spring");
    put("old", { state: { kind: "done", at: wallAt(0) }, stage: 2 });
    put("halted", { state: { ...by, kind: "stopped", why: "dub failed" } });
    hub.engine.put("linkseal-waves", "odd", { schema: "linkseal.wave/1", stages: 7 });
    // The lease of the hubs is in the same bucket, and no wave.
    hub.engine.put("linkseal-waves", "hub.lease", { schema: "linkseal.lease/1", holder: null });
    await hub.read();
    const { waves } = hub.watch.view();
    expect(waves.map(({ name, state, why }) => [name, state, why])).toEqual([
      ...[
        ["odd", null, null],
        ["halted", "stopped", "dub failed"],
        ["spring", "running", null],
        ["old", "done", null],
      ],
    ]);
    expect(waves[2]).toMatchObject({
      ...{ kind: "rotate", stage: 2, stages: 2 },
      progress: [
        { state: "reached", count: 1 },
        { state: "begun", count: 1 },
        { state: "waiting", count: 2 },
      ],
    });
  });

  // The page had a reader of its own, which asked for less than that of the hub that runs waves.
  it("a record that a hub refuses is shown as one that cannot be read", async () => {
    const hub = new Hub();
    const refused = [
      ...[recordOf("other", {}), recordOf("w", { shareMax: 0 }), recordOf("w", { stage: 2 })],
      recordOf("w", { stages: [[memberOf("a")], [memberOf("a")]] }),
    ];
    for (const record of refused) {
      hub.engine.put("linkseal-waves", "w", record);
      await hub.read();
      expect(hub.watch.view().waves).toEqual([
        { name: "w", kind: null, state: null, why: null, stage: 0, stages: 0, progress: [] },
      ]);
    }
  });

  it("a freeze is shown until it is thawed, and one that cannot be read is shown too", async () => {
    const hub = new Hub();
    const freeze = (state: "frozen" | "thawed"): string =>
      Buffer.from(freezeOctets({ state, at: 0 as WallTime, by: "eve", why: "storm" })).toString();
    hub.engine.put("linkseal-freeze", "fleet", freeze("frozen"));
    hub.engine.put("linkseal-freeze", "site.dub", "{}");
    await hub.read();
    expect(hub.watch.view().freezes).toEqual([
      { key: "fleet", freeze: { at: "1970-01-01T00:00:00Z", by: "eve", why: "storm" } },
      { key: "site.dub", freeze: null },
    ]);
    hub.engine.put("linkseal-freeze", "fleet", freeze("thawed"));
    await hub.read();
    expect(hub.watch.view().freezes.map(({ key }) => key)).toEqual(["site.dub"]);
  });
});

describe("a hub that follows", () => {
  it("what is new is read within a second, and a quiet engine is asked once a pass", async () => {
    const hub = new Hub();
    const end = new AbortController();
    for (let n = 0; n < 50; n += 1) hub.tell(`s${n}`);
    const following = hub.watch.follow(hub.engine, end.signal);
    await hub.pass(3_000);
    hub.tell("dub");
    await hub.pass(1_000);
    expect(hub.watch.view().all).toBe(51);
    hub.engine.asked.length = 0;
    await hub.pass(10_000);
    const gets = hub.engine.asked.filter((subject) => subject.includes("MSG.GET"));
    const infos = hub.engine.asked.filter((subject) => subject.includes("INFO.KV_linkseal-status"));
    expect(gets).toEqual([]);
    expect(infos.length).toBeGreaterThan(15);
    expect(infos.length).toBeLessThan(25);
    end.abort();
    await settled(hub.clock, following);
  });

  it("an engine that ends is an error, and what was known becomes unknown with time", async () => {
    const hub = new Hub();
    hub.tell("dub");
    const following = hub.watch.follow(hub.engine, new AbortController().signal);
    const failed = refused(following);
    await hub.pass(2_000);
    hub.engine.fault = noReply;
    await hub.pass(2_000);
    expect((await failed).message).toContain("no reply");
    hub.watch.lost("no reply");
    expect(hub.watch.view()).toMatchObject({ verdict: "protected", engine: { connected: false } });
    await hub.pass(90_000);
    expect(hub.watch.view()).toMatchObject({ verdict: "unknown", silent: 1 });
  });

  it("a site that publishes while the others are read is not missed", async () => {
    const hub = new Hub();
    for (const site of ["a", "b", "c"]) hub.tell(site);
    let isFirst = true;
    hub.engine.edit = (answer) => {
      if (isFirst && "message" in answer) {
        isFirst = false;
        hub.tell("c", downLink("c"));
      }
      return answer;
    };
    expect((await hub.read()).list).toEqual([
      ...["c down told", "a protected told", "b protected told"],
    ]);
  });

  it("lanes find every site once and its newest status, wherever the numbers are", async () => {
    for (const seed of [1, 2, 3]) {
      const prng = new Prng(`lanes ${seed}`);
      const below = (most: number): number => Math.floor(prng.real() * most);
      const hub = new Hub();
      const count = 200 + below(400);
      for (let n = 0; n < count; n += 1) hub.tell(`s${n}`);
      // Some sites write so often that the numbers of the others are far behind.
      for (let n = 0; n < 3_000; n += 1) hub.tell(`s${below(count / 3)}`);
      const before = hub.engine.asked.length;
      hub.engine.edit = (answer) => {
        const site = `s${below(count)}`;
        if ("message" in answer && below(10) === 0) hub.tell(site, downLink(site));
        return answer;
      };
      await hub.watch.readStatuses(hub.engine);
      const told = hub.engine.told("linkseal-status");
      const shown = hub.watch.view().sites.map(({ site, verdict }) => `${site} ${verdict}`);
      expect(shown.toSorted(), `seed ${seed}`).toEqual(told.toSorted());
      expect(hub.engine.asked.length - before, `seed ${seed}`).toBeLessThan(count * 2);
    }
  });

  it("a site that publishes without end does not keep the hub from the next pass", async () => {
    const hub = new Hub();
    hub.tell("a");
    hub.engine.edit = (answer) => {
      if ("message" in answer) hub.tell("a");
      return answer;
    };
    await hub.watch.readStatuses(hub.engine);
    expect(hub.engine.asked.length).toBeLessThan(1_010);
    expect(hub.list).toEqual(["a protected told"]);
  });

  it("an engine that was restored from an older copy is read anew", async () => {
    const hub = new Hub();
    for (const site of ["a", "b", "c"]) hub.tell(site);
    await hub.read();
    hub.engine.lose("linkseal-status");
    hub.tell("a", downLink("a"));
    expect((await hub.read()).list).toEqual([
      ...["a down told", "b protected told", "c protected told"],
    ]);
  });

  it.each([
    ["shows no state", (): Record<string, unknown> => ({ ts: "now" })],
    ["goes back", (answer: Record<string, unknown>) => back(answer)],
    ["names another bucket", (answer: Record<string, unknown>) => other(answer)],
  ])("an engine that %s is not followed", async (_what, edit) => {
    const hub = new Hub();
    for (const site of ["a", "b"]) hub.tell(site);
    hub.engine.edit = edit;
    await expect(hub.read()).rejects.toThrow("does not show");
    expect(hub.engine.asked.length).toBeLessThan(10);
  });

  it("an engine without an end is left", async () => {
    const hub = new Hub();
    hub.tell("a");
    hub.engine.edit = endless();
    await expect(hub.read()).rejects.toThrow("does not show");
    expect(hub.engine.asked.length).toBeLessThan(50_100);
  });
});

type Answer = Record<string, unknown>;

function back(answer: Answer): Answer {
  const message = answer["message"];
  return typeof message === "object" ? { message: { ...message, seq: 0 } } : answer;
}

function other(answer: Answer): Answer {
  const message = answer["message"];
  if (typeof message !== "object") return answer;
  return { message: { ...message, subject: "$KV.linkseal-permits.dub.g" } };
}

/** Each message is the next of a stream that has no end. */
function endless(): (answer: Answer) => Answer {
  let seq = 0;
  let kept: object = {};
  return (answer) => {
    if ("state" in answer) return { ...answer, state: { last_seq: 9e15 } };
    const message = answer["message"];
    if (typeof message === "object" && message !== null) kept = message;
    seq += 1;
    return { message: { ...kept, seq } };
  };
}
