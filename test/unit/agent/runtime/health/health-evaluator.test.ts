// The health evaluator's output for observations, memory and intent: events, warnings, and the
// whole status.

import { describe, expect, it } from "vitest";
import type { Desired, DesiredLink } from "#agent/model/desired.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import type { PeerDetails } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { known, type MacsecPort, strongValue } from "#hal/model.ts";
import { keyOne } from "../../../kit/campaign-kit.ts";
import {
  at,
  bindingOf,
  clearPort,
  desiredOf,
  peerOff,
  peerOn,
  settings,
  wall,
} from "../../../kit/snapshot-kit.ts";
import {
  bound,
  carrying,
  HealthEvaluatorBench,
  pollMs,
  running,
  type Scene,
  unplugged,
} from "../health-evaluator-bench.ts";

describe("verdicts", () => {
  it("verdicts are reported when they change, each with its first reason", () => {
    const bench = new HealthEvaluatorBench({ port: unplugged(3, 4) }).turn().polls(5);
    const reported = bench.reported().filter((line) => line.includes("erd-demo/primary"));
    expect(reported).toEqual([
      expect.stringMatching(/^verdict erd-demo\/primary: not observed -> unknown: .* only once$/),
      "verdict erd-demo/primary: unknown -> protected: every check passed",
      "verdict erd-demo/primary: protected -> down: edge-a et-0/0/0 has no link; " +
        "its BGP is still up, so traffic still goes into it and is lost, " +
        "and no sibling is seen to carry",
      "verdict erd-demo/primary: down -> protected: every check passed",
    ]);
    expect(bench.reported()).toContain(
      "verdict hub-1: not observed -> protected: every check passed",
    );
    expect(bench.events.after(0).events[0]?.at).toBe("2026-11-24T10:00:00Z");
  });

  it("verdicts are derived once per poll, however many loops call", () => {
    let reads = 0;
    const port = (link: DesiredLink, poll: number): MacsecPort => {
      reads += 1;
      return carrying(link, poll);
    };
    const bench = new HealthEvaluatorBench({ port }).turn();
    const once = reads;
    expect(once).toBeGreaterThan(0);
    bench.turn().turn();
    expect(reads).toBe(once);
    bench.polls(1);
    expect(reads).toBeGreaterThan(once);
  });

  it("the alarm advises against a link that is down", () => {
    const bench = new HealthEvaluatorBench({ port: unplugged(2) }).turn().polls(1);
    expect(bench.alarm("primary")).toBeUndefined();
    bench.polls(1);
    const down = { code: "health.verdict", verdict: "down", reason: "link-down" };
    expect(bench.alarm("primary")).toEqual(down);
    expect(bench.standing("primary")).toBe("lost");
    expect(bench.alarm("secondary")).toBeUndefined();
    const open = (link: DesiredLink, poll: number): MacsecPort =>
      clearPort({ port: link.port }, at(poll * pollMs));
    const clear = new HealthEvaluatorBench({ port: open }).turn().alarm("primary");
    expect(clear).toMatchObject({ verdict: "unprotected" });
  });

  it("the alarm advises against a link whose counters froze, for it is not known to carry", () => {
    const frozen = (link: DesiredLink, poll: number): MacsecPort => {
      const { frames } = carrying(link, Math.min(poll, 2));
      const then = strongValue(frames);
      if (then === undefined) throw new Error("no sample");
      return carrying(link, poll, { frames: known(then, at(poll * pollMs)) });
    };
    const bench = new HealthEvaluatorBench({ port: frozen }).turn().polls(2);
    expect(bench.alarm("primary")).toBeUndefined();
    // Earlier observations in the sample window are still evidence.
    bench.polls(20);
    expect(bench.alarm("primary")).toMatchObject({ code: "health.verdict", verdict: "unknown" });
    expect(bench.standing("primary")).toBe("unsure");
    expect(bench.polls(10).standing("primary")).toBe("lost");
  });

  it("a link that may lose what is sent is leaned on by no other, and never counts as lost", () => {
    const silentPaths = (poll: number): readonly string[] =>
      poll > 3 && poll < 60 ? ["erd-demo/primary"] : [];
    const bench = new HealthEvaluatorBench({ silentPaths }).turn().polls(3);
    expect(bench.standing("primary")).toBe("carrying");
    bench.polls(3);
    const doubt = { code: "health.verdict", verdict: "degraded", reason: "arrival-not-proven" };
    expect([bench.standing("primary"), bench.alarm("primary")]).toEqual(["unsure", doubt]);
    expect(bench.standing("secondary")).toBe("carrying");
    expect(bench.polls(40).standing("primary")).toBe("unsure");
    expect(bench.polls(20).standing("primary")).toBe("carrying");
  });

  it("silence over both links names one cause, and loses neither of them", () => {
    const both = ["erd-demo/primary", "erd-demo/secondary"];
    const bench = new HealthEvaluatorBench({ silentPaths: () => both }).turn().polls(6);
    expect([bench.standing("primary"), bench.standing("secondary")]).toEqual(["unsure", "unsure"]);
    const texts = bench.status().groups[0]?.links.map(({ reasons }) => reasons[0]?.text);
    expect(texts?.every((text) => text?.includes("one cause"))).toBe(true);
  });

  it("a link is unknown at first, and counts as lost if it stays so", () => {
    const bench = new HealthEvaluatorBench({ unread: true });
    expect([bench.standing("primary"), bench.alarm("primary")]).toEqual([
      "unsure",
      { code: "health.notJudged" },
    ]);
    expect(bench.turn().alarm("primary")).toMatchObject({ verdict: "unknown" });
    expect(bench.polls(6).standing("primary")).toBe("unsure");
    expect(bench.polls(1).standing("primary")).toBe("lost");
    expect(new HealthEvaluatorBench().turn().polls(2).standing("primary")).toBe("carrying");
    expect(new HealthEvaluatorBench({ crewless: true }).standing("primary")).toBe("unsure");
  });

  it("a degraded link may be relied on", () => {
    const late = (link: DesiredLink, poll: number): MacsecPort => {
      const bent = { ...settings, ...link.settings, confidentialityOffset: 30 } as const;
      return carrying(link, poll, { settings: known(bent, at(poll * pollMs)) });
    };
    const bench = new HealthEvaluatorBench({ port: late }).turn().polls(3);
    expect(bench.status().groups[0]?.links[0]?.verdict).toBe("degraded");
    expect(bench.standing("primary")).toBe("carrying");
    expect(bench.polls(12).standing("primary")).toBe("carrying");
  });

  it("verdicts are unknown before the first observation", () => {
    const { groups, tunnels } = new HealthEvaluatorBench({ unread: true }).turn().status();
    const codes = [...(groups[0]?.links ?? []), ...tunnels].map(({ reasons }) => reasons[0]?.code);
    expect(codes).toEqual(["not-looked-yet", "not-looked-yet", "not-looked-yet"]);
  });

  it("an agent without a config has no verdicts", () => {
    const bench = new HealthEvaluatorBench({ crewless: true }).turn().polls(2);
    expect(bench.reported()).toEqual([]);
    expect(bench.status()).toMatchObject({ site: null, reasons: [{ code: "not-configured" }] });
  });
});

