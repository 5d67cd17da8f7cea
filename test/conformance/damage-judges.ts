// Why an observation that was made of damaged answers is healthier than what the router reported
// itself: a rule for each part of an observation, so that the compiler names a part without one.

import { inspect, isDeepStrictEqual } from "node:util";
import type {
  BgpSession,
  ControlPlane,
  DeviceState,
  IpsecSa,
  IpsecTunnel,
  MacsecFrames,
  MacsecPort,
  MacsecSettings,
  MkaParticipant,
  MkaSession,
  MkpduCounters,
  PortRate,
  Reading,
  Route,
  Routing,
  Sak,
} from "#hal/model.ts";

/** undefined = it is not healthier. */
type Why = string | undefined;

/** What the router itself reported before the damaged observation and after it. */
interface Truth<T> {
  readonly before: T;
  readonly after: T;
}

type Rule<T> = (one: T, truth: Truth<T>) => Why;
type Rules<T> = { readonly [K in keyof T]-?: Rule<T[K]> };

/** A name, an explanation, or a value that makes nothing better whatever it is. */
const free = (): Why => undefined;

const shown = (value: unknown): string =>
  inspect(value, { depth: 12, breakLength: Number.POSITIVE_INFINITY });

/** A value is one that the router reported, or nothing is claimed. */
const told = <T>(one: T, { before, after }: Truth<T>): Why =>
  one === undefined || isDeepStrictEqual(one, before) || isDeepStrictEqual(one, after)
    ? undefined
    : `it is ${shown(one)}, and not ${shown(after)}`;

/** Only this value makes anything better. */
const good =
  <T>(value: NoInfer<T>): Rule<T> =>
  (one, truth) =>
    one === value ? told(one, truth) : undefined;

/** Values from the best to the worst. */
const ranked =
  <T>(order: readonly T[]): Rule<T> =>
  (one, { before, after }) => {
    const best = Math.min(...[before, after].map((own) => order.indexOf(own)));
    return order.indexOf(one) < best && order.includes(one) ? `it is ${shown(one)}` : undefined;
  };

/** A trouble that the router reported before and after does not go. */
const kept =
  <T>(value: NoInfer<T>): Rule<T> =>
  (one, { before, after }) =>
    before === value && after === value && one !== value ? `it is not ${shown(value)}` : undefined;

type Count = bigint | number | undefined;

const atMost = <T extends Count>(one: T, { before, after }: Truth<T>): Why => {
  if (one === undefined || before === undefined || after === undefined) return undefined;
  const isMore = one > before && one > after;
  return isMore ? `${one}, which is more than ${before > after ? before : after}` : undefined;
};

/** Errors and rates: fewer of them hide a trouble. */
const atLeast = <T extends Count>(one: T, { before, after }: Truth<T>): Why => {
  if (one === undefined || before === undefined || after === undefined) return undefined;
  const isLess = one < before && one < after;
  return isLess ? `${one}, which is less than ${before < after ? before : after}` : undefined;
};

/** More frames prove that a link carries, and fewer prove it at the next observation. */
const between = <T extends Count>(one: T, truth: Truth<T>): Why =>
  atMost(one, truth) ?? atLeast(one, truth);

function byRules<T extends object>(rules: Rules<T>): Rule<T> {
  const judge = <K extends keyof T>(key: K, one: T, { before, after }: Truth<T>): Why => {
    const rule: Rule<T[K]> = rules[key];
    const why = rule(one[key], { before: before[key], after: after[key] });
    return why === undefined ? undefined : `${String(key)}: ${why}`;
  };
  return (one, truth) => {
    for (const key of Object.keys(rules) as (keyof T)[]) {
      const why = judge(key, one, truth);
      if (why !== undefined) return why;
    }
    return undefined;
  };
}

/** What may be absent: an absent one claims nothing, and one that the router lacks is invented. */
const ifThere =
  <T extends object>(rule: Rule<T>): Rule<T | undefined> =>
  (one, { before, after }) => {
    const [first, last] = [before ?? after, after ?? before];
    if (one === undefined) return undefined;
    if (first === undefined || last === undefined) return `${shown(one)}, and none is there`;
    return rule(one, { before: first, after: last });
  };

/** A reading that is not known proves nothing. */
const read =
  <T>(rule: Rule<T>): Rule<Reading<T> | undefined> =>
  (one, { before, after }) =>
    one?.kind === "known" && before?.kind === "known" && after?.kind === "known"
      ? rule(one.value, { before: before.value, after: after.value })
      : undefined;

