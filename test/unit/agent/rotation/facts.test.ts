// What a campaign may conclude from looks, and what it may not.

import { describe, expect, it } from "vitest";
import type { CampaignLink } from "#agent/model/campaign.ts";
import { fresh, type LinkSnapshot, securedBy } from "#agent/model/link-snapshot.ts";
import type { Cause } from "#agent/model/reason.ts";
import { carryGap, farEndOf, portFacts } from "#agent/rotation/facts.ts";
import type { PeerState } from "#hal/device.ts";
import {
  type DeviceState,
  type KeyRef,
  known,
  type MacsecPort,
  type MacsecSettings,
  type Reading,
  unknown,
} from "#hal/model.ts";
import { campaignOf, keyOne } from "../../kit/campaign-kit.ts";
import { ckn } from "../../kit/site-bench.ts";
import {
  at,
  clearPort,
  desired,
  drainedRouting,
  link,
  peerOff,
  peerOn,
  quietHistory as quiet,
  routing,
  securedPort,
  session,
  settings,
  snapshotOf,
  stateOf,
} from "../../kit/snapshot-kit.ts";

const now = at(0);
const unread = unknown("queryFailed", now);
const weak = <T>(value: T): Reading<T> => ({ kind: "known", value, at: now, weak: true });

const entry = (kind: "enrol" | "rotate" | "change"): CampaignLink => {
  const [first] = campaignOf("queued", { kind }).links;
  if (first === undefined) throw new Error("a campaign has links");
  const set = link.settings;
  return {
    ...first,
    old: first.old === undefined ? undefined : { key: first.old.key, settings: set },
    new: { key: keyOne, settings: set },
  };
};
const enrol = entry("enrol");
const rotate = entry("rotate");
const change = entry("change");
const oldKey = rotate.old?.key ?? keyOne;
const foreign = { ckn: ckn("f"), role: "primary" } as const;
const ours = { ckn: keyOne.ckn, role: "primary" } as const;

