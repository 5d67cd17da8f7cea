// One of several hubs leads, by a lease in the engine. It saves work and no more: that two hubs
// never exceed a share follows from the compare-and-set on the wave.

import { documentIn, line, object, orNull } from "#hal/decoder.ts";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
import type { FleetEngine } from "../fleet/engine.ts";
import { text } from "../fleet/records.ts";
import { leaseKey } from "../fleet/subjects.ts";

/** A lease that was renewed leads for this long, in milliseconds. */
export const leadMs = 10_000;
/**
 * A lease that was not renewed for this long is taken over; a hub leads by it for less, in
 * milliseconds.
 */
export const takeMs = 15_000;
const renewMs = 3_000;

/** What a hub needs to hold a lease. */
export interface LeaseParts {
  readonly world: Pick<World, "clock" | "entropy">;
  readonly engine: Pick<FleetEngine, "get" | "update">;
  /** How people know this hub: its host and process. */
  readonly name: string;
}

/** A lease, from one hub's side. Only its own monotonic clock counts, and no hub's wall clock. */
export class Lease {
  readonly #parts: LeaseParts;
  readonly #holder: string;
  #until: Instant | undefined;
  #renewAt: Instant | undefined;
  /** The newest lease of another hub, and when this hub saw it first. */
  #other: { readonly revision: number; readonly since: Instant } | undefined;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
    this.#holder = Buffer.from(parts.world.entropy.bytes(16)).toString("hex");
  }

  /** True while this hub leads. */
  get leads(): boolean {
    return this.#until !== undefined && this.#parts.world.clock.now() < this.#until;
  }

  /** True if the lease was another hub's when it was last read. */
  get follows(): boolean {
    return this.#other !== undefined;
  }

  /** Renews the lease, or takes it if no other hub holds it; resolves to whether this hub leads. */
  async keep(signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#parts.world;
    const now = clock.now();
    if (this.leads && this.#renewAt !== undefined && now < this.#renewAt) return true;
    const read = await this.#parts.engine.get("linkseal-waves", leaseKey, signal);
    if (read.kind === "absent") {
      this.#other = undefined;
      return await this.#take(read.revision, now, signal);
    }
    if (read.kind !== "value") return this.leads;
    const { revision, octets } = read;
    const holder = leaseIn(octets)?.holder;
    if (holder === this.#holder || holder === null) {
      this.#other = undefined;
      return await this.#take(revision, now, signal);
    }
    // Another hub took it while this one could not renew.
    this.#until = undefined;
    if (this.#other?.revision !== revision) this.#other = { revision, since: clock.now() };
    if (now - this.#other.since < takeMs) return false;
    return await this.#take(revision, now, signal);
  }

  /** Gives the lease up, so that another hub takes it at once. */
  async release(signal: AbortSignal): Promise<void> {
    const { engine } = this.#parts;
    this.#until = undefined;
    const read = await engine.get("linkseal-waves", leaseKey, signal);
    if (read.kind !== "value") return;
    if (leaseIn(read.octets)?.holder !== this.#holder) return;
    await engine.update("linkseal-waves", leaseKey, this.#octets(null), read.revision, signal);
  }

  async #take(revision: number, now: Instant, signal: AbortSignal): Promise<boolean> {
    const octets = this.#octets(this.#holder);
    const { engine } = this.#parts;
    const written = await engine.update("linkseal-waves", leaseKey, octets, revision, signal);
    if (written.kind === "ok") {
      // Counted from before the write: other hubs count from after it.
      this.#other = undefined;
      this.#until = instantAfter(now, leadMs);
      this.#renewAt = instantAfter(now, renewMs);
    }
    return this.leads;
  }

  #octets(holder: string | null): Uint8Array {
    const { name } = this.#parts;
    return new TextEncoder().encode(JSON.stringify({ schema: "linkseal.lease/1", holder, name }));
  }
}

interface Held {
  /** Drawn by the hub that holds it; null = it was given up. */
  readonly holder: string | null;
  readonly name: string;
}

const limits = { octets: 4_096, values: 10 } as const;
const held = object<Held>({ holder: orNull(line(limits.octets)), name: text });

const leaseIn = (octets: Uint8Array): Held | undefined =>
  documentIn("linkseal.lease/1", octets, limits, held);

/** Returns the name of the hub that holds a lease; undefined = none does. */
export function leaseHolder(octets: Uint8Array): string | undefined {
  const { holder, name } = leaseIn(octets) ?? { holder: null };
  return holder === null ? undefined : name;
}
