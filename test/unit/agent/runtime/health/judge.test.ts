// What the judge makes of looks, memory and intent: events, warnings, and the whole status.

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
} from "../../../kit/view-kit.ts";
import {
  bound,
  carrying,
  foreign,
  JudgeBench,
  pollMs,
  running,
  type Scene,
  unplugged,
} from "../judge-bench.ts";

describe("verdicts", () => {
  it("are told when they change, each with its first reason", () => {
    const bench = new JudgeBench({ port: unplugged(3, 4) }).turn().polls(5);
    const told = bench.told().filter((line) => line.includes("erd-demo/primary"));
    expect(told).toEqual([
      expect.stringMatching(/^verdict erd-demo\/primary: not seen -> unknown: .* only once$/),
      "verdict erd-demo/primary: unknown -> protected: every check holds",
      "verdict erd-demo/primary: protected -> down: edge-a et-0/0/0 has no link",
      "verdict erd-demo/primary: down -> protected: every check holds",
    ]);
    expect(bench.told()).toContain("verdict hub-1: not seen -> protected: every check holds");
    expect(bench.events.after(0)[0]?.at).toBe("2026-11-24T10:00:00Z");
  });

  it("are judged once a poll, however often a loop asks", () => {
    let reads = 0;
    const port = (link: DesiredLink, poll: number): MacsecPort => {
      reads += 1;
      return carrying(link, poll);
    };
    const bench = new JudgeBench({ port }).turn();
    const once = reads;
    expect(once).toBeGreaterThan(0);
    bench.turn().turn();
    expect(reads).toBe(once);
    bench.polls(1);
    expect(reads).toBeGreaterThan(once);
  });

  it("warn whoever would lean on a link that is down", () => {
    const bench = new JudgeBench({ port: unplugged(2) }).turn().polls(1);
    expect(bench.alarm("primary")).toBeUndefined();
    bench.polls(1);
    const down = { code: "health.verdict", verdict: "down", reason: "link-down" };
    expect(bench.alarm("primary")).toEqual(down);
    expect(bench.standing("primary")).toBe("lost");
    expect(bench.alarm("secondary")).toBeUndefined();
    const open = (link: DesiredLink, poll: number): MacsecPort =>
      clearPort({ port: link.port }, at(poll * pollMs));
    const clear = new JudgeBench({ port: open }).turn().alarm("primary");
    expect(clear).toMatchObject({ verdict: "unprotected" });
  });

  it("warn whoever would lean on a link that nobody knows to carry: counters that froze", () => {
    const frozen = (link: DesiredLink, poll: number): MacsecPort => {
      const { frames } = carrying(link, Math.min(poll, 2));
      const then = strongValue(frames);
      if (then === undefined) throw new Error("no sample");
      return carrying(link, poll, { frames: known(then, at(poll * pollMs)) });
    };
    const bench = new JudgeBench({ port: frozen }).turn().polls(2);
    expect(bench.alarm("primary")).toBeUndefined();
    // What the window still holds of the time before is evidence.
    bench.polls(20);
    expect(bench.alarm("primary")).toMatchObject({ code: "health.verdict", verdict: "unknown" });
    expect(bench.standing("primary")).toBe("unsure");
    expect(bench.polls(10).standing("primary")).toBe("lost");
  });

  it("begin with nobody knowing, and a link that stays so counts as lost", () => {
    const bench = new JudgeBench({ unread: true });
    expect([bench.standing("primary"), bench.alarm("primary")]).toEqual([
      "unsure",
      { code: "health.notJudged" },
    ]);
    expect(bench.turn().alarm("primary")).toMatchObject({ verdict: "unknown" });
    expect(bench.polls(6).standing("primary")).toBe("unsure");
    expect(bench.polls(1).standing("primary")).toBe("lost");
    expect(new JudgeBench().turn().polls(2).standing("primary")).toBe("carrying");
    expect(new JudgeBench({ crewless: true }).standing("primary")).toBe("unsure");
  });

  it("let whoever needs it lean on a link that carries less well than it should", () => {
    const late = (link: DesiredLink, poll: number): MacsecPort => {
      const bent = { ...settings, ...link.settings, confidentialityOffset: 30 } as const;
      return carrying(link, poll, { settings: known(bent, at(poll * pollMs)) });
    };
    const bench = new JudgeBench({ port: late }).turn().polls(3);
    expect(bench.status().groups[0]?.links[0]?.verdict).toBe("degraded");
    expect(bench.standing("primary")).toBe("carrying");
    expect(bench.polls(12).standing("primary")).toBe("carrying");
  });

  it("are unknown before the first look", () => {
    const { groups, tunnels } = new JudgeBench({ unread: true }).turn().status();
    const codes = [...(groups[0]?.links ?? []), ...tunnels].map(({ reasons }) => reasons[0]?.code);
    expect(codes).toEqual(["not-looked-yet", "not-looked-yet", "not-looked-yet"]);
  });

  it("wait for a config", () => {
    const bench = new JudgeBench({ crewless: true }).turn().polls(2);
    expect(bench.told()).toEqual([]);
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

  it("that is in trouble is a warning of that link, once it has lasted", () => {
    const bench = new JudgeBench({ sessions: sessions(1, wrong) }).polls(2);
    expect(bench.warnings()).toEqual([]);
    bench.polls(1);
    expect(bench.warnings()).toEqual([`bgp-trouble erd-demo/primary: ${wrong}`]);
    expect(bench.status().warnings[0]).toMatchObject({
      severity: "warning",
      next: "linkseal links erd-demo/primary",
    });
    // Data moves as before: the link is what it was.
    expect(bench.alarm("primary")).toBeUndefined();
  });

  it("that has several troubles tells all of them", () => {
    const both = () => [
      { port: "et-0/0/0", peer, up: false, trouble: "a" },
      { port: "et-0/0/0", peer: "2001:db8::1", up: true },
      { port: "et-0/0/0", peer: "169.254.0.5", up: true, trouble: "b" },
    ];
    expect(new JudgeBench({ sessions: both }).polls(4).warnings()).toEqual([
      "bgp-trouble erd-demo/primary: a; b",
    ]);
  });

  it.each<[string, Scene]>([
    ["is down without a word", { sessions: () => [{ port: "et-0/0/0", peer, up: false }] }],
    ["is of another port", { sessions: sessions(0, wrong, "et-0/0/7") }],
    ["is read in a weak way", { sessions: sessions(0, wrong), weakRouting: true }],
  ])("is none that %s", (_name, scene) => {
    const codes = new JudgeBench(scene)
      .polls(5)
      .warnings()
      .map((line) => line.split(" ")[0]);
    expect(codes).not.toContain("bgp-trouble");
  });

  it("is silent where the link itself is down, and told when only the session stays down", () => {
    const bench = new JudgeBench({ sessions: sessions(1, wrong), port: unplugged(1, 8) }).polls(6);
    expect(bench.warnings().map((line) => line.split(" ")[0])).toEqual(["link-down"]);
    bench.polls(8);
    expect(bench.warnings()).toEqual([`bgp-trouble erd-demo/primary: ${wrong}`]);
  });
});

describe("warnings", () => {
  it("open after they settled and close when it is over", () => {
    const bench = new JudgeBench({ port: unplugged(1, 5) }).polls(4);
    expect(bench.warnings()).toEqual(["link-down erd-demo/primary: edge-a et-0/0/0 has no link"]);
    bench.polls(10);
    expect(bench.warnings()).toEqual([]);
    const about = bench.told().filter((line) => line.startsWith("link-down"));
    expect(about).toEqual([
      "link-down erd-demo/primary: edge-a et-0/0/0 has no link",
      "link-down erd-demo/primary: over: edge-a et-0/0/0 has no link",
    ]);
  });

  const files = [
    ["another", "version: 2", ["config-not-applied"]],
    ["the same", "version: 1", []],
    ["no", undefined, []],
  ] as const;
  it.each(files)("of the site: %s file", (_name, fileText, codes) => {
    const bench = new JudgeBench({ agent: { fileText } as Partial<Agent> }).polls(5);
    expect(bench.status().warnings.map(({ code, about }) => [code, about])).toEqual(
      codes.map((code) => [code, "site"]),
    );
    if (codes.length > 0) {
      expect(bench.warnings()[0]).toContain("differs from config 7, which is in force");
    }
  });

  it("of the site: a file before any config", () => {
    const agent = { fileText: "version: 1", intent: undefined } as unknown as Partial<Agent>;
    expect(new JudgeBench({ agent }).polls(5).warnings()).toEqual([]);
  });

  it("of the site: a damaged journal", () => {
    const bench = new JudgeBench({ agent: { journalState: "corrupt" } as Partial<Agent> }).turn();
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

  it("of drift, while no campaign changes the link on purpose", () => {
    expect(new JudgeBench({ port: drifted }).polls(8).warnings()).toEqual([drift]);
    const busy = { port: drifted, memory: running("proving") };
    expect(new JudgeBench(busy).polls(8).warnings()).toEqual([]);
    const clear = { port: drifted, memory: emptyMemory };
    const codes = new JudgeBench(clear)
      .polls(8)
      .status()
      .warnings.map(({ code }) => code);
    expect(codes).not.toContain("drift");
  });

  it("of what is amiss at the far end of a link that has no key yet", () => {
    const details: PeerDetails = {
      ...{ identity: "missing", bandwidthGbps: undefined, cipher: undefined, failure: undefined },
      ...{ provisioning: { port: undefined, link: undefined }, circuits: [] },
    };
    const port = (link: DesiredLink, poll: number): MacsecPort =>
      clearPort({ port: link.port }, at(poll * pollMs));
    const drifts = (scene: Scene): readonly string[] =>
      new JudgeBench({ memory: emptyMemory, ...scene })
        .polls(8)
        .status()
        .warnings.filter(({ code }) => code === "drift")
        .map(({ text }) => text);
    const text = (link: string): string => `${link} of erd-demo: no user-assigned identity`;
    expect(drifts({ port, peer: { ...peerOff, details } })).toEqual([text("link1"), text("link2")]);
    expect(drifts({ port, peer: peerOff })).toEqual([]);
    expect(drifts({ peer: peerOn(keyOne, { details }) })).toEqual([]);
  });

  it("of a far end that cannot be read, unless nobody is meant to", () => {
    const peerFailure = {
      code: "peer.denied",
      text: "the management API: this identity has no right here (403)",
      next: "give it the right",
      since: at(0),
    };
    const warned = new JudgeBench({ peerFailure }).polls(14);
    expect(warned.warnings()).toEqual([
      `far-end-unreadable erd-demo/primary: ${peerFailure.text}`,
      `far-end-unreadable erd-demo/secondary: ${peerFailure.text}`,
    ]);
    const unseen = desiredOf((text) =>
      text
        .replace("farEnd: agent", "farEnd: manual")
        .replace("acceptRisks:", "acceptRisks:\n  - { risk: farEndUnseen, until: 2027-01-31 }"),
    );
    expect(new JudgeBench({ peerFailure, desired: unseen }).polls(14).warnings()).toEqual([]);
    const manual = desiredOf((text) => text.replace("farEnd: agent", "farEnd: manual"));
    expect(new JudgeBench({ peerFailure, desired: manual }).polls(14).warnings()).toHaveLength(2);
    const ours = desiredOf((text) =>
      text.replace("acceptRisks:", "acceptRisks:\n  - { risk: farEndUnseen, until: 2027-01-31 }"),
    );
    expect(new JudgeBench({ peerFailure, desired: ours }).polls(14).warnings()).toHaveLength(2);
  });

  it("of operations that Azure does not show, with the right that is missing", () => {
    const unfollowed = { text: "it may not follow the operation", next: "give it the right" };
    const details: PeerDetails = {
      ...{ identity: "present", bandwidthGbps: undefined, cipher: undefined, failure: undefined },
      ...{ provisioning: { port: undefined, link: undefined }, circuits: [], unfollowed },
    };
    const bench = new JudgeBench({ peer: peerOn(keyOne, { details }) }).polls(14);
    expect(bench.status().warnings[0]).toMatchObject({
      code: "far-end-unfollowed",
      about: "erd-demo/primary",
      ...unfollowed,
    });
    const peerFailure = { code: "peer.denied", text: "no", next: "give", since: at(0) };
    const unread = new JudgeBench({ peer: peerOn(keyOne, { details }), peerFailure }).polls(14);
    expect(new Set(unread.status().warnings.map(({ code }) => code))).toEqual(
      new Set(["far-end-unreadable"]),
    );
  });

  it("of a far end that does not take a change, with what to do about it", () => {
    const trouble = (code: "peer.rejected" | "peer.unreachable" | "device.locked"): LinksealError =>
      new LinksealError(code, "a lock is in the way", {
        ...{ effect: "none", where: "erd-demo", next: "take it away" },
      });
    const warned = (...troubles: readonly LinksealError[]): readonly string[] =>
      new JudgeBench({ troubles, memory: running("switching") }).polls(14).warnings();
    expect(warned(trouble("peer.rejected"))).toEqual([
      "far-end-refused erd-demo: a lock is in the way",
    ]);
    expect(warned(trouble("peer.unreachable"))).toEqual([
      "far-end-refused erd-demo: a lock is in the way",
    ]);
    expect(warned(trouble("device.locked"))).toEqual([]);
    const over = new JudgeBench({ troubles: [trouble("peer.rejected")] });
    expect(over.polls(14).warnings()).toEqual([]);
  });

  it("of a drain that nobody knows a reason for, and of none while a campaign may have one", () => {
    const unexplained =
      "its traffic is moved away on the router, and linkseal knows no reason for it";
    const drained = (scene: Scene): readonly string[] =>
      new JudgeBench({ drained: true, ...scene })
        .polls(14)
        .warnings()
        .filter((line) => line.startsWith("drained-by-hand"));
    expect(drained({})).toEqual([
      `drained-by-hand erd-demo/primary: ${unexplained}`,
      `drained-by-hand erd-demo/secondary: ${unexplained}`,
    ]);
    expect(drained({ memory: running("draining") })).toEqual([]);
    expect(new JudgeBench().polls(14).warnings()).toEqual([]);
  });

  it("of what the vault has against a new key, with what to do, and of no other wait", () => {
    const waits = (code: string) => ({ waiting: { code, text: "no pair", next: "put a pair" } });
    const vault = new JudgeBench(waits("vault.unpaired")).polls(14);
    expect(vault.warnings()).toEqual(["key-unpaired erd-demo: no pair"]);
    expect(vault.status().warnings[0]?.next).toBe("put a pair");
    expect(new JudgeBench(waits("journal.full")).polls(14).warnings()).toEqual([]);
    expect(new JudgeBench(waits("vault.nothing")).polls(14).warnings()).toEqual([]);
  });

  it("of a link that a person keeps empty", () => {
    const drains = { "erd-demo/primary": { by: "ann", since: wall } };
    expect(new JudgeBench({ memory: { ...bound, drains } }).polls(14).warnings()).toEqual([
      "drained-by-hand erd-demo/primary: " +
        "its traffic was moved away by hand (ann, since 2026-11-24T10:00:00Z)",
    ]);
  });

  it.each([
    ["held", "rotation-held"],
    ["awaitingPeer", "waiting-for-person"],
    ["gated", "campaign-waiting"],
  ] as const)("of a campaign that is %s", (state, code) => {
    const bench = new JudgeBench({ memory: running(state) }).polls(14);
    expect(bench.warnings()).toEqual([`${code} erd-demo/primary: because of this`]);
  });

  const quiet = ["queued", "draining", "staging", "staged", "switching", "proving"] as const;
  const late = ["promoting", "retiring", "restoring", "reverting"] as const;
  it.each([...quiet, ...late])("not of a campaign that is %s", (state) => {
    expect(new JudgeBench({ memory: running(state) }).polls(14).warnings()).toEqual([]);
  });
});

describe("what lasts for too long", () => {
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
    new JudgeBench({ desired, ...scene })
      .polls(polls)
      .status()
      .warnings.map(({ code, about }) => `${code} ${about}`);

  it("is a key beyond its age, at each link that has one", () => {
    const aged = ["key-age erd-demo/primary", "key-age erd-demo/secondary"];
    expect(codes({}, 4)).toEqual([]);
    expect(codes({}, 5)).toEqual(aged);
    expect(codes({ desired: wanted }, 5)).toEqual([]);
    const bindings = { "erd-demo/primary": bindingOf() };
    expect(codes({ memory: { ...emptyMemory, bindings } }, 5)).toContain(aged[0]);
    expect(codes({ memory: { ...emptyMemory, bindings } }, 5)).not.toContain(aged[1]);
    expect(new JudgeBench({ desired }).polls(5).warnings()[0]).toBe(
      "key-age erd-demo/primary: " +
        "the key was made at 2026-11-24T10:00:00Z and is too old since 2026-11-24T10:00:15Z",
    );
  });

  it.each(["queued", "gated", "awaitingPeer"] as const)("is a campaign that is %s", (state) => {
    const memory = running(state);
    expect(codes({ memory }, 1)).toEqual(
      state === "awaitingPeer" ? ["waiting-for-person erd-demo/primary"] : [],
    );
    expect(codes({ memory }, 2)).toContain("rotation-overdue erd-demo");
    expect(new JudgeBench({ desired, memory }).polls(2).warnings()[0]).toBe(
      `rotation-overdue erd-demo: ${state} since 2026-11-24T10:00:00Z: because of this`,
    );
  });

  it.each(["held", "draining", "proving"] as const)("is none that is %s", (state) => {
    expect(codes({ memory: running(state) }, 3)).not.toContain("rotation-overdue erd-demo");
  });
});

describe("the status", () => {
  it("is the site's, with keys, looks and the age of the key", () => {
    const status = new JudgeBench().polls(3).status();
    expect(status).toMatchObject({ site: "demo", verdict: "protected", unmanaged: [] });
    expect(new JudgeBench().status().warnings).toEqual([]);
    expect(status.groups[0]).toMatchObject({
      name: "erd-demo",
      rotation: null,
      links: [
        { name: "secondary", ckn: keyOne.ckn, keyAgeDays: 0, frames: { rxOk: "4000" } },
        { name: "primary", ckn: keyOne.ckn, keyAgeDays: 0, frames: { rxOk: "4000" } },
      ],
    });
  });

  it("shows the campaign, and takes only its key of that link for welcome", () => {
    const port = (link: DesiredLink, poll: number): MacsecPort => {
      const session = carrying(link, poll).session;
      if (session.kind !== "known") return carrying(link, poll);
      const value = { ...session.value, principalCkn: foreign.ckn };
      return carrying(link, poll, { session: known(value, session.at) });
    };
    const status = new JudgeBench({ port, memory: running("proving") }).polls(1).status();
    expect(status.groups[0]?.rotation).toMatchObject({ link: "primary", state: "proving" });
    expect(status.groups[0]?.links.map(({ name, verdict }) => [name, verdict])).toEqual([
      ["secondary", "degraded"],
      ["primary", "protected"],
    ]);
  });

  it("names keys of nobody, but not those of a campaign", () => {
    const status = new JudgeBench({ memory: emptyMemory }).polls(1).status();
    const text = "the router already has MACsec on this port";
    expect(status.unmanaged).toEqual([
      {
        kind: "link",
        name: "erd-demo/secondary",
        where: "edge-b",
        text,
        next: "linkseal adopt erd-demo/secondary",
      },
      {
        kind: "link",
        name: "erd-demo/primary",
        where: "edge-a",
        text,
        next: "linkseal adopt erd-demo/primary",
      },
    ]);
    const memory = { ...running("proving"), bindings: {} };
    expect(new JudgeBench({ memory }).polls(1).status().unmanaged).toEqual([]);
  });

  it("names links that an earlier intent left behind", () => {
    const bindings = { ...bound.bindings, "erd-old/primary": bindingOf() };
    const status = new JudgeBench({ memory: { ...bound, bindings } }).polls(1).status();
    expect(status.unmanaged).toEqual([
      {
        kind: "link",
        name: "erd-old/primary",
        where: "erd-old/primary",
        text: "still there, but no longer in the intent",
        next: "linkseal retire link erd-old/primary",
      },
    ]);
  });

  it("says that the intent is damaged, and how to go on", () => {
    const intentDamage = new LinksealError("journal.corrupt", "config 3 is gone", {
      effect: "none",
      where: "intent",
      next: "restore it",
    });
    const status = new JudgeBench({ agent: { intentDamage } as Partial<Agent> }).status();
    expect(status).toMatchObject({ site: null, verdict: "unknown" });
    expect(status.reasons).toEqual([
      { code: "journal-lossy", text: intentDamage.message, next: intentDamage.next },
    ]);
  });
});
