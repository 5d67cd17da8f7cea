// The facts of a campaign that one observation of both ends shows.

import { describe, expect, it } from "vitest";
import type { Campaign } from "#agent/model/campaign.ts";
import type { Desired } from "#agent/model/desired.ts";
import type { Cause, SiblingCause } from "#agent/model/reason.ts";
import type { Memory } from "#agent/store/journal/memory.ts";
import { known } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { calmPort } from "../../../kit/campaign-kit.ts";
import {
  byHand,
  failing,
  newKey,
  oldKey,
  oneRouter,
  rotation,
  shutsFirst,
  underKey,
} from "../../../kit/rotation-runner-bench.ts";
import { never, settled } from "../../../kit/site-bench.ts";
import {
  at,
  bindingOf,
  clearPort,
  peerOff,
  peerOn,
  session,
  wall,
} from "../../../kit/snapshot-kit.ts";
import { enrolled, FactCollectorBench, inGroup } from "./fact-collector-bench.ts";

const waits = (cause: Cause) => ({ kind: "waiting", cause });
const unhealthy = (cause: SiblingCause): Cause => ({
  ...{ code: "gate.siblingUnhealthy", sibling: "secondary", cause },
});
const dark = { session: known({ ...session, livePeers: 0, respondedPeers: 0 }, at(0)) };

describe("a look", () => {
  it("a report contains everything that a calm link shows", async () => {
    expect(await new FactCollectorBench().report()).toEqual({
      at: 0,
      sak: session.latestSak?.keyId,
      laterSaks: "unproven",
      measured: [],
      facts: {
        ...{ port: calmPort, far: "old", sibling: "carrying", unmetPrecondition: undefined },
        drained: waits({ code: "drain.notInForce" }),
        staged: waits({ code: "port.notBoth" }),
        proof: waits({ code: "mka.otherPrincipal", wanted: "new" }),
        oldProof: waits({ code: "frames.lacking", direction: "receive", count: 20 }),
        freshSak: true,
        laterSaks: { kind: "notOffered" },
        carrying: waits({ code: "carrying.settles", seconds: 120 }),
        replacement: { kind: "absent" },
        ...{
          lostCommits: 0,
          mayLose: "nothing",
          overdue: false,
          farEnd: "agent",
          shutsFirst: false,
        },
      },
    });
  });

  it("a report is as old as its oldest part", async () => {
    const bench = new FactCollectorBench();
    await bench.clock.runFor(1_000);
    bench.delays.observe = 700;
    expect((await bench.report()).at).toBe(1_000);
  });

  it("a read that fails leaves the port unread, whatever was read before", async () => {
    const bench = new FactCollectorBench();
    await bench.see();
    bench.failures.observe = failing("transport.closed", "gone");
    const { port, unmetPrecondition, sibling } = await bench.see();
    expect([port, sibling]).toEqual([undefined, "unsure"]);
    expect(unmetPrecondition).toMatchObject(
      unhealthy({ code: "sibling.failed", error: "transport.closed", text: "gone" }),
    );
  });

  it("a report of a router without the port has no port", async () => {
    const bench = new FactCollectorBench();
    bench.port.primary = { port: "et-9" };
    expect((await bench.report()).facts.port).toBeUndefined();
  });

  it("a report has the quirks of its own device, and who writes the far end", async () => {
    const other = (wanted: Desired): Desired => ({
      ...shutsFirst(wanted),
      devices: shutsFirst(wanted)
        .devices.map((each) => (each.name === "edge-a" ? { ...each, quirks: [] } : each))
        .toReversed(),
    });
    expect((await new FactCollectorBench({ edit: shutsFirst }).see()).shutsFirst).toBe(true);
    expect((await new FactCollectorBench({ edit: other }).see()).shutsFirst).toBe(false);
    expect((await new FactCollectorBench({ edit: byHand }).see()).farEnd).toBe("manual");
  });

  it("a report has the replacement on the candidate and the count of lost changes", async () => {
    const bench = new FactCollectorBench();
    const task = {
      link: bench.link,
      campaign: rotation(),
      port: calmPort,
      recheck: () => undefined,
      observeAgain: async () => undefined,
      record: "first",
    } as const;
    await settled(bench.clock, bench.effects.run({ ...task, action: "add" }, never));
    bench.effects.judge(bench.link, calmPort, bench.clock.now());
    await settled(bench.clock, bench.effects.run({ ...task, action: "prepare" }, never));
    expect(await bench.see()).toMatchObject({ replacement: { kind: "valid" }, lostCommits: 1 });
  });
});

