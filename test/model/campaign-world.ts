// A small abstract world for the real campaign machine: one link under way, its sibling, both ends,
// and what the process knows. Small whole numbers only, so that millions of worlds fit.

import type { CampaignLink, CampaignState } from "#agent/model/campaign.ts";
import { campaignStates } from "#agent/model/campaign.ts";

/** Bits of what the router holds. */
export const oldKey = 1;
export const newKey = 2;
export const strangeKey = 4;
/** The settings that a far end may have. */
export const onOld = 0;
export const onNew = 1;
export const onOther = 2;
export const settled = 0;
export const updating = 1;
export const failed = 2;
/** The owners of a commit that waits on the router. */
export const ours = 1;
export const foreign = 2;
/**
 * Of a final change that comes late: none, a drain, a key that goes by one of these, or the port
 * that is shut for a fresh SAK.
 */
export const finals = [
  undefined,
  "drain",
  "removeOld",
  "removeNew",
  "replace",
  "replaceBack",
  "rekeySak",
] as const;
/** Of a replacement: none, or the direction it was validated or refused for. */
export const forward = 1;
export const back = 2;

export interface Config {
  readonly name: string;
  readonly kind: "enrol" | "change" | "rotate";
  readonly overlap: CampaignLink["overlap"];
  /** The new key must become the primary one before the old one goes. */
  readonly promotes: boolean;
  readonly farEnd: "agent" | "manual";
  readonly retire: "afterProof" | "afterSoak";
  readonly urgency: "planned" | "emergency";
  /** The change concerns the router alone: the far end looks the same from before and after. */
  readonly either: boolean;
  /** Quirk shutBeforeKeyChange. */
  readonly shutsFirst: boolean;
  /** The router makes SAKs on request, and is the key server. */
  readonly asksSaks: boolean;
  /**
   * Present if the router takes settings in several steps, so that a change may be made by half:
   * the settings of the far end with which such a port still carries.
   */
  readonly half?: "old" | "new" | "neither";
  /** Present if the campaign waits for a permit, which a hub gives and takes at any time. */
  readonly permits?: true;
  /** Present if a hold by time alone is explored also before it went on by itself. */
  readonly goesOn?: true;
  /** Present if the sibling ends on the agent's host, and this link elsewhere. */
  readonly fate?: Fate;
}

/** What the end of the agent's host would leave of the link, and what keeps it from that. */
export interface Fate {
  /** `hard`: the group's drain takes the routes away. */
  readonly drain: "soft" | "hard";
  /** `begins`: the risk is asked for before the campaign; `begins, drains`: ahead of drains too. */
  readonly asked: "begins" | "begins, drains";
}

/** Everything that may differ between two moments. */
export interface World {
  // The router's port.
  keys: number;
  mustSecure: number;
  pending: number;
  /** The state that a pending commit goes back to. */
  keysBefore: number;
  shutBefore: number;
  drained: number;
  promoted: number;
  shut: number;
  /** A person has shut it; and the agent has seen it open since it may have shut it itself. */
  handShut: number;
  seenOpen: number;
  staleSak: number;
  /** A later SAK of the new key passes no frames, and no later one does. */
  deadSak: number;
  // The far end: what its document and its hardware say, and what it is being changed to.
  document: number;
  hardware: number;
  operation: number;
  target: number;
  /** A put whose end was not seen and that may still land: 1 + what it points at. */
  flight: number;
  /** A staging commit of an agent that died meanwhile, and that the router may still take. */
  late: number;
  /** A final change that the router may still carry out: one of the numbers above. */
  lateFinal: number;
  cut: number;
  /** A person has moved the far end, unasked, while a staged key was pending. */
  moved: number;
  /** A person has touched the link. */
  meddled: number;
  /** A person was asked to change the far end of this link. */
  sought: number;
  /** The journal has lost a record. */
  tailLost: number;
  siblingCut: number;
  siblingDrained: number;
  /** A drain of ours that the router of the sibling may still carry out. */
  siblingLate: number;
  /** A config that was accepted meanwhile lets drains take the routes away, without the risk. */
  hardened: number;
  /** The hub's permit is not there, or is not known to be. */
  withheld: number;
  // The journal, and the record before the last one.
  record: number;
  before: number;
  // The process; a crash takes this away.
  alive: number;
  prepared: number;
  refused: number;
  /** Since the start, and since a put whose end was not seen. */
  startGrace: number;
  putGrace: number;
  overdue: number;
  quiet: number;
  proven: number;
  /** The old key, before the new one may be taken back. */
  oldProven: number;
  /** A later SAK was asked for and is not proven; and all that are needed are. */
  laterAsked: number;
  laterProven: number;
  steady: number;
  lasting: number;
  losing: number;
  /** The sibling was not evaluated yet, or its counters say nothing. */
  siblingUnsure: number;
  /** Its router cannot be read, and the last reading is 1: fresh, 2: too old, or of a lost link. */
  siblingUnread: number;
  // The surroundings.
  routerUnseen: number;
  farUnseen: number;
  windowShut: number;
  refuses: number;
  faultsLeft: number;
  wordsLeft: number;
}

