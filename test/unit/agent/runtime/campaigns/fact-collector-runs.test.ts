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

  it("is dark for good once it was dark for the settle time with light on the fibre", async () => {
    const scene = bench();
    // Since when is known from the second observation on.
    expect((await scene.see()).port?.outage).toBe("none");
    expect((await scene.later(17_999)).port?.outage).toBe("brief");
    expect((await scene.later(1)).port?.outage).toBe("lasting");
  });

  it("is not while there is no light, or while it cannot be read", async () => {
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

  it("is not once it carries again", async () => {
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

  it("tells that the link has left its old state, forward and back", async () => {
    const forward = await silentAfter((bench) => {
      bench.peers.primary = peerOn(newKey);
      return rotation({ state: "switching" });
    });
    expect(forward).toBe("nothing");
    expect(await silentAfter(() => rotation({ state: "reverting" }))).toBe("nothing");
  });

  it("is no answer of a far end that has nothing to do, or has not moved", async () => {
    expect(await silentAfter(() => rotation({ state: "switching" }))).toBe("old");
    const either = await silentAfter((bench) => {
      bench.peers.primary = peerOn(newKey);
      bench.port.primary = underKey(newKey);
      const links = rotation().links.map((link) => ({ ...link, old: link.new }));
      return rotation({ kind: "change", links });
    });
    expect(either).not.toBe("nothing");
  });

  it("is no answer while the way back is still being made", async () => {
    const reverting = rotation({ state: "reverting" });
    const busy = await silentAfter((bench) => {
      bench.peers.primary = peerOn(oldKey, { provisioning: "updating" });
      return reverting;
    });
    expect(busy).toBe("old");
  });

  it("103-630: is no answer once the link has come up since, or once it is old", async () => {
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

  it("is no answer where the link came up while it was under way", async () => {
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

  it("counts from the first look that saw it move, and anew once it went back", async () => {
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

  it("still carries where both ends agree, or where the far end has not moved", async () => {
    expect(await carried("switching", "new", "new")).toBe("new");
    expect(await carried("reverting", "old", "old")).toBe("old");
    expect(await carried("switching", "old", "old")).toBe("old");
    expect(await carried("switching", "new", "old")).toBe("new");
  });

  it("is carried by nothing once the far end has moved away, forward or back", async () => {
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
  it.each(states)("of %s is over after %i ms", async (state, ms) => {
    const bench = new FactCollectorBench({ edit: slowly });
    await bench.clock.runFor(1_000);
    bench.factCollector.entered();
    expect((await bench.later(ms, rotation({ state }))).overdue).toBe(false);
    expect((await bench.later(1, rotation({ state }))).overdue).toBe(true);
  });

  it.each(["queued", "gated", "awaitingPeer", "held", "done"] as const)(
    "of %s never comes",
    async (state) => {
      expect((await new FactCollectorBench().later(1e9, rotation({ state }))).overdue).toBe(false);
    },
  );

  it("counts from when a put of a predecessor cannot land any more", async () => {
    const bench = new FactCollectorBench({}, { startedAt: at(0) });
    expect((await bench.later(210_000, rotation({ state: "staged" }))).overdue).toBe(false);
    expect((await bench.later(1, rotation({ state: "staged" }))).overdue).toBe(true);
  });
});

describe("evidence over several looks", () => {
  it("finds a link drained after quiet samples, or at once where nothing drains", async () => {
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

  it("proves the old key as it does the new one, and none that was not there", async () => {
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

  it("begins to prove anew once the keys change", async () => {
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

  it("compares the frames of a staged key with those when the state was entered", async () => {
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

  it("asks for probes since the state was entered before it says that a link carries", async () => {
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

  it("calls a SAK fresh that is another than when the old key left", async () => {
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

  it("is how long the far end took, and how long the router took to follow, once", async () => {
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

  it("is both at once where both are done, and nothing where nothing was asked", async () => {
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

  it("is nothing of a router that has the new key before its far end", async () => {
    const bench = new FactCollectorBench();
    bench.factCollector.sent();
    bench.port.primary = underKey(newKey);
    expect(await measured(bench, 1_000)).toEqual([]);
  });

  it("is nothing of a router that cannot be read, but for its far end", async () => {
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

  it.each<[string, Partial<MacsecPort> | undefined, Partial<MacsecPort>, boolean]>([
    ["is up again under the old key", dark, underKey(oldKey), true],
    ["is up again under the new key", dark, underKey(newKey), true],
    ["is dark still", dark, { ...underKey(oldKey), ...dark }, false],
    ["was never looked at", undefined, underKey(oldKey), true],
  ])("%s", async (_how, before, after, up) => {
    expect(await risen(before, after)).toEqual([up, 1]);
  });

  it("did not rise where it was up before, which needs no look", async () => {
    expect(await risen(underKey(oldKey), underKey(oldKey))).toEqual([false, 0]);
  });

  it("rises under its new key alone where there is no old one", async () => {
    expect(await risen(dark, underKey(newKey), bare)).toEqual([true, 1]);
    expect(await risen(dark, underKey(oldKey), bare)).toEqual([false, 1]);
  });
});