describe("the sibling", () => {
  it("is lost by an observation, its far end or health: the precondition names it", async () => {
    const bench = new FactCollectorBench();
    bench.drained.add("secondary");
    expect(await bench.see()).toMatchObject({
      sibling: "lost",
      unmetPrecondition: unhealthy({ code: "sibling.drained" }),
    });
    expect(bench.factCollector.siblingDoubt(bench.link)).toEqual(
      unhealthy({ code: "sibling.drained" }),
    );
    bench.drained.clear();
    expect((await bench.see()).sibling).toBe("carrying");
    expect(bench.factCollector.siblingDoubt(bench.link)).toBeUndefined();
    const cause = { code: "health.verdict", verdict: "down", reason: "link-down" } as const;
    bench.alarm = { standing: "lost", cause };
    expect(await bench.see()).toMatchObject({
      sibling: "lost",
      unmetPrecondition: unhealthy(cause),
    });
  });

  it("a sibling is neither lost nor relied on while health does not know it", async () => {
    const bench = new FactCollectorBench();
    const cause = { code: "health.notJudged" } as const;
    bench.alarm = { standing: "unsure", cause };
    expect(await bench.see()).toMatchObject({
      sibling: "unsure",
      unmetPrecondition: unhealthy(cause),
    });
    expect(bench.factCollector.siblingDoubt(bench.link)).toEqual(unhealthy(cause));
  });

  it("a sibling is never the link itself", async () => {
    const bench = new FactCollectorBench();
    bench.drained.add("primary");
    expect((await bench.see(rotation({ told: true }))).sibling).toBe("carrying");
    expect(bench.factCollector.siblingDoubt(bench.link)).toBeUndefined();
  });
});

