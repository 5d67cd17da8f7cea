// The facts of a campaign that only several observations in a row show.

import { describe, expect, it } from "vitest";
import type { Campaign, CampaignState } from "#agent/model/campaign.ts";
import type { Desired } from "#agent/model/desired.ts";
import type { Cause } from "#agent/model/reason.ts";
import { known, type MacsecPort, type MacsecSettings, unknown } from "#hal/model.ts";
import { failing, newKey, oldKey, rotation, underKey } from "../../../kit/rotation-runner-bench.ts";
import { never, settled } from "../../../kit/site-bench.ts";
import { at, frames, peerOn, session } from "../../../kit/snapshot-kit.ts";
import { enrolled, FactCollectorBench, inGroup } from "./fact-collector-bench.ts";

const waits = (cause: Cause) => ({ kind: "waiting", cause });
const quiet = (samples: number): Cause => ({ code: "drain.quiet", samples, needed: 3 });
const dark = { session: known({ ...session, livePeers: 0, respondedPeers: 0 }, at(0)) };

describe("a dark link", () => {
  const bench = (): FactCollectorBench => {
    const made = new FactCollectorBench();
    made.port.primary = { ...underKey(oldKey), ...dark };
    return made;
  };

  it("an outage is lasting after the settle time with light on the fibre", async () => {
    const scene = bench();
    // Since when is known from the second observation on.
    expect((await scene.see()).port?.outage).toBe("none");
    expect((await scene.later(17_999)).port?.outage).toBe("brief");
    expect((await scene.later(1)).port?.outage).toBe("lasting");
  });

  it("an outage is not lasting without light, or while the port cannot be read", async () => {
    const scene = bench();
    await scene.see();
    const lit = { ...underKey(oldKey), ...dark };
    scene.port.primary = { ...lit, linkUp: known(false, at(0)) };
    expect((await scene.later(20_000)).port?.outage).toBe("none");
    scene.port.primary = lit;
    expect((await scene.see()).port?.outage).toBe("none");
    scene.port.primary = { ...lit, keys: unknown("queryFailed", at(0)) };
    expect((await scene.later(20_000)).port).toBeUndefined();
    scene.port.primary = lit;
    expect((await scene.see()).port?.outage).toBe("none");
  });

  it("an outage ends once the link carries again", async () => {
    const scene = bench();
    await scene.see();
    scene.port.primary = underKey(oldKey);
    expect((await scene.later(20_000)).port?.outage).toBe("none");
  });
});