/** How many bits each part takes; the order is that of the packed words. */
const layout: readonly (readonly (readonly [keyof World, number])[])[] = [
  [
    ["keys", 3],
    ["mustSecure", 1],
    ["pending", 2],
    ["keysBefore", 3],
    ["shutBefore", 1],
    ["drained", 1],
    ["promoted", 1],
    ["shut", 1],
    ["staleSak", 1],
    ["deadSak", 1],
    ["document", 2],
    ["hardware", 2],
    ["operation", 2],
    ["target", 2],
    ["flight", 2],
    ["late", 1],
    ["cut", 1],
    ["moved", 1],
    ["meddled", 1],
    ["tailLost", 1],
    ["siblingCut", 1],
    ["siblingDrained", 1],
  ],
  [
    ["record", 16],
    ["before", 16],
  ],
  [
    ["alive", 1],
    ["prepared", 2],
    ["refused", 2],
    ["startGrace", 1],
    ["putGrace", 1],
    ["overdue", 1],
    ["quiet", 1],
    ["proven", 1],
    ["oldProven", 1],
    ["steady", 1],
    ["lasting", 1],
    ["losing", 1],
    ["siblingUnsure", 1],
    ["siblingUnread", 2],
    ["routerUnseen", 1],
    ["farUnseen", 1],
    ["windowShut", 1],
    ["refuses", 1],
    ["faultsLeft", 3],
    ["wordsLeft", 2],
    ["lateFinal", 3],
    ["siblingLate", 1],
    ["laterAsked", 1],
    ["laterProven", 1],
  ],
  [
    ["hardened", 1],
    ["withheld", 1],
    ["sought", 1],
    ["handShut", 1],
    ["seenOpen", 1],
  ],
];
export const wordCount = layout.length;

interface Packing {
  readonly pack: (world: World, into: Int32Array, at: number) => void;
  readonly unpack: (from: Int32Array, at: number, into: World) => void;
  readonly copy: (from: World, into: World) => void;
}

/** Straight-line code from the layout: loops over names would take most of a run's time. */
function packing(): Packing {
  const pack: string[] = [];
  const unpack: string[] = [];
  const copy: string[] = [];
  layout.forEach((fields, word) => {
    let shift = 0;
    const parts: string[] = [];
    for (const [name, bits] of fields) {
      parts.push(`world.${name} << ${shift}`);
      unpack.push(`into.${name} = (from[at + ${word}] >>> ${shift}) & ${2 ** bits - 1};`);
      copy.push(`into.${name} = from.${name};`);
      shift += bits;
    }
    if (shift > 32) throw new RangeError(`word ${word} of the layout has ${shift} bits`);
    pack.push(`into[at + ${word}] = ${parts.join(" | ")};`);
  });
  const make = (parameters: string, lines: readonly string[]): unknown =>
    new Function(...parameters.split(" "), lines.join("\n"));
  return {
    pack: make("world into at", pack),
    unpack: make("from at into", unpack),
    copy: make("from into", copy),
  } as Packing;
}
export const { pack, unpack, copy } = packing();

// ---- the journal's record in 16 bits

/** The content of a record of a campaign; `proved` decides nothing and is left out. */
export interface Recorded {
  readonly state: CampaignState;
  readonly at: 0 | 1;
  readonly touched: boolean;
  readonly told: boolean;
  readonly asked: boolean;
  readonly soaked: boolean;
  readonly aborted: boolean;
  readonly shut: boolean;
  readonly back: boolean;
  /** It names the commit that is pending. */
  readonly token: boolean;
  readonly ending: "none" | "success" | "reverted" | "abandoned";
  readonly again: boolean;
}

const endings = ["none", "success", "reverted", "abandoned"] as const;
const tokenBit = 1 << 11;
const touchedBit = 1 << 14;
const againBit = 1 << 15;

export function recordOf(recorded: Recorded): number {
  const flags = [
    recorded.told,
    recorded.asked,
    recorded.soaked,
    recorded.aborted,
    recorded.shut,
    recorded.back,
  ];
  const bits = flags.reduce((sum, flag, index) => sum | (Number(flag) << (5 + index)), 0);
  return (
    campaignStates.indexOf(recorded.state) |
    (recorded.at << 4) |
    bits |
    (recorded.token ? tokenBit : 0) |
    (endings.indexOf(recorded.ending) << 12) |
    (recorded.touched ? touchedBit : 0) |
    (recorded.again ? againBit : 0)
  );
}

export function recordedIn(record: number): Recorded {
  const flag = (bit: number): boolean => ((record >> bit) & 1) === 1;
  return {
    state: campaignStates[record & 15] ?? "queued",
    at: flag(4) ? 1 : 0,
    told: flag(5),
    asked: flag(6),
    soaked: flag(7),
    aborted: flag(8),
    shut: flag(9),
    back: flag(10),
    token: flag(11),
    ending: endings[(record >> 12) & 3] ?? "none",
    touched: flag(14),
    again: flag(15),
  };
}