describe("a commit that is pending", () => {
  const pending = async (over: Partial<Campaign>, recalls: "pending" | "absent") => {
    const bench = new FactCollectorBench();
    bench.commitPending = true;
    bench.recalls = recalls;
    const { port } = await bench.see(rotation(over));
    return [port?.pending, bench.log.filter((line) => line.startsWith("recall"))];
  };

  it("a pending commit is ours if the device knows our token, and foreign otherwise", async () => {
    expect(await pending({ token: "t-4" }, "pending")).toEqual(["ours", ["recall t-4"]]);
    expect(await pending({ token: "t-4" }, "absent")).toEqual(["foreign", ["recall t-4"]]);
    expect(await pending({}, "pending")).toEqual(["foreign", []]);
  });

  it("a pending commit is ours if it is that of the attempt before", async () => {
    const bench = new FactCollectorBench();
    bench.commitPending = true;
    bench.forgotten.add("t-4");
    const late = rotation({ token: "t-4", earlierToken: "t-3" });
    expect((await bench.see(late)).port?.pending).toBe("ours");
    bench.forgotten.add("t-3");
    expect((await bench.see(late)).port?.pending).toBe("foreign");
    const asked = bench.log.filter((line) => line.startsWith("recall"));
    expect(asked).toEqual(["recall t-4", "recall t-3", "recall t-4", "recall t-3"]);
  });

  it("a device without a pending commit is not asked for a token", async () => {
    const bench = new FactCollectorBench();
    expect((await bench.see(rotation({ token: "t-4" }))).port?.pending).toBe("none");
    expect(bench.log).not.toContain("recall t-4");
  });

  it("a pending final change without an observed end is reported as unfinished", async () => {
    const unfinished = async (forgotten: readonly string[], finals: Memory["finals"]) => {
      const bench = new FactCollectorBench();
      bench.commitPending = true;
      for (const token of forgotten) bench.forgotten.add(token);
      bench.memory = { ...bench.memory, finals };
      const report = await bench.report(rotation({ token: "t-4" }));
      const asked = bench.log.filter((line) => line.startsWith("recall"));
      return [report.facts.port?.pending, report.unfinished, asked];
    };
    const mine = { "edge-a": "t-7" };
    expect(await unfinished(["t-4"], mine)).toEqual([
      ...["foreign", "t-7"],
      ["recall t-4", "recall t-7"],
    ]);
    expect(await unfinished([], mine)).toEqual(["ours", undefined, ["recall t-4"]]);
    expect(await unfinished(["t-4", "t-7"], mine)).toEqual([
      ...["foreign", undefined],
      ["recall t-4", "recall t-7"],
    ]);
    expect(await unfinished(["t-4"], { "edge-b": "t-7" })).toEqual([
      ...["foreign", undefined],
      ["recall t-4"],
    ]);
    expect(Object.keys(await new FactCollectorBench().report())).not.toContain("unfinished");
  });

  it("a pending commit of the campaign leaves the other link of the router alone", async () => {
    const sibling = async (token: string) => {
      const bench = new FactCollectorBench({ edit: oneRouter });
      bench.commitPending = true;
      bench.forgotten.add("t-5");
      const facts = await bench.see(rotation({ token }));
      return [facts.sibling, bench.factCollector.siblingDoubt(bench.link)];
    };
    expect(await sibling("t-4")).toEqual(["carrying", undefined]);
    expect(await sibling("t-5")).toEqual(["lost", unhealthy({ code: "sibling.commitPending" })]);
  });

  it("a pending commit that only its timer ends keeps a state from being overdue", async () => {
    const overdue = async (recalls: "pending" | "expiring", token = "t-4") => {
      const bench = new FactCollectorBench();
      bench.commitPending = true;
      bench.recalls = recalls;
      const staging = rotation({ token, state: "staging" });
      const found = [await bench.see(staging), await bench.later(290_000, staging)];
      // As long as a timer can run, and the time that an observation may need, it may be so.
      found.push(await bench.later(300_000, staging), await bench.later(300_000, staging));
      return found.map(({ port, overdue: is }) => [port?.pending, is]);
    };
    const [fresh, ...late] = await overdue("pending");
    expect([fresh, ...new Set(late.map(String))]).toEqual([["ours", false], "ours,true"]);
    expect(await overdue("expiring")).toEqual([
      ["ours", false],
      ["ours", false],
      ["ours", true],
      ["ours", true],
    ]);
  });

  it("a pending commit of unknown owner leaves the port unread", async () => {
    const bench = new FactCollectorBench();
    bench.commitPending = true;
    bench.failures.recall = failing("transport.closed");
    expect((await bench.see(rotation({ token: "t-4" }))).port).toBeUndefined();
    delete bench.failures.recall;
    bench.delays.recall = 10_001;
    const before = bench.clock.now();
    expect((await bench.see(rotation({ token: "t-4" }))).port).toBeUndefined();
    expect(bench.clock.now() - before).toBe(10_000);
    bench.delays.recall = 0;
    bench.failures.recall = new RangeError("a bug");
    await expect(bench.see(rotation({ token: "t-4" }))).rejects.toThrow("a bug");
  });
});

describe("a far end that cannot be read", () => {
  const unseen = async (
    over: Partial<Campaign>,
    port: FactCollectorBench["port"]["primary"],
    edit = byHand,
  ): Promise<string> => {
    const bench = new FactCollectorBench({ edit });
    bench.failures.observePeer = failing("peer.unreachable");
    if (port !== undefined) bench.port.primary = port;
    return (await bench.see(rotation({ risks: ["farEndUnseen"], ...over }))).far;
  };

  it("an unreadable far end is unknown without the risk, or if the agent writes it", async () => {
    expect(await unseen({ risks: [] }, undefined)).toBe("unknown");
    expect(await unseen({}, undefined, (wanted) => wanted)).toBe("unknown");
    const bench = new FactCollectorBench({ edit: byHand });
    bench.failures.observePeer = failing("peer.unreachable");
    bench.accepted.push("farEndUnseen");
    expect((await bench.see()).far).toBe("old");
  });

  it("a far end that can be read is read, whatever risk was accepted", async () => {
    const bench = new FactCollectorBench({ edit: byHand });
    bench.peers.primary = peerOn(newKey);
    expect((await bench.see(rotation({ risks: ["farEndUnseen"] }))).far).toBe("new");
  });

  it("an unreadable far end has the key that secures the link, whatever was claimed", async () => {
    expect(await unseen({ claimed: true, told: true }, underKey(oldKey))).toBe("old");
    expect(await unseen({}, underKey(newKey))).toBe("new");
  });

  it("an unreadable far end of a dark link is as claimed, unknown once asked for", async () => {
    expect(await unseen({ claimed: true, told: true }, dark)).toBe("new");
    expect(await unseen({ told: true }, dark)).toBe("unknown");
    expect(await unseen({}, dark)).toBe("old");
    expect(await unseen({ links: enrolled() }, dark)).toBe("old");
  });

  it("an unreadable far end is as claimed where the router cannot be read either", async () => {
    const bench = new FactCollectorBench({ edit: byHand });
    bench.failures.observePeer = failing("peer.unreachable");
    bench.failures.observe = failing("transport.closed");
    const { far } = await bench.see(rotation({ risks: ["farEndUnseen"], claimed: true }));
    expect(far).toBe("new");
  });

  it("an unreadable far end is not known from a secured link of a change", async () => {
    const links = rotation().links.map((link) => ({ ...link, old: link.new }));
    const change = { kind: "change", links } as const;
    expect(await unseen({ ...change, told: true }, underKey(newKey))).toBe("unknown");
    expect(await unseen(change, underKey(newKey))).toBe("old");
  });
});