describe("silence after the far end has moved", () => {
  const silentAfter = async (move: (bench: FactCollectorBench) => Campaign): Promise<unknown> => {
    const bench = new FactCollectorBench();
    await bench.later(1_000);
    const campaign = move(bench);
    await bench.later(1_000, campaign);
    bench.answers = false;
    await settled(bench.clock, bench.deviceCache.probe(bench.link, 5, never));
    return (await bench.later(1_000, campaign)).port?.carriedBy;
  };

  it("an unanswered probe after a move shows that the link left its old state", async () => {
    const forward = await silentAfter((bench) => {
      bench.peers.primary = peerOn(newKey);
      return rotation({ state: "switching" });
    });
    expect(forward).toBe("nothing");
    expect(await silentAfter(() => rotation({ state: "reverting" }))).toBe("nothing");
  });

  it("an unanswered probe shows nothing if the far end has not moved or need not", async () => {
    expect(await silentAfter(() => rotation({ state: "switching" }))).toBe("old");
    const either = await silentAfter((bench) => {
      bench.peers.primary = peerOn(newKey);
      bench.port.primary = underKey(newKey);
      const links = rotation().links.map((link) => ({ ...link, old: link.new }));
      return rotation({ kind: "change", links });
    });
    expect(either).not.toBe("nothing");
  });

  it("an unanswered probe shows nothing while the far end still updates", async () => {
    const reverting = rotation({ state: "reverting" });
    const busy = await silentAfter((bench) => {
      bench.peers.primary = peerOn(oldKey, { provisioning: "updating" });
      return reverting;
    });
    expect(busy).toBe("old");
  });

  it("103-630: an unanswered probe shows nothing once the link came up, or once old", async () => {
    const bench = new FactCollectorBench();
    const campaign = rotation({ state: "held" });
    bench.answers = false;
    bench.peers.primary = peerOn(newKey);
    await bench.later(1_000, campaign);
    bench.port.primary = { ...underKey(oldKey), ...dark };
    await bench.later(1_000, campaign);
    await settled(bench.clock, bench.deviceCache.probe(bench.link, 5, never));
    expect((await bench.later(1_000, campaign)).port?.carriedBy).toBe("nothing");
    bench.port.primary = underKey(oldKey);
    expect((await bench.later(1_000, campaign)).port?.carriedBy).toBe("old");
    await settled(bench.clock, bench.deviceCache.probe(bench.link, 5, never));
    const { staleAfterMs } = bench.desired.health;
    expect((await bench.later(staleAfterMs, campaign)).port?.carriedBy).toBe("nothing");
    expect((await bench.later(1, campaign)).port?.carriedBy).toBe("old");
  });

  it("an unanswered probe shows nothing where the link came up during it", async () => {
    const bench = new FactCollectorBench();
    const campaign = rotation({ state: "held" });
    bench.answers = false;
    bench.peers.primary = peerOn(newKey);
    bench.port.primary = { ...underKey(oldKey), ...dark };
    await bench.later(1_000, campaign);
    bench.delays.probe = 3_000;
    const probe = bench.deviceCache.probe(bench.link, 5, never);
    await bench.later(1_000, campaign);
    bench.port.primary = underKey(oldKey);
    expect((await bench.later(1_000, campaign)).port?.carriedBy).toBe("old");
    await settled(bench.clock, probe);
    expect((await bench.later(1_000, campaign)).port?.carriedBy).toBe("old");
    await settled(bench.clock, bench.deviceCache.probe(bench.link, 5, never));
    expect((await bench.later(1_000, campaign)).port?.carriedBy).toBe("nothing");
  });

  it("silence counts from the first observed move, and anew after a move back", async () => {
    const bench = new FactCollectorBench();
    const campaign = rotation({ state: "switching" });
    bench.answers = false;
    bench.peers.primary = peerOn(newKey);
    await bench.later(1_000, campaign);
    await settled(bench.clock, bench.deviceCache.probe(bench.link, 5, never));
    expect((await bench.later(1_000, campaign)).port?.carriedBy).toBe("nothing");
    bench.peers.primary = peerOn(oldKey);
    expect((await bench.later(1_000, campaign)).port?.carriedBy).toBe("old");
    bench.peers.primary = peerOn(newKey);
    expect((await bench.later(1_000, campaign)).port?.carriedBy).toBe("old");
  });
});

describe("a change whose routes are gone", () => {
  const links = rotation().links.map((link) => {
    const { key, settings } = link.new;
    return { ...link, old: { key, settings: { ...settings, includeSci: false } } };
  });
  const carried = async (
    state: CampaignState,
    router: "old" | "new",
    far: "old" | "new",
  ): Promise<unknown> => {
    const bench = new FactCollectorBench();
    const includeSci = router === "new";
    const [first] = links;
    const settings = { ...first?.new.settings, includeSci, policy: "mustSecure" };
    bench.port.primary = {
      ...underKey(newKey),
      settings: known(settings as MacsecSettings, at(0)),
    };
    bench.peers.primary = peerOn(newKey, { sci: far === "new" ? "on" : "off" });
    bench.routeless.add("primary");
    return (await bench.see(rotation({ kind: "change", links, state }))).port?.carriedBy;
  };

  it("a change without routes carries where both ends agree or the far end stays", async () => {
    expect(await carried("switching", "new", "new")).toBe("new");
    expect(await carried("reverting", "old", "old")).toBe("old");
    expect(await carried("switching", "old", "old")).toBe("old");
    expect(await carried("switching", "new", "old")).toBe("new");
  });

  it("a change without routes carries nothing once the far end has moved", async () => {
    expect(await carried("switching", "old", "new")).toBe("nothing");
    expect(await carried("reverting", "new", "old")).toBe("nothing");
  });
});

