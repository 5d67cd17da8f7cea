// Runs waves: one step reads the engine, computes, writes the record by compare-and-set, and then
// the permits. It keeps nothing: a hub that dies at any point is completed by the next step.

import { type Instant, instantAfter, type WallTime, type World } from "#hal/world.ts";
import type { HubEngine, Written } from "../fleet/engine.ts";
import { type Permit, permitOctets, withdrawnOctets } from "../fleet/records.ts";
import { type Wave, waveOctets } from "../fleet/wave.ts";
import { type HubEvent, waveEvents } from "./hub-events.ts";
import { Lease } from "./lease.ts";
import {
  eachOf,
  listWaves,
  readPermits,
  readView,
  type StoredPermit,
  storedWave,
} from "./wave-reading.ts";
import { advance, keyOf, permitsOf, toWithdraw, withdrawn } from "./wave-step.ts";

/** What a hub needs to run waves. */
export interface HubParts {
  readonly world: Pick<World, "clock" | "entropy">;
  readonly engine: HubEngine;
  /** How people know this hub. */
  readonly name: string;
  /** Gets each event once. */
  readonly tell: (event: HubEvent) => void;
  /** Called at each turn of the loop. */
  readonly turned: () => void;
}

/** Between two steps of a wave, in milliseconds. */
const tickMs = 1_000;
/**
 * The same while its sites are only watched, which may be for hours, and its record is not written:
 * a step reads the ask and the status of each.
 */
const bakingMs = 10_000;

/** Runs waves while this hub leads, until the signal aborts; then it gives the lease up. */
export async function runWaves(parts: HubParts, end: AbortSignal): Promise<void> {
  const { world, engine, tell, turned } = parts;
  const lease = new Lease(parts);
  const waves = new OpenWaves(parts);
  for (let led = false; !end.aborted; ) {
    turned();
    const leads = await lease.keep(end);
    // An engine that hangs, or is a new one, says nothing of another hub.
    if (leads !== led && (leads || lease.follows)) {
      tell({ kind: leads ? "leads" : "follows" });
      led = leads;
    }
    if (leads) await waves.step(lease, end);
    else waves.forget();
    await world.clock.sleep(tickMs, end).catch(() => undefined);
  }
  if (engine.state.kind === "connected") await lease.release(new AbortController().signal);
}

/** The waves that are not done, as far as the engine has shown them. */
class OpenWaves {
  readonly #parts: HubParts;
  /** When each is due for its next step. */
  readonly #due = new Map<string, Instant>();
  readonly #unreadable = new Set<string>();
  #from = 1;

  constructor(parts: HubParts) {
    this.#parts = parts;
  }

  /** The engine may be another one when this hub leads again. */
  forget(): void {
    this.#due.clear();
    this.#from = 1;
  }

  async step(lease: Pick<Lease, "leads" | "keep">, end: AbortSignal): Promise<void> {
    const { clock } = this.#parts.world;
    const found = await listWaves(this.#parts.engine, this.#from, end);
    if (found === undefined) return this.forget();
    for (const { name, revision, wave } of found) {
      this.#from = revision + 1;
      if (wave === undefined) this.#complain(name);
      else if (wave.state.kind !== "done") this.#due.set(name, clock.now());
    }
    for (const [name, at] of [...this.#due]) {
      if (at > clock.now()) continue;
      if (end.aborted || !(await lease.keep(end))) return;
      const afterMs = await stepWave(this.#parts, name, end);
      if (afterMs === "done") this.#due.delete(name);
      else this.#due.set(name, instantAfter(clock.now(), afterMs));
    }
  }

  #complain(name: string): void {
    if (this.#unreadable.has(name)) return;
    this.#unreadable.add(name);
    this.#parts.tell({ kind: "unreadable", wave: name });
  }
}

type StepParts = Pick<HubParts, "engine" | "tell"> & {
  readonly world: Pick<World, "clock">;
};

/**
 * Does one step of a wave; resolves to the time until its next one in milliseconds, 0 = as soon as
 * may be, unless its record is written before; `done` = nothing is left to do for it.
 */
export async function stepWave(
  { engine, world, tell }: StepParts,
  name: string,
  signal: AbortSignal,
): Promise<"done" | number> {
  const read = await engine.get("linkseal-waves", name, signal);
  if (read.kind !== "value") return read.kind === "absent" ? "done" : 0;
  const { wave, revision } = storedWave(name, read);
  if (wave === undefined || wave.state.kind === "done") return "done";
  const store = (next: Wave): Promise<Written> =>
    engine.update("linkseal-waves", name, waveOctets(next), revision, signal);
  const taken = toWithdraw(wave);
  if (taken.length > 0) {
    if (!(await withdrawAll(engine, taken.map(keyOf), signal))) return 0;
    if ((await store(withdrawn(wave))).kind === "ok") tell({ kind: "withdrawn", wave, taken });
    return 0;
  }
  const now = world.clock.wall();
  const view = await readView(engine, wave, now, signal);
  if (view === undefined) return 0;
  const next = advance(wave, view);
  const wanted = permitsOf(next, view);
  // Read before the record is written or looked at again: a hub that was overtaken by a stop has an
  // old revision, because what withdraws a permit gives its key a new one.
  const permits = await readPermits(engine, [...wanted.keys()], signal);
  if (permits === undefined) return 0;
  if (next !== wave) {
    if ((await store(next)).kind !== "ok") return 0;
    for (const event of waveEvents(wave, next)) tell(event);
  }
  const due = missing(wanted, permits);
  if (due.length === 0) return next === wave ? restMs(wave, now) : 0;
  if (next === wave && !(await isStill(engine, name, revision, signal))) return 0;
  await eachOf(due, async ({ key, permit, at }) => {
    await engine.update("linkseal-permits", key, permitOctets(permit), at, signal);
    // One that was not written is due in the next step.
    return true;
  });
  return 0;
}

/** A stage that bakes has nothing open, and its next one begins only by a step. */
function restMs({ state, bakingSince, bakeMs }: Wave, now: WallTime): number {
  if (state.kind !== "running" || bakingSince === null) return 0;
  return Math.min(Math.max(0, bakingSince + bakeMs - now), bakingMs);
}

interface Due {
  readonly key: string;
  readonly permit: Permit;
  readonly at: number;
}

/** The permits that the record has and the engine has not. */
function missing(
  wanted: ReadonlyMap<string, Permit>,
  permits: ReadonlyMap<string, StoredPermit>,
): readonly Due[] {
  return [...wanted].flatMap(([key, permit]): readonly Due[] => {
    const stored = permits.get(key);
    const { nonce, notAfter = 0 } = stored?.permit ?? {};
    const isThere = nonce === permit.nonce && notAfter >= permit.notAfter;
    return stored === undefined || isThere ? [] : [{ key, permit, at: stored.revision }];
  });
}

async function isStill(
  engine: Pick<HubEngine, "get">,
  name: string,
  revision: number,
  signal: AbortSignal,
): Promise<boolean> {
  const read = await engine.get("linkseal-waves", name, signal);
  return read.kind === "value" && read.revision === revision;
}

/** Takes permits back, whatever is in their keys; true = each write is acknowledged. */
export async function withdrawAll(
  engine: Pick<HubEngine, "put">,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  let isAll = true;
  // Each is tried, also after one that failed.
  await eachOf(keys, async (key) => {
    const written = await engine.put("linkseal-permits", key, withdrawnOctets, signal);
    isAll &&= written.kind === "ok";
    return true;
  });
  return isAll;
}
