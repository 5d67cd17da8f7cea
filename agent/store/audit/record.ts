// What the audit log holds: when each link and tunnel was found how, what was changed, who asked,
// and every moment from which on nobody looked.

import type { Verdict } from "../../model/health.ts";
import type { Entry } from "../journal/chain.ts";

/** Unix milliseconds by this host's clock. */
type Wall = number;

/** How a link or tunnel was found, and from when on that counts. */
export interface Found {
  /** `group/link`, or the name of a tunnel. */
  readonly about: string;
  readonly kind: "link" | "tunnel";
  readonly verdict: Verdict;
  /** Codes of the reasons; empty = every check holds. */
  readonly codes: readonly string[];
  /** Of the SA in use; null = not known, or none. */
  readonly suite: string | null;
  /** CKN of the key in use; a name, never a key. */
  readonly ckn: string | null;
  /** Never earlier than what was found before it counts from. */
  readonly since: Wall;
}

/** No intent speaks of it any more. */
interface Gone {
  readonly about: string;
  readonly verdict: null;
  readonly since: Wall;
}

/** How the end of the last process was found at the next start. */
export type Tail = "none" | "whole" | "torn" | "corrupt" | "lost";

/** One thing that was done, asked for or noticed. */
export interface Change {
  readonly when: Wall;
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
    | "warning"
    | "over";
  readonly about: string;
  /** Who asked for it, or whose policy it serves; null = nobody did. */
  readonly who: string | null;
  /** One sentence without key material. */
  readonly text: string;
}

/** `held`: until when all that was found last is confirmed, by looks that came after it. */
export type AuditRecord =
  | {
      readonly kind: "segment";
      /** The record before it; null = there never was one. */
      readonly after: { readonly seq: number; readonly mac: string } | null;
      readonly carry: readonly Found[];
      readonly journalSeq: number;
      readonly held: Wall;
    }
  | {
      readonly kind: "start";
      readonly tail: Tail;
      /** Fingerprint of the key that reports are signed with. */
      readonly key: string;
      readonly held: Wall;
    }
  | { readonly kind: "stop"; readonly held: Wall }
  | {
      readonly kind: "gap";
      readonly why: "clock" | "stalled" | "dropped";
      /** Of the clock's step; 0 = it made none. */
      readonly stepMs: number;
      readonly held: Wall;
    }
  | { readonly kind: "found"; readonly found: readonly (Found | Gone)[]; readonly held: Wall }
  | (Change & {
      readonly kind: "change";
      /** Of the journal's record that it tells again; null = it has none. */
      readonly journalSeq: number | null;
      readonly held: Wall;
    });

/** A record as it stands in the log: its number, the host's time and its MAC beside it. */
export type AuditEntry = AuditRecord & Pick<Entry, "seq" | "at" | "mac">;