describe("the deadline of a state", () => {
  const slowly = (wanted: Desired): Desired => ({
    ...wanted,
    rotation: { ...wanted.rotation, drained: { samples: 4, everyMs: 10_000 } },
  });
  const states: readonly (readonly [CampaignState, number])[] = [
    ["draining", 140_000],
    ["staging", 120_000],
    ["staged", 120_000],
    ["switching", 1_800_000],
    ["proving", 96_000],
    ["promoting", 120_000],
    ["retiring", 120_000],
    ["restoring", 360_000],
    ["reverting", 1_800_000],
  ];
  it.each(states)("the deadline of %s is over after %i ms", async (state, ms) => {
    const bench = new FactCollectorBench({ edit: slowly });
    await bench.clock.runFor(1_000);
    bench.factCollector.entered();
    expect((await bench.later(ms, rotation({ state }))).overdue).toBe(false);
    expect((await bench.later(1, rotation({ state }))).overdue).toBe(true);
  });

  it.each(["queued", "gated", "awaitingPeer", "held", "done"] as const)(
    "the deadline of %s never comes",
    async (state) => {
      expect((await new FactCollectorBench().later(1e9, rotation({ state }))).overdue).toBe(false);
    },
  );

  it("a deadline counts from when a put of a predecessor cannot take effect any more", async () => {
    const bench = new FactCollectorBench({}, { startedAt: at(0) });
    expect((await bench.later(210_000, rotation({ state: "staged" }))).overdue).toBe(false);
    expect((await bench.later(1, rotation({ state: "staged" }))).overdue).toBe(true);
  });
});

describe("evidence over several looks", () => {
  it("a link is drained after quiet samples, or at once in a group without a drain", async () => {
    const slow = { rxPps: 1, txPps: 1, rxBps: 1, txBps: 1, lineBps: 1e11 };
    const bench = new FactCollectorBench();
    bench.drained.add("primary");
    bench.port.primary = { ...underKey(oldKey), rate: known(slow, at(0)) };
    expect((await bench.see()).drained).toEqual(waits(quiet(1)));
    expect((await bench.later(9_999)).drained).toEqual(waits(quiet(1)));
    expect((await bench.later(1)).drained).toEqual(waits(quiet(2)));
    expect((await bench.later(10_000)).drained).toEqual({ kind: "held" });
    const never = new FactCollectorBench({ edit: inGroup({ drain: "none" }) });
    expect((await never.see()).drained).toEqual({ kind: "held" });
  });

  it("the old key is proven like the new one, and no key that did not exist", async () => {
    const passing = (rxOk: bigint) => ({
      ...underKey(oldKey),
      frames: known({ ...frames, rxOk, txProtected: rxOk }, at(0)),
    });
    const bench = new FactCollectorBench();
    bench.port.primary = passing(1_000n);
    await bench.see();
    bench.port.primary = passing(1_001n);
    await bench.see();
    bench.port.primary = passing(2_000n);
    expect((await bench.later(18_000)).oldProof).toEqual({ kind: "held" });
    const bare = rotation({ kind: "enrol", links: enrolled() });
    expect((await bench.see(bare)).oldProof).toEqual(waits({ code: "evidence.none" }));
  });

  it("a proof begins again once the keys change", async () => {
    const passing = (rxOk: bigint) => ({
      ...underKey(oldKey),
      frames: known({ ...frames, rxOk, txProtected: rxOk }, at(0)),
    });
    const bench = new FactCollectorBench();
    bench.port.primary = passing(1_000n);
    await bench.see();
    bench.port.primary = passing(1_001n);
    await bench.see();
    bench.port.primary = passing(2_000n);
    bench.factCollector.keysChange();
    expect((await bench.later(18_000)).oldProof).toMatchObject({
      cause: { code: "frames.lacking", count: 20 },
    });
  });

  it("the frames of a staged key are compared with those at the state's entry", async () => {
    const staged = (rxNotValid: bigint) => ({
      ...underKey(oldKey, [oldKey, newKey]),
      frames: known({ ...frames, rxNotValid }, at(0)),
    });
    const bench = new FactCollectorBench();
    bench.port.primary = staged(1n);
    expect((await bench.see()).staged).toEqual({ kind: "held" });
    bench.port.primary = staged(2n);
    await bench.see();
    expect((await bench.see()).staged).toMatchObject({
      cause: { code: "frames.notValid" },
    });
    bench.factCollector.entered();
    await bench.see();
    expect((await bench.see()).staged).toEqual({ kind: "held" });
  });

  it("a link carries only by probes since the state was entered", async () => {
    const bench = new FactCollectorBench();
    bench.answers = false;
    await bench.clock.runFor(1_000);
    await settled(bench.clock, bench.deviceCache.probe(bench.link, 5, never));
    expect((await bench.see()).carrying).toEqual(waits({ code: "probe.unanswered" }));
    await bench.clock.runFor(1_000);
    bench.factCollector.entered();
    expect((await bench.see()).carrying).toMatchObject({
      cause: { code: "carrying.settles" },
    });
    expect((await bench.later(119_999)).carrying.kind).toBe("waiting");
    expect((await bench.later(1)).carrying).toEqual({ kind: "held" });
  });

  it("a SAK is fresh if it is another one than when the old key left", async () => {
    const bench = new FactCollectorBench();
    const oldSak = session.latestSak?.keyId;
    expect((await bench.see(rotation({ oldSak }))).freshSak).toBe(false);
    expect((await bench.see(rotation({ oldSak: "another" }))).freshSak).toBe(true);
    bench.port.primary = { session: known({ ...session, latestSak: undefined }, at(0)) };
    expect((await bench.see(rotation({ oldSak }))).freshSak).toBe(false);
    bench.port.primary = { session: unknown("queryFailed", at(0)) };
    expect((await bench.see(rotation({ oldSak }))).freshSak).toBe(false);
    bench.failures.observe = failing("transport.closed");
    expect((await bench.report(rotation({ oldSak }))).sak).toBeUndefined();
  });
});

