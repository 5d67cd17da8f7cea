// Warnings about the campaign of a group, and about the vault, far end and rights that it needs.

import { wallAfter } from "#hal/world.ts";
import { overdueWarnings } from "../../health/overdue.ts";
import type { CampaignState } from "../../model/campaign.ts";
import type { DesiredGroup } from "../../model/desired.ts";
import { causeText, nextForRight, reasonText } from "../../model/reason-text.ts";
import { named, openCampaign } from "../../store/journal/memory.ts";
import type { RightsOf } from "../polling/rights-reader.ts";
import { warningOf } from "./causes.ts";
import type { Find, Finders, Finding, Scene, Subject } from "./finder.ts";

export interface GroupSubject extends Subject {
  readonly group: DesiredGroup;
}

/** The open campaign in this state, about its present link. */
const campaignIn =
  (state: CampaignState): Find<GroupSubject> =>
  ({ agent }, { group }) => {
    const campaign = openCampaign(agent.memory, group.name);
    if (campaign?.state !== state) return undefined;
    const about = `${group.name}/${campaign.links[campaign.at]?.name ?? ""}`;
    const { reason } = campaign;
    const text = reasonText(reason);
    const cause = state === "gated" && "cause" in reason ? reason.cause : undefined;
    // A right that is missing, and a vault that refuses, have a next act of their own.
    if (cause?.code === "gate.rightsMissing") return { about, text, next: nextForRight(cause) };
    if (cause?.code !== "vault.refuses") return { about, text };
    const code = warningOf(cause.error);
    return code === undefined ? { about, text } : { about, code, text: causeText(cause) };
  };

/** The vault's refusal of a new key; the links keep their keys and their verdicts. */
function vaultRefusal({ site }: Scene, { group }: GroupSubject): Finding | undefined {
  const waiting = site.waiting(group.name);
  if (waiting?.code.startsWith("vault.") !== true) return undefined;
  const code = warningOf(waiting.code);
  return code && { code, text: waiting.text, next: waiting.next };
}

/**
 * Rights that Azure does not report: the write itself would be the first to find that one is
 * missing.
 */
export function unknownRight({ site }: Scene, of: RightsOf): Finding | undefined {
  const [first] = site.rights.report(of)?.unknown ?? [];
  if (first === undefined) return undefined;
  const text = `the rights of the agent's identity at ${first.scope} are not known: ${first.why}`;
  return { text, next: first.next };
}

export const groupRows = {
  "rotation-held": campaignIn("held"),
  "waiting-for-person": campaignIn("awaitingPeer"),
  "campaign-waiting": campaignIn("gated"),
  // Of a rotation that gave one link its new key and left another one on its old key.
  "rotation-unfinished": ({ agent: { memory } }, { group: { name: group } }) => {
    const last = named(memory.campaigns, group);
    if (openCampaign(memory, group) !== undefined || last?.kind !== "rotate") return undefined;
    if (!last.links.some(({ outcome }) => outcome === "rotated")) return undefined;
    return last.links.flatMap(({ name, outcome, old, turnedBack }) => {
      const about = `${group}/${name}`;
      const isOld = named(memory.bindings, about)?.key.cakSecretId === old?.key.cakSecretId;
      if (outcome !== "reverted" || !isOld) return [];
      const why = turnedBack === undefined ? "" : `: ${reasonText(turnedBack)}`;
      return [{ about, text: `it is still on its old key${why}` }];
    });
  },
  "vault-unreachable": vaultRefusal,
  "vault-denied": vaultRefusal,
  "key-unpaired": vaultRefusal,
  "key-malformed": vaultRefusal,
  "key-reused": vaultRefusal,
  // While a campaign wants that change.
  "far-end-refused": ({ agent: { memory }, site }, { group }) => {
    if (openCampaign(memory, group.name) === undefined) return undefined;
    const troubles = group.links.flatMap((link) => site.troubles(link));
    return troubles.flatMap(({ code, message: text, next }) =>
      code.startsWith("peer.") ? [{ text, next }] : [],
    );
  },
  "rights-unknown": (scene, { group }) =>
    unknownRight(scene, { kind: "campaign", group: group.name }),
  "rotation-overdue": ({ agent, site, wall, now, startedAt }, { group }) => {
    const { rotation } = site.intent.desired;
    return overdueWarnings({
      campaign: openCampaign(agent.memory, group.name),
      rotation,
      graceEnd: wallAfter(wall, startedAt - now + rotation.putGraceMs),
      wall,
      isUnwritten: agent.unwritten.some(({ what }) => what === "journal"),
    });
  },
} satisfies Finders<GroupSubject>;
