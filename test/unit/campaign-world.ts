// A small abstract world around the real machine: two links, their far end, and everything that may
// go wrong between two turns.

import { advance, type Campaign, decide, type Facts, type Step } from "#agent/campaign/campaign.ts";
import type { WallTime } from "#hal/world.ts";
import { campaignOf, held, waiting } from "./campaign-kit.ts";

type Side = "old" | "new" | "other";

interface Link {
  readonly keys: "none" | "new" | "else";
  /** What the far end's hardware uses; its document may say otherwise. */
  readonly hardware: Side;
  readonly document: Side;
  readonly provisioning: "settled" | "updating" | "failed";
  /** A put whose reply was lost and that may still land. */
  readonly flight: boolean;
  readonly drained: boolean;
  readonly cut: boolean;
}

export interface World {
  readonly links: readonly [Link, Link];
  readonly campaign: Campaign;
  readonly alive: boolean;
  /** What only the process knows; a crash takes it away. */
  readonly mind: {
    readonly replacement: "absent" | "valid" | "refused";
    readonly grace: boolean;
    readonly overdue: boolean;
    readonly quiet: boolean;
    readonly proven: boolean;
    readonly steady: boolean;
  };
  /** A commit of somebody else waits on the router of the link under way. */
  readonly pending: boolean;
  readonly routerUnseen: boolean;
  readonly farUnseen: boolean;
  readonly routerRefuses: boolean;
  readonly faultsLeft: number;
}

export interface ModelOptions {
  readonly farEnd: Facts["farEnd"];
  readonly faults: number;
  /** What a broken machine would see; the true facts if absent. */
  readonly twist?: (facts: Facts) => Facts;
}

export interface Move {
  readonly label: string;
  readonly to: World;
  /** Time, healing and the agent itself: what must lead to an end. */
  readonly kind: "fair" | "fault";
  readonly broken?: readonly string[];
}

const noon = 0 as WallTime;
const calmMind = {
  replacement: "absent",
  grace: true,
  overdue: false,
  quiet: false,
  proven: false,
  steady: false,
} as const;
const clearLink: Link = {
  keys: "none",
  hardware: "old",
  document: "old",
  provisioning: "settled",
  flight: false,
  drained: false,
  cut: false,
};

export function start(options: ModelOptions): World {
  return {
    links: [clearLink, clearLink],
    campaign: campaignOf("queued"),
    alive: true,
    mind: calmMind,
    pending: false,
    routerUnseen: false,
    farUnseen: false,
    routerRefuses: false,
    faultsLeft: options.faults,
  };
}

const mine = (world: World): Link => world.links[world.campaign.at === 0 ? 0 : 1];
const other = (world: World): Link => world.links[world.campaign.at === 0 ? 1 : 0];

function withLink(world: World, at: number, change: Partial<Link>): World {
  const [first, second] = world.links;
  const links: World["links"] =
    at === 0 ? [{ ...first, ...change }, second] : [first, { ...second, ...change }];
  return { ...world, links };
}

const withMine = (world: World, change: Partial<Link>): World =>
  withLink(world, world.campaign.at, change);

function up(link: Link): boolean {
  const fits = link.keys === "new" ? link.hardware === "new" : link.hardware === "old";
  return !link.cut && link.keys !== "else" && fits;
}

function protectedNow(link: Link): boolean {
  return up(link) && link.keys === "new";
}

/** In its accepted state: protected once enrolled, else clear as the operator left it. */
function siblingCarries(world: World): boolean {
  const link = other(world);
  return up(link) && !link.drained;
}

export const over = (world: World): boolean => world.campaign.state === "done";

// ---- what the agent sees

function farOf(world: World): Facts["far"] {
  const link = mine(world);
  if (world.farUnseen) return "unknown";
  if (world.mind.grace || link.provisioning === "updating") return "updating";
  return link.provisioning === "failed" ? "failed" : link.document;
}

function closedGate(world: World, far: Facts["far"]): string | undefined {
  const link = mine(world);
  if (!siblingCarries(world)) return "the sibling does not carry";
  if (world.routerUnseen || world.pending) return "the router is not settled";
  if (far === "updating" || far === "unknown" || far === "failed") return "the far end is not";
  const begun = link.drained || world.campaign.told || link.keys === "new";
  return begun || up(link) ? undefined : "BGP is not up on this link";
}