interface ListRule<T> {
  readonly nameOf: (item: T) => string;
  readonly each: Rule<T>;
  /** For an item that the router reported before and after, and that is not in the list. */
  readonly gone?: (own: T) => Why;
  /** For an item that the router did not report; absent = none may be there. */
  readonly added?: "free" | "cutName";
}

type List<T> = readonly T[] | undefined;

/** Nothing confirms the digits of a prefix: one of them may be lost. */
const isCut = (name: string, whole: readonly string[]): boolean =>
  whole.some((own) =>
    Array.from(own, (_each, at) => own.slice(0, at) + own.slice(at + 1)).includes(name),
  );

function listed<T>({ nameOf, each, gone = free, added }: ListRule<T>): Rule<List<T>> {
  return (one, { before = [], after = [] }) => {
    if (one === undefined) return undefined;
    const inList = (all: readonly T[], name: string): T | undefined =>
      all.find((item) => nameOf(item) === name);
    for (const item of one) {
      const name = nameOf(item);
      const [first, last] = [inList(before, name), inList(after, name)];
      const own = last ?? first;
      if (own === undefined && added === "free") continue;
      if (own === undefined && added === "cutName" && isCut(name, after.map(nameOf))) continue;
      if (own === undefined) return `${name} is not there`;
      const why = each(item, { before: first ?? own, after: last ?? own });
      if (why !== undefined) return `${name}: ${why}`;
    }
    for (const own of after) {
      const name = nameOf(own);
      if (inList(one, name) !== undefined || inList(before, name) === undefined) continue;
      if (added === "cutName" && one.some((item) => isCut(nameOf(item), [name]))) continue;
      const why = gone(own);
      if (why !== undefined) return `${name}: ${why}`;
    }
    return undefined;
  };
}

const sak = byRules<Sak>({
  ...{ an: told, keyId: told },
  ...{ receive: good<boolean>(true), transmit: good<boolean>(true) },
});

const session = byRules<MkaSession>({
  controlledPort: ranked<MkaSession["controlledPort"]>(["secured", "blocked", "unprotected"]),
  principalCkn: told,
  participants: listed<MkaParticipant>({
    nameOf: ({ ckn }) => ckn,
    each: byRules<MkaParticipant>({
      ckn: free,
      state: ranked<MkaParticipant["state"]>(["live", "active", "none"]),
      // One that is heard and not live is a trouble.
      ...{ livePeers: atMost, potentialPeers: free },
    }),
  }),
  ...{ livePeers: atMost, respondedPeers: atMost },
  keyServer: (one, truth) => (one === "none" ? undefined : told(one, truth)),
  keyServerPriority: told,
  ...{ latestSak: ifThere(sak), oldSak: ifThere(sak) },
});

/** Those that pass prove nothing; a count that falls later begins the evidence anew. */
const mkpdus = byRules<MkpduCounters>({
  ...{ sent: free, received: free },
  ...{ icvFailed: atLeast, unknownCkn: atLeast, replayed: atLeast },
});

const frames = byRules<MacsecFrames>({
  ...{ txProtected: between, rxOk: between },
  ...{ txClear: atLeast, txTooLong: atLeast, rxClear: atLeast, rxBadTag: atLeast },
  ...{ rxNotValid: atLeast, rxLate: atLeast, rxNoSci: atLeast, rxUnknownSci: atLeast },
  ...{ rxNotUsingSa: atLeast, rxUnusedSa: atLeast, nextPn: atLeast },
  ...{ rxOctetsValidated: free, rxOctetsDecrypted: free },
});

/** Traffic at a port whose counters stand still is a trouble. */
const rate = byRules<PortRate>({
  ...{ rxPps: atLeast, txPps: atLeast, rxBps: free, txBps: free, lineBps: told },
});

/** Wrong algorithms are a trouble, and the verdict on the tunnel is judged as well. */
const sa = byRules<IpsecSa>({
  ...{ spi: free, direction: free, transforms: free },
  phase: good<IpsecSa["phase"]>("installed"),
  ...{ packets: between, sequence: between, endsInMs: atMost },
  antiReplay: good<IpsecSa["antiReplay"]>("on"),
});

const tunnel = byRules<IpsecTunnel>({
  ...{ name: free, trouble: free },
  ike: read(good("established")),
  isSilent: kept<boolean | undefined>(true),
  nat: told,
  gaps: (one, { after }) =>
    after !== undefined && one === undefined ? "a gap is gone" : undefined,
  sas: read(listed<IpsecSa>({ nameOf: ({ direction, spi }) => `${direction} ${spi}`, each: sa })),
  ppk: good<IpsecTunnel["ppk"]>("used"),
});

/**
 * Another id of a boot or a configuration only makes an agent look again. The time is in one row,
 * which nothing confirms: the agent tells one that is not its own.
 */
