// What a campaign may conclude from looks, and what it may not.

import { describe, expect, it } from "vitest";
import type { Evidence } from "#agent/campaign/campaign.ts";
import {
  advanceProof,
  advanceQuiet,
  carries,
  closedGate,
  drainedOf,
  farEndOf,
  fresh,
  type GateInput,
  heldFor,
  type LinkView,
  portFacts,
  proofOf,
  type QuietRun,
  type Run,
  securedBy,
} from "#agent/campaign/facts.ts";
import type { PeerState } from "#hal/device.ts";
import { type DeviceState, known, type MacsecPort, type Reading, unknown } from "#hal/model.ts";
import { keyOne } from "./campaign-kit.ts";
import { ckn } from "./site-bench.ts";
import {
  at,
  clearPort,
  desired,
  drainedRouting,
  frames,
  peerOff,
  peerOn,
  routing,
  securedPort,
  session,
  settings,
  stateOf,
  viewOf,
  wall,
} from "./view-kit.ts";

const now = at(0);
const unread = unknown("queryFailed", now);
const weak = <T>(value: T): Reading<T> => ({ kind: "known", value, at: now, weak: true });
const foreign = { ckn: ckn("f"), role: "primary" } as const;
const ours = { ckn: keyOne.ckn, role: "primary" } as const;

describe("the port", () => {
  const cells: readonly (readonly [string, DeviceState | undefined, unknown])[] = [
    ["clear with BGP up", stateOf(clearPort()), { keys: "none", usable: true, drain: "off" }],
    ["under the new key", stateOf(securedPort()), { keys: "new", usable: true }],
    ["drained", stateOf(clearPort(), { routing: known(drainedRouting, now) }), { drain: "on" }],
    ["with a commit pending", stateOf(clearPort(), {}, { commitPending: true }), { pending: true }],
    ["with a foreign key", stateOf(securedPort({ keys: known([foreign], now) })), { keys: "else" }],
    [
      "with two keys",
      stateOf(securedPort({ keys: known([ours, foreign], now) })),
      { keys: "else" },
    ],
    [
      "clear with BGP down",
      stateOf(clearPort(), { routing: known({ ...routing, sessions: [] }, now) }),
      { usable: false },
    ],
    ["clear without link", stateOf(clearPort({ linkUp: known(false, now) })), { usable: false }],
    [
      "must-secure without a key",
      stateOf(clearPort({ settings: known(settings, now) })),
      { keys: "none", usable: false },
    ],
    [
      "keyed, MKA blocked",
      stateOf(securedPort({ session: known({ ...session, controlledPort: "blocked" }, now) })),
      { usable: false },
    ],
    [
      "keyed, no live peer",
      stateOf(securedPort({ session: known({ ...session, livePeers: 0 }, now) })),
      { usable: false },
    ],
    ["keys unreadable", stateOf(clearPort({ keys: unread })), undefined],
    ["keys by weak evidence", stateOf(clearPort({ keys: weak([]) })), undefined],
    ["routes unreadable", stateOf(clearPort(), { routing: unread }), undefined],
    ["control plane unreadable", stateOf(clearPort(), { control: unread }), undefined],
    ["no such port", stateOf(clearPort({ port: "et-9" })), undefined],
    ["nothing at all", undefined, undefined],
  ];
  it.each(cells)("%s", (_name, state, facts) => {
    const seen = portFacts(viewOf(state), keyOne, undefined);
    if (facts === undefined) expect(seen).toBeUndefined();
    else expect(seen).toMatchObject(facts as object);
  });

  const probes: readonly (readonly [string, number, number, number | undefined, boolean])[] = [
    ["unanswered after the far end moved", 20, 0, 10, false],
    ["answered after it moved", 20, 5, 10, true],
    ["unanswered before it moved", 5, 0, 10, true],
    ["unanswered while it has not moved", 20, 0, undefined, true],
  ];
  it.each(probes)("probe %s", (_name, sentAt, answered, movedAt, usable) => {
    const probe = { at: at(sentAt), sent: 5, answered };
    const moved = movedAt === undefined ? undefined : at(movedAt);
    const view = viewOf(stateOf(clearPort()), { probe });
    expect(portFacts(view, keyOne, moved)?.usable).toBe(usable);
  });
});