function look(world: World, farEnd: Facts["farEnd"]): Facts {
  const link = mine(world);
  const far = farOf(world);
  const { keys, drained } = link;
  const drain = drained ? "on" : "off";
  const { mind, pending } = world;
  return {
    port: world.routerUnseen ? undefined : { keys, pending, usable: up(link), drain },
    far,
    sibling: siblingCarries(world) ? "carrying" : "lost",
    closedGate: closedGate(world, far),
    drained: mind.quiet ? held : waiting,
    proof: mind.proven ? held : waiting,
    carrying: mind.steady ? held : waiting,
    replacement:
      mind.replacement === "refused" ? { kind: "refused", text: "no" } : { kind: mind.replacement },
    lostCommits: 0,
    overdue: mind.overdue,
    farEnd,
  };
}

const canBe = {
  quiet: (world: World): boolean => !world.routerUnseen && mine(world).drained,
  proven: (world: World): boolean =>
    !world.routerUnseen && protectedNow(mine(world)) && farOf(world) === "new",
  steady: (world: World): boolean => !world.routerUnseen && up(mine(world)) && !mine(world).drained,
} as const;
type Run = keyof typeof canBe;
const runs: readonly Run[] = ["quiet", "proven", "steady"];

/** A look breaks every run whose condition no longer holds. */
function looked(world: World): World {
  const kept = (run: Run): boolean => world.mind[run] && canBe[run](world);
  const mind = { quiet: kept("quiet"), proven: kept("proven"), steady: kept("steady") };
  return { ...world, mind: { ...world.mind, ...mind } };
}

// ---- what the agent does

type Luck = "goes well" | "is lost" | "is delayed" | "dies before it";

/** Journal first: the campaign has moved before the effect is tried. */
function journaled(world: World, taken: Step): World {
  const campaign = advance(world.campaign, taken, noon);
  const moved = campaign.state !== world.campaign.state || campaign.at !== world.campaign.at;
  if (!moved) return { ...world, campaign };
  if (campaign.at !== world.campaign.at) {
    return { ...world, campaign, mind: { ...calmMind, grace: world.mind.grace } };
  }
  const replacement =
    campaign.state === "draining" && world.mind.replacement === "refused"
      ? "absent"
      : world.mind.replacement;
  const mind = { ...world.mind, overdue: false, steady: false, replacement };
  return { ...world, campaign, mind };
}

function affected(world: World, action: Step["action"], luck: Luck): World {
  const { mind } = world;
  const without = { ...world, mind: { ...mind, replacement: "absent" as const } };
  switch (action?.kind) {
    case undefined:
    case "probe":
      return world;
    case "drain":
      return luck === "is lost" ? world : withMine(without, { drained: true });
    case "restore":
      return luck === "is lost" ? world : withMine(without, { drained: false });
    case "prepare": {
      const replacement = world.routerRefuses ? "refused" : "valid";
      return luck === "is lost" ? world : { ...world, mind: { ...mind, replacement } };
    }
    case "replace":
      return luck === "is lost" ? without : withMine(without, { keys: "new" });
    case "putNew":
      if (luck === "goes well" && mine(world).provisioning !== "updating") {
        return withMine(world, { document: "new", provisioning: "updating" });
      }
      return withMine(
        { ...world, mind: { ...mind, grace: true } },
        luck === "is delayed" ? { flight: true } : {},
      );
  }
}

function dead(world: World): World {
  return { ...world, alive: false, mind: calmMind };
}

/** P1 to P3 on the truth at the moment of the effect. */
function judgeEffect(world: World, taken: Step, farEnd: Facts["farEnd"]): string[] {
  const link = mine(world);
  const kind = taken.action?.kind;
  const broken: string[] = [];
  const claim = (holds: boolean, what: string): void => {
    if (!holds) broken.push(`${kind}: ${what}`);
  };
  if (kind === "drain" || kind === "putNew") {
    claim(siblingCarries(world), "the sibling must carry (P2)");
  }
  if (kind === "drain" || kind === "replace" || kind === "restore") {
    claim(!world.pending, "a pending commit would take it along");
  }
  if (kind === "putNew") {
    claim(link.drained, "the link must be drained first");
    claim(link.keys === "none" && link.document === "old", "only from the old state");
    claim(world.mind.replacement === "valid", "the router must be known to follow");
    claim(!link.flight, "an earlier put may still land");
    claim(farEnd === "agent", "a person's far end is the person's");
  }
  if (kind === "replace") {
    claim(!up(link), "it must not interrupt a link that carries");
    claim(link.document === "new" && link.provisioning === "settled", "the far end goes first");
  }
  if (kind === "restore" && taken.next !== "restoring") {
    claim(up(link), "only a usable link gets traffic back");
  }
  return broken;
}

