// For each claim about the agent's own records: evidence on which it holds, who says so, and how
// each fact of it can be missing, old, otherwise or nonsense.

import { reportOf } from "#agent/evidence/report/document.ts";
import { isOn, judge as judgeFields } from "#agent/evidence/scorecard/fields.ts";
import { backupGap } from "#agent/health/backup.ts";
import { isGone, type Places, whereabouts } from "#agent/health/compromised.ts";
import { advanceTrips, deliveryOf, type RoundTrip } from "#agent/health/delivery.ts";
import { advance, noWarnings, raise, type Tracker } from "#agent/health/warnings.ts";
import type { ClaimName, claims } from "#agent/model/claims.ts";
import { linkId } from "#agent/model/desired.ts";
import type { ProofLog, RoundTrips } from "#agent/model/health.ts";
import { emptyMemory, type JournalRecord, remember } from "#agent/store/journal/memory.ts";
import type { PeerState } from "#hal/device.ts";
import { known, type MacsecPort, unknown } from "#hal/model.ts";
import { type WallTime, wallAfter } from "#hal/world.ts";
import { AuditBench, observed } from "../../unit/kit/audit-kit.ts";
import { keyOne, keyTwo } from "../../unit/kit/campaign-kit.ts";
import { wallStart } from "../../unit/kit/site-bench.ts";
import {
  at,
  desired,
  link,
  peerOn,
  securedPort,
  session,
  snapshotOf,
  stateOf,
  wall,
} from "../../unit/kit/snapshot-kit.ts";

/** How a fact can be taken away. */
export const forms = ["missing", "old", "otherwise", "nonsense"] as const;
/** Bends the evidence so; a text says why it has no such form. */
type Bend<E> = ((evidence: E) => E) | string;
type FactName<C extends ClaimName> = keyof (typeof claims)[C]["facts"] & string;

export interface RecordCase<C extends ClaimName, E> {
  readonly evidence: E;
  readonly holds: (evidence: E) => boolean | Promise<boolean>;
  readonly facts: {
    readonly [F in FactName<C>]: Readonly<Record<(typeof forms)[number], Bend<E>>>;
  };
}

/** A case of any evidence, as the runner sees it. */
export interface AnyCase {
  readonly evidence: unknown;
  readonly holds: (evidence: unknown) => boolean | Promise<boolean>;
  readonly facts: Readonly<Record<string, Readonly<Record<(typeof forms)[number], Bend<unknown>>>>>;
}

export function caseOf<C extends ClaimName, E>(_claim: C, one: RecordCase<C, E>): AnyCase {
  return one as unknown as AnyCase;
}

const newest = 600_000;

interface Tried {
  readonly trips: readonly RoundTrip[];
}

const trip = (ms: number, over: Partial<RoundTrip> = {}): RoundTrip => ({
  ...{ under: "now", at: at(ms), wall, sent: 1, answered: 1, isOpen: true },
  ...over,
});
const then =
  (...trips: readonly RoundTrip[]) =>
  ({ trips: before }: Tried): Tried => ({
    trips: [...before, ...trips],
  });
const silent = { answered: 0 };

const delivered = caseOf<"delivered", Tried>("delivered", {
  evidence: { trips: [trip(newest - 20_000), trip(newest - 10_000)] },
  holds: ({ trips }) => {
    const all = trips.reduce<RoundTrips | undefined>(advanceTrips, undefined);
    return deliveryOf(all, at(newest), { evidenceMs: 90_000 }).kind === "proven";
  },
  facts: {
    answered: {
      missing: () => ({ trips: [] }),
      old: ({ trips }) => ({ trips: trips.map((one) => ({ ...one, at: at(one.at - 300_000) })) }),
      otherwise: then(trip(newest - 2_000, silent), trip(newest - 1_000, silent)),
      nonsense: then(trip(newest - 1_000, { ...silent, under: "other settings" })),
    },
  },
});

const proveMs = 60_000;

