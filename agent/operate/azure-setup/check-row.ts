// A row of the check, and the answers of Azure that it is made from.

import { LinksealError } from "#hal/error.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { ReadDocument } from "../../model/azure-document.ts";
import { vaultRole } from "./setup.ts";

/** One part of the setup, and whether Azure has it. */
export interface CheckRow {
  /** The right or the setting, and the identity that needs it. */
  readonly what: string;
  /** A resource id, or the place in words. */
  readonly where: string;
  readonly found: "has" | "missing" | "unknown";
  /** Why it is unknown, or what is missing without it; null = nothing to add. */
  readonly why: string | null;
  /** The next safe act; null = none is needed. */
  readonly next: string | null;
}

/** The parts of a cloud that are asked; nothing in them writes. */
export interface CheckedCloud {
  readonly document: ReadDocument;
  readonly vault: KeyVault;
}

/** What the document of a port shows of its identity and its circuits. */
export type PortRead =
  | {
      readonly kind: "read";
      readonly identities: readonly string[];
      /** Object ids by the id of the identity; Azure may leave them out. */
      readonly principals: Readonly<Record<string, string>>;
      readonly circuits: readonly string[];
    }
  | Unread;

/** Something that could not be read. */
export interface Unread {
  readonly kind: "unread";
  readonly why: string;
  readonly next: string;
}

/** Where an operator gets the command for what is missing. */
export const printed = "linkseal azure setup FILE --format az prints the command";

/** Returns the failure of a question as data; a defect of our own is thrown on. */
export function unreadFor(error: unknown): Unread {
  if (!(error instanceof LinksealError)) throw error;
  return { kind: "unread", why: error.message, next: error.next };
}

/** Returns what an operator does about a role that is missing on the vault. */
export const vaultRemedy = (who: string): string =>
  `give ${who} the role ${vaultRole} on the vault: ${printed}`;
