// The settings of each stream of the engine, as a hub makes them and `linkseal hub doctor` wants
// them.

import { headBytesMax, messageBytesMax, valueBytesMax } from "./engine.ts";
import { recordBytesMax } from "./records.ts";
import {
  type Bucket,
  bucketStream,
  buckets,
  type Stream,
  streamSubject,
  streams,
} from "./subjects.ts";

const dayNs = 86_400_000_000_000;
const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
/** Octets of the headers that linkseal writes at most: JetStream counts them as the message's. */
const headersBytes = kibibyte;

/** The settings of a stream in the words of JetStream's API; durations are in nanoseconds. */
export interface StoreSettings {
  /** Name of the stream. */
  readonly name: string;
  /** The subjects whose messages it keeps. */
  readonly subjects: readonly string[];
  /** Messages stay until a limit is reached. */
  readonly retention: "limits";
  /** Messages are on the disk. */
  readonly storage: "file";
  /** Servers that have a copy; more than this is no fault. */
  readonly num_replicas: number;
  /** Messages of one subject. */
  readonly max_msgs_per_subject: number;
  /** Octets of the whole stream. */
  readonly max_bytes: number;
  /** How long a message is kept; 0 = without end. */
  readonly max_age: number;
  /** Octets of the longest message, with its headers. */
  readonly max_msg_size: number;
  /** What a full stream gives up: its oldest message, or the new one. */
  readonly discard: "old" | "new";
  /** A full subject takes no message, rather than that it forgets its oldest. */
  readonly discard_new_per_subject: boolean;
  /** How long a message with the same id is recognised; no message of linkseal has one. */
  readonly duplicate_window: number;
  /** Messages cannot be deleted one by one. */
  readonly deny_delete: boolean;
  /** Messages cannot be purged. */
  readonly deny_purge: boolean;
  /**
   * Always false: a writer of one subject could remove those of all others with a header
   * (`Nats-Rollup: all`).
   */
  readonly allow_rollup_hdrs: false;
  /** Always true: sites read by direct requests, for which rights name one subject. */
  readonly allow_direct: true;
}

const common = {
  retention: "limits",
  storage: "file",
  num_replicas: 1,
  duplicate_window: 120_000_000_000,
  allow_rollup_hdrs: false,
  allow_direct: true,
} as const;

const grows = {
  ...common,
  deny_delete: true,
  deny_purge: true,
} as const;

// JetStream bounds the messages of a subject and the octets of a stream, and not the octets of a
// subject. The longest message is thus as short as what linkseal writes allows: a site that was
// broken into cannot fill a stream alone, which all share.
const streamSettings: Readonly<Record<Stream, Omit<StoreSettings, "name" | "subjects">>> = {
  "LINKSEAL-EVENTS": {
    ...grows,
    max_msgs_per_subject: 50_000,
    max_bytes: 16_384 * mebibyte,
    max_age: 92 * dayNs,
    // A record of 500 links that change at the same moment.
    max_msg_size: 128 * kibibyte,
    discard: "old",
    discard_new_per_subject: false,
  },
  // A site that was broken into cannot push its own old heads out: a full subject takes no more.
  // One each ten minutes for 400 days are 57,600.
  "LINKSEAL-HEADS": {
    ...grows,
    max_msgs_per_subject: 100_000,
    max_bytes: 2_048 * mebibyte,
    max_age: 400 * dayNs,
    max_msg_size: headBytesMax,
    discard: "new",
    discard_new_per_subject: true,
  },
  "LINKSEAL-REPORTS": {
    ...grows,
    max_msgs_per_subject: 36,
    max_bytes: 8_192 * mebibyte,
    max_age: 1_100 * dayNs,
    max_msg_size: messageBytesMax + headersBytes,
    discard: "new",
    discard_new_per_subject: true,
  },
};

/** Octets of the longest value of each bucket. */
const bucketBytesMax: Readonly<Record<Bucket, number>> = {
  // It is as long for 2,000 links as for 50.
  "linkseal-status": 64 * kibibyte,
  "linkseal-asks": recordBytesMax,
  "linkseal-permits": recordBytesMax,
  "linkseal-waves": valueBytesMax,
  "linkseal-freeze": recordBytesMax,
  "linkseal-proposals": valueBytesMax,
};

function bucketSettings(bucket: Bucket): StoreSettings {
  return {
    name: bucketStream(bucket),
    subjects: [`$KV.${bucket}.>`],
    ...common,
    max_msgs_per_subject: 1,
    max_bytes: 512 * mebibyte,
    max_age: 0,
    max_msg_size: bucketBytesMax[bucket] + headersBytes,
    discard: "new",
    discard_new_per_subject: false,
    deny_delete: true,
    deny_purge: false,
  };
}

/** All streams, those that keep buckets first. */
export const stores: readonly StoreSettings[] = [
  ...buckets.map(bucketSettings),
  ...streams.map((stream) => ({
    name: stream,
    subjects: [streamSubject(stream, "*")],
    ...streamSettings[stream],
  })),
];

/** What of a stream differs from `wanted`: names of settings. `found`: JetStream's description. */
export function differing(
  wanted: StoreSettings,
  found: Readonly<Record<string, unknown>>,
): readonly string[] {
  // JetStream leaves out what is false or 0.
  const plain = (value: unknown): string =>
    JSON.stringify(value === false || value === 0 ? null : (value ?? null));
  return Object.entries(wanted).flatMap(([name, value]) => {
    const isMore = name === "num_replicas" && typeof found[name] === "number";
    if (isMore) return [];
    return plain(found[name]) === plain(value) ? [] : [name];
  });
}
