// For each claim about a router: the scene in which it holds, who says so, and how each fact of it
// can be otherwise.

import { deriveLinkHealth } from "#agent/health/health.ts";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import { isOpenTunnel, whyNot } from "#agent/health/tunnel-bundle.ts";
import { blockGaps, verify } from "#agent/health/verify.ts";
import type { CampaignLink } from "#agent/model/campaign.ts";
import type { ClaimName, claims } from "#agent/model/claims.ts";
import type { LinkHealth } from "#agent/model/health.ts";
import { fresh, type LinkSnapshot } from "#agent/model/link-snapshot.ts";
import {
  advanceProof,
  advanceQuiet,
  advanceSteady,
  drainedOf,
  proofOf,
  provenNew,
  type QuietRun,
  type Run,
  steadyGap,
  steadyOf,
} from "#agent/rotation/evidence.ts";
import { carryGap, farEndOf, portFacts } from "#agent/rotation/facts.ts";
import { isConfirmed } from "#agent/runtime/tunnels/tunnel-reached.ts";
import {
  type DeviceState,
  known,
  type MacsecFrames,
  type MacsecPort,
  type MacsecSettings,
  type MkaSession,
  type PortRate,
  parseCkn,
  type Reading,
  type Routing,
  strongValue,
} from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { otherKey } from "../../unit/agent/health-evidence.ts";
import { desired } from "../../unit/kit/snapshot-kit.ts";
import { lookEveryMs, type Scene, type Scenes } from "./scenes.ts";
import {
  nowOf,
  portOfScene,
  tunnelOfScene,
  withDevice,
  withNewest,
  withPort,
  withTunnel,
} from "./subtractions.ts";

/** The claims about what a router itself shows. */
export const routerClaims = [
  ...["must-secure", "link-protected", "received-encrypted", "sent-encrypted"],
  ...["link-drained", "link-carries", "carries-again", "key-proven"],
  ...["tunnel-up", "tunnel-carries", "tunnel-protected", "block-in-place"],
  ...["commit-confirmed", "key-removed"],
] as const satisfies readonly ClaimName[];

export type RouterClaim = (typeof routerClaims)[number];
type FactName<C extends ClaimName> = keyof (typeof claims)[C]["facts"] & string;

/** Makes one fact otherwise; undefined = the platform has no such state. */
type Negation = (scene: Scene) => Scene | undefined;

export interface Case<C extends RouterClaim> {
  readonly scene: keyof Scenes;
  /** What the product says of the scene at a moment. */
  readonly holds: (scene: Scene, now: Instant) => boolean;
  /** A platform whose link carries in this scene, and of which this cannot be said. */
  readonly isOpen?: (scene: Scene) => boolean;
  /** `reading`: each reading grows old alone; `look`: the look as a whole does. */
  readonly ages: "reading" | "look";
  readonly otherwise: { readonly [F in FactName<C>]: Negation };
}

const health = { pollMs: lookEveryMs, staleAfterMs: 30_000, evidenceMs: 2 * lookEveryMs };
const rotation = { ...desired.rotation, settleMs: 2 * lookEveryMs, proofFrames: 3 };
const instant = (ms: number): Instant => ms as Instant;

/** Says of each look whether a run goes on, as the rotation runner does. */
function followed<T>(
  scene: Scene,
  now: Instant,
  next: (run: T | undefined, snapshot: LinkSnapshot, at: Instant) => T,
): T | undefined {
  const { states, probes, link, peer } = scene;
  const laterMs = now - nowOf(scene);
  return states.reduce<T | undefined>((run, state, index) => {
    const at = instant(state.at + (index === states.length - 1 ? laterMs : 0));
    const probe = probes[index];
    return next(run, { link, peer, probe, state: fresh(state, health, at) }, at);
  }, undefined);
}

function snapshotOf(scene: Scene, now: Instant): LinkSnapshot {
  const { link, peer, states, probes } = scene;
  return { link, peer, probe: probes.at(-1), state: fresh(states.at(-1), health, now) };
}

