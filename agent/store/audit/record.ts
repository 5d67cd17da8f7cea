// The records of the audit log: the state of each link and tunnel, changes, requests, and every
// moment from which nothing was observed.

import type { Client } from "../../model/client.ts";
import type { Verdict } from "../../model/health.ts";
import type { Entry } from "../journal/chain.ts";

/** Unix milliseconds by this host's clock. */
type Wall = number;

/** The state of a link or tunnel, and the time from which it counts. */
export interface Found {
  /** Name of the link as `group/link`, or of the tunnel. */
  readonly about: string;
  /** Kind of the part. */
  readonly kind: "link" | "tunnel";
  readonly verdict: Verdict;
  /** Codes of the reasons; empty = every check passed. */
  readonly codes: readonly string[];
  /** Cipher suite of the SA in use; null = not known, or none. */
  readonly suite: string | null;
  /** CKN of the key in use, which is a name and not a key; null = not known, or none. */
  readonly ckn: string | null;
  /** Never earlier than the `since` of the state before. */
  readonly since: Wall;
}

/** A link or tunnel that no config names any more. */
interface Gone {
  readonly about: string;
  readonly verdict: null;
  readonly since: Wall;
}

/** State of the log's end, as the next start finds it; `whole` = as far as it was confirmed. */
export type Tail = "none" | "whole" | "unconfirmed" | "torn" | "corrupt" | "lost";

/** One thing that was done, requested or noticed. */
export interface Change {
  /** When, Unix milliseconds. */
  readonly when: Wall;
  /** Kind of the change. */
  readonly what:
    | "asked"
    | "intent"
    | "campaign"
    | "effect"
    | "farEnd"
    | "binding"
    | "forget"
    | "handDrain"
    | "tunnelAuth"
    | "proposal"
    | "warning"
    | "over";
  /** The subject: a link, a tunnel, a device, `journal` or `site`. */
  readonly about: string;
  /** Who asked for it, or whose policy caused it; null = no one. */
  readonly who: string | null;
  /** The process that asked over a socket; absent = it was not asked for over one. */
  readonly client?: Client;
  /** One sentence without key material. */
  readonly text: string;
}

/** One record. `held`: the time up to which everything in it is confirmed by later observations. */
export type AuditRecord =
  | {
      readonly kind: "segment";
      /** The record before the segment; null = there was none. */
      readonly after: { readonly seq: number; readonly mac: string } | null;
      readonly carry: readonly Found[];
      readonly journalSeq: number;
      readonly held: Wall;
    }
  | {
      readonly kind: "start";
      readonly tail: Tail;
      /** Fingerprint of the key that signs reports. */
      readonly key: string;
      readonly held: Wall;
    }
  | { readonly kind: "stop"; readonly held: Wall }
  | {
      readonly kind: "gap";
      readonly why: "clock" | "stalled" | "dropped";
      /** Size of the clock's step in milliseconds; 0 = it made none. */
      readonly stepMs: number;
      readonly held: Wall;
    }
  /** Its own number and MAC were sent to another log, so that this one can be held against it. */
  | { readonly kind: "head"; readonly held: Wall }
  | { readonly kind: "found"; readonly found: readonly (Found | Gone)[]; readonly held: Wall }
  | (Change & {
      readonly kind: "change";
      /** Number of the journal record that it repeats; null = there is none. */
      readonly journalSeq: number | null;
      readonly held: Wall;
    });

/** A record in the log, with its number, the host's time and its MAC. */
export type AuditEntry = AuditRecord & Pick<Entry, "seq" | "at" | "mac">;
