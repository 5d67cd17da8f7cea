// What every campaign needs before it begins: accepted risks, keys that were never used, a record.

import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { KeyRef } from "#hal/model.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { WallTime, World } from "#hal/world.ts";
import {
  type Campaign,
  type CampaignKind,
  type CampaignLink,
  noMarks,
} from "../../model/campaign.ts";
import {
  type Desired,
  type DesiredGroup,
  type DesiredLink,
  type RiskName,
  riskMeanings,
} from "../../model/desired.ts";
import type { Reason } from "../../model/reason.ts";
import { needsAgent, sharesFate } from "../../rotation/shared-fate.ts";
import type { Memory } from "../../store/journal/memory.ts";
import type { DeviceCache } from "../polling/device-cache.ts";
import { assertDistinct } from "../polling/vault.ts";
import { refuseCompromised } from "./declare.ts";

/** All that the beginning of a campaign reads. */
export interface BeginParts {
  /** Clock, randomness and log. */
  readonly world: World;
  /** The accepted intent. */
  readonly desired: Desired;
  /** Number of the accepted intent. */
  readonly intent: number;
  /** The newest observations of both ends. */
  readonly deviceCache: DeviceCache;
  readonly vault: KeyVault;
  /** Returns what the journal holds now. */
  readonly memory: () => Memory;
}

/** Why links that want a campaign get none, and the command that goes on from there. */
export interface Waiting {
  /** Code of the warning or event that reports it. */
  readonly code: string;
  /** The error code of a command that asked for it. */
  readonly refusal: ErrorCode;
  /** One sentence for the operator. */
  readonly text: string;
  /** The next safe command. */
  readonly next: string;
}

/** Whether a campaign begins now; `waiting` = one is wanted, and something is missing. */
export type Beginning =
  | { readonly kind: "nothing" }
  | { readonly kind: "waiting"; readonly waiting: Waiting }
  | { readonly kind: "begin"; readonly campaign: Campaign };

/** The request of an operator. */
export interface Asked {
  /** The operator's name. */
  readonly by: string;
  /** The risks that the request accepts by name. */
  readonly risks: readonly RiskName[];
  /** Only these links; undefined = every link of the group that it concerns. */
  readonly links: readonly string[] | undefined;
  /** `emergency`: windows do not bind the campaign, and the old key leaves early. */
  readonly urgency: Campaign["urgency"];
}

export interface Accepting {
  readonly asked: Asked | undefined;
  readonly acceptsRisk: (risk: RiskName) => boolean;
  /** The command that would accept it. */
  readonly verb: string;
}

/** Returns the risks that these links need and that are not accepted. */
export function missingRisks(
  { deviceCache, desired }: Pick<BeginParts, "deviceCache" | "desired">,
  links: readonly DesiredLink[],
  risks: readonly RiskName[],
  { asked, acceptsRisk }: Omit<Accepting, "verb">,
): readonly RiskName[] {
  const blind = links.some(({ device }) => deviceCache.capabilities(device)?.probe === undefined);
  const how = { breaksFirst: risks.includes("breakBeforeMake"), urgency: asked?.urgency };
  const isTaken = links.some((link) => sharesFate(desired, link) && needsAgent(desired, link, how));
  const needed: readonly RiskName[] = [
    ...risks,
    ...(isTaken ? (["agentOnSibling"] as const) : []),
    ...(blind ? (["noProbe"] as const) : []),
    ...(skipsHub(desired, asked) ? (["noPermit"] as const) : []),
  ];
  return needed.filter((risk) => asked?.risks.includes(risk) !== true && !acceptsRisk(risk));
}

/** What an operator of the site begins does not wait for the hub: that is a risk of its own. */
function skipsHub({ fleet }: Desired, asked: Asked | undefined): boolean {
  return fleet?.permits !== undefined && asked?.urgency === "planned";
}

/** Returns the first missing risk as a reason to wait; undefined = none is missing. */
export function missingRisk(
  parts: Pick<BeginParts, "deviceCache" | "desired">,
  links: readonly DesiredLink[],
  risks: readonly RiskName[],
  accepting: Accepting,
): Waiting | undefined {
  const { verb } = accepting;
  const [missing] = missingRisks(parts, links, risks, accepting);
  if (missing === undefined) return undefined;
  return {
    code: "campaign-waiting",
    refusal: "gate.riskNotAccepted",
    text: `the risk ${missing} is not accepted: ${riskMeanings[missing]}`,
    next: `${verb} --accept-risk=${missing}`,
  };
}

/**
 * Refuses a key that was declared compromised. Compares the keys with each other, with those of
 * the group, and by CKN with those of other groups.
 * @throws LinksealError `vault.reusedCkn` if two are equal, or another `vault.*` of the vault.
 */
export async function assertFresh(
  { vault, memory }: Pick<BeginParts, "vault" | "memory">,
  group: string,
  keys: readonly KeyRef[],
  signal: AbortSignal,
): Promise<void> {
  refuseCompromised(memory(), keys);
  const bound = Object.entries(memory().bindings)
    .filter(
      ([id, { key }]) =>
        id.split("/", 1)[0] === group || keys.some((wanted) => wanted.ckn === key.ckn),
    )
    .map(([, { key }]) => key);
  await assertDistinct(vault, [...bound, ...keys], signal);
}

/** Returns a campaign in its first state; nothing was touched yet. */
export function newCampaign(
  { world, intent }: Pick<BeginParts, "world" | "intent">,
  begun: {
    readonly group: DesiredGroup;
    readonly kind: CampaignKind;
    readonly links: readonly CampaignLink[];
    readonly asked: Asked | undefined;
    readonly reason: Reason;
  },
): Campaign {
  const { group, kind, links, asked, reason } = begun;
  return {
    ...noMarks,
    group: group.name,
    kind,
    links,
    at: 0,
    state: "queued",
    since: world.clock.wall(),
    reason: asked === undefined ? reason : { code: "begin.asked" },
    heldFrom: undefined,
    retire: group.retire,
    urgency: asked?.urgency ?? "planned",
    risks: asked?.risks ?? [],
    origin: asked === undefined ? "policy" : "operator",
    by: asked?.by ?? `intent ${intent}`,
    intent,
    nonce: Buffer.from(world.entropy.bytes(16)).toString("hex"),
    begunAt: undefined,
  };
}

/** Returns true if the config accepts the risk and its date has not passed. */
export function riskAccepted(desired: Desired, risk: RiskName, now: WallTime): boolean {
  return desired.acceptRisks.some((entry) => entry.risk === risk && now < entry.until);
}

/** Returns a refusal that names the next step. */
export function cannotBegin(code: ErrorCode, where: string, text: string, next: string) {
  return new LinksealError(code, text, { effect: "none", where, next });
}
