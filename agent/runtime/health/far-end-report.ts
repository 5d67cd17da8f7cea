// Warnings about a far end that cannot be read, cannot be followed, refuses a change, or that
// another writer changed during our write, and about the rights to change it.

import type { LinkSetting, PeerDetails, PeerState } from "#hal/device.ts";
import { errorRows, isErrorCode } from "#hal/error.ts";
import type { WallTime } from "#hal/world.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import { type DesiredGroup, type DesiredLink, linkId } from "../../model/desired.ts";
import type { CauseOf, Reason } from "../../model/reason.ts";
import { causeText, nextForRight, reasonText } from "../../model/reason-text.ts";
import type { RightsReport } from "../../model/rights-report.ts";
import { isWarningCode } from "../../model/warning-rows.ts";
import { type Memory, openCampaign } from "../../store/journal/memory.ts";
import { riskAccepted } from "../campaigns/begin.ts";
import type { RightsOf } from "../polling/rights-reader.ts";
import type { SiteView } from "./site-view.ts";

/**
 * Warns of an unreadable far end, unless an operator maintains it and has accepted the risk
 * `farEndUnseen`.
 */
export function farEndUnread(supervisor: SiteView, link: DesiredLink, wall: WallTime): Raised[] {
  const failure = supervisor.deviceCache.peerFailure(link);
  const unfollowed = supervisor.deviceCache.peer(link)?.state.details?.unfollowed;
  const within = [link.group];
  if (failure === undefined && unfollowed !== undefined) {
    const { group } = link;
    const rights = supervisor.rights.report({ kind: "campaign", group });
    const { text, next } = isWhole(rights) ? begunByAnother(unfollowed) : unfollowed;
    return [{ ...raise("far-end-unfollowed", linkId(link), text), next, within }];
  }
  const { desired } = supervisor.intent;
  const isMeant = desired.azure.farEnd === "manual" && riskAccepted(desired, "farEndUnseen", wall);
  if (failure === undefined || isMeant) return [];
  const { text, next } = failure;
  return [{ ...raise("far-end-unreadable", linkId(link), text), next, within }];
}

function isWhole(rights: RightsReport | undefined): boolean {
  return rights !== undefined && rights.missing.length === 0 && rights.unknown.length === 0;
}

/** Azure shows the result of an operation only to the identity that began it. */
function begunByAnother({ text }: { readonly text: string }) {
  const why = "another identity began it, or a deny assignment refuses it";
  return {
    text: `${text}, although it has Microsoft.Network/locations/operations/read: ${why}`,
    next:
      "wait if azure.identity was changed: the document of the port decides instead; else look " +
      "for deny assignments in the subscription",
  };
}

/**
 * Warns of rights that Azure does not report: the write itself would be the first to find that one
 * is missing.
 */
export function rightsUnknown({ rights }: SiteView, of: RightsOf): Raised[] {
  const about = of.kind === "campaign" ? of.group : of.tunnel;
  const [first] = rights.report(of)?.unknown ?? [];
  if (first === undefined) return [];
  const text = `the rights of the agent's identity at ${first.scope} are not known: ${first.why}`;
  return [{ ...raise("rights-unknown", about, text), next: first.next }];
}

/** A campaign that waits for a check; a right that is missing has a next act of its own. */
export function waitsForCheck(about: string, reason: Reason): Raised {
  const raised = raise("campaign-waiting", about, reasonText(reason));
  const cause = "cause" in reason ? reason.cause : undefined;
  if (cause?.code === "gate.rightsMissing") return { ...raised, next: nextForRight(cause) };
  return cause?.code === "vault.refuses" ? (vaultRefuses(about, cause) ?? raised) : raised;
}

function vaultRefuses(about: string, cause: CauseOf<"vault.refuses">): Raised | undefined {
  const code = isErrorCode(cause.error) ? errorRows[cause.error].warning : null;
  return code !== null && isWarningCode(code) ? raise(code, about, causeText(cause)) : undefined;
}

/** Another writer's change of this link while its sibling was written. */
export function farEndLostUpdate({ deviceCache }: SiteView, link: DesiredLink): Raised[] {
  const state = deviceCache.peer(link)?.state;
  const lostUpdate = state?.details?.lostUpdate;
  if (state === undefined || lostUpdate === undefined) return [];
  const text = lostText(state, lostUpdate);
  return [{ ...raise("far-end-lost-update", linkId(link), text), within: [link.group] }];
}

function lostText(
  state: LinkSetting,
  { ours, theirs }: NonNullable<PeerDetails["lostUpdate"]>,
): string {
  const [before, after, now] = [ours, theirs, state].map(settingText);
  const end =
    now === before
      ? "it is as before again: our write took that change back"
      : now === after
        ? "it is so now"
        : `now it has ${now}`;
  const what = "while its sibling was written, another writer changed it";
  return `${what} from ${before} to ${after}; ${end}`;
}

function settingText({ pointsAt, suite, sci, admin }: LinkSetting): string {
  const key = pointsAt === undefined ? "MACsec off" : keyText(pointsAt);
  return `${key}, ${suite ?? "no known cipher"}, SCI ${sci}, admin ${admin}`;
}

function keyText({ cakSecretId, cknSecretId }: NonNullable<PeerState["pointsAt"]>): string {
  return `CAK ${versionText(cakSecretId)} and CKN ${versionText(cknSecretId)}`;
}

/** Returns NAME/VERSION of a secret id; an id of another form is shown as it is. */
function versionText(id: string): string {
  return /\/secrets\/([0-9A-Za-z-]{1,127}\/[0-9a-f]{32})$/.exec(id)?.[1] ?? id;
}

/** The far end's refusal of a change, while a campaign wants that change. */
export function farEndRefused(supervisor: SiteView, memory: Memory, group: DesiredGroup): Raised[] {
  if (openCampaign(memory, group.name) === undefined) return [];
  const troubles = group.links.flatMap((link) => supervisor.troubles(link));
  return troubles.flatMap(({ code, message, next }): Raised[] => {
    if (!code.startsWith("peer.")) return [];
    return [{ ...raise("far-end-refused", group.name, message), next }];
  });
}