function linkHealth({ states, link, key }: Scene, now: Instant): LinkHealth {
  const newest = states.at(-1);
  const routing = newest?.routing;
  const sessions = routing?.kind === "known" ? routing.value.sessions : [];
  const own = sessions.filter(({ port }) => port === link.port);
  return deriveLinkHealth({
    ...{ link, expected: key, settings: health, now },
    observations: states.flatMap(({ macsec }) => macsec.filter(({ port }) => port === link.port)),
    device: { lastObservedAt: newest?.at, failing: undefined },
    ...{ probe: undefined, peer: undefined, farEndAt: undefined },
    bgp: own.length === 0 ? undefined : own.every(({ up }) => up) ? "up" : "down",
  });
}

function tunnelVerdict(scene: Scene, now: Instant): string {
  const { states, tunnel } = scene;
  const newest = states.at(-1);
  return deriveTunnelHealth({
    ...{ tunnel, settings: health, now },
    ...{ routing: newest?.routing, ways: newest?.ways, blocked: newest?.blocked },
    observations: states.flatMap((state) => tunnelOfScene(scene, state) ?? []),
    device: { lastObservedAt: newest?.at, failing: undefined },
  }).verdict;
}

function entryOf({ link, key }: Scene): CampaignLink {
  const { name, device, port, settings } = link;
  const made = { created: 0 as CampaignLink["created"], generation: undefined };
  return {
    ...{ name, device, port, old: { key: otherKey, settings }, new: { key, settings } },
    ...{ ...made, overlap: "breakBeforeMake", outcome: undefined },
  };
}

function factsAt(scene: Scene, snapshot: LinkSnapshot, now: Instant) {
  const none = { moved: undefined, pending: "none", overlap: undefined } as const;
  return portFacts(snapshot, entryOf(scene), {
    ...{ ...none, outageSince: undefined, settleMs: rotation.settleMs, now },
  });
}

function isProven(scene: Scene, now: Instant): boolean {
  const wanted = provenNew(entryOf(scene));
  const run = followed<Run>(scene, now, (before, snapshot, at) =>
    advanceProof(before, snapshot, wanted, farEndOf(snapshot.peer, entryOf(scene), at, at), at),
  );
  return proofOf(run, snapshotOf(scene, now), rotation, now).kind === "held";
}

function carriesAgain(scene: Scene, now: Instant): boolean {
  const run = followed<Run>(scene, now, (before, snapshot, at) =>
    advanceSteady(before, steadyGap(snapshot, factsAt(scene, snapshot, at), instant(0)), at),
  );
  return run !== undefined && steadyOf(run, rotation.settleMs, now).kind === "held";
}

function isDrained(scene: Scene, now: Instant): boolean {
  const run = followed<QuietRun>(scene, now, (before, snapshot, at) =>
    advanceQuiet(before, snapshot, lookEveryMs, at),
  );
  return drainedOf(run, scene.states.length).kind === "held";
}

type Change<T> = (value: T, scene: Scene) => T | undefined;

function changed<T>(
  read: (scene: Scene, state: DeviceState) => Reading<T> | undefined,
  write: (scene: Scene, reading: Reading<T>) => Scene,
  change: Change<T>,
): Negation {
  return (scene) => {
    const state = scene.states.at(-1);
    const reading = state && read(scene, state);
    if (reading?.kind !== "known") return undefined;
    const value = change(reading.value, scene);
    return value === undefined ? undefined : write(scene, known(value, reading.at));
  };
}

type Values<T> = { [K in keyof T]-?: NonNullable<T[K]> extends Reading<infer V> ? V : never };

const port = <K extends keyof Values<MacsecPort>>(
  name: K,
  change: Change<Values<MacsecPort>[K]>,
): Negation =>
  changed<Values<MacsecPort>[K]>(
    (scene, state) =>
      (portOfScene(scene, state) as unknown as Record<K, Reading<Values<MacsecPort>[K]>>)?.[name],
    (scene, reading) => withPort(scene, { [name]: reading }),
    change,
  );

const settings = (bent: Partial<MacsecSettings>): Negation =>
  port("settings", (value) => value && { ...value, ...bent });
