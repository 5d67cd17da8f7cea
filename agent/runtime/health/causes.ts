// Codes of errors as the causes and warnings that a status reports.

import { errorRows, isErrorCode, type LinksealError } from "#hal/error.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import {
  type DesiredGroup,
  type DesiredLink,
  type DesiredTunnel,
  linkId,
} from "../../model/desired.ts";
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

/** A change of this link that its router accepted and lost, whatever the verdict is. */
export function linkCommitLost(supervisor: SiteView, link: DesiredLink): Raised[] {
  const about = linkId(link);
  return lostCommits(supervisor.troubles(link), about, [link.device, link.group]);
}

/** A set-up of this tunnel that its device accepted and lost, whatever the verdict is. */
export function tunnelCommitLost(supervisor: SiteView, { name, device }: DesiredTunnel): Raised[] {
  const own = supervisor.trouble(device, name);
  return lostCommits(own === undefined ? [] : [own], name, [device]);
}

function lostCommits(
  troubles: readonly LinksealError[],
  about: string,
  within: readonly string[],
): Raised[] {
  const lost = troubles.find(({ code }) => warningOf(code) === "commit-lost");
  return lost === undefined ? [] : [{ ...raise("commit-lost", about, lost.message), within }];
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
