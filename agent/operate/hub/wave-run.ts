// Runs waves: one step reads the engine, computes, writes the record by compare-and-set, and then
// the permits. It keeps nothing: a hub that dies at any point is completed by the next step.

import type { World } from "#hal/world.ts";
import type { HubEngine, Written } from "../../fleet/engine.ts";
import { type Permit, permitOctets, withdrawnOctets } from "../../fleet/records.ts";
import { type Wave, waveOctets } from "../../fleet/wave.ts";
import { type HubEvent, waveEvents } from "./hub-events.ts";
import { Lease } from "./lease.ts";
import { listWaves, readPermits, readView, type StoredPermit, storedWave } from "./wave-reading.ts";
import {
  advance,
  keyOf,
  permitsOf,
  stageOf,
  toWithdraw,
  type WaveView,
  withdrawn,
} from "./wave-step.ts";

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
  readonly #names = new Set<string>();
  readonly #unreadable = new Set<string>();
  #from = 1;

  constructor(parts: HubParts) {
    this.#parts = parts;
  }

  /** The engine may be another one when this hub leads again. */
  forget(): void {
    this.#names.clear();
    this.#from = 1;
  }

  async step(lease: Pick<Lease, "leads" | "keep">, end: AbortSignal): Promise<void> {
    const found = await listWaves(this.#parts.engine, this.#from, end);
    if (found === undefined) return this.forget();
    for (const { name, revision, wave } of found) {
      this.#from = revision + 1;
      if (wave === undefined) this.#complain(name);
      else if (wave.state.kind !== "done") this.#names.add(name);
    }
    for (const name of [...this.#names]) {
      if (end.aborted || !(await lease.keep(end))) return;
      if ((await stepWave(this.#parts, name, end)) === "done") this.#names.delete(name);
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

/** Does one step of a wave; `done` = nothing is left to do for it. */
export async function stepWave(
  { engine, world, tell }: StepParts,
  name: string,
  signal: AbortSignal,
): Promise<"done" | "open"> {
  const read = await engine.get("linkseal-waves", name, signal);
  if (read.kind !== "value") return read.kind === "absent" ? "done" : "open";
  const { wave, revision } = storedWave(name, read);
  if (wave === undefined || wave.state.kind === "done") return "done";
  const store = (next: Wave): Promise<Written> =>
    engine.update("linkseal-waves", name, waveOctets(next), revision, signal);
  const taken = toWithdraw(wave);
  if (taken.length > 0) {
    if (!(await withdrawAll(engine, taken.map(keyOf), signal))) return "open";
    if ((await store(withdrawn(wave))).kind === "ok") tell({ kind: "withdrawn", wave, taken });
    return "open";
  }
  const view = await readView(engine, wave, world.clock.wall(), signal);
  // Read before the record is written or looked at again: a hub that was overtaken by a stop has an
  // old revision, because what withdraws a permit gives its key a new one.
  const permits = await readPermits(engine, stageOf(wave).map(keyOf), signal);
  if (view === undefined || permits === undefined) return "open";
  const next = advance(wave, view);
  if (next !== wave) {
    if ((await store(next)).kind !== "ok") return "open";
    for (const event of waveEvents(wave, next)) tell(event);
  }
  const due = missing(next, view, permits);
  if (due.length === 0) return "open";
  if (next === wave && !(await isStill(engine, name, revision, signal))) return "open";
  for (const { key, permit, at } of due) {
    await engine.update("linkseal-permits", key, permitOctets(permit), at, signal);
  }
  return "open";
}

interface Due {
  readonly key: string;
  readonly permit: Permit;
  readonly at: number;
}

/** The permits that the record has and the engine has not. */
function missing(
  wave: Wave,
  view: WaveView,
  permits: ReadonlyMap<string, StoredPermit>,
): readonly Due[] {
  return [...permitsOf(wave, view)].flatMap(([key, permit]): readonly Due[] => {
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
  for (const key of keys) {
    const written = await engine.put("linkseal-permits", key, withdrawnOctets, signal);
    isAll &&= written.kind === "ok";
  }
  return isAll;
}