const session = (bent: Partial<MkaSession>): Negation =>
  port("session", (value) => ({ ...value, ...bent }));

/** Frames as they were in the first look, so that none moved. */
const stopped: Negation = (scene) => {
  const first = scene.states[0] && portOfScene(scene, scene.states[0])?.frames;
  const value = strongValue(first);
  if (value === undefined) return undefined;
  const bend = (one: MacsecPort): MacsecPort =>
    one.port === scene.link.port ? { ...one, frames: known(value, one.frames.at) } : one;
  const states = scene.states.map((state) => ({ ...state, macsec: state.macsec.map(bend) }));
  return { ...scene, states };
};

const routing = (change: Change<Routing>): Negation =>
  changed<Routing>(
    (_scene, state) => state.routing,
    (scene, reading) => withDevice(scene, { routing: reading }),
    change,
  );

const bgpDown = routing((value, { link }) => ({
  ...value,
  sessions: value.sessions.map((one) => (one.port === link.port ? { ...one, up: false } : one)),
}));
const drained = routing((value, { link }) => ({
  ...value,
  drains: [{ port: link.port, means: "prepend" }],
}));
const undrained = routing((value, { link }) => ({
  ...value,
  drains: value.drains.filter((one) => one.port !== link.port),
}));
const best = routing((value, { link }) => {
  const via = { kind: "port", port: link.port } as const;
  return { ...value, routes: [...value.routes, { prefix: "203.0.113.0/24", via, best: true }] };
});
/** A route past the tunnel, in both tables of a device that has two. */
const past: Negation = (scene) => {
  const [prefix = ""] = scene.tunnel.remotePrefixes;
  const route = { prefix, via: { kind: "port", port: scene.link.port }, best: true } as const;
  return withNewest(scene, (state) => {
    const { ways, routing: bgp, at } = state;
    if (ways?.kind === "known") return { ...state, ways: known([route], at) };
    return bgp.kind === "known"
      ? { ...state, routing: known({ ...bgp.value, routes: [route] }, at) }
      : state;
  });
};
const advertised = routing((value, { link, tunnel }) => {
  const [prefix = ""] = tunnel.localPrefixes;
  return { ...value, advertised: [{ port: link.port, peer: "192.0.2.2", prefix }] };
});

const rate = (bent: Partial<PortRate>): Negation =>
  port("rate", (value) => ({ ...value, ...bent }));

const otherCkn = parseCkn("ab".repeat(32));
const closed = port("failOpen", () => ["validateNotStrict"]);
const mustSecure = { policy: settings({ policy: "shouldSecure" }), closed } as const;
/** A silent peer is no clear text: the verdict says that the port is must-secure, and no more. */
const silentPeer = (scene: Scene): Scene => session({ respondedPeers: 0 })(scene) ?? scene;
const sakOneWay = port("session", ({ latestSak, ...value }) => ({
  ...value,
  latestSak: latestSak && { ...latestSak, receive: false },
  oldSak: undefined,
}));
const otherSuite = port("liveSuite", (suite) =>
  suite === "gcm-aes-128" ? "gcm-aes-256" : "gcm-aes-128",
);
const clearFrames = port("frames", (value) =>
  value.rxClear === undefined ? undefined : { ...value, rxClear: value.rxClear + 1_000n },
);
const readable = port("frames", (value, scene) => {
  const before = scene.states[0] && portOfScene(scene, scene.states[0])?.frames;
  const first = strongValue(before);
  if (value.rxOctetsValidated === undefined || first === undefined) return undefined;
  const validated = value.rxOctetsValidated + 1_000_000n;
  return {
    ...value,
    rxOctetsValidated: validated,
    rxOctetsDecrypted: first.rxOctetsDecrypted,
  };
});
const oneLooked: Negation = (scene) => ({ ...scene, peer: { ...scene.peer, pointsAt: undefined } });

const unanswered: Negation = ({ probes, ...scene }) => {
  const last = probes.at(-1);
  return last && { ...scene, probes: [...probes.slice(0, -1), { ...last, answered: 0 }] };
};