export const stateIn = (record: number): number => record & 15;
export const linkIn = (record: number): number => (record >> 4) & 1;
export const toldIn = (record: number): boolean => (record & 32) !== 0;
export const abortedIn = (record: number): boolean => (record & 256) !== 0;
export const shutIn = (record: number): boolean => (record & 512) !== 0;
export const backIn = (record: number): boolean => (record & 1024) !== 0;
export const hasToken = (record: number): boolean => (record & tokenBit) !== 0;
export const withShut = (record: number): number => record | 512;
export const withToken = (record: number): number => record | tokenBit;
export const withoutToken = (record: number): number => record & ~tokenBit;

export const stateNumber = (state: CampaignState): number => campaignStates.indexOf(state);

// ---- how it begins

export const newProcessState = {
  prepared: 0,
  refused: 0,
  overdue: 0,
  quiet: 0,
  proven: 0,
  oldProven: 0,
  laterAsked: 0,
  laterProven: 0,
  steady: 0,
  lasting: 0,
  losing: 0,
};

/** A link as it is before its turn. */
export function untouchedLink(config: Config): Partial<World> {
  const bare = config.kind === "enrol";
  return {
    keys: bare ? 0 : oldKey,
    mustSecure: bare ? 0 : 1,
    ...quietLink,
    promoted: 0,
    document: onOld,
    hardware: onOld,
  };
}

/** A link that is done, as its last observation has shown it. */
export function doneLink(config: Config): Partial<World> {
  const end = config.either ? onOld : onNew;
  return {
    keys: newKey,
    mustSecure: 1,
    ...quietLink,
    promoted: 1,
    document: end,
    hardware: end,
  };
}

const quietLink = {
  pending: 0,
  keysBefore: 0,
  shutBefore: 0,
  drained: 0,
  shut: 0,
  handShut: 0,
  seenOpen: 0,
  staleSak: 0,
  deadSak: 0,
  operation: settled,
  target: 0,
  flight: 0,
  late: 0,
  lateFinal: 0,
  moved: 0,
  meddled: 0,
  sought: 0,
  tailLost: 0,
};

export function start(config: Config, faults: number, words: number, at: 0 | 1): World {
  const record = recordOf({
    state: "queued",
    at,
    touched: false,
    told: false,
    asked: false,
    soaked: false,
    aborted: false,
    again: config.goesOn !== true,
    shut: false,
    back: false,
    token: false,
    ending: "none",
  });
  return {
    ...(untouchedLink(config) as World),
    cut: 0,
    siblingCut: 0,
    siblingDrained: 0,
    siblingLate: 0,
    hardened: 0,
    withheld: 0,
    record,
    before: record,
    alive: 1,
    ...newProcessState,
    startGrace: 0,
    putGrace: 0,
    siblingUnsure: 0,
    siblingUnread: 0,
    routerUnseen: 0,
    farUnseen: 0,
    windowShut: 0,
    refuses: 0,
    faultsLeft: faults,
    wordsLeft: words,
  };
}

// ---- what is so

/** Some settings are the old ones and some the new ones; a router of one key never has both. */
export const isHalf = ({ keys }: World, { half }: Config): boolean =>
  half !== undefined && keys === (oldKey | newKey);

/** Do both ends agree, so that MKA forms (or, before an enrolment, clear frames pass)? */
export function matches(world: World, config: Config): boolean {
  const { keys, hardware } = world;
  if (hardware === onOther) return false;
  const half = isHalf(world, config);
  if (config.either) return half || keys === oldKey || keys === newKey;
  if (half) return config.half === (hardware === onNew ? "new" : "old");
  if (hardware === onNew)
    return (keys & newKey) !== 0 && world.mustSecure === 1 && world.deadSak === 0;
  if (config.kind === "enrol") return keys === 0 && world.mustSecure === 0;
  return (keys & oldKey) !== 0;
}

export function isUp(world: World, config: Config): boolean {
  return world.cut === 0 && world.shut === 0 && matches(world, config);
}

/** A person took the old key away just before our commit came, which goes back to that. */
export function goesBackBare({ pending, keysBefore }: World, { kind }: Config): boolean {
  return pending === ours && kind !== "enrol" && (keysBefore & oldKey) === 0;
}

/** They have put it back since, and no observation tells that. */
export function isHidden(world: World, config: Config): boolean {
  return goesBackBare(world, config) && world.keys === (oldKey | newKey);
}

/** Whether a drained link has lost its routes, so that no traffic falls back to it. */
export const drainsHard = ({ hardened }: World, { fate }: Config): boolean =>
  hardened === 1 || fate?.drain === "hard";

export function siblingLost(world: World): boolean {
  return world.siblingCut === 1 || world.siblingDrained === 1;
}

/** The agent takes it for lost: while it cannot be read, its last reading counts until it ages. */
export function siblingSeenLost(world: World): boolean {
  return world.siblingUnread === 0 ? siblingLost(world) : world.siblingUnread === 2;
}

/** The document of the far end after a campaign that succeeded. */
export const endOf = (config: Config): number => (config.either ? onOld : onNew);