describe("the port", () => {
  const cells: readonly (readonly [string, DeviceState | undefined, unknown])[] = [
    ["clear with BGP up", stateOf(clearPort()), { keys: "old", carriedBy: "old", drain: "off" }],
    ["under the new key", stateOf(securedPort()), { keys: "new", carriedBy: "new" }],
    ["drained", stateOf(clearPort(), { routing: known(drainedRouting, now) }), { drain: "on" }],
    ["with a commit pending", stateOf(clearPort(), {}, { commitPending: true }), { drain: "off" }],
    ["with a foreign key", stateOf(securedPort({ keys: known([foreign], now) })), { keys: "else" }],
    [
      "with two keys",
      stateOf(securedPort({ keys: known([ours, foreign], now) })),
      { keys: "else" },
    ],
    [
      "clear with BGP down",
      stateOf(clearPort(), { routing: known({ ...routing, sessions: [] }, now) }),
      { carriedBy: "nothing" },
    ],
    [
      "clear without link",
      stateOf(clearPort({ linkUp: known(false, now) })),
      { carriedBy: "nothing" },
    ],
    [
      "must-secure without a key",
      stateOf(clearPort({ settings: known(settings, now) })),
      { keys: "old", carriedBy: "nothing" },
    ],
    [
      "keyed, MKA blocked",
      stateOf(securedPort({ session: known({ ...session, controlledPort: "blocked" }, now) })),
      { carriedBy: "nothing" },
    ],
    [
      "keyed, no live peer",
      stateOf(securedPort({ session: known({ ...session, livePeers: 0 }, now) })),
      { carriedBy: "nothing" },
    ],
    ["keys unreadable", stateOf(clearPort({ keys: unread })), undefined],
    ["keys by weak evidence", stateOf(clearPort({ keys: weak([]) })), undefined],
    ["routes unreadable", stateOf(clearPort(), { routing: unread }), undefined],
    ["control plane unreadable", stateOf(clearPort(), { control: unread }), undefined],
    ["no such port", stateOf(clearPort({ port: "et-9" })), undefined],
    [
      "keyed without settings",
      stateOf(clearPort({ keys: known([foreign], now) })),
      { keys: "else", carriedBy: "nothing" },
    ],
    [
      "keyless, settings unreadable",
      stateOf(clearPort({ settings: unread })),
      { keys: "old", carriedBy: "nothing" },
    ],
    ["nothing at all", undefined, undefined],
  ];
  it.each(cells)("the facts of a port in an enrolment: %s", (_name, state, facts) => {
    const seen = portFacts(snapshotOf(state), enrol, quiet);
    if (facts === undefined) expect(seen).toBeUndefined();
    else expect(seen).toMatchObject(facts as object);
  });

  const probes: readonly {
    name: string;
    sentAt: number;
    answered: number;
    movedAt: number | undefined;
    carriedBy: string;
  }[] = [
    {
      name: "unanswered after the far end moved",
      sentAt: 20,
      answered: 0,
      movedAt: 10,
      carriedBy: "nothing",
    },
    { name: "answered after it moved", sentAt: 20, answered: 5, movedAt: 10, carriedBy: "old" },
    { name: "unanswered before it moved", sentAt: 5, answered: 0, movedAt: 10, carriedBy: "old" },
    {
      name: "unanswered while it has not moved",
      sentAt: 20,
      answered: 0,
      movedAt: undefined,
      carriedBy: "old",
    },
  ];
  it.each(probes)(
    "a probe $name shows that the port is carried by $carriedBy",
    ({ sentAt, answered, movedAt, carriedBy }) => {
      const probe = { begunAt: at(sentAt), at: at(sentAt), sent: 5, answered };
      const moved = movedAt === undefined ? undefined : ({ at: at(movedAt), to: "new" } as const);
      const snapshot = snapshotOf(stateOf(clearPort()), { probe });
      const seen = portFacts(snapshot, enrol, { ...quiet, moved });
      expect(seen?.carriedBy).toBe(carriedBy);
    },
  );

  it("an outage is brief, and lasting after the settle time", () => {
    const since = (ms: number | undefined) =>
      portFacts(snapshotOf(stateOf(clearPort())), enrol, {
        ...quiet,
        outageSince: ms === undefined ? undefined : at(ms),
        now: at(20_000),
      })?.outage;
    expect([since(undefined), since(19_999), since(2_000)]).toEqual(["none", "brief", "lasting"]);
  });

  it("a port counts as shut if it is shut or its state is not known", () => {
    const admin = (reading: MacsecPort["admin"]) =>
      portFacts(snapshotOf(stateOf(clearPort({ admin: reading }))), enrol, quiet)?.admin;
    expect(admin(known("up", now))).toBe("up");
    expect(admin(known("down", now))).toBe("down");
    expect(admin(unread)).toBe("down");
  });
});

describe("the port of a rotation", () => {
  const slot = (key: KeyRef, role: "primary" | "fallback" = "primary") => ({ ckn: key.ckn, role });
  const before = { ckn: oldKey.ckn, role: "primary" } as const;
  const byOld = known({ ...session, principalCkn: oldKey.ckn }, now);
  const cells: readonly (readonly [string, Partial<MacsecPort>, object])[] = [
    [
      "old alone",
      { keys: known([before], now), session: byOld },
      { keys: "old", carriedBy: "old" },
    ],
    [
      "both, old in charge",
      { keys: known([before, slot(keyOne, "fallback")], now), session: byOld },
      { keys: "both", carriedBy: "old" },
    ],
    [
      "both, new in charge and primary",
      { keys: known([{ ...before, role: "fallback" }, slot(keyOne)], now) },
      { keys: "both", carriedBy: "new" },
    ],
    ["new alone", { keys: known([slot(keyOne)], now) }, { keys: "new", carriedBy: "new" }],
    ["no key at all", { keys: known([], now) }, { keys: "else" }],
    ["a third key", { keys: known([before, slot(keyOne), foreign], now) }, { keys: "else" }],
    ["a foreign key beside old", { keys: known([before, foreign], now) }, { keys: "else" }],
  ];
  it.each(cells)("the facts of a port in a rotation: %s", (_name, over, facts) => {
    const snapshot = snapshotOf(stateOf(securedPort(over)));
    expect(portFacts(snapshot, rotate, quiet)).toMatchObject(facts);
  });
});