describe("the far end", () => {
  const cells: readonly (readonly [string, PeerState | undefined, number, string])[] = [
    ["off is old", peerOff, 100, "old"],
    ["on the new ids is new", peerOn(), 100, "new"],
    [
      "another CAK is other",
      peerOn({ ...keyOne, cakSecretId: "https://v/secrets/a/2" }),
      100,
      "other",
    ],
    [
      "another CKN is other",
      peerOn({ ...keyOne, cknSecretId: "https://v/secrets/b/2" }),
      100,
      "other",
    ],
    ["busy is updating", peerOn(keyOne, { provisioning: "updating" }), 100, "updating"],
    ["failed is failed", peerOn(keyOne, { provisioning: "failed" }), 100, "failed"],
    ["within the grace nothing is settled", peerOff, 99, "updating"],
    ["failed within the grace neither", peerOn(keyOne, { provisioning: "failed" }), 99, "updating"],
    ["unreadable is unknown", undefined, 100, "unknown"],
  ];
  it.each(cells)("%s", (_name, peer, time, far) => {
    expect(farEndOf(peer, keyOne, at(time), at(100))).toBe(far);
  });
});

describe("a sibling", () => {
  const protectedLink = viewOf(stateOf(securedPort()), { peer: peerOn() });
  const cells: readonly (readonly [string, LinkView, boolean, string])[] = [
    ["clear before its first key", viewOf(stateOf(clearPort())), false, "carrying"],
    ["protected under its key", protectedLink, true, "carrying"],
    ["clear although it has a key", viewOf(stateOf(clearPort())), true, "not secured"],
    ["protected by nobody's key", protectedLink, false, "not ours"],
    [
      "should-secure",
      viewOf(
        stateOf(securedPort({ settings: known({ ...settings, policy: "shouldSecure" }, now) })),
      ),
      true,
      "must-secure",
    ],
    [
      "link down",
      viewOf(stateOf(clearPort({ linkUp: known(false, now) }))),
      false,
      "down or unknown",
    ],
    ["link unknown", viewOf(stateOf(clearPort({ linkUp: unread }))), false, "down or unknown"],
    [
      "drained",
      viewOf(stateOf(clearPort(), { routing: known(drainedRouting, now) })),
      false,
      "drained",
    ],
    [
      "BGP down",
      viewOf(stateOf(clearPort(), { routing: known({ ...routing, sessions: [] }, now) })),
      false,
      "BGP",
    ],
    [
      "a commit pending",
      viewOf(stateOf(clearPort(), {}, { commitPending: true })),
      false,
      "pending",
    ],
    ["unreadable", viewOf(undefined), false, "cannot be read"],
  ];
  it.each(cells)("%s", (_name, view, bound, answer) => {
    expect(carries(view, bound ? keyOne : undefined)).toContain(answer);
  });
});