const control = byRules<ControlPlane>({
  ...{ wall: free, bootId: free, configId: free, commitPending: kept<boolean>(true) },
});

/** Rules of what comes from the configuration. */
interface ConfigRules {
  /** Returns the rule, or one that holds for any value. */
  readonly own: <T>(rule: Rule<T>) => Rule<T>;
  /** Returns what is said of an item that is gone, or nothing. */
  readonly gone: <T>(why: (item: T) => Why) => (item: T) => Why;
  readonly added: Pick<ListRule<unknown>, "added">;
}

/**
 * Nothing in a configuration says how long it is, so a damaged one is a configuration that the
 * router may have as well.
 */
const configRules: Readonly<Record<"damaged" | "whole", ConfigRules>> = {
  damaged: { own: () => free, gone: () => free, added: { added: "free" } },
  whole: { own: (rule) => rule, gone: (why) => why, added: {} },
};

function portBy({ own }: ConfigRules): Rule<MacsecPort> {
  const settings = byRules<MacsecSettings>({
    policy: good<MacsecSettings["policy"]>("mustSecure"),
    ...{ suite: own(told), includeSci: own(told), confidentialityOffset: own(told) },
    ...{ keyServerPriority: own(told), replayWindow: own(told), sakRekeyMs: own(told) },
  });
  return byRules<MacsecPort>({
    port: free,
    admin: own(read(good("up"))),
    linkUp: read(good<boolean>(true)),
    aggregate: own(read(told)),
    settings: read(ifThere(settings)),
    liveSuite: own(read(told)),
    keys: own(
      read(
        listed({
          nameOf: ({ ckn, role }) => `${role} ${ckn}`,
          each: told,
          gone: () => "the key is gone",
        }),
      ),
    ),
    ...{ keyLoss: free, secyChanges: free },
    ...{ session: read(session), mkpdus: read(mkpdus), frames: read(frames), rate: read(rate) },
    failOpen: own(read(listed({ nameOf: String, each: free, gone: () => "it is closed" }))),
    keyAgreement: read(good("same")),
    troubles: own(read(listed({ nameOf: String, each: free, gone: () => "it is gone" }))),
  });
}

function routingBy({ own, gone }: ConfigRules): Rule<Routing> {
  const bgp = byRules<BgpSession>({
    ...{ port: free, peer: free, vrf: own(told), trouble: free },
    up: good<boolean>(true),
    bfd: own(ranked<BgpSession["bfd"]>(["up", "down", "off"])),
    holdMs: own(told),
  });
  const route = byRules<Route>({ prefix: free, via: free, best: told });
  return (one, truth) => {
    // Without the session nothing is proven about its routes.
    const isWhole = one.sessions.length >= truth.after.sessions.length;
    return byRules<Routing>({
      sessions: listed<BgpSession>({
        nameOf: ({ port, peer }) => `BGP ${port} ${peer}`,
        each: bgp,
        gone: gone(({ up }) => (up ? undefined : "a session that is down is gone")),
      }),
      routes: listed<Route>({
        nameOf: ({ prefix, via }) => `${prefix} by ${shown(via)}`,
        ...{ each: route, added: "cutName" },
        gone: isWhole ? gone(() => "it looks drained") : free,
      }),
      drains: listed({
        nameOf: ({ port, means }) => `${means} of ${port}`,
        each: free,
        gone: gone(() => "it is not drained"),
      }),
      ...{ tunnelSessions: told, advertised: told },
    })(one, truth);
  };
}

function stateBy(config: ConfigRules): Rule<DeviceState> {
  return byRules<DeviceState>({
    ...{ device: told, at: free, control: read(control) },
    macsec: listed({ nameOf: ({ port }) => port, each: portBy(config) }),
    ipsec: listed({ nameOf: ({ name }) => name, each: tunnel, ...config.added }),
    routing: read(routingBy(config)),
    // Only hosts report these: a router that does has invented them.
    ...{ blocked: told, backed: told, opened: told, ways: told, snmpUnmatched: told },
    obstacles: (one = [], { before = [], after = [] }) =>
      after.some((own) => before.some(sameAs(own)) && !one.some(sameAs(own)))
        ? "an obstacle is gone"
        : undefined,
  });
}

const sameAs = (own: unknown) => (other: unknown) => isDeepStrictEqual(own, other);

const rules = { damaged: stateBy(configRules.damaged), whole: stateBy(configRules.whole) };

/** Returns why the observation is healthier than those before and after; undefined = it is not. */
export function healthier(
  one: DeviceState,
  truth: Truth<DeviceState>,
  config: "damaged" | "whole",
): string | undefined {
  return rules[config](one, truth);
}