const ikeDown: Negation = (scene) => withTunnel(scene, { ike: known("connecting", nowOf(scene)) });
const noInbound = changed<readonly { readonly direction: "in" | "out" }[]>(
  (scene, state) => tunnelOfScene(scene, state)?.sas,
  (scene, reading) => withTunnel(scene, { sas: reading }),
  (sas) => sas.filter(({ direction }) => direction === "out"),
);
const otherTransforms = changed<readonly { readonly transforms: object }[]>(
  (scene, state) => tunnelOfScene(scene, state)?.sas,
  (scene, reading) => withTunnel(scene, { sas: reading }),
  (sas) => sas.map((sa) => ({ ...sa, transforms: { ...sa.transforms, encryption: "null" } })),
);
/** The inbound SA counts what it counted at first, and the outbound one goes on. */
const oneWay: Negation = (scene) => {
  const [oldest] = scene.states;
  const before = oldest && strongValue(tunnelOfScene(scene, oldest)?.sas);
  const newest = scene.states.at(-1);
  const sas = newest && strongValue(tunnelOfScene(scene, newest)?.sas);
  if (before === undefined || sas === undefined) return undefined;
  const bent = sas.map((sa) => {
    const first = before.find(({ spi }) => spi === sa.spi)?.packets ?? 0n;
    return { ...sa, packets: sa.direction === "in" ? first : first + 1_000n };
  });
  return withTunnel(scene, { sas: known(bent, nowOf(scene)) });
};
const silent: Negation = (scene) =>
  withNewest(scene, (state) => ({
    ...state,
    ipsec: state.ipsec.map((one) => ({ ...one, isSilent: true })),
  }));
const tunnelDrained = routing((value, { tunnel }) => ({
  ...value,
  drains: [{ port: tunnel.name, means: "prepend" }],
}));
const unblocked: Negation = (scene) => {
  const isThere = scene.states.at(-1)?.blocked !== undefined;
  return isThere ? withDevice(scene, { blocked: known([], nowOf(scene)) }) : undefined;
};

/** Asks of the newest look, which is none once it is old. */
const onFresh =
  (says: (scene: Scene, state: DeviceState) => boolean): Case<RouterClaim>["holds"] =>
  (scene, now) => {
    const state = fresh(scene.states.at(-1), health, now);
    return state !== undefined && says(scene, state);
  };

type ControlValue = DeviceState["control"] extends Reading<infer V> ? V : never;
const waiting = changed<ControlValue>(
  (_scene, state) => state.control,
  (scene, reading) => withDevice(scene, { control: reading }),
  (value) => ({ ...value, commitPending: true }),
);