describe("the proof of a key (P3)", () => {
  const rotation = desired.rotation;
  const good = (over: Partial<MacsecPort> = {}): LinkView =>
    viewOf(stateOf(securedPort(over)), { peer: peerOn() });
  const counted = (rxOk: bigint, txProtected: bigint, over = {}): Partial<MacsecPort> => ({
    frames: known({ ...frames, rxOk, txProtected, ...over }, now),
  });
  const proofAfter = (first: LinkView, then: LinkView, ms: number): Evidence => {
    const run = advanceProof(undefined, first, keyOne, "new", at(0));
    const next = advanceProof(run, then, keyOne, "new", at(ms));
    return proofOf(next, then, rotation, at(ms));
  };

  it("holds after the settle time with enough frames both ways", () => {
    const later = good(counted(1_020n, 1_020n));
    expect(proofAfter(good(), later, rotation.settleMs)).toEqual({ kind: "held" });
    expect(proofAfter(good(), later, rotation.settleMs - 1)).toMatchObject({ kind: "waiting" });
  });

  const lacks: readonly (readonly [string, Partial<MacsecPort>, string])[] = [
    [
      "frames in the receive direction",
      counted(1_019n, 1_020n),
      "1 more protected frames in the receive",
    ],
    [
      "frames in the transmit direction",
      counted(1_020n, 1_010n),
      "10 more protected frames in the transmit",
    ],
    [
      "a secured port",
      { session: known({ ...session, controlledPort: "blocked" }, now) },
      "blocked",
    ],
    [
      "the right principal key",
      { session: known({ ...session, principalCkn: ckn("f") }, now) },
      "not the principal",
    ],
    ["a live peer", { session: known({ ...session, livePeers: 0 }, now) }, "0 live peers"],
    [
      "only one live peer",
      { session: known({ ...session, livePeers: 2, respondedPeers: 2 }, now) },
      "2 live peers",
    ],
    [
      "a peer that responded",
      { session: known({ ...session, respondedPeers: 0 }, now) },
      "not installed",
    ],
    ["a SAK in use", { session: known({ ...session, latestSak: undefined }, now) }, "not in use"],
    [
      "a SAK in use both ways",
      {
        session: known(
          { ...session, latestSak: { an: 0, keyId: "a/1", receive: true, transmit: false } },
          now,
        ),
      },
      "both directions",
    ],
    ["the wanted suite", { liveSuite: known("gcm-aes-128", now) }, "gcm-aes-128"],
    [
      "must-secure",
      { settings: known({ ...settings, policy: "shouldSecure" }, now) },
      "must-secure",
    ],
    ["counters", { frames: unread }, "counters cannot be read"],
    ["strong counters", { frames: weak(frames) }, "counters cannot be read"],
    ["a readable session", { session: unread }, "cannot be read"],
    ["steady rxNotValid", counted(2_000n, 2_000n, { rxNotValid: 1n }), "rxNotValid"],
    ["steady rxClear", counted(2_000n, 2_000n, { rxClear: 1n }), "rxClear"],
    ["counters that only rise", counted(10n, 2_000n), "reset"],
  ];
  it.each(lacks)("waits without %s", (_name, over, text) => {
    const evidence = proofAfter(good(), good(over), rotation.settleMs);
    expect(evidence).toMatchObject({ kind: "waiting", text: expect.stringContaining(text) });
  });

  it.each(["old", "other", "updating", "failed", "unknown"] as const)(
    "waits while the far end is %s",
    (far) => {
      const run = advanceProof(undefined, good(), keyOne, far, now);
      expect(proofOf(run, good(), rotation, now)).toMatchObject({ text: `the far end is ${far}` });
    },
  );

  it("begins again after a bad look, from the counters of that look", () => {
    const bad = good(counted(2_000n, 2_000n, { rxNotValid: 3n }));
    const clean = good(counted(3_000n, 3_000n, { rxNotValid: 3n }));
    let run = advanceProof(undefined, good(), keyOne, "new", at(0));
    run = advanceProof(run, bad, keyOne, "new", at(1_000));
    expect(proofOf(run, bad, rotation, at(1_000))).toMatchObject({ text: /rxNotValid/ });
    run = advanceProof(run, clean, keyOne, "new", at(2_000));
    expect(proofOf(run, clean, rotation, at(2_000 + rotation.settleMs)).kind).toBe("waiting");
    const later = good(counted(4_000n, 4_000n, { rxNotValid: 3n }));
    run = advanceProof(run, later, keyOne, "new", at(2_000 + rotation.settleMs));
    expect(proofOf(run, later, rotation, at(2_000 + rotation.settleMs))).toEqual({ kind: "held" });
  });

  it("begins again after a gap", () => {
    let run: Run | undefined = advanceProof(undefined, good(), keyOne, "new", at(0));
    run = advanceProof(run, viewOf(undefined), keyOne, "new", at(5_000));
    const later = good(counted(9_000n, 9_000n));
    run = advanceProof(run, later, keyOne, "new", at(6_000));
    expect(proofOf(run, later, rotation, at(6_000 + rotation.settleMs)).kind).toBe("waiting");
  });

  it("knows whether the link is secured by this very key", () => {
    expect(securedBy(securedPort(), keyOne)).toBe(true);
    expect(securedBy(securedPort(), { ...keyOne, ckn: ckn("f") })).toBe(false);
  });
});

describe("drained", () => {
  const slow = { rxPps: 99, txPps: 99, rxBps: 1e4, txBps: 1e4, lineBps: 1e11 };
  const quiet = (over: Partial<MacsecPort> = {}, routes = drainedRouting): LinkView =>
    viewOf(
      stateOf(clearPort({ rate: known(slow, now), ...over }), { routing: known(routes, now) }),
    );
  const samples = (view: LinkView, times: readonly number[]): Evidence => {
    let run: QuietRun | undefined;
    for (const time of times) run = advanceQuiet(run, view, 10_000, at(time));
    return drainedOf(run, 3);
  };

  it("takes three samples, ten seconds apart", () => {
    expect(samples(quiet(), [0, 10_000, 20_000])).toEqual({ kind: "held" });
    expect(samples(quiet(), [0, 5_000, 9_999, 20_000])).toEqual({
      kind: "waiting",
      text: "quiet in 2 of 3 samples",
    });
    expect(samples(quiet(), [])).toEqual({ kind: "waiting", text: "no look yet" });
  });

  const noises: readonly (readonly [string, LinkView, string])[] = [
    ["100 packets/s", quiet({ rate: known({ ...slow, rxPps: 100 }, now) }), "100 packets/s"],
    ["1 % of the line", quiet({ rate: known({ ...slow, txBps: 1e9 }, now) }), "packets/s still"],
    [
      "a best path",
      quiet({}, { ...drainedRouting, routes: routing.routes }),
      "best path to 10.0.0.0/8",
    ],
    ["no drain in force", quiet({}, { ...drainedRouting, drains: [] }), "not in force"],
    ["an unreadable rate", quiet({ rate: unread }), "cannot be read"],
    ["an unreadable router", viewOf(undefined), "cannot be read"],
  ];
  it.each(noises)("not with %s", (_name, view, text) => {
    const evidence = samples(view, [0, 10_000, 20_000]);
    expect(evidence).toMatchObject({ kind: "waiting", text: expect.stringContaining(text) });
  });
});