describe("the port of a change", () => {
  const to = { ...change.new.settings, keyServerPriority: 20 };
  const entry = { ...change, new: { key: keyOne, settings: to } };
  const cells: readonly (readonly [string, Partial<MacsecSettings>, object])[] = [
    ["as before", {}, { keys: "old", carriedBy: "old" }],
    ["as wanted", { keyServerPriority: 20 }, { keys: "new", carriedBy: "new" }],
    ["as the config does not want it", { keyServerPriority: 30 }, { keys: "else" }],
  ];

  it.each([
    ["another key", [foreign]],
    ["another key beside its own", [ours, foreign]],
    ["no key", []],
  ] as const)("a port of a change with %s does not have our key", (_name, keys) => {
    const snapshot = snapshotOf(stateOf(securedPort({ keys: known(keys, now) })));
    expect(portFacts(snapshot, entry, quiet)?.keys).toBe("else");
  });

  it.each([unread, known(undefined, now)])(
    "a port of a change with settings %j does not have our key",
    (seen) => {
      const snapshot = snapshotOf(stateOf(securedPort({ settings: seen })));
      expect(portFacts(snapshot, entry, quiet)?.keys).toBe("else");
    },
  );

  it("a port of a change that MKA does not secure is carried by nothing", () => {
    const port = securedPort({ session: known({ ...session, livePeers: 0 }, now) });
    expect(portFacts(snapshotOf(stateOf(port)), entry, quiet)?.carriedBy).toBe("nothing");
  });

  it("a port of a change carries without BGP while its ends are not known to differ", () => {
    const silent = { routing: known({ ...routing, sessions: [] }, now) };
    const snapshot = snapshotOf(stateOf(securedPort(), silent));
    expect(portFacts(snapshot, entry, quiet)?.carriedBy).toBe("old");
    const moved = { at: now, to: "old" } as const;
    expect(portFacts(snapshot, entry, { ...quiet, moved })?.carriedBy).toBe("old");
  });

  it.each(cells)("the facts of a port in a change: %s", (_name, over, facts) => {
    const seen = { ...change.new.settings, policy: "mustSecure", ...over } as const;
    const snapshot = snapshotOf(stateOf(securedPort({ settings: known(seen, now) })));
    expect(portFacts(snapshot, entry, quiet)).toMatchObject(facts);
  });
});

// MKA stays content while the two ends differ in the SCI: on the way back the router kept its new
// settings for ever.
describe("a change whose far end went back to the old settings", () => {
  const to = { ...change.new.settings, includeSci: !change.new.settings.includeSci };
  const entry = { ...change, new: { key: keyOne, settings: to } };
  const port = securedPort({ settings: known({ ...to, policy: "mustSecure" }, now) });
  const moved = { at: now, to: "old" } as const;
  const probe = { begunAt: now, at: now, sent: 25, answered: 0 };
  const bgpDown = { routing: known({ ...routing, sessions: [] }, now) };
  const cells: readonly (readonly [string, Parameters<typeof portFacts>[0], string])[] = [
    ["is carried by the new ones as far as MKA knows", snapshotOf(stateOf(port)), "new"],
    ["is dark once a probe is not answered", snapshotOf(stateOf(port), { probe }), "nothing"],
    ["is dark once BGP is down", snapshotOf(stateOf(port, bgpDown)), "nothing"],
  ];
  it.each(cells)("a change whose far end went back %s", (_name, snapshot, carriedBy) => {
    expect(portFacts(snapshot, entry, { ...quiet, moved })).toMatchObject({
      keys: "new",
      carriedBy,
    });
  });
});

