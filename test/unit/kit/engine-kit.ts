// An engine in memory.

import {
  type EngineState,
  type FleetEngine,
  type Found,
  type HubEngine,
  messageBytesMax,
  type Read,
  valueBytesMax,
  type Written,
} from "#agent/fleet/engine.ts";
import { type Bucket, keySubject, type Stream, streamSubject } from "#agent/fleet/subjects.ts";
import type { Instant } from "#hal/world.ts";

interface Message {
  readonly subject: string;
  readonly octets: Uint8Array;
  readonly revision: number;
}

/** An engine that keeps everything in memory, and can be down, full, or lose answers. */
export class MemoryEngine implements FleetEngine, HubEngine {
  readonly messages: Message[] = [];
  /** The newest message of each subject. */
  readonly #last = new Map<string, Message>();
  /** Answers before an act; undefined = the engine does it. */
  fault: (() => Written | undefined) | undefined;
  /** The act is done, and its answer is lost. */
  isMute = false;
  #isUp = true;
  readonly #listeners = new Set<() => void>();
  calls = 0;

  get isUp(): boolean {
    return this.#isUp;
  }

  set isUp(is: boolean) {
    const isBack = is && !this.#isUp;
    this.#isUp = is;
    if (isBack) for (const listener of this.#listeners) listener();
  }

  readonly whenUp = (listener: () => void): (() => boolean) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  get state(): EngineState {
    const since = 0 as Instant;
    if (this.isUp) return { kind: "connected", since };
    return { kind: "disconnected", since, why: "down", next: "wait" };
  }

  async put(bucket: Bucket, key: string, octets: Uint8Array): Promise<Written> {
    return this.#write(keySubject(bucket, key), octets, valueBytesMax);
  }

  async update(bucket: Bucket, key: string, octets: Uint8Array, at: number): Promise<Written> {
    const subject = keySubject(bucket, key);
    if ((this.#newest(subject)?.revision ?? 0) !== at) {
      return { kind: "refused", reason: "conflict" };
    }
    return this.#write(subject, octets, valueBytesMax);
  }

  async get(bucket: Bucket, key: string): Promise<Read> {
    return this.#read(keySubject(bucket, key));
  }

  async next(bucket: Bucket, pattern: string, from: number): Promise<Found> {
    this.calls += 1;
    if (!this.isUp) return { kind: "refused", reason: "disconnected" };
    const start = keySubject(bucket, "");
    const words = pattern.split(".").length;
    const found = this.messages.find(
      ({ subject, revision }) =>
        revision >= from &&
        subject.startsWith(start) &&
        subject.slice(start.length).split(".").length === words &&
        this.#newest(subject)?.revision === revision,
    );
    if (found === undefined) return { kind: "absent", revision: 0 };
    return { kind: "value", ...found, key: found.subject.slice(start.length) };
  }

  async publish(
    stream: Stream,
    site: string,
    { octets, after }: { readonly octets: Uint8Array; readonly after?: number },
  ): Promise<Written> {
    const subject = streamSubject(stream, site);
    if (after !== undefined && (this.#newest(subject)?.revision ?? 0) !== after) {
      return { kind: "refused", reason: "conflict" };
    }
    return this.#write(subject, octets, messageBytesMax);
  }

  async newest(stream: Stream, site: string): Promise<Read> {
    return this.#read(streamSubject(stream, site));
  }

  /** The texts of a subject, the oldest first. */
  texts(subject: string): readonly string[] {
    return this.messages
      .filter((each) => each.subject === subject)
      .map(({ octets }) => Buffer.from(octets).toString());
  }

  #newest(subject: string): Message | undefined {
    return this.#last.get(subject);
  }

  #write(subject: string, octets: Uint8Array, bytesMax: number): Written {
    this.calls += 1;
    if (!this.isUp) return { kind: "refused", reason: "disconnected" };
    if (octets.length > bytesMax) return { kind: "refused", reason: "tooLarge" };
    const fault = this.fault?.();
    if (fault !== undefined) return fault;
    const revision = this.messages.length + 1;
    const message = { subject, octets, revision };
    this.messages.push(message);
    this.#last.set(subject, message);
    return this.isMute ? { kind: "unknown" } : { kind: "ok", revision };
  }

  #read(subject: string): Read {
    this.calls += 1;
    if (!this.isUp) return { kind: "refused", reason: "disconnected" };
    const found = this.#newest(subject);
    return found === undefined ? { kind: "absent", revision: 0 } : { kind: "value", ...found };
  }
}
