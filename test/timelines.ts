// A simulated run, row by row: the state of the campaign beside the truth of both ends. `npm run
// docs` writes it into docs/timelines.md.

import { reasonText } from "#agent/model/reason-text.ts";
import type { Ckn } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { EffectEvent, LinkTruth } from "#sim/base/truth.ts";
import { watchOutages } from "#sim/oracle/outage.ts";
import { group, type Pair } from "./unit/kit/rotate-kit.ts";

interface Row {
  readonly at: Instant;
  readonly state: string;
  readonly what: string;
  readonly router: string;
  readonly far: string;
  readonly traffic: string;
}

/** The cost of a rotation for its link and the pair. */
export interface Cost {
  readonly name: string;
  readonly outcome: string;
  readonly tookMs: number;
  readonly theirsMs: number;
  readonly oursMs: number;
  readonly lostFrames: number;
}

const hourMs = 3_600_000;
const link = "primary";
const id = `${group}/${link}`;

/** Records from now on the events of the first link of the pair. */
export class Timeline {
  readonly #pair: Pair;
  readonly #rows: Row[] = [];
  readonly #start: Instant;
  readonly #lostBefore: number;
  readonly #outages: ReturnType<typeof watchOutages>;
  /** The key before the run. */
  readonly #old: Ckn | undefined;
  #observed: LinkTruth;
  #moves = 0;
  #isPending = false;
  #doneAt: Instant | undefined;

  constructor(pair: Pair) {
    this.#pair = pair;
    this.#start = pair.site.clock.now();
    this.#lostBefore = pair.lost();
    this.#outages = watchOutages(pair.site);
    this.#observed = this.#truth();
    this.#old = this.#observed.edgeKeys[0];
    pair.site.attach({ effect: (effect) => this.#effect(effect), changed: () => this.#changed() });
  }

  /** Runs until the campaign is in that state of that link. */
  async reach(state: string): Promise<void> {
    if (await this.run(hourMs, () => this.#pair.state() === state)) return;
    throw new Error(`${state} was not reached: ${this.#pair.state()}`);
  }

  async run(ms: number, until: () => boolean = () => false): Promise<boolean> {
    return await this.#pair.run(ms, () => {
      this.#follow();
      return until();
    });
  }

  /** Notes an action of the run on the pair. */
  note(what: string): void {
    this.#add(what);
  }

  cost(name: string): Cost {
    const { theirsMs, oursMs } = this.#outages.time(id, this.#start);
    return {
      ...{ name, theirsMs, oursMs },
      outcome: this.#pair.outcomes()[0] ?? "not ended",
      tookMs: (this.#doneAt ?? this.#pair.site.clock.now()) - this.#start,
      lostFrames: this.#pair.lost() - this.#lostBefore,
    };
  }

  table(): string {
    const head = ["time", "state", "what happens", "router", "far end", "traffic on"];
    const rows = merged(this.#rows).map(({ at, state, what, router, far, traffic }) => [
      ...[spanText(at - this.#start), `\`${state}\``, what, router, far, traffic],
    ]);
    return markdownTable([head, ...rows]);
  }

  #follow(): void {
    // A confirm changes nothing that runs, so no event reports it.
    const isPending = this.#pair.link(link).router.commits.pending();
    if (!isPending && this.#isPending) this.#add("router: no timer runs any more");
    this.#isPending = isPending;
    const trail = this.#pair.agent.memory.trails[group] ?? [];
    const moves = trail.slice(this.#moves).filter((move) => move.link === link);
    for (const { reason } of moves) this.#add(reasonText(reason));
    this.#moves = trail.length;
    if (this.#doneAt !== undefined || this.#pair.outcomes()[0] === undefined) return;
    const { state, at } = this.#pair.campaign();
    if (state !== "done" && at === 0) return;
    this.#doneAt = this.#pair.site.clock.now();
    if (at > 0) this.#add("the link is protected by its new key alone; `secondary` is next");
  }

  #effect({ by, what, ckn, cakSecretId, ...effect }: EffectEvent): void {
    if (effect.link !== id) return;
    const next = this.#pair.campaign().links[0]?.new.key;
    const isNew = next?.ckn === ckn || next?.cakSecretId === cakSecretId;
    const text = (effectTexts[what] ?? what).replace("KEY", isNew ? "new" : "old");
    this.#add(by === "person" ? `a person: ${text}` : text);
  }

  #changed(): void {
    const before = this.#observed;
    this.#observed = this.#truth();
    if (this.#observed.carries !== before.carries) {
      this.#add(this.#observed.carries ? "**the link carries again**" : "**the link goes dark**");
    }
  }

  #truth(): LinkTruth {
    const truth = this.#pair.site.groupTruth(group).links.find((each) => each.id === id);
    if (truth === undefined) throw new RangeError(`no link ${id}`);
    return truth;
  }

  #add(what: string): void {
    const { links } = this.#pair.site.groupTruth(group);
    const { edgeKeys, farKey } = this.#truth();
    const campaign = this.#pair.agent.memory.campaigns[group];
    const offered = links.filter((each) => each.offered).map((each) => each.id.split("/")[1]);
    const nameOf = (ckn: Ckn): string => (ckn === this.#old ? "old" : "new");
    this.#rows.push({
      at: this.#pair.site.clock.now(),
      state: campaign?.at === 0 ? campaign.state : "done",
      what,
      router: edgeKeys.map(nameOf).sort().reverse().join(" + "),
      far: farKey === undefined ? "none" : nameOf(farKey),
      traffic: offered.length === links.length ? "both" : offered.join(", ") || "none",
    });
  }
}

/** Texts for the effects on the port of a link; KEY is replaced by old or new. */
const effectTexts: Partial<Record<EffectEvent["what"], string>> = {
  "port.drain": "router: prepends",
  "port.restore": "router: prepends no more",
  "port.shut": "router: port shut",
  "port.open": "router: port opened",
  "macsec.protect": "router: settings",
  "macsec.addKey": "router: KEY key added",
  "macsec.promoteKey": "router: KEY key made primary",
  "macsec.removeKey": "router: KEY key removed",
  "macsec.replaceKey": "router: KEY key in place of the other",
  "macsec.rekeySak": "router: fresh SAK",
  rollback: "router: commit rolled back",
  reboot: "router: restarted",
  "peer.put": "far end: pointed at the KEY key, hardware not yet",
};

/** Merges the rows within one second of one state. */
function merged(rows: readonly Row[]): readonly Row[] {
  const result: Row[] = [];
  for (const row of rows) {
    const last = result.at(-1);
    const joins =
      last !== undefined && seconds(last.at) === seconds(row.at) && last.state === row.state;
    if (joins) result.splice(-1, 1, { ...row, what: `${last.what}; ${row.what}` });
    else result.push(row);
  }
  return result;
}

const seconds = (ms: number): number => Math.floor(ms / 1000);

/** Formats as `mm:ss`, with hours if there are any. */
export function spanText(ms: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(ms / hourMs), Math.floor(ms / 60_000) % 60];
  const text = `${two(minutes)}:${two(seconds(ms) % 60)}`;
  return hours === 0 ? text : `${hours}:${text}`;
}

export function markdownTable([head, ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = (head ?? []).map(() => "---");
  return [line(head ?? []), line(rule), ...rows.map(line)].join("\n");
}