/** One case for each claim: a claim without one does not compile. */
export const cases: { readonly [C in RouterClaim]: Case<C> } = {
  "must-secure": {
    scene: "protected",
    // A link that is degraded says no more than this.
    holds: (scene, now) => linkHealth(silentPeer(scene), now).verdict === "degraded",
    ages: "reading",
    otherwise: mustSecure,
  },
  "link-protected": {
    scene: "protected",
    holds: (scene, now) => linkHealth(scene, now).verdict === "protected",
    isOpen: (scene) => framesOf(scene)?.rxClear !== undefined,
    ages: "reading",
    otherwise: {
      ...mustSecure,
      secured: session({ controlledPort: "blocked" }),
      key: session({ principalCkn: otherCkn }),
      sak: sakOneWay,
      agreed: port("keyAgreement", () => "oneWay"),
      suite: otherSuite,
      clear: clearFrames,
      readable,
      moves: stopped,
    },
  },
  "received-encrypted": {
    scene: "protected",
    holds: (scene, now) => linkHealth(scene, now).received === "encrypted",
    isOpen: (scene) => framesOf(scene)?.rxOctetsDecrypted !== undefined,
    ages: "reading",
    otherwise: { whole: settings({ confidentialityOffset: 30 }), decrypted: readable },
  },
  "sent-encrypted": {
    scene: "protected",
    holds: (scene, now) => linkHealth(scene, now).sent === "encrypted",
    ages: "reading",
    otherwise: {
      ...mustSecure,
      whole: settings({ confidentialityOffset: 30 }),
      suite: port("liveSuite", () => undefined),
      sent: stopped,
    },
  },
  "link-drained": {
    scene: "drained",
    holds: isDrained,
    ages: "look",
    otherwise: { inForce: undrained, bypassed: best, quiet: rate({ txPps: 200 }) },
  },
  "link-carries": {
    scene: "protected",
    holds: (scene, now) => carryGap(snapshotOf(scene, now), scene.key) === undefined,
    ages: "look",
    otherwise: {
      lit: port("linkUp", () => false),
      undrained: drained,
      routed: bgpDown,
      settled: waiting,
      secured: session({ controlledPort: "blocked" }),
      policy: settings({ policy: "shouldSecure" }),
      // Which keys a port has may be anything, as long as it was read.
      keys: () => undefined,
      far: oneLooked,
    },
  },
  "carries-again": {
    scene: "protected",
    holds: carriesAgain,
    ages: "look",
    otherwise: {
      undrained: drained,
      secured: session({ controlledPort: "blocked" }),
      routed: bgpDown,
      answered: unanswered,
    },
  },
  "key-proven": {
    scene: "protected",
    holds: isProven,
    ages: "look",
    otherwise: {
      secured: session({ controlledPort: "blocked" }),
      key: session({ principalCkn: otherCkn }),
      peer: session({ respondedPeers: 0 }),
      sak: sakOneWay,
      suite: otherSuite,
      policy: settings({ policy: "shouldSecure" }),
      // Only a change of settings that keeps the key proves them.
      settings: () => undefined,
      frames: stopped,
      far: oneLooked,
    },
  },
  "tunnel-up": {
    scene: "tunnel",
    holds: onFresh(({ tunnel }, state) => isOpenTunnel(tunnel.name, state)),
    ages: "look",
    otherwise: { ike: ikeDown, sas: noInbound },
  },
  "commit-confirmed": {
    scene: "tunnel",
    holds: onFresh(({ tunnel }, state) => isConfirmed(tunnel.name, state)),
    ages: "look",
    otherwise: {
      shown: (scene) => withNewest(scene, (state) => ({ ...state, ipsec: [] })),
      ended: waiting,
    },
  },
  "key-removed": {
    scene: "protected",
    holds: onFresh(({ link }, state) => {
      const removal = { kind: "macsec.removeKey", port: link.port, ckn: otherKey.ckn } as const;
      return verify([removal], state).length === 0;
    }),
    ages: "look",
    otherwise: {
      absent: port("keys", (slots) => [...slots, { ckn: otherKey.ckn, role: "fallback" }]),
    },
  },
  "tunnel-carries": {
    scene: "tunnel",
    holds: onFresh(({ tunnel }, state) => whyNot(tunnel, state) === undefined),
    ages: "look",
    otherwise: {
      ike: ikeDown,
      sas: noInbound,
      answers: silent,
      routed: routing((value) => ({ ...value, tunnelSessions: [] })),
      undrained: tunnelDrained,
    },
  },
  "tunnel-protected": {
    scene: "tunnel",
    holds: (scene, now) => tunnelVerdict(scene, now) === "protected",
    ages: "reading",
    otherwise: {
      ike: ikeDown,
      sas: noInbound,
      transforms: otherTransforms,
      moves: oneWay,
      outward: past,
      inward: advertised,
      blocked: unblocked,
    },
  },
  "block-in-place": {
    scene: "tunnel",
    holds: onFresh(({ tunnel }, state) => blockGaps(state, tunnel.remotePrefixes).length === 0),
    isOpen: ({ states }) => states.at(-1)?.blocked !== undefined,
    ages: "look",
    otherwise: { listed: unblocked },
  },
};

export function framesOf(scene: Scene): MacsecFrames | undefined {
  const newest = scene.states.at(-1);
  return newest && strongValue(portOfScene(scene, newest)?.frames);
}