describe("what a look measures", () => {
  const switching = rotation({ state: "switching" });
  const farEnd = (ms: number) => ({ what: "farEnd erd-demo/primary", ms });
  const ours = (ms: number) => ({ what: "ours erd-demo/primary", ms });
  const measured = async (bench: FactCollectorBench, ms: number): Promise<unknown> => {
    await bench.clock.runFor(ms);
    return (await bench.report(switching)).measured;
  };

  it("a report measures the far end's time and the router's time to follow, once", async () => {
    const bench = new FactCollectorBench();
    await bench.clock.runFor(500);
    bench.factCollector.sent();
    expect(await measured(bench, 1_000)).toEqual([]);
    bench.peers.primary = peerOn(newKey);
    expect(await measured(bench, 1_000)).toEqual([farEnd(2_000)]);
    expect(await measured(bench, 1_000)).toEqual([]);
    bench.port.primary = underKey(newKey);
    expect(await measured(bench, 1_000)).toEqual([ours(2_000)]);
    expect(await measured(bench, 1_000)).toEqual([]);
  });

  it("a report measures both times at once, and none where nothing was asked", async () => {
    const bench = new FactCollectorBench();
    await bench.clock.runFor(500);
    bench.factCollector.sent();
    bench.peers.primary = peerOn(newKey);
    bench.port.primary = underKey(newKey);
    expect(await measured(bench, 1_000)).toEqual([farEnd(1_000), ours(0)]);
    const untold = new FactCollectorBench();
    untold.peers.primary = peerOn(newKey);
    untold.port.primary = underKey(newKey);
    expect(await measured(untold, 1_000)).toEqual([]);
  });

  it("a report measures no router that has the new key before its far end", async () => {
    const bench = new FactCollectorBench();
    bench.factCollector.sent();
    bench.port.primary = underKey(newKey);
    expect(await measured(bench, 1_000)).toEqual([]);
  });

  it("a report measures only the far end of a router that cannot be read", async () => {
    const bench = new FactCollectorBench();
    bench.factCollector.sent();
    bench.failures.observe = failing("transport.closed");
    bench.peers.primary = peerOn(newKey);
    expect(await measured(bench, 1_000)).toEqual([farEnd(1_000)]);
    delete bench.failures.observe;
    bench.port.primary = underKey(newKey);
    expect(await measured(bench, 1_000)).toEqual([ours(1_000)]);
  });
});

