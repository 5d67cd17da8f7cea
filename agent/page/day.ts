// A day of each link and tunnel in the agent's memory, so that the plots of the page survive a
// reload: the last observation and the worst state of each time slot.

import type { IpsecTunnel, MacsecPort } from "#hal/model.ts";
import type { Clock } from "#hal/world.ts";
import { type DesiredLink, linkId } from "../model/desired.ts";
import type { LinksealEvent } from "../model/events.ts";
import type { Because, Verdict } from "../model/health.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { plannedWork } from "./planned-work.ts";
import type { LinkSample, PageDay, SlotState, TunnelSample } from "./shape.ts";
import { linkSample, tunnelSample } from "./snapshot.ts";

/** As many slots as a plot has pixels. */
const slotMs = 120_000;
const slotsMax = 720;
/** Values a slot keeps of each kind. */
const columns = 3;
/**
 * Octets that a day of one link or tunnel takes: counters of 8, values of 4, the moment within the
 * slot in 4, the state in 1.
 */
export const dayBytes = slotsMax * (columns * 8 + columns * 4 + 4 + 1);

const states: readonly SlotState[] = ["-", "p", "m", "d", "u", "x", "o"];
const letters: Readonly<Record<Verdict, SlotState>> = {
  protected: "p",
  degraded: "d",
  unknown: "u",
  down: "x",
  unprotected: "o",
};

/** What a slot keeps of an observation: counters as text, and plain values; null = not known. */
interface Row {
  readonly at: number;
  readonly counters: readonly (string | null)[];
  readonly values: readonly (number | null)[];
}

/** The slots of one link or tunnel, in a ring. */
class Ring {
  readonly #counters = new Float64Array(slotsMax * columns);
  readonly #values = new Float32Array(slotsMax * columns);
  /** Milliseconds from the slot's beginning to its observation, and one; 0 = there is none. */
  readonly #moments = new Uint32Array(slotsMax);
  /** Indices of `states`. */
  readonly #states = new Uint8Array(slotsMax);
  /** Number of the newest slot since 1970; undefined = nothing was recorded. */
  #newest: number | undefined;
  /** The observation that was taken last. */
  taken: IpsecTunnel | MacsecPort | undefined;

  note(at: number, state: SlotState): void {
    const slot = this.#open(at);
    this.#states[slot] = Math.max(this.#states[slot] ?? 0, states.indexOf(state));
  }

  take({ at, counters, values }: Row): void {
    const slot = this.#open(at);
    this.#moments[slot] = (at % slotMs) + 1;
    for (let column = 0; column < columns; column += 1) {
      this.#counters[slot * columns + column] = Number(counters[column] ?? Number.NaN);
      this.#values[slot * columns + column] = values[column] ?? Number.NaN;
    }
  }