const backupReady = caseOf<"backup-ready", ProofLog | undefined>("backup-ready", {
  evidence: {
    ...{ since: at(0), proven: { at: at(newest - proveMs), wall }, failures: 0, cause: undefined },
  },
  holds: (log) => backupGap(log, proveMs, at(newest)) === undefined,
  facts: {
    proven: {
      missing: (log) => log && { ...log, since: at(newest - 1_000), proven: undefined },
      old: (log) => log && { ...log, proven: { at: at(newest - 4 * proveMs), wall } },
      otherwise: (log) => log && { ...log, failures: 2, cause: "no answer" },
      nonsense: () => undefined,
    },
  },
});

/** What was read of a link whose key was declared compromised, and replaced. */
interface Replaced {
  readonly port: Partial<MacsecPort>;
  readonly records: readonly JournalRecord[];
  readonly peer: PeerState | undefined;
  readonly peerAt: number | undefined;
  readonly failure: boolean;
}

const declared = wallAfter(wall, newest - 60_000);
const commit = { token: "t-1", since: wall, moves: [] };
const unsaved = { kind: "unsaved", device: link.device, commit } as const;
const saved = { kind: "saved", device: link.device, token: commit.token } as const;
const replaced: Replaced = {
  ...{ port: {}, peer: peerOn(keyTwo), peerAt: newest - 5_000, failure: false },
  records: [unsaved, saved],
};
const soon = at(newest - 1_000);
const withKeys =
  (over: Partial<MacsecPort>) =>
  (one: Replaced): Replaced => ({
    ...one,
    port: { ...one.port, ...over },
  });
const silence = {
  code: "transport.unreachable",
  text: "it is silent",
  next: "doctor",
  since: soon,
};

function whereOf({ port, records, peer, peerAt, failure }: Replaced) {
  const slots = known([{ ckn: keyTwo.ckn, role: "primary" as const }], soon);
  const seen = { keys: slots, session: known({ ...session, principalCkn: keyTwo.ckn }, soon) };
  const state = stateOf(securedPort({ ...seen, ...port }));
  const places: Places = {
    desired: { ...desired, groups: desired.groups.map((one) => ({ ...one, links: [link] })) },
    memory: records.reduce(remember, emptyMemory),
    observed: {
      snapshot: () => snapshotOf(state, { peer }),
      failure: () => (failure ? silence : undefined),
      peerFailure: () => undefined,
      peer: () => (peerAt === undefined ? undefined : { at: at(peerAt) }),
    },
    now: at(newest),
    wall: wallAfter(wall, newest),
  };
  const { ckn, cakSecretId } = keyOne;
  const key = { ckn, cakSecretId, link: linkId(link), since: declared, by: "test" };
  return whereabouts(key, places);
}

const slot = { ckn: keyOne.ckn, role: "fallback" as const };
const oldSession = known(session, at(newest - 100_000));
const participant = { ckn: keyOne.ckn, role: "principal" } as never;

const keyGone = caseOf<"key-gone", Replaced>("key-gone", {
  evidence: replaced,
  holds: (one) => {
    const where = whereOf(one);
    return where !== undefined && isGone(where);
  },
  facts: {
    absent: {
      missing: withKeys({ session: unknown("queryFailed", soon) }),
      old: withKeys({ session: oldSession }),
      otherwise: withKeys({ session: known({ ...session, participants: [participant] }, soon) }),
      nonsense: withKeys({ keys: known([slot], soon), session: unknown("unparsed", soon) }),
    },
    read: {
      missing: (one) => ({ ...one, peer: undefined, peerAt: undefined }),
      old: (one) => ({ ...one, peerAt: newest - 90_000 }),
      otherwise: withKeys({ keys: unknown("queryFailed", soon) }),
      nonsense: (one) => ({ ...one, failure: true }),
    },
  },
});

const commitSaved = caseOf<"commit-saved", Replaced>("commit-saved", {
  evidence: replaced,
  holds: (one) => whereOf(one)?.unread.some((place) => place.startsWith("the startup")) === false,
  facts: {
    answered: {
      missing: (one) => ({ ...one, records: [unsaved] }),
      old: (one) => ({
        ...one,
        records: [unsaved, saved, { ...unsaved, commit: { ...commit, token: "t-2" } }],
      }),
      otherwise: (one) => ({ ...one, records: [unsaved, { ...saved, token: "t-2" }] }),
      nonsense: (one) => ({ ...one, records: [unsaved, { ...saved, device: "edge-z" }] }),
    },
  },
});