describe("a put that may still land", () => {
  it("the far end is unsettled for the grace after the start of this process", async () => {
    const bench = new FactCollectorBench({}, { startedAt: at(0) });
    expect((await bench.later(89_999)).far).toBe("updating");
    expect((await bench.later(1)).far).toBe("old");
  });
});

describe("the preconditions of a look", () => {
  const unmet = async (
    over: Partial<Campaign>,
    arrange: (bench: FactCollectorBench) => void = () => undefined,
    edit?: (wanted: Desired) => Desired,
  ): Promise<Cause | undefined> => {
    const bench = new FactCollectorBench(edit === undefined ? {} : { edit });
    arrange(bench);
    return (await bench.see(rotation(over))).unmetPrecondition;
  };
  const minute = 600;
  const closesIn = (minutes: number) =>
    inGroup({
      rotate: {
        ...{ on: "hand", maxAgeMs: undefined },
        windows: [
          {
            ...{ text: "daily", days: [0, 1, 2, 3, 4, 5, 6], timeZone: "UTC" },
            ...{ fromMinute: minute - 60, toMinute: minute + minutes },
          },
        ],
      },
    });
  const frozen = inGroup({
    freezes: [
      { text: "today", from: (wall - 1) as WallTime, until: (wall + 86_400_000) as WallTime },
    ],
  });
  const routeless = (bench: FactCollectorBench): void => void bench.routeless.add("primary");

  it("the preconditions need BGP on the link until something is begun", async () => {
    expect(await unmet({}, routeless)).toEqual({ code: "bgp.down" });
    expect(await unmet({ told: true }, routeless)).toBeUndefined();
    for (const held of [[newKey], [oldKey, newKey]]) {
      const holds = (bench: FactCollectorBench): void => {
        routeless(bench);
        bench.port.primary = underKey(oldKey, held);
      };
      expect(await unmet({}, holds)).toBeUndefined();
    }
    const drained = (bench: FactCollectorBench): void => {
      routeless(bench);
      bench.drained.add("primary");
    };
    expect(await unmet({}, drained)).toBeUndefined();
  });

  it("the preconditions keep no link from going back", async () => {
    const failed = (bench: FactCollectorBench): void => {
      bench.peers.primary = peerOn(oldKey, { provisioning: "failed" });
    };
    expect(await unmet({ told: true }, failed)).toEqual({ code: "farEnd.failed" });
    expect(await unmet({ told: true, goal: "revert" }, failed)).toBeUndefined();
    const unread = (bench: FactCollectorBench): void => {
      bench.failures.observe = failing("transport.closed", "gone");
    };
    expect(await unmet({ told: true, goal: "revert" }, unread)).toMatchObject({
      cause: { code: "sibling.failed", text: "gone" },
    });
  });

  it("47-732: a carrying link gets no old key back beside a sibling with two keys", async () => {
    const back = { told: true, goal: "revert" } as const;
    const leftover = (bench: FactCollectorBench): void => {
      bench.port.primary = underKey(newKey);
      bench.port.secondary = underKey(newKey, [oldKey, newKey]);
    };
    const drained = (bench: FactCollectorBench): void => {
      leftover(bench);
      bench.drained.add("primary");
    };
    const unlit = (bench: FactCollectorBench): void => {
      leftover(bench);
      bench.port.primary = { ...underKey(newKey), ...dark };
    };
    const holdsBoth = (bench: FactCollectorBench): void => {
      leftover(bench);
      bench.port.primary = underKey(newKey, [oldKey, newKey]);
    };
    expect(await unmet(back, leftover)).toEqual({
      ...{ code: "gate.leftoverKey", sibling: "secondary", keys: 2 },
    });
    for (const arrange of [drained, unlit, holdsBoth]) {
      expect(await unmet(back, arrange)).toBeUndefined();
    }
  });

  it("the preconditions need the accepted settings where the campaign keeps them", async () => {
    const [entry] = rotation().links;
    if (entry?.old === undefined) throw new Error("a rotation has an old key");
    const settings = { ...entry.old.settings, includeSci: false };
    const links = [{ ...entry, old: { ...entry.old, settings } }];
    expect(await unmet({ links })).toMatchObject({ code: "port.drifted", observed: "true" });
    expect(await unmet({ links, kind: "change" })).toBeUndefined();
    expect((await unmet({ links: enrolled() }))?.code).not.toBe("port.drifted");
  });

  it("the preconditions need enough of a window for a link, and none once drained", async () => {
    expect(await unmet({}, undefined, closesIn(3))).toBeUndefined();
    const short = { code: "gate.window", cause: { code: "window.short", minutes: 2 } };
    // 30 s to drain, 18 s to settle, 120 s to soak.
    expect(await unmet({}, undefined, closesIn(2))).toEqual(short);
    const drained = (bench: FactCollectorBench): void => void bench.drained.add("primary");
    expect(await unmet({}, drained, closesIn(2))).toBeUndefined();
    const late = (ms: number) => (bench: FactCollectorBench) => bench.clock.jumpWall(ms);
    expect(await unmet({}, late(12_000), closesIn(3))).toBeUndefined();
    expect(await unmet({}, late(12_001), closesIn(3))).toEqual(short);
  });

  it("a link waits for the pause after its sibling changed, and no emergency does", async () => {
    const baking = (wanted: Desired): Desired => ({
      ...wanted,
      rotation: { ...wanted.rotation, bakeMs: 7_200_000 },
    });
    const changed = (bench: FactCollectorBench): void => {
      const secondary = bindingOf({ how: "rotated", since: bench.clock.wall() });
      const bindings = { ...bench.memory.bindings, "erd-demo/secondary": secondary };
      bench.memory = { ...bench.memory, bindings };
    };
    expect(await unmet({}, changed)).toBeUndefined();
    expect(await unmet({}, undefined, baking)).toBeUndefined();
    expect(await unmet({}, changed, baking)).toMatchObject({
      code: "gate.window",
      cause: { code: "window.bakes", sibling: "secondary" },
    });
    expect(await unmet({ urgency: "emergency" }, changed, baking)).toBeUndefined();
    expect(await unmet({ risks: ["outsideWindow"] }, changed, baking)).toBeUndefined();
  });

  it("an emergency and the risk outsideWindow need no open window", async () => {
    expect(await unmet({}, undefined, frozen)).toMatchObject({
      code: "gate.window",
      cause: { code: "window.frozen" },
    });
    expect(await unmet({ urgency: "emergency" }, undefined, frozen)).toBeUndefined();
    expect(await unmet({ risks: ["outsideWindow"] }, undefined, frozen)).toBeUndefined();
  });

  it("the preconditions need the management path to be elsewhere", async () => {
    const route = (port: string | undefined) => (bench: FactCollectorBench) => {
      bench.ownRoute = port;
    };
    const unknownPath = route(undefined);
    expect(await unmet({}, route("et-0/0/0"))).toEqual({
      code: "gate.ownPath",
      path: "overThisLink",
    });
    expect(await unmet({}, unknownPath)).toEqual({ code: "gate.ownPath", path: "unknown" });
    expect(await unmet({ risks: ["ownPathUnknown"] }, unknownPath)).toBeUndefined();
  });
});

describe("an enrolment", () => {
  it("an enrolment finds a bare port and a far end without MACsec as old", async () => {
    const bench = new FactCollectorBench();
    bench.peers.primary = peerOff;
    bench.port.primary = clearPort();
    const bare = rotation({ kind: "enrol", links: enrolled() });
    expect(await bench.see(bare)).toMatchObject({
      far: "old",
      port: { keys: "old", carriedBy: "old" },
      unmetPrecondition: undefined,
    });
  });

  it("a campaign past its last link has no link to observe", async () => {
    const past = new FactCollectorBench().see(rotation({ at: 7 }));
    await expect(past).rejects.toThrow("campaign of erd-demo has no link 7");
  });
});