describe("a BGP session over a link", () => {
  const peer = "169.254.0.1";
  const sessions =
    (from: number, trouble?: string, port = "et-0/0/0") =>
    (poll: number) => {
      const there = trouble !== undefined && poll >= from;
      return [{ port, peer, up: !there, ...(there ? { trouble } : {}) }];
    };
  const wrong = `${peer}: wrong MD5 password (RFC 2385): 3 segments with a wrong signature`;

  it("a BGP session with a fault is a warning about its link, once it has lasted", () => {
    const bench = new HealthEvaluatorBench({ sessions: sessions(1, wrong) }).polls(2);
    expect(bench.warnings()).toEqual([]);
    bench.polls(1);
    expect(bench.warnings()).toEqual([`bgp-trouble erd-demo/primary: ${wrong}`]);
    expect(bench.status().warnings[0]).toMatchObject({
      severity: "warning",
      next: "linkseal links erd-demo/primary",
    });
    // Data moves as before, so the link's verdict is unchanged.
    expect(bench.alarm("primary")).toBeUndefined();
  });

  it("a BGP session with several faults reports all of them", () => {
    const both = () => [
      { port: "et-0/0/0", peer, up: false, trouble: "a" },
      { port: "et-0/0/0", peer: "2001:db8::1", up: true },
      { port: "et-0/0/0", peer: "169.254.0.5", up: true, trouble: "b" },
    ];
    expect(new HealthEvaluatorBench({ sessions: both }).polls(4).warnings()).toEqual([
      "bgp-trouble erd-demo/primary: a; b",
    ]);
  });

  it.each<[string, Scene]>([
    ["is down without a word", { sessions: () => [{ port: "et-0/0/0", peer, up: false }] }],
    ["is of another port", { sessions: sessions(0, wrong, "et-0/0/7") }],
    ["is read in a weak way", { sessions: sessions(0, wrong), weakRouting: true }],
  ])("a BGP session causes no warning if it %s", (_name, scene) => {
    const codes = new HealthEvaluatorBench(scene)
      .polls(5)
      .warnings()
      .map((line) => line.split(" ")[0]);
    expect(codes).not.toContain("bgp-trouble");
  });

  it("a BGP session is silent while its link is down, and reported if it alone stays down", () => {
    const bench = new HealthEvaluatorBench({
      sessions: sessions(1, wrong),
      port: unplugged(1, 8),
    }).polls(6);
    expect(bench.warnings().map((line) => line.split(" ")[0])).toEqual(["link-down"]);
    bench.polls(8);
    expect(bench.warnings()).toEqual([`bgp-trouble erd-demo/primary: ${wrong}`]);
  });
});