describe("the far end", () => {
  const cells: readonly { name: string; peer: PeerState | undefined; time: number; far: string }[] =
    [
      { name: "that is off", peer: peerOff, time: 100, far: "old" },
      { name: "on the new ids", peer: peerOn(), time: 100, far: "new" },
      {
        name: "on another CAK",
        peer: peerOn({ ...keyOne, cakSecretId: "https://v/secrets/a/2" }),
        time: 100,
        far: "other",
      },
      {
        name: "on another CKN",
        peer: peerOn({ ...keyOne, cknSecretId: "https://v/secrets/b/2" }),
        time: 100,
        far: "other",
      },
      {
        name: "that is busy",
        peer: peerOn(keyOne, { provisioning: "updating" }),
        time: 100,
        far: "updating",
      },
      {
        name: "that failed",
        peer: peerOn(keyOne, { provisioning: "failed" }),
        time: 100,
        far: "failed",
      },
      { name: "that is off, within a grace,", peer: peerOff, time: 99, far: "updating" },
      {
        name: "that failed, within a grace,",
        peer: peerOn(keyOne, { provisioning: "failed" }),
        time: 99,
        far: "updating",
      },
      { name: "that cannot be read", peer: undefined, time: 100, far: "unknown" },
    ];
  it.each(cells)("the far end of an enrolment $name is $far", ({ peer, time, far }) => {
    expect(farEndOf(peer, enrol, at(time), at(100))).toBe(far);
  });
});

describe("the far end of a rotation and of a change", () => {
  const off = { ...change.new.settings, includeSci: !change.new.settings.includeSci };
  const sci = peerOn().sci === "on" ? ("off" as const) : ("on" as const);
  const both = { ...change, new: { key: keyOne, settings: off } };
  const cells: readonly { name: string; peer: PeerState; entry: CampaignLink; far: string }[] = [
    { name: "on the old key", peer: peerOn(oldKey), entry: rotate, far: "old" },
    { name: "on the new key", peer: peerOn(), entry: rotate, far: "new" },
    { name: "that is off", peer: peerOff, entry: rotate, far: "other" },
    { name: "set as before", peer: peerOn(), entry: both, far: "old" },
    { name: "set as wanted", peer: peerOn(keyOne, { sci }), entry: both, far: "new" },
    { name: "the same before and after", peer: peerOn(), entry: change, far: "either" },
    { name: "with another key", peer: peerOn(oldKey), entry: both, far: "other" },
    {
      name: "with another suite",
      peer: peerOn(keyOne, { suite: "gcm-aes-128" }),
      entry: both,
      far: "other",
    },
  ];
  it.each(cells)("the far end of a rotation or change $name is $far", ({ peer, entry, far }) => {
    expect(farEndOf(peer, entry, at(100), at(100))).toBe(far);
  });
});