describe("a link that was dark", () => {
  const risen = async (
    before: Partial<MacsecPort> | undefined,
    after: Partial<MacsecPort>,
    campaign = rotation(),
  ): Promise<readonly [boolean, number]> => {
    const bench = new FactCollectorBench();
    if (before !== undefined) {
      bench.port.primary = before;
      await bench.report(campaign);
    }
    bench.port.primary = after;
    const observations = bench.log.length;
    const seen = bench.factCollector.hasRisen(campaign, bench.link, never);
    return [await settled(bench.clock, seen), bench.log.length - observations];
  };
  const bare = rotation({ links: enrolled() });

  it.each<{
    name: string;
    before: Partial<MacsecPort> | undefined;
    after: Partial<MacsecPort>;
    up: boolean;
  }>([
    { name: "is up again under the old key", before: dark, after: underKey(oldKey), up: true },
    { name: "is up again under the new key", before: dark, after: underKey(newKey), up: true },
    { name: "is dark still", before: dark, after: { ...underKey(oldKey), ...dark }, up: false },
    { name: "was never observed", before: undefined, after: underKey(oldKey), up: true },
  ])("a dark link that $name has risen: $up", async ({ before, after, up }) => {
    expect(await risen(before, after)).toEqual([up, 1]);
  });

  it("a link that was up before has not risen, and needs no read", async () => {
    expect(await risen(underKey(oldKey), underKey(oldKey))).toEqual([false, 0]);
  });

  it("a link of an enrolment rises under its new key alone", async () => {
    expect(await risen(dark, underKey(newKey), bare)).toEqual([true, 1]);
    expect(await risen(dark, underKey(oldKey), bare)).toEqual([false, 1]);
  });
});

describe("the later SAKs of a new key", () => {
  const madeHere = (over: Partial<MacsecPort> = {}): Partial<MacsecPort> => {
    const served = { ...session, principalCkn: newKey.ckn, keyServer: "self" as const };
    return {
      ...underKey(newKey, [oldKey, newKey]),
      session: known(served, at(0)),
      ...over,
    };
  };
  const proving = (over: Partial<Campaign> = {}): Campaign =>
    rotation({ state: "proving", ...over });
  const counted = (count: bigint) => ({
    frames: known({ ...frames, rxOk: count, txProtected: count }, at(0)),
  });
  const bench = (edit?: (wanted: Desired) => Desired): FactCollectorBench => {
    const made = new FactCollectorBench(edit === undefined ? {} : { edit });
    made.port.primary = madeHere();
    made.peers.primary = peerOn(newKey);
    return made;
  };

  it("later SAKs are to be proven where the router makes them on a link that drains", async () => {
    expect((await bench().see(proving())).laterSaks.kind).toBe("waiting");
    const undrained = bench(inGroup({ drain: "none" }));
    expect((await undrained.see(proving())).laterSaks).toEqual({ kind: "notOffered" });
    const emergency = await bench().see(proving({ urgency: "emergency" }));
    expect(emergency.laterSaks).toEqual({ kind: "notOffered" });
    const peer = bench();
    peer.port.primary = underKey(newKey, [oldKey, newKey]);
    expect((await peer.see(proving())).laterSaks).toEqual({ kind: "notOffered" });
  });

  it("each later SAK has the time of a proof, from its first request on", async () => {
    const made = bench();
    made.factCollector.entered();
    for (const count of [1_000n, 1_001n, 1_100n]) {
      made.port.primary = madeHere(counted(count));
      await made.later(30_000, proving());
    }
    expect((await made.see(proving())).laterSaks).toEqual({ kind: "due", number: 1 });
    made.factCollector.askedSak();
    expect((await made.later(17_999, proving())).laterSaks.kind).toBe("waiting");
    expect((await made.later(1, proving())).laterSaks).toEqual({ kind: "due", number: 1 });
    made.factCollector.askedSak();
    expect((await made.later(78_000, proving())).overdue).toBe(false);
    expect((await made.later(1, proving())).overdue).toBe(true);
    made.factCollector.entered();
    expect((await made.see(proving())).overdue).toBe(false);
  });
});
