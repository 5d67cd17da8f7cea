// The preconditions of a campaign: what holds back a disruptive effect.

import { describe, expect, it } from "vitest";
import type { DesiredLink } from "#agent/model/desired.ts";
import { isoTime } from "#agent/model/iso-time.ts";
import type { Cause, WindowCause } from "#agent/model/reason.ts";
import { type PreconditionInput, unmetPrecondition } from "#agent/rotation/preconditions.ts";
import type { Sibling } from "#agent/rotation/sibling.ts";
import { type Aggregate, type BgpSession, known, type MacsecPort, unknown } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { keyOne, keyTwo } from "../../kit/campaign-kit.ts";
import { followRight, writeRight } from "../../kit/rights-kit.ts";
import {
  at,
  clearPort,
  link,
  peerOn,
  routing,
  securedPort,
  settings,
  snapshotOf,
  stateOf,
  wall,
} from "../../kit/snapshot-kit.ts";

const now = at(0);
const keyed = snapshotOf(stateOf(securedPort()));
const unread = unknown("queryFailed", now);
const foreign = snapshotOf(stateOf(clearPort()), { peer: peerOn(keyTwo) });

describe("the preconditions", () => {
  const sibling: Sibling = {
    name: "secondary",
    standing: "carrying",
    cause: undefined,
    snapshot: snapshotOf(stateOf(clearPort())),
  };
  const pair = [keyOne, keyTwo].map(({ ckn }, index) => {
    return { ckn, role: index === 0 ? ("primary" as const) : ("scheduled" as const) };
  });
  const holding = (keys: MacsecPort["keys"]): Sibling => ({
    ...sibling,
    snapshot: snapshotOf(stateOf(securedPort({ keys }))),
  });
  const twoKeys = holding(known(pair, now));
  const open: PreconditionInput = {
    snapshot: snapshotOf(stateOf(clearPort())),
    far: "old",
    accepted: undefined,
    siblings: [sibling],
    phase: "beforeDrain",
    fate: "apart",
    withheld: undefined,
    managementPath: "elsewhere",
    acceptsUnknownPath: false,
    hostWall: wall,
    windows: undefined,
  };
  const rights = { missing: [writeRight, followRight], unknown: [] };
  const lacking = { ...open.snapshot, rights };
  const rightsMissing = { code: "gate.rightsMissing", ...writeRight, others: 1 } as const;
  const unreadScope = { scope: followRight.scope, why: "no", next: "give" };
  const busy = { rxPps: 1, txPps: 1, rxBps: 5e10, txBps: 5e10, lineBps: 1e11 };
  const bgpDown = snapshotOf(
    stateOf(clearPort(), { routing: known({ ...routing, sessions: [] }, now) }),
  );

  const day = 86_400_000;
  const frozen = {
    windows: [],
    freezes: [{ text: "today", from: (wall - 1) as WallTime, until: (wall + day) as WallTime }],
    neededMs: 0,
  };
  // It is noon in UTC: one hour of the window is left.
  const noon = new Date(wall);
  const minute = noon.getUTCHours() * 60 + noon.getUTCMinutes();
  const closing = {
    windows: [
      {
        text: "daily",
        days: [0, 1, 2, 3, 4, 5, 6],
        fromMinute: minute - 60,
        toMinute: minute + 60,
        timeZone: "UTC",
      },
    ],
    freezes: [],
  };

  const always = { windows: [], freezes: [], neededMs: 0 };
  const bakes = { code: "window.bakes", sibling: "secondary", until: "noon" } as const;
  const isFrozen: WindowCause = {
    ...{ code: "window.frozen", until: isoTime((wall + day) as WallTime), freeze: "today" },
  };
  const tooShort: WindowCause = { code: "window.short", minutes: 60 };

  interface Found {
    readonly vrf?: string;
    readonly aggregate?: Aggregate;
    readonly sessions?: readonly BgpSession[];
  }
  const inAzure = { ...link, vrf: "azure" };
  /** A link whose session and port are there. */
  const placedIn = ({ vrf, aggregate, sessions }: Found) => {
    const [session] = routing.sessions;
    if (session === undefined) throw new RangeError("no session");
    const all = sessions ?? [vrf === undefined ? session : { ...session, vrf }];
    const port = clearPort(aggregate === undefined ? {} : { aggregate: known(aggregate, now) });
    return snapshotOf(stateOf(port, { routing: known({ ...routing, sessions: all }, now) }));
  };
  const lag = (...others: readonly string[]): Aggregate => {
    return { name: "ae7", members: [link.port, ...others] };
  };
  const drifted = (leaf: string, observed: string, wanted: string): Cause => {
    return { code: "port.drifted", leaf, observed, wanted };
  };
  const placed: readonly {
    readonly what: string;
    readonly wanted: Partial<DesiredLink>;
    readonly found: Found;
    readonly unmet: Cause | undefined;
  }[] = [
    { what: "any VRF if none is wanted", wanted: {}, found: { vrf: "corp" }, unmet: undefined },
    { what: "the wanted VRF", wanted: inAzure, found: { vrf: "azure" }, unmet: undefined },
    {
      what: "another VRF",
      ...{ wanted: inAzure, found: { vrf: "corp" }, unmet: drifted("vrf", "corp", "azure") },
    },
    {
      what: "no VRF where one is wanted",
      ...{ wanted: inAzure, found: {}, unmet: drifted("vrf", "default", "azure") },
    },
    {
      what: "a VRF where the default one is wanted",
      ...{ wanted: { vrf: "default" }, found: { vrf: "azure" } },
      unmet: drifted("vrf", "azure", "default"),
    },
    {
      what: "no session in the wanted VRF or another",
      ...{ wanted: inAzure, found: { sessions: [] }, unmet: { code: "bgp.down" } },
    },
    {
      what: "an aggregate with one member",
      ...{ wanted: {}, found: { aggregate: lag() }, unmet: undefined },
    },
    {
      what: "the wanted aggregate",
      ...{ wanted: { aggregate: "ae7" }, found: { aggregate: lag() }, unmet: undefined },
    },
    {
      what: "another aggregate",
      ...{ wanted: { aggregate: "ae1" }, found: { aggregate: lag() } },
      unmet: drifted("aggregate", "ae7", "ae1"),
    },
    {
      what: "no aggregate where one is wanted",
      ...{ wanted: { aggregate: "ae1" }, found: {}, unmet: drifted("aggregate", "none", "ae1") },
    },
    {
      // Its addresses and BGP belong to both members.
      what: "an aggregate with two members",
      ...{ wanted: { aggregate: "ae7" }, found: { aggregate: lag("et-0/0/9"), sessions: [] } },
      unmet: { code: "port.aggregated", aggregate: "ae7", members: 2 },
    },
  ];

  it("every precondition is met on a calm day", () => {
    expect(unmetPrecondition(open)).toBeUndefined();
  });

  const cells: readonly (readonly [string, Partial<PreconditionInput>, Cause | undefined])[] = [
    ["no sibling", { siblings: [] }, { code: "group.noSibling" }],
    [
      "a sibling that is lost",
      { siblings: [{ ...sibling, standing: "lost", cause: { code: "sibling.drained" } }] },
      {
        ...{ code: "gate.siblingUnhealthy", sibling: "secondary" },
        cause: { code: "sibling.drained" },
      },
    ],
    [
      "an unreadable router",
      { snapshot: snapshotOf(undefined) },
      { code: "gate.stale", cause: { code: "router.unread" } },
    ],
    ["BGP down before the drain", { snapshot: bgpDown }, { code: "bgp.down" }],
    ...placed.map(({ what, wanted, found, unmet }) => {
      const snapshot = { ...placedIn(found), link: { ...link, ...wanted } };
      return [what, { snapshot }, unmet] as const;
    }),
    [
      "another VRF once begun",
      { snapshot: { ...placedIn({ vrf: "corp" }), link: inAzure }, phase: "begun" },
      undefined,
    ],
    ["settings as accepted", { snapshot: keyed, accepted: settings }, undefined],
    [
      "an SCI that was not accepted",
      { snapshot: keyed, accepted: { ...settings, includeSci: false } },
      { code: "port.drifted", leaf: "includeSci", observed: "true", wanted: "false" },
    ],
    [
      "another replay window",
      { snapshot: keyed, accepted: { ...settings, replayWindow: 7 } },
      undefined,
    ],
    [
      "another SCI once begun",
      { snapshot: keyed, accepted: { ...settings, includeSci: false }, phase: "begun" },
      undefined,
    ],
    ["BGP down once begun", { snapshot: bgpDown, phase: "begun" }, undefined],
    [
      "a commit pending",
      { snapshot: snapshotOf(stateOf(clearPort(), {}, { commitPending: true })) },
      { code: "router.commitPending" },
    ],
    ["a right that is missing", { snapshot: lacking }, rightsMissing],
    [
      "a missing right to read, and so no far end",
      { snapshot: lacking, far: "unknown" },
      rightsMissing,
    ],
    ["a missing right once begun", { snapshot: lacking, phase: "begun" }, undefined],
    ["a missing right on the way back", { snapshot: lacking, phase: "goingBack" }, undefined],
    ["a missing right, old key wanted", { snapshot: lacking, phase: "bringingBack" }, undefined],
    [
      "rights that are not known",
      { snapshot: { ...open.snapshot, rights: { missing: [], unknown: [unreadScope] } } },
      undefined,
    ],
    ["a far end that updates", { far: "updating" }, { code: "farEnd.unsettled" }],
    ["a far end that failed", { far: "failed" }, { code: "farEnd.failed" }],
    [
      "a far end that is unreadable",
      { far: "unknown" },
      { code: "gate.stale", cause: { code: "farEnd.unread" } },
    ],
    [
      "clocks five minutes apart",
      { hostWall: (wall + 300_001) as WallTime },
      { code: "clocks.apart" },
    ],
    ["clocks a little apart", { hostWall: (wall - 299_999) as WallTime }, undefined],
    [
      "our own path over this link",
      { managementPath: "overThisLink" },
      { code: "gate.ownPath", path: "overThisLink" },
    ],
    [
      "the management path over this link, whatever was accepted",
      { managementPath: "overThisLink", acceptsUnknownPath: true },
      { code: "gate.ownPath", path: "overThisLink" },
    ],
    [
      "no such port, and settings to keep",
      { snapshot: snapshotOf(stateOf(securedPort({ port: "et-9" }))), accepted: settings },
      { code: "gate.stale", cause: { code: "rates.unread" } },
    ],
    [
      "a sibling on the agent's host, and a risk that is not accepted",
      { fate: "shared" },
      { code: "gate.riskNotAccepted", risk: "agentOnSibling" },
    ],
    ["an unknown path", { managementPath: "unknown" }, { code: "gate.ownPath", path: "unknown" }],
    [
      "an unknown path, accepted",
      { managementPath: "unknown", acceptsUnknownPath: true },
      undefined,
    ],
    [
      "no head-room",
      {
        siblings: [
          {
            ...sibling,
            snapshot: snapshotOf(
              stateOf(clearPort({ rate: known({ ...busy, rxBps: 8e10 }, now) })),
            ),
          },
        ],
      },
      { code: "sibling.noRoom", sibling: "secondary" },
    ],
    [
      "a sibling with a key too many",
      { siblings: [twoKeys] },
      { code: "gate.leftoverKey", sibling: "secondary", keys: 2 },
    ],
    [
      "a sibling with its own key alone",
      { siblings: [holding(known(pair.slice(1), now))] },
      undefined,
    ],
    [
      "a sibling with unreadable keys",
      { siblings: [holding(unknown("queryFailed", now))] },
      undefined,
    ],
    [
      "a sibling with a key too many, once begun",
      { siblings: [twoKeys], phase: "begun" },
      undefined,
    ],
    [
      "a sibling with a key too many, where the way back brings one more",
      { siblings: [twoKeys], phase: "bringingBack" },
      { code: "gate.leftoverKey", sibling: "secondary", keys: 2 },
    ],
    [
      "a failed far end, where the way back brings a key",
      { far: "failed", phase: "bringingBack" },
      undefined,
    ],
    ["a foreign far end", { far: "other", snapshot: foreign }, { code: "farEnd.foreign" }],
    ["a far end with MACsec off", { far: "other" }, { code: "farEnd.off" }],
    ["a failed far end on the way back", { far: "failed", phase: "goingBack" }, undefined],
    [
      "a far end that updates on the way back",
      { far: "updating", phase: "goingBack" },
      { code: "farEnd.unsettled" },
    ],
    [
      "an unreadable control plane",
      { snapshot: snapshotOf(stateOf(clearPort(), { control: unread })) },
      { code: "gate.stale", cause: { code: "router.unread" } },
    ],
    ["clocks exactly five minutes apart", { hostWall: (wall + 300_000) as WallTime }, undefined],
    [
      "another suite",
      { snapshot: keyed, accepted: { ...settings, suite: "gcm-aes-128" } },
      { code: "port.drifted", leaf: "suite", observed: "gcm-aes-xpn-256", wanted: "gcm-aes-128" },
    ],
    [
      "another policy",
      {
        snapshot: snapshotOf(
          stateOf(securedPort({ settings: known({ ...settings, policy: "shouldSecure" }, now) })),
        ),
        accepted: settings,
      },
      { code: "port.drifted", leaf: "policy", observed: "shouldSecure", wanted: "mustSecure" },
    ],
    [
      "unreadable settings",
      { snapshot: snapshotOf(stateOf(securedPort({ settings: unread }))), accepted: settings },
      undefined,
    ],
    ["a window without an end", { windows: { windows: [], freezes: [], neededMs: 9 } }, undefined],
    [
      "exactly the room that must be",
      {
        siblings: [
          {
            ...sibling,
            snapshot: snapshotOf(
              stateOf(clearPort({ rate: known({ ...busy, rxBps: 8e10 - 4e6 }, now) })),
            ),
          },
        ],
      },
      undefined,
    ],
    [
      "an unreadable rate of the sibling",
      { siblings: [{ ...sibling, snapshot: snapshotOf(stateOf(clearPort({ rate: unread }))) }] },
      { code: "gate.stale", cause: { code: "rates.unread" } },
    ],
    [
      "no such port at the sibling",
      { siblings: [{ ...sibling, snapshot: snapshotOf(stateOf(clearPort({ port: "et-9" }))) }] },
      { code: "gate.stale", cause: { code: "rates.unread" } },
    ],
    ["a freeze", { windows: { ...frozen, neededMs: 0 } }, { code: "gate.window", cause: isFrozen }],
    [
      "a sibling that was changed lately",
      { windows: { ...always, bakes } },
      { code: "gate.window", cause: bakes },
    ],
    ["such a sibling, once begun", { windows: { ...always, bakes }, phase: "begun" }, undefined],
    [
      "such a sibling, outside the windows",
      { windows: { ...frozen, neededMs: 0, bakes } },
      { code: "gate.window", cause: isFrozen },
    ],
    ["a freeze on the way back", { windows: frozen, phase: "goingBack" }, undefined],
    ["a window with time left", { windows: { ...closing, neededMs: 3_600_000 } }, undefined],
    [
      "a window that ends too soon",
      { windows: { ...closing, neededMs: 3_600_001 } },
      { code: "gate.window", cause: tooShort },
    ],
    [
      "an unreadable rate",
      { snapshot: snapshotOf(stateOf(clearPort({ rate: unread }))) },
      { code: "gate.stale", cause: { code: "rates.unread" } },
    ],
  ];
  it.each(cells)("whether the preconditions are met with %s", (_name, over, answer) => {
    expect(unmetPrecondition({ ...open, ...over })).toEqual(answer);
  });
});
