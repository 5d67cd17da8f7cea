// What a check found: what is here, what it does not go with, the rule, and where the rule stands.

import type { Severity } from "./warning-rows.ts";

/** One result of a check. */
export interface Finding {
  /** Code of the finding; docs/codes.md lists it. */
  readonly code: string;
  /** How bad it is: `severityOf` its code. */
  readonly severity: Severity;
  /** What it concerns: a link as `group/link`, a group, a tunnel, a device or this host. */
  readonly about: string;
  /** The value that was found. */
  readonly here: string;
  /** The value that it does not fit; null = nothing was compared. */
  readonly there: string | null;
  /** The rule that was checked, as a sentence. */
  readonly rule: string;
  /** Document or clause in which the rule stands. */
  readonly source: string;
  /** The next safe command. */
  readonly next: string;
}

/** Codes of findings that are neither a warning nor an error of their own. */
export type FindingCode =
  | "macsec-one-sided"
  | "admin-state-disabled"
  | "port-shut"
  | "far-end-updating"
  | "xpn-on-slow-port"
  | "xpn-missing"
  | "speed-mismatch"
  | "suite-unsupported"
  | "cipher-unknown"
  | "identity-missing"
  | "identifier-versionless"
  | "identifier-foreign-vault"
  | "identifier-incomplete"
  | "identifier-other-secret"
  | "lag-members"
  | "extra-key"
  | "foreign-line"
  | "missing-line"
  | "lines-unknown"
  | "key-version"
  | "version-missing"
  | "version-unusable"
  | "pair-mixed"
  | "generation-rollback"
  | "links-share-key"
  | "links-swapped"
  | "key-lower-case"
  | "proof-too-slow"
  | "bfd-off"
  | "api-version-ends"
  | "snmp-unmatched"
  | "second-engine"
  | "ike-not-admitted"
  | "other-host-version"
  | "other-host-login"
  | "other-host-silent"
  | "socket-open"
  | "host-unit"
  | "host-old-build"
  | "host-user"
  | "host-folder"
  | "host-addon"
  | "host-module"
  | "host-swap"
  | "host-charon"
  | "host-aggressive-mode"
  | "host-disk";