describe("warnings", () => {
  it("warnings open after they settled and close when their fault ended", () => {
    const scene: Scene = { port: unplugged(1, 5), sessions: () => [] };
    const bench = new HealthEvaluatorBench(scene).polls(4);
    expect(bench.warnings()).toEqual(["link-down erd-demo/primary: edge-a et-0/0/0 has no link"]);
    bench.polls(10);
    expect(bench.warnings()).toEqual([]);
    const about = bench.reported().filter((line) => line.startsWith("link-down"));
    expect(about).toEqual([
      "link-down erd-demo/primary: edge-a et-0/0/0 has no link",
      "link-down erd-demo/primary: resolved: edge-a et-0/0/0 has no link",
    ]);
  });

  const files = [
    ["another", "version: 2", ["config-not-applied"]],
    ["the same", "version: 1", []],
    ["no", undefined, []],
  ] as const;
  it.each(files)("a site with %s config file warns if it differs", (_name, fileText, codes) => {
    const bench = new HealthEvaluatorBench({ agent: { fileText } as Partial<Agent> }).polls(5);
    expect(bench.status().warnings.map(({ code, about }) => [code, about])).toEqual(
      codes.map((code) => [code, "site"]),
    );
    if (codes.length > 0) {
      expect(bench.warnings()[0]).toContain("differs from config 7, which is in force");
    }
  });

  it("a config file before any accepted config causes no warning", () => {
    const agent = { fileText: "version: 1", intent: undefined } as unknown as Partial<Agent>;
    expect(new HealthEvaluatorBench({ agent }).polls(5).warnings()).toEqual([]);
  });

  it("a damaged journal is a warning of the site", () => {
    const bench = new HealthEvaluatorBench({
      agent: { journalState: "corrupt" } as Partial<Agent>,
    }).turn();
    expect(bench.warnings()).toEqual([
      "journal-lossy site: the journal is damaged: nothing is changed any more",
    ]);
  });

  const drifted = (link: DesiredLink, poll: number): MacsecPort => {
    const now = at(poll * pollMs);
    const bent = { ...settings, ...link.settings, sakRekeyMs: 1_000, replayWindow: 7 };
    return carrying(link, poll, link.name === "primary" ? { settings: known(bent, now) } : {});
  };
  const drift =
    "drift erd-demo/primary: edge-a et-0/0/0: replayWindow is 7, wanted 64; " +
    "edge-a et-0/0/0: sakRekeyMs is 1000, wanted 28800000";

  it("drift of a link is a warning, unless a campaign changes the link on purpose", () => {
    expect(new HealthEvaluatorBench({ port: drifted }).polls(8).warnings()).toEqual([drift]);
    const busy = { port: drifted, memory: running("proving") };
    expect(new HealthEvaluatorBench(busy).polls(8).warnings()).toEqual([]);
    const clear = { port: drifted, memory: emptyMemory };
    const codes = new HealthEvaluatorBench(clear)
      .polls(8)
      .status()
      .warnings.map(({ code }) => code);
    expect(codes).not.toContain("drift");
  });

  it("drift of the far end leads to the command for it, and not to a plan without one", () => {
    const next = (scene: Scene): readonly string[] =>
      new HealthEvaluatorBench(scene)
        .polls(8)
        .status()
        .warnings.filter(({ code }) => code === "drift")
        .map((warning) => warning.next);
    expect(next({ port: drifted })).toEqual(["linkseal plan --accepted"]);
    expect(next({ peer: peerOn(keyOne, { sci: "off" }) })).toEqual([
      "linkseal ends erd-demo/primary",
      "linkseal ends erd-demo/secondary",
    ]);
  });

  it("a fault at the far end of a link without a key is a warning", () => {
    const details: PeerDetails = {
      ...{ identity: "missing", bandwidthGbps: undefined, cipher: undefined, failure: undefined },
      ...{ provisioning: { port: undefined, link: undefined }, circuits: [] },
    };
    const port = (link: DesiredLink, poll: number): MacsecPort =>
      clearPort({ port: link.port }, at(poll * pollMs));
    const drifts = (scene: Scene): readonly string[] =>
      new HealthEvaluatorBench({ memory: emptyMemory, ...scene })
        .polls(8)
        .status()
        .warnings.filter(({ code }) => code === "drift")
        .map(({ text }) => text);
    const text = (link: string): string => `${link} of erd-demo: no user-assigned identity`;
    expect(drifts({ port, peer: { ...peerOff, details } })).toEqual([text("link1"), text("link2")]);
    expect(drifts({ port, peer: peerOff })).toEqual([]);
    expect(drifts({ peer: peerOn(keyOne, { details }) })).toEqual([]);
  });

  it("a far end that cannot be read is a warning, unless that is intended", () => {
    const peerFailure = {
      code: "peer.denied",
      text: "the management API: this identity has no right here (403)",
      next: "give it the right",
      since: at(0),
    };
    const warned = new HealthEvaluatorBench({ peerFailure }).polls(14);
    expect(warned.warnings()).toEqual([
      `far-end-unreadable erd-demo/primary: ${peerFailure.text}`,
      `far-end-unreadable erd-demo/secondary: ${peerFailure.text}`,
    ]);
    const unseen = desiredOf((text) =>
      text
        .replace("farEnd: agent", "farEnd: manual")
        .replace("acceptRisks:", "acceptRisks:\n  - { risk: farEndUnseen, until: 2027-01-31 }"),
    );
    expect(new HealthEvaluatorBench({ peerFailure, desired: unseen }).polls(14).warnings()).toEqual(
      [],
    );
    const manual = desiredOf((text) => text.replace("farEnd: agent", "farEnd: manual"));
    expect(
      new HealthEvaluatorBench({ peerFailure, desired: manual }).polls(14).warnings(),
    ).toHaveLength(2);
    const ours = desiredOf((text) =>
      text.replace("acceptRisks:", "acceptRisks:\n  - { risk: farEndUnseen, until: 2027-01-31 }"),
    );
    expect(
      new HealthEvaluatorBench({ peerFailure, desired: ours }).polls(14).warnings(),
    ).toHaveLength(2);
  });

  it("operations that Azure does not show are a warning that names the missing right", () => {
    const unfollowed = { text: "it may not follow the operation", next: "give it the right" };
    const details: PeerDetails = {
      ...{ identity: "present", bandwidthGbps: undefined, cipher: undefined, failure: undefined },
      ...{ provisioning: { port: undefined, link: undefined }, circuits: [], unfollowed },
    };
    const bench = new HealthEvaluatorBench({ peer: peerOn(keyOne, { details }) }).polls(14);
    expect(bench.status().warnings[0]).toMatchObject({
      code: "far-end-unfollowed",
      about: "erd-demo/primary",
      ...unfollowed,
    });
    const peerFailure = { code: "peer.denied", text: "no", next: "give", since: at(0) };
    const unread = new HealthEvaluatorBench({
      peer: peerOn(keyOne, { details }),
      peerFailure,
    }).polls(14);
    expect(new Set(unread.status().warnings.map(({ code }) => code))).toEqual(
      new Set(["far-end-unreadable"]),
    );
  });

  it("a far end that refuses a change is a warning with the next step", () => {
    const trouble = (code: "peer.rejected" | "peer.unreachable" | "device.locked"): LinksealError =>
      new LinksealError(code, "a lock is in the way", {
        ...{ effect: "none", where: "erd-demo", next: "take it away" },
      });
    const warned = (...troubles: readonly LinksealError[]): readonly string[] =>
      new HealthEvaluatorBench({ troubles, memory: running("switching") }).polls(14).warnings();
    expect(warned(trouble("peer.rejected"))).toEqual([
      "far-end-refused erd-demo: a lock is in the way",
    ]);
    expect(warned(trouble("peer.unreachable"))).toEqual([
      "far-end-refused erd-demo: a lock is in the way",
    ]);
    expect(warned(trouble("device.locked"))).toEqual([]);
    const over = new HealthEvaluatorBench({ troubles: [trouble("peer.rejected")] });
    expect(over.polls(14).warnings()).toEqual([]);
  });

  it("a drain of unknown cause is a warning, unless a campaign may have caused it", () => {
    const unexplained =
      "its traffic is moved away on the router, and linkseal knows no reason for it";
    const drained = (scene: Scene): readonly string[] =>
      new HealthEvaluatorBench({ drained: true, ...scene })
        .polls(14)
        .warnings()
        .filter((line) => line.startsWith("drained-by-hand"));
    expect(drained({})).toEqual([
      `drained-by-hand erd-demo/primary: ${unexplained}`,
      `drained-by-hand erd-demo/secondary: ${unexplained}`,
    ]);
    expect(drained({ memory: running("draining") })).toEqual([]);
    expect(new HealthEvaluatorBench().polls(14).warnings()).toEqual([]);
  });

  it("the vault's refusal of a new key is a warning with the next step, no other wait is", () => {
    const waits = (code: string) => ({ waiting: { code, text: "no pair", next: "put a pair" } });
    const vault = new HealthEvaluatorBench(waits("vault.unpaired")).polls(14);
    expect(vault.warnings()).toEqual(["key-unpaired erd-demo: no pair"]);
    expect(vault.status().warnings[0]?.next).toBe("put a pair");
    expect(new HealthEvaluatorBench(waits("journal.full")).polls(14).warnings()).toEqual([]);
    expect(new HealthEvaluatorBench(waits("vault.nothing")).polls(14).warnings()).toEqual([]);
  });

  it("a link that a person keeps drained is a warning", () => {
    const drains = { "erd-demo/primary": { by: "ann", since: wall } };
    const scene = { memory: { ...bound, drains }, drained: true } as const;
    expect(new HealthEvaluatorBench(scene).polls(14).warnings()).toContain(
      "drained-by-hand erd-demo/primary: " +
        "its traffic was moved away by hand (ann, since 2026-11-24T10:00:00Z)",
    );
  });

  it("a drain that the router does not show is reported as not in force, and not as made", () => {
    const drains = { "erd-demo/primary": { by: "ann", since: wall } };
    const bench = new HealthEvaluatorBench({ memory: { ...bound, drains } });
    expect(bench.polls(2).warnings()).toEqual([]);
    expect(bench.polls(12).warnings()).toEqual([
      "drain-not-in-force erd-demo/primary: its drain by hand (ann, since 2026-11-24T10:00:00Z) " +
        "is not in force: edge-a shows no drain of it, so it can carry traffic",
    ]);
    expect(bench.status().warnings[0]?.next).toBe(
      "linkseal explain drain-not-in-force erd-demo/primary",
    );
    expect(bench.reported().join("\n")).not.toContain("drained-by-hand");
  });

  it("a drain on a router whose routing is not known is in doubt", () => {
    const drains = { "erd-demo/primary": { by: "ann", since: wall } };
    const scene = { memory: { ...bound, drains }, weakRouting: true } as const;
    expect(new HealthEvaluatorBench(scene).polls(14).warnings()).toContain(
      "drained-by-hand erd-demo/primary: its traffic was moved away by hand " +
        "(ann, since 2026-11-24T10:00:00Z); edge-a does not show now whether it still is",
    );
  });

  it.each([
    ["held", "rotation-held"],
    ["awaitingPeer", "waiting-for-person"],
    ["gated", "campaign-waiting"],
  ] as const)("a campaign that is %s is a warning", (state, code) => {
    const bench = new HealthEvaluatorBench({ memory: running(state) }).polls(14);
    expect(bench.warnings()).toEqual([`${code} erd-demo/primary: because of this`]);
  });

  const quiet = ["queued", "draining", "staging", "staged", "switching", "proving"] as const;
  const late = ["promoting", "retiring", "restoring", "reverting"] as const;
  it.each([...quiet, ...late])("a campaign that is %s is not a warning", (state) => {
    expect(new HealthEvaluatorBench({ memory: running(state) }).polls(14).warnings()).toEqual([]);
  });
});

