// Codes of errors as the causes and warnings that a status reports.

import { errorRows, isErrorCode } from "#hal/error.ts";
import { type DesiredLink, linkId } from "../../model/desired.ts";
import type { Reason } from "../../model/health.ts";
import { isWarningCode, nextFor, type WarningCode } from "../../model/warning-rows.ts";
import type { SiteView } from "./site-view.ts";

/**
 * Other explanations of a bad verdict on a link: a vault that refuses, an effect that failed. An
 * effect on one link explains nothing of its siblings.
 */
export function linkCauses(supervisor: SiteView, link: DesiredLink): readonly Reason[] {
  const { group } = link;
  const waiting = supervisor.waiting(group);
  return [
    ...(waiting === undefined ? [] : causeOf(waiting.code, waiting.text, group)),
    ...supervisor
      .troubles(link)
      .flatMap(({ code, message }) => causeOf(code, message, linkId(link))),
  ];
}

/** The code as a cause; none if no warning belongs to it. */
export function causeOf(cause: string, text: string, about: string): readonly Reason[] {
  const code = warningOf(cause);
  return code === undefined ? [] : [{ code, text, next: nextFor(code, about) }];
}

/** The warning that a code of an error or a warning stands for; undefined = none. */
export function warningOf(code: string): WarningCode | undefined {
  if (isWarningCode(code)) return code;
  const row = isErrorCode(code) ? errorRows[code].warning : null;
  return row !== null && isWarningCode(row) ? row : undefined;
}
