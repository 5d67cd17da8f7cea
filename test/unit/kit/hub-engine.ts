// An engine as a hub's requests see it: streams in memory that answer JetStream's API.

import { type Bucket, bucketStream, keySubject, streamSubject } from "#agent/fleet/subjects.ts";
import type { Asker } from "#agent/hub/bucket-reader.ts";
import type { SiteStatus } from "#agent/telemetry/fleet/status-document.ts";
import { LinksealError } from "#hal/error.ts";
import type { Clock } from "#hal/world.ts";

interface Stored {
  readonly subject: string;
  readonly octets: Uint8Array;
  readonly headers: string;
  readonly at: number;
}

/** Buckets and heads of an engine, each subject with its newest message. */
export class HubEngine implements Asker {
  readonly #clock: Pick<Clock, "wall">;
  readonly #streams = new Map<string, Map<number, Stored>>();
  readonly asked: string[] = [];
  #seq = 0;
  /** How far the engine's clock is ahead. */
  aheadMs = 0;
  /** undefined = it answers. */
  fault: LinksealError | undefined;
  /** Changes an answer before it is given. */
  edit: (answer: Record<string, unknown>) => Record<string, unknown> = (answer) => answer;

  constructor(clock: Pick<Clock, "wall">) {
    this.#clock = clock;
  }

  #stream(name: string): Map<number, Stored> {
    const found = this.#streams.get(name) ?? new Map<number, Stored>();
    this.#streams.set(name, found);
    return found;
  }

  put(bucket: Bucket, key: string, value: unknown, headers = ""): void {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    this.#store(bucketStream(bucket), keySubject(bucket, key), text, headers);
  }

  head(site: string, line: string): void {
    this.#store("LINKSEAL-HEADS", streamSubject("LINKSEAL-HEADS", site), line, "");
  }

  /** Each key of a bucket of statuses with its verdict. */
  told(bucket: Bucket): readonly string[] {
    return [...this.#stream(bucketStream(bucket)).values()].map(({ octets }) => {
      const { site, verdict } = JSON.parse(Buffer.from(octets).toString()) as SiteStatus;
      return `${site} ${verdict}`;
    });
  }

  /** An older copy of a stream is restored: it has nothing. */
  lose(bucket: Bucket): void {
    this.#streams.delete(bucketStream(bucket));
    this.#seq = 0;
  }

  #store(name: string, subject: string, text: string, headers: string): void {
    const stream = this.#stream(name);
    for (const [seq, stored] of stream) if (stored.subject === subject) stream.delete(seq);
    this.#seq += 1;
    const at = this.#clock.wall() + this.aheadMs;
    stream.set(this.#seq, { subject, octets: Buffer.from(text), headers, at });
  }

  async api(subject: string, body: unknown): Promise<Readonly<Record<string, unknown>>> {
    this.asked.push(subject);
    if (this.fault !== undefined) throw this.fault;
    const [, call = "", name = ""] =
      /^\$JS\.API\.STREAM\.(INFO|MSG\.GET)\.(.+)$/.exec(subject) ?? [];
    const stream = this.#stream(name);
    if (call === "INFO") {
      const ts = new Date(this.#clock.wall() + this.aheadMs).toISOString();
      return this.edit({ ts, state: { last_seq: Math.max(0, ...stream.keys()) } });
    }
    const { seq: from } = body as { readonly seq: number };
    const found = [...stream].filter(([seq]) => seq >= from).sort(([a], [b]) => a - b)[0];
    if (found === undefined) return this.edit({ error: { code: 404 } });
    const [seq, { octets, headers, at, ...message }] = found;
    const time = new Date(at).toISOString();
    const [data, hdrs] = [Buffer.from(octets), Buffer.from(headers)];
    const texts = { data: data.toString("base64"), hdrs: hdrs.toString("base64") };
    return this.edit({ message: { ...message, seq, time, ...texts } });
  }

  async ask(subject: string): ReturnType<Asker["ask"]> {
    this.asked.push(subject);
    if (this.fault !== undefined) throw this.fault;
    const [, name = "", rest = ""] = /^\$JS\.API\.DIRECT\.GET\.([^.]+)\.(.+)$/.exec(subject) ?? [];
    const found = [...this.#stream(name)].find(([, stored]) => stored.subject === rest);
    const headers =
      found === undefined
        ? ["NATS/1.0 404 Message Not Found"]
        : ["NATS/1.0", `Nats-Sequence: ${found[0]}`];
    return { kind: "reply", headers, octets: found?.[1].octets ?? new Uint8Array() };
  }
}

/** What a hub hears when the engine is gone. */
export const noReply = new LinksealError("transport.timeout", "there is no reply", {
  ...{ effect: "unknown", where: "engine", next: "linkseal hub doctor" },
});