describe("conditions that last for too long", () => {
  const wanted = desiredOf();
  const desired: Desired = {
    ...wanted,
    rotation: { ...wanted.rotation, overdueMs: 10_000 },
    groups: wanted.groups.map((group) => ({
      ...group,
      rotate: { ...group.rotate, maxAgeMs: 15_000 },
    })),
  };
  const codes = (scene: Scene, polls: number): readonly string[] =>
    new HealthEvaluatorBench({ desired, ...scene })
      .polls(polls)
      .status()
      .warnings.map(({ code, about }) => `${code} ${about}`);

  it("a key beyond its maximum age is a warning at each link that has one", () => {
    const aged = ["key-age erd-demo/primary", "key-age erd-demo/secondary"];
    expect(codes({}, 4)).toEqual([]);
    expect(codes({}, 5)).toEqual(aged);
    expect(codes({ desired: wanted }, 5)).toEqual([]);
    const bindings = { "erd-demo/primary": bindingOf() };
    expect(codes({ memory: { ...emptyMemory, bindings } }, 5)).toContain(aged[0]);
    expect(codes({ memory: { ...emptyMemory, bindings } }, 5)).not.toContain(aged[1]);
    expect(new HealthEvaluatorBench({ desired }).polls(5).warnings()[0]).toBe(
      "key-age erd-demo/primary: " +
        "the key was made at 2026-11-24T10:00:00Z and is too old since 2026-11-24T10:00:15Z",
    );
  });

  it.each(["queued", "gated", "awaitingPeer"] as const)("a campaign is overdue in %s", (state) => {
    const memory = running(state);
    expect(codes({ memory }, 1)).toEqual(
      state === "awaitingPeer" ? ["waiting-for-person erd-demo/primary"] : [],
    );
    expect(codes({ memory }, 2)).toContain("rotation-overdue erd-demo");
    expect(new HealthEvaluatorBench({ desired, memory }).polls(2).warnings()[0]).toBe(
      `rotation-overdue erd-demo: ${state} since 2026-11-24T10:00:00Z: because of this`,
    );
  });

  it.each(["held", "draining", "proving"] as const)("no campaign is overdue in %s", (state) => {
    expect(codes({ memory: running(state) }, 3)).not.toContain("rotation-overdue erd-demo");
  });
});