function judgeStep(before: World, after: World): string[] {
  const link = mine(before);
  const { state } = before.campaign;
  const broken: string[] = [];
  const arrived = after.campaign.at !== before.campaign.at || (over(after) && state !== "done");
  const outcome = after.campaign.links[before.campaign.at]?.outcome;
  if (state === "proving" && after.campaign.state === "restoring" && !protectedNow(link)) {
    broken.push("proving: left without proof (P3)");
  }
  if (!arrived || outcome === "abandoned") return broken;
  if (!up(link) || link.drained) broken.push("done: the link does not carry");
  if (before.pending) broken.push("done: a commit is pending");
  if (link.flight) broken.push("done: a put may still land");
  if ((outcome === "enrolled") !== protectedNow(link)) broken.push(`done: called ${outcome}`);
  return broken;
}

function turn(world: World, options: ModelOptions, luck: Luck): { to: World; broken: string[] } {
  const seen = looked(world);
  const facts = look(seen, options.farEnd);
  const taken = decide(seen.campaign, options.twist?.(facts) ?? facts);
  const next = journaled(seen, taken);
  const broken = judgeStep(seen, next);
  // A link that hands over has no effect of its own left.
  if (luck === "dies before it") return { to: dead(next), broken };
  broken.push(...judgeEffect(seen, taken, options.farEnd));
  const to = affected(next, taken.action, luck);
  if (seen.links.some((link, at) => protectedNow(link) && !protectedNow(to.links[at] ?? link))) {
    broken.push("an effect of ours took protection away (P1)");
  }
  return { to, broken };
}

// ---- what the world does

function agentMoves(world: World, options: ModelOptions): Move[] {
  if (!world.alive) {
    return [{ label: "the agent starts", to: { ...world, alive: true }, kind: "fair" }];
  }
  if (over(world)) return [];
  const well = turn(world, options, "goes well");
  const moves: Move[] = [{ label: "a turn", kind: "fair", ...well }];
  if (world.faultsLeft === 0) return moves;
  for (const luck of ["is lost", "is delayed", "dies before it"] as const) {
    const { to, broken } = turn(spent(world), options, luck);
    moves.push({ label: `a turn whose effect ${luck}`, kind: "fault", to, broken });
  }
  moves.push({ label: "the agent dies", kind: "fault", to: dead(spent(world)) });
  return moves;
}

const spent = (world: World): World => ({ ...world, faultsLeft: world.faultsLeft - 1 });

const parked: readonly Campaign["state"][] = ["queued", "gated", "awaitingPeer", "held", "done"];

function timeMoves(world: World, options: ModelOptions): Move[] {
  const moves: Move[] = [];
  const fair = (label: string, to: World): void => {
    moves.push({ label, to, kind: "fair" });
  };
  const { mind, campaign } = world;
  const link = mine(world);
  if (world.alive && !over(world)) {
    const know = (change: Partial<World["mind"]>): World => ({
      ...world,
      mind: { ...mind, ...change },
    });
    if (!mind.overdue && !parked.includes(campaign.state)) {
      fair("the deadline passes", know({ overdue: true }));
    }
    if (mind.grace && !link.flight) fair("the grace of a put ends", know({ grace: false }));
    for (const run of runs) {
      if (!mind[run] && canBe[run](world)) fair(`long ${run}`, know({ [run]: true }));
    }
  }
  if (link.flight) fair("a late put is dropped", withMine(world, { flight: false }));
  if (link.flight && link.provisioning !== "updating") {
    const landed = { flight: false, document: "new", provisioning: "updating" } as const;
    fair("a late put lands", withMine(world, landed));
  }
  if (link.hardware !== link.document) {
    fair("the hardware follows", withMine(world, { hardware: link.document }));
  } else if (link.provisioning === "updating") {
    fair("the operation ends", withMine(world, { provisioning: "settled" }));
  }
  const asked = options.farEnd === "manual" && campaign.state === "switching";
  if (asked && link.document === "old") {
    const person = { document: "new", provisioning: "updating" } as const;
    fair("the person changes the far end as asked", withMine(world, person));
  }
  if (campaign.state === "awaitingPeer" && !campaign.asked) {
    fair("the operator proceeds", { ...world, campaign: { ...campaign, asked: true } });
  }
  return [...moves, ...healing(world)];
}