describe("a sibling", () => {
  const protectedLink = snapshotOf(stateOf(securedPort()), { peer: peerOn() });
  const cells: readonly {
    name: string;
    snapshot: LinkSnapshot;
    bound: boolean;
    answer: Cause["code"] | undefined;
  }[] = [
    {
      name: "in the clear before its first key",
      snapshot: snapshotOf(stateOf(clearPort())),
      bound: false,
      answer: undefined,
    },
    { name: "protected under its key", snapshot: protectedLink, bound: true, answer: undefined },
    {
      name: "whose far end points elsewhere",
      snapshot: snapshotOf(stateOf(securedPort()), {
        peer: peerOn({ ...keyOne, cakSecretId: "https://v/x/2" }),
      }),
      bound: true,
      answer: "sibling.farEndMoved",
    },
    {
      name: "whose far end has MACsec off",
      snapshot: snapshotOf(stateOf(securedPort()), { peer: peerOff }),
      bound: true,
      answer: "sibling.farEndOff",
    },
    {
      name: "in the clear although it has a key",
      snapshot: snapshotOf(stateOf(clearPort())),
      bound: true,
      answer: "sibling.unsecured",
    },
    {
      name: "protected by a key of no campaign",
      snapshot: protectedLink,
      bound: false,
      answer: "sibling.foreignMacsec",
    },
    {
      name: "with policy should-secure",
      snapshot: snapshotOf(
        stateOf(securedPort({ settings: known({ ...settings, policy: "shouldSecure" }, now) })),
      ),
      bound: true,
      answer: "sibling.notMustSecure",
    },
    {
      name: "with its link down",
      snapshot: snapshotOf(stateOf(clearPort({ linkUp: known(false, now) }))),
      bound: false,
      answer: "sibling.linkDown",
    },
    {
      name: "with its link unknown",
      snapshot: snapshotOf(stateOf(clearPort({ linkUp: unread }))),
      bound: false,
      answer: "sibling.unread",
    },
    {
      name: "that is drained",
      snapshot: snapshotOf(stateOf(clearPort(), { routing: known(drainedRouting, now) })),
      bound: false,
      answer: "sibling.drained",
    },
    {
      name: "with BGP down",
      snapshot: snapshotOf(
        stateOf(clearPort(), { routing: known({ ...routing, sessions: [] }, now) }),
      ),
      bound: false,
      answer: "sibling.bgpDown",
    },
    {
      name: "with a commit pending",
      snapshot: snapshotOf(stateOf(clearPort(), {}, { commitPending: true })),
      bound: false,
      answer: "sibling.commitPending",
    },
    {
      name: "that cannot be read",
      snapshot: snapshotOf(undefined),
      bound: false,
      answer: "sibling.unread",
    },
    {
      name: "clear with unreadable keys",
      snapshot: snapshotOf(stateOf(clearPort({ keys: unread }))),
      bound: false,
      answer: "sibling.unread",
    },
    {
      name: "without its port",
      snapshot: snapshotOf(stateOf(clearPort({ port: "et-9" }))),
      bound: false,
      answer: "sibling.unread",
    },
    {
      name: "with an unreadable control plane",
      snapshot: snapshotOf(stateOf(clearPort(), { control: unread })),
      bound: false,
      answer: "sibling.unread",
    },
    {
      name: "clear with an unreadable far end",
      snapshot: snapshotOf(stateOf(clearPort()), { peer: undefined }),
      bound: false,
      answer: undefined,
    },
    {
      name: "clear with a far end that has a key",
      snapshot: snapshotOf(stateOf(clearPort()), { peer: peerOn() }),
      bound: false,
      answer: "sibling.farEndKeyed",
    },
    {
      name: "protected with unreadable settings",
      snapshot: snapshotOf(stateOf(securedPort({ settings: unread })), { peer: peerOn() }),
      bound: true,
      answer: "sibling.unread",
    },
    {
      name: "protected with an unreadable far end",
      snapshot: snapshotOf(stateOf(securedPort()), { peer: undefined }),
      bound: true,
      answer: undefined,
    },
  ];
  it.each(cells)("a sibling $name has the gap $answer", ({ snapshot, bound, answer }) => {
    expect(carryGap(snapshot, bound ? keyOne : undefined)?.code).toBe(answer);
  });

  it("a sibling carries beside a pending commit of the campaign itself", () => {
    const waiting = snapshotOf(stateOf(securedPort(), {}, { commitPending: true }), {
      peer: peerOn(),
    });
    expect(carryGap(waiting, keyOne, link.device)).toBeUndefined();
    expect(carryGap(waiting, keyOne, "edge-b")).toEqual({ code: "sibling.commitPending" });
  });
});

describe("a link view", () => {
  it("a port is secured by its principal key and by no other", () => {
    expect(securedBy(securedPort(), keyOne)).toBe(true);
    expect(securedBy(securedPort(), { ...keyOne, ckn: ckn("f") })).toBe(false);
  });

  it("a state counts as fresh for the time of staleAfter, and no longer", () => {
    const { health } = desired;
    const state = stateOf(clearPort());
    expect(fresh(state, health, at(health.staleAfterMs))).toBe(state);
    expect(fresh(state, health, at(health.staleAfterMs + 1))).toBeUndefined();
    expect(fresh(undefined, health, at(0))).toBeUndefined();
  });
});
