// Codes of errors as the causes and warnings that a status reports.

import { errorRows, isErrorCode } from "#hal/error.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import { type DesiredGroup, type DesiredLink, linkId } from "../../model/desired.ts";
import type { Reason } from "../../model/health.ts";
import { isWarningCode, nextFor, type WarningCode } from "../../model/warning-rows.ts";
import type { SiteView } from "./site-view.ts";

/** The vault's refusal of a new key; the links keep their keys and their verdicts. */
export function vaultWarnings(supervisor: SiteView, group: DesiredGroup): Raised[] {
  const waiting = supervisor.waiting(group.name);
  const code = waiting?.code.startsWith("vault.") === true ? warningOf(waiting.code) : undefined;
  if (waiting === undefined || code === undefined) return [];
  return [{ ...raise(code, group.name, waiting.text), next: waiting.next }];
}

/**
 * Other explanations of a bad verdict on a link: a vault that refuses, an effect that failed. An
 * effect on one link explains nothing of its siblings.
 */
export function linkCauses(
  supervisor: SiteView,
  group: DesiredGroup,
  link: DesiredLink,
): readonly Reason[] {
  const waiting = supervisor.waiting(group.name);
  const siblings = group.links.map(linkId).filter((id) => id !== linkId(link));
  return [
    ...(waiting === undefined ? [] : causeOf(waiting.code, waiting.text, group.name)),
    ...supervisor
      .troubles(group)
      .filter(({ where }) => !siblings.includes(where))
      .flatMap(({ code, message }) => causeOf(code, message, group.name)),
  ];
}

/** The code as a cause; none if no warning belongs to it. */
export function causeOf(cause: string, text: string, about: string): readonly Reason[] {
  const code = warningOf(cause);
  return code === undefined ? [] : [{ code, text, next: nextFor(code, about) }];
}

function warningOf(code: string): WarningCode | undefined {
  if (isWarningCode(code)) return code;
  const row = isErrorCode(code) ? errorRows[code].warning : null;
  return row !== null && isWarningCode(row) ? row : undefined;
}