function healing(world: World): Move[] {
  const moves: Move[] = [];
  const fair = (label: string, to: World): void => {
    moves.push({ label, to, kind: "fair" });
  };
  for (const at of [0, 1]) {
    if (world.links[at]?.cut === true) fair("a fibre heals", withLink(world, at, { cut: false }));
  }
  const link = mine(world);
  if (world.pending) fair("the foreign commit ends", { ...world, pending: false });
  if (world.routerUnseen) fair("the router answers", { ...world, routerUnseen: false });
  if (world.farUnseen) fair("the far end answers", { ...world, farUnseen: false });
  if (world.routerRefuses) fair("the router is mended", { ...world, routerRefuses: false });
  if (link.provisioning === "failed") {
    const settled = { provisioning: "settled", hardware: link.document } as const;
    fair("a person settles the far end", withMine(world, settled));
  }
  if (link.keys === "else") {
    fair("a person removes the foreign key", withMine(world, { keys: "none" }));
  }
  return moves;
}

function faultMoves(before: World): Move[] {
  if (before.faultsLeft === 0 || over(before)) return [];
  const world = spent(before);
  const link = mine(world);
  const moves: Move[] = [];
  const fault = (label: string, to: World): void => {
    moves.push({ label, to, kind: "fault" });
  };
  for (const at of [0, 1]) {
    const cut = withLink(world, at, { cut: true });
    if (world.links[at]?.cut === false) fault(`the fibre of link ${at} is cut`, cut);
  }
  if (link.provisioning === "updating") {
    fault("the operation fails", withMine(world, { provisioning: "failed" }));
    const back = { provisioning: "failed", document: "old" } as const;
    fault("the operation fails and is undone", withMine(world, back));
    fault("the far end says done and lies", withMine(world, { provisioning: "settled" }));
    const half = { provisioning: "settled", hardware: "other" } as const;
    fault("the far end applies half", withMine(world, half));
  } else {
    for (const side of ["old", "new", "other"] as const) {
      if (link.document === side && link.hardware === side) continue;
      const put = { document: side, hardware: side, provisioning: "settled" } as const;
      fault(`a person points the far end at ${side}`, withMine(world, put));
    }
  }
  for (const keys of ["none", "new", "else"] as const) {
    if (link.keys !== keys) fault(`a person leaves ${keys}`, withMine(world, { keys }));
  }
  if (!world.pending) fault("a person begins a commit", { ...world, pending: true });
  if (!world.routerUnseen) fault("the router is silent", { ...world, routerUnseen: true });
  if (!world.farUnseen) fault("the far end is silent", { ...world, farUnseen: true });
  if (!world.routerRefuses) fault("the router will refuse", { ...world, routerRefuses: true });
  if (link.drained) fault("the router forgets the drain", withMine(world, { drained: false }));
  if (world.campaign.state === "held" && world.alive) {
    const { campaign } = world;
    const resumed: Campaign = { ...campaign, state: "gated", asked: false };
    fault("the operator resumes", { ...world, campaign: resumed });
  }
  return moves;
}

/** A usable drained link: back at once with the sibling lost, and wherever nothing goes on. */
export function judgeState(world: World, options: ModelOptions): string[] {
  const { state } = world.campaign;
  const link = mine(world);
  const due = !siblingCarries(world) || parked.includes(state);
  const able = up(link) && link.drained && !world.pending && !world.routerUnseen;
  if (!world.alive || over(world) || !due || !able) return [];
  let later = world;
  for (let turns = 0; turns < 4; turns += 1) {
    later = turn(later, options, "goes well").to;
    if (later.campaign.at !== world.campaign.at || !mine(later).drained) return [];
  }
  return [`${state}: a usable link stays drained (P2)`];
}

export function movesOf(world: World, options: ModelOptions): readonly Move[] {
  return [...agentMoves(world, options), ...timeMoves(world, options), ...faultMoves(world)];
}

export function keyOf(world: World): string {
  const { campaign, mind, links } = world;
  const bit = (flag: boolean): string => (flag ? "1" : "0");
  const linkKey = (link: Link): string =>
    `${link.keys[1]}${link.hardware[0]}${link.document[0]}${link.provisioning[0]}` +
    bit(link.flight) +
    bit(link.drained) +
    bit(link.cut);
  return (
    `${campaign.at}${campaign.state}${bit(campaign.told)}${bit(campaign.asked)}` +
    campaign.links.map((link) => link.outcome?.[0] ?? "-").join("") +
    links.map(linkKey).join("") +
    mind.replacement[0] +
    [mind.grace, mind.overdue, mind.quiet, mind.proven, mind.steady].map(bit).join("") +
    [world.alive, world.pending, world.routerUnseen, world.farUnseen].map(bit).join("") +
    `${bit(world.routerRefuses)}${world.faultsLeft}`
  );
}