  read(): { readonly from: number; readonly states: string; readonly rows: readonly Row[] } {
    const newest = this.#newest ?? 0;
    const numbers = Array.from({ length: slotsMax }, (_, back) => newest - slotsMax + 1 + back);
    const first = numbers.find((number) => this.#isUsed(number));
    const used = first === undefined ? [] : numbers.filter((number) => number >= first);
    return {
      from: (first ?? newest) * slotMs,
      states: used.map((number) => states[this.#states[number % slotsMax] ?? 0]).join(""),
      rows: used.flatMap((number) => this.#row(number)),
    };
  }

  #isUsed(number: number): boolean {
    const slot = number % slotsMax;
    return (this.#states[slot] ?? 0) > 0 || (this.#moments[slot] ?? 0) > 0;
  }

  #row(number: number): readonly Row[] {
    const slot = number % slotsMax;
    const moment = this.#moments[slot] ?? 0;
    if (moment === 0) return [];
    const of = (column: Float32Array | Float64Array): readonly (number | null)[] =>
      [...column.subarray(slot * columns, (slot + 1) * columns)].map((value) =>
        Number.isNaN(value) ? null : value,
      );
    const counters = of(this.#counters).map((value) =>
      value === null ? null : BigInt(value).toString(),
    );
    return [{ at: number * slotMs + moment - 1, counters, values: of(this.#values) }];
  }

  /** Returns the place of the slot of a moment; forgets all if the wall clock was set back. */
  #open(at: number): number {
    const number = Math.floor(at / slotMs);
    const newest = this.#newest ?? number;
    // An observation may be a little older than a state that was noted before it.
    const isBack = number < newest - 1;
    const from = isBack || number - newest >= slotsMax ? number - slotsMax + 1 : newest + 1;
    for (let each = from; each <= number; each += 1) {
      this.#moments[each % slotsMax] = 0;
      this.#states[each % slotsMax] = 0;
    }
    this.#newest = isBack ? number : Math.max(newest, number);
    return number % slotsMax;
  }
}

/** A verdict, and whose consequence it is. */
interface Judged {
  readonly verdict: Verdict;
  readonly because: Because | null;
}

/** The days of all links and tunnels of the accepted config. */
export class Days {
  readonly #agent: AgentView;
  readonly #clock: Pick<Clock, "now" | "wall">;
  readonly #links = new Map<string, Ring>();
  readonly #tunnels = new Map<string, Ring>();
  readonly #judged = new Map<string, Judged>();
  #planned: ReadonlySet<string> = new Set();
  #intent: unknown;

  constructor(agent: AgentView, clock: Pick<Clock, "now" | "wall">) {
    this.#agent = agent;
    this.#clock = clock;
  }

  /** Notes a verdict that has changed, so that an outage between two turns is in its slot. */
  heard({ about, verdict, because }: LinksealEvent): void {
    if (verdict === undefined || !this.#judged.has(about)) return;
    this.#judged.set(about, { verdict, because: because ?? null });
    this.#note(about);
  }

  /** Takes what was observed since the last turn; cheap enough for each second. */
  turn(): void {
    const { supervisor, intentDamage } = this.#agent;
    if (supervisor === undefined || intentDamage !== undefined) return;
    const { deviceCache, intent } = supervisor;
    const links = intent.desired.groups.flatMap((group) => group.links);
    if (this.#intent !== intent) this.#begin(links);
    this.#intent = intent;
    const { memory } = this.#agent;
    const moment = { now: this.#clock.now(), wall: this.#clock.wall() };
    const planned = links.filter((link) => plannedWork(memory, link) !== undefined);
    this.#planned = new Set(planned.map(linkId));
    for (const about of this.#judged.keys()) this.#note(about);
    for (const link of links) {
      const ring = this.#links.get(linkId(link));
      const port = deviceCache.history(link).at(-1);
      if (ring === undefined || port === undefined || ring.taken === port) continue;
      ring.taken = port;
      ring.take(rowOfLink(linkSample(port, moment)));
    }
    for (const [name, ring] of this.#tunnels) {
      const tunnel = deviceCache.tunnelHistory(name).at(-1);
      if (tunnel === undefined || ring.taken === tunnel) continue;
      ring.taken = tunnel;
      ring.take(rowOfTunnel(tunnelSample(tunnel, moment)));
    }
  }

  /** Returns the day of a link; undefined = no config names it. */
  link(id: string): PageDay<LinkSample> | undefined {
    this.#catchUp();
    return dayOf(this.#links.get(id), linkOfRow);
  }

  /** Returns the day of a tunnel; undefined = no config names it. */
  tunnel(name: string): PageDay<TunnelSample> | undefined {
    this.#catchUp();
    return dayOf(this.#tunnels.get(name), tunnelOfRow);
  }

  /** A page that shows a new config may ask before the next turn. */
  #catchUp(): void {
    if (this.#intent !== this.#agent.supervisor?.intent) this.turn();
  }

  /** Begins with another config: what it names goes on, and the rest is forgotten. */
  #begin(links: readonly DesiredLink[]): void {
    const { groups, tunnels } = this.#agent.status();
    keepOnly(this.#links, links.map(linkId));
    keepOnly(
      this.#tunnels,
      tunnels.map(({ name }) => name),
    );
    this.#judged.clear();
    for (const group of groups) {
      for (const { name, verdict } of group.links) {
        this.#judged.set(`${group.name}/${name}`, { verdict, because: null });
      }
    }
    for (const { name, verdict, because } of tunnels) this.#judged.set(name, { verdict, because });
  }

  #note(about: string): void {
    const ring = this.#links.get(about) ?? this.#tunnels.get(about);
    const judged = this.#judged.get(about);
    if (ring === undefined || judged === undefined) return;
    const letter = letters[judged.verdict];
    const isPlanned = this.#planned.has(about) || this.#planned.has(judged.because?.about ?? "");
    // Work that is planned makes neither clear frames nor ignorance harmless.
    const isWork = isPlanned && (letter === "d" || letter === "x");
    ring.note(this.#clock.wall(), isWork ? "m" : letter);
  }
}

function keepOnly(rings: Map<string, Ring>, names: readonly string[]): void {
  for (const name of [...rings.keys()]) if (!names.includes(name)) rings.delete(name);
  for (const name of names) if (!rings.has(name)) rings.set(name, new Ring());
}

function dayOf<Sample>(
  ring: Ring | undefined,
  sampleOf: (row: Row) => Sample,
): PageDay<Sample> | undefined {
  if (ring === undefined) return undefined;
  const { from, states: letterRow, rows } = ring.read();
  const schema = "linkseal.pageDay/1";
  return { schema, slotMs, from, states: letterRow, samples: rows.map(sampleOf) };
}

function rowOfLink({ at, clear, failed, ...rest }: LinkSample): Row {
  const { openPps, pnUsed, livePeers } = rest;
  return { at, counters: [rest.protected, clear, failed], values: [openPps, pnUsed, livePeers] };
}

function linkOfRow({ at, counters, values }: Row): LinkSample {
  const [whole = null, clear = null, failed = null] = counters;
  const [openPps = null, pnUsed = null, livePeers = null] = values;
  return { at, protected: whole, clear, openPps, failed, pnUsed, livePeers };
}

function rowOfTunnel({ at, received, sent, sequenceUsed }: TunnelSample): Row {
  return { at, counters: [received, sent], values: [sequenceUsed] };
}

function tunnelOfRow({ at, counters, values }: Row): TunnelSample {
  const [received = null, sent = null] = counters;
  return { at, received, sent, sequenceUsed: values[0] ?? null };
}