const next = "linkseal scorecard";
const fields = [
  { path: "properties.enabled", does: isOn, unset: "fails", fault: "it is off", next },
  { path: "properties.purge", does: isOn, fault: "it can be purged", next },
] as const;
type Vault = Readonly<Record<string, unknown>>;
const withField =
  (over: Vault) =>
  (vault: Vault): Vault => ({ ...vault, ...over });

const rowProven = caseOf<"row-proven", Vault>("row-proven", {
  evidence: { enabled: true, purge: true },
  holds: (properties) => {
    const part = { name: "kv", value: { properties }, source: "documents" } as const;
    return judgeFields(part, fields, "kv is protected").verdict === "proven";
  },
  facts: {
    understood: {
      missing: ({ purge: _purge, ...vault }) => vault,
      old: "a row speaks of its document, whose age the scorecard shows",
      otherwise: withField({ purge: null }),
      nonsense: withField({ purge: "perhaps" }),
    },
    right: {
      missing: withField({ enabled: null }),
      old: "a row speaks of its document, whose age the scorecard shows",
      otherwise: withField({ enabled: false }),
      nonsense: withField({ enabled: [] }),
    },
  },
});

const bench = new AuditBench();
await bench.live();
await bench.evaluate(600_000, observed("g/a", "protected"));
const trail = await bench.trail();
type Asked = { readonly trail: typeof trail; readonly to: WallTime };

const reportFinal = caseOf<"report-final", Asked>("report-final", {
  evidence: { trail, to: (wallStart + 300_000) as WallTime },
  holds: ({ trail: read, to }) => {
    const period = { from: wallStart, to };
    const { about } = reportOf({ site: "demo", host: "host-a", trail: read, period });
    return about.end === "final";
  },
  facts: {
    confirmed: {
      missing: (one) => ({ ...one, trail: { ...trail, entries: [] } }),
      old: (one) => ({ ...one, to: (wallStart + 595_000) as WallTime }),
      otherwise: (one) => ({
        ...one,
        trail: { ...trail, entries: trail.entries.slice(0, 2), confirmed: undefined },
      }),
      nonsense: "a record or a confirmation whose MAC does not fit is not read at all",
    },
  },
});

type Seen = readonly (readonly [second: number, codes: readonly Parameters<typeof raise>[0][]])[];
const trouble = "mka-no-live-peer";
const about = "erd-demo/primary";
const unread =
  (code: Parameters<typeof raise>[0]) =>
  (seen: Seen): Seen =>
    seen.map(([second, codes]) => [second, second < 60 ? codes : [...codes, code]]);

const alarmResolved = caseOf<"alarm-resolved", Seen>("alarm-resolved", {
  evidence: [
    ...[0, 20, 40].map((second) => [second, [trouble]] as const),
    ...[60, 75, 90].map((second) => [second, []] as const),
  ],
  holds: (seen) => {
    let tracker: Tracker = noWarnings;
    let isClosed = false;
    for (const [second, codes] of seen) {
      const raised = codes.map((code) => raise(code, about, "it is so"));
      const step = advance(tracker, raised, at(second * 1_000));
      tracker = step.tracker;
      isClosed ||= step.events.some(({ kind, code }) => kind === "closed" && code === trouble);
    }
    return isClosed;
  },
  facts: {
    read: {
      missing: unread("device-unreachable"),
      old: unread("reading-stale"),
      otherwise: unread("not-looked-yet"),
      nonsense: unread("reading-missing"),
    },
    absent: {
      missing: (seen) => seen.filter(([second]) => second <= 60),
      old: (seen) => seen.map(([second, codes]) => [second === 90 ? 89 : second, codes]),
      otherwise: (seen) => seen.map(([second, codes]) => [second, [...codes, trouble]]),
      nonsense: (seen) =>
        seen.map(([second, codes]) => [second, second === 75 ? [...codes, trouble] : codes]),
    },
  },
});

/** The claims about the agent's own records. */
export const recordCases = {
  delivered,
  "backup-ready": backupReady,
  "key-gone": keyGone,
  "commit-saved": commitSaved,
  "row-proven": rowProven,
  "report-final": reportFinal,
  "alarm-resolved": alarmResolved,
};