describe("the gates", () => {
  const sibling = { name: "secondary", carries: "carrying", view: viewOf(stateOf(clearPort())) };
  const open: GateInput = {
    view: viewOf(stateOf(clearPort())),
    far: "old",
    siblings: [sibling],
    beforeDrain: true,
    ownPath: "elsewhere",
    acceptsUnknownPath: false,
    hostWall: wall,
  };
  const busy = { rxPps: 1, txPps: 1, rxBps: 5e10, txBps: 5e10, lineBps: 1e11 };
  const bgpDown = viewOf(
    stateOf(clearPort(), { routing: known({ ...routing, sessions: [] }, now) }),
  );

  it("are open on a calm day", () => {
    expect(closedGate(open)).toBeUndefined();
  });

  const cells: readonly (readonly [string, Partial<GateInput>, string | undefined])[] = [
    ["no sibling", { siblings: [] }, "no sibling"],
    [
      "a sibling that is lost",
      { siblings: [{ ...sibling, carries: "it is drained" }] },
      "gate.siblingUnhealthy: secondary is not carrying: it is drained",
    ],
    ["an unreadable router", { view: viewOf(undefined) }, "gate.stale"],
    ["BGP down before the drain", { view: bgpDown }, "BGP"],
    ["BGP down once begun", { view: bgpDown, beforeDrain: false }, undefined],
    [
      "a commit pending",
      { view: viewOf(stateOf(clearPort(), {}, { commitPending: true })) },
      "pending",
    ],
    ["a far end that updates", { far: "updating" }, "not settled"],
    ["a far end that failed", { far: "failed" }, "failed"],
    ["a far end that is unreadable", { far: "unknown" }, "gate.stale"],
    ["clocks five minutes apart", { hostWall: wall + 300_001 }, "clocks"],
    ["clocks a little apart", { hostWall: wall - 299_999 }, undefined],
    ["our own path over this link", { ownPath: "overThisLink" }, "gate.ownPath"],
    ["an unknown path", { ownPath: "unknown" }, "ownPathUnknown"],
    ["an unknown path, accepted", { ownPath: "unknown", acceptsUnknownPath: true }, undefined],
    [
      "no head-room",
      {
        siblings: [
          {
            ...sibling,
            view: viewOf(stateOf(clearPort({ rate: known({ ...busy, rxBps: 8e10 }, now) }))),
          },
        ],
      },
      "no room",
    ],
    ["an unreadable rate", { view: viewOf(stateOf(clearPort({ rate: unread }))) }, "gate.stale"],
  ];
  it.each(cells)("with %s", (_name, over, answer) => {
    const closed = closedGate({ ...open, ...over });
    if (answer === undefined) expect(closed).toBeUndefined();
    else expect(closed).toContain(answer);
  });
});

describe("time", () => {
  it("lets a look grow stale", () => {
    const { health } = desired;
    const state = stateOf(clearPort());
    expect(fresh(state, health, at(health.staleAfterMs))).toBe(state);
    expect(fresh(state, health, at(health.staleAfterMs + 1))).toBeUndefined();
    expect(fresh(undefined, health, at(0))).toBeUndefined();
  });

  it("says how long is left", () => {
    const run: Run = { since: at(0), frames: undefined, broken: undefined };
    expect(heldFor(run, 10_000, at(2_500), "it works")).toEqual({
      kind: "waiting",
      text: "it works; 8 s more to be sure",
    });
    expect(heldFor(run, 10_000, at(10_000), "it works")).toEqual({ kind: "held" });
  });
});
