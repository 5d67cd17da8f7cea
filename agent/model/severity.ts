// How bad each code is: one severity a code, in explain, status, doctor, events, webhook, alerts.

import { isErrorCode } from "#hal/error.ts";
import type { FindingCode } from "./finding.ts";
import { isWarningCode, type Severity, warningRows } from "./warning-rows.ts";

/** The severity of each finding; that of a warning is in its row. */
const findingSeverities: Readonly<Record<FindingCode, Severity>> = {
  "macsec-one-sided": "error",
  "admin-state-disabled": "error",
  "port-shut": "error",
  "far-end-updating": "info",
  "xpn-on-slow-port": "error",
  "xpn-missing": "warning",
  "speed-mismatch": "warning",
  "suite-unsupported": "error",
  "cipher-unknown": "error",
  "identity-missing": "error",
  "identifier-versionless": "error",
  "identifier-foreign-vault": "error",
  "identifier-incomplete": "error",
  "identifier-other-secret": "error",
  "lag-members": "error",
  "extra-key": "warning",
  "foreign-line": "warning",
  "missing-line": "warning",
  "lines-unknown": "warning",
  "key-version": "error",
  "version-missing": "error",
  "version-unusable": "error",
  "pair-mixed": "error",
  "generation-rollback": "error",
  "links-share-key": "error",
  "links-swapped": "error",
  "key-lower-case": "warning",
  "proof-too-slow": "warning",
  "api-version-ends": "warning",
  "snmp-unmatched": "warning",
  "second-engine": "warning",
  "bfd-off": "warning",
  "ike-not-admitted": "error",
  "other-host-version": "warning",
  "other-host-login": "warning",
  "other-host-silent": "error",
  "socket-open": "error",
  "host-unit": "error",
  "host-old-build": "warning",
  "host-user": "error",
  "host-folder": "error",
  "host-addon": "error",
  "host-module": "error",
  "host-swap": "info",
  "host-charon": "warning",
  "host-aggressive-mode": "error",
  "host-disk": "warning",
};

const isFindingCode = (code: string): code is FindingCode => Object.hasOwn(findingSeverities, code);

/**
 * Returns the severity of a code: that of a warning or finding, `error` for the code of an error,
 * and `info` for a risk, a state of a campaign or an event.
 */
export function severityOf(code: string): Severity {
  if (isWarningCode(code)) return warningRows[code].severity;
  if (isFindingCode(code)) return findingSeverities[code];
  return isErrorCode(code) ? "error" : "info";
}
