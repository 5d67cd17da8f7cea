// Sites that ask, begin and end on a real engine, half of them by a client that is not ours.

import { readFileSync } from "node:fs";
import { setTimeout as rest } from "node:timers/promises";
import { connect, type Msg, type NatsConnection, nkeyAuthenticator } from "@nats-io/transport-node";
import { NatsEngine } from "#agent/fleet/nats-engine.ts";
import { type Ask, type AskState, askOctets, isFor, parsePermit } from "#agent/fleet/records.ts";
import { inboxPrefix, keySubject, newestSubject, streamSubject } from "#agent/fleet/subjects.ts";
import { hostClock } from "#agent/host/clock.ts";
import { openerOf } from "#agent/host/engine-stream.ts";
import { hostEntropy } from "#agent/host/entropy.ts";
import { type Recording, recordedEvent, recordedStatus } from "../../bench/fleet/recorded.ts";
import { never } from "../unit/kit/site-bench.ts";
import { statusOf } from "../unit/kit/wave-kit.ts";
import type { NatsStage } from "./nats-stage.ts";

/** What a site does on the engine. */
interface Client {
  put(
    bucket: "linkseal-asks" | "linkseal-status",
    key: string,
    octets: Uint8Array,
  ): Promise<boolean>;
  /** Publishes an audit record. */
  event(octets: Uint8Array): Promise<void>;
  permit(key: string): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

function ourClient(at: NatsStage, site: string): Client {
  const end = new AbortController();
  const open = openerOf({ servers: [at.server], ca: at.ca, key: `file:${at.key(site)}` });
  const world = { clock: hostClock, entropy: hostEntropy };
  const engine = new NatsEngine({ world, inbox: inboxPrefix(site), name: site, open });
  const run = engine.run(end.signal);
  return {
    put: async (bucket, key, octets) =>
      (await engine.put(bucket, key, octets, never)).kind === "ok",
    event: async (octets) => {
      await engine.publish("LINKSEAL-EVENTS", site, { octets }, never);
    },
    permit: async (key) => {
      const read = await engine.get("linkseal-permits", key, never);
      return read.kind === "value" ? read.octets : undefined;
    },
    close: async () => {
      end.abort();
      await run;
    },
  };
}

/** NATS's own client, by requests of its core alone: what a site has the rights for. */
function foreignClient(at: NatsStage, site: string): Client {
  let made: NatsConnection | undefined;
  const opened = async (): Promise<NatsConnection> => {
    if (made !== undefined && !made.isClosed()) return made;
    made = await connect({
      servers: `localhost:${at.port}`,
      authenticator: nkeyAuthenticator(readFileSync(at.key(site))),
      inboxPrefix: inboxPrefix(site),
      tls: { caFile: at.ca, handshakeFirst: true },
      reconnect: false,
    });
    return made;
  };
  const request = async (subject: string, octets: Uint8Array): Promise<Msg | undefined> => {
    try {
      return await (await opened()).request(subject, octets, { timeout: 2_000 });
    } catch {
      return undefined;
    }
  };
  return {
    put: async (bucket, key, octets) => {
      const reply = await request(keySubject(bucket, key), octets);
      return reply?.string().includes('"seq"') === true;
    },
    event: async (octets) => {
      await request(streamSubject("LINKSEAL-EVENTS", site), octets);
    },
    permit: async (key) => {
      const subject = keySubject("linkseal-permits", key);
      const reply = await request(newestSubject("KV_linkseal-permits", subject), new Uint8Array());
      return reply?.headers?.code === 0 ? reply.data : undefined;
    },
    close: async () => await made?.close(),
  };
}

/** What the sites publish while they live: short statuses of one verdict, or what was recorded. */
export interface SitesLife {
  readonly recording?: Recording;
  /** The time between two statuses of a site. */
  readonly turnMs: number;
}

/** Statuses for one audit record. */
const turnsPerEvent = 20;

/** Sites with one group each, `g`, and what is true of them. */
export class PermitSites implements AsyncDisposable {
  readonly #at: NatsStage;
  readonly #end = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #failed = new Set<string>();
  /** Sites whose next campaign does not reach its end. */
  readonly broken = new Set<string>();
  /** Campaigns that began, in their order. */
  readonly begun: string[] = [];
  readonly #open = new Set<string>();
  /** As many as were ever out of service at once. */
  openMost = 0;
  readonly #life: SitesLife;
  #turns = 0;

  /** `sites`: those of the stage, which begin to ask. */
  constructor(at: NatsStage, sites: readonly string[], life: SitesLife = { turnMs: 100 }) {
    this.#at = at;
    this.#life = life;
    for (const [index, site] of sites.entries())
      this.#running.push(this.#run(site, index % 2 === 0));
  }

  async #run(site: string, isOurs: boolean): Promise<void> {
    const client = isOurs ? ourClient(this.#at, site) : foreignClient(this.#at, site);
    for (let isReached = false; !this.#end.signal.aborted; ) {
      if (!isReached && !this.#failed.has(site)) isReached = await this.#campaign(site, client);
      await this.#live(site, client);
    }
    await client.close();
  }

  /** One turn of a site's life: its status. */
  async #live(site: string, client: Client): Promise<void> {
    const { recording, turnMs } = this.#life;
    const turn = this.#turns++;
    const octets = recording
      ? recordedStatus(recording, turn, site)
      : statusOf(site, "protected", hostClock.wall());
    await client.put("linkseal-status", site, octets);
    if (recording && turn % turnsPerEvent === 0) {
      await client.event(recordedEvent(recording, turn));
    }
    await rest(turnMs, undefined, { signal: this.#end.signal }).catch(() => undefined);
  }

  /** Asks, waits for the permit, and carries a campaign out; false = it has to be tried again. */
  async #campaign(site: string, client: Client): Promise<boolean> {
    const key = `${site}.g`;
    const ask: Ask = {
      nonce: Buffer.from(hostEntropy.bytes(16)).toString("hex"),
      ...{ site, group: "g", kind: "rotate", config: { number: 3, sha256: "ab".repeat(32) } },
      keys: [{ link: "primary", old: "aa11", new: "bb22" }],
      ...{ at: hostClock.wall(), state: { kind: "asking" } },
    };
    const write = async (state: AskState): Promise<void> => {
      const octets = askOctets({ ...ask, state });
      while (!this.#end.signal.aborted && !(await client.put("linkseal-asks", key, octets))) {
        await rest(100);
      }
    };
    await write({ kind: "asking" });
    for (;;) {
      if (this.#end.signal.aborted) return false;
      const octets = await client.permit(key);
      const permit = octets && parsePermit(octets);
      if (permit && isFor(permit, ask) && hostClock.wall() < permit.notAfter) break;
      await this.#live(site, client);
    }
    this.begun.push(site);
    this.#open.add(site);
    this.openMost = Math.max(this.openMost, this.#open.size);
    await write({ kind: "begun", at: hostClock.wall() });
    for (let turn = 0; turn < 3; turn += 1) await this.#live(site, client);
    this.#open.delete(site);
    const isReached = !this.broken.delete(site);
    if (!isReached) this.#failed.add(site);
    const end = isReached ? "reached" : "notReached";
    await write({ kind: "ended", at: hostClock.wall(), end });
    return isReached;
  }

  /** A person repairs a site that failed: it asks anew. */
  repair(site: string): void {
    this.#failed.delete(site);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#running);
  }
}
