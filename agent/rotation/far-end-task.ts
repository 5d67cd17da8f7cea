// What an operator sets at the far end of the link under way, and whether it is time for it.

import type { Ckn, KeyRef } from "#hal/model.ts";
import { azClouds, azureCipher } from "../model/azure-words.ts";
import { type Campaign, entryOf } from "../model/campaign.ts";
import type { AzureSettings } from "../model/desired.ts";
import type { FarEnd } from "../model/reason.ts";
import { type FarEndSetting, farEndCommand } from "./far-end-command.ts";

/** The far end that an operator changes, as scripts read it. */
export type FarEndTask = Readonly<
  FarEndSetting & {
    /** `notYet`: a change now would interrupt the link, or its router lacks the pair. */
    when: "now" | "notYet";
    /** The pair that the far end gets: the new one of the campaign, or the old one again. */
    to: "new" | "old";
    /** Whether the traffic of the link is moved away. */
    drained: boolean;
    /** The command to run; null = it is not time for it, or there is none. */
    command: string | null;
    /** The cloud of `az cloud set` in which it is run; null = none of az's own. */
    cloud: string | null;
    /** What to do without a command; null = there is one, or it is not time. */
    note: string | null;
  }
>;

/** All that the decision rests on. */
export interface FarEndScene {
  readonly campaign: Campaign;
  readonly azure: Pick<AzureSettings, "cloud" | "farEnd">;
  /** Resource id of the port or LAG. */
  readonly resource: string;
  /** The link in Azure that is under way. */
  readonly azureLink: "link1" | "link2";
  /** The state that the far end was last read in; `unknown` = it cannot be read. */
  readonly far: FarEnd;
  /** True if the router was last seen to move the traffic of the link away, or cannot. */
  readonly drained: boolean;
  /** True if the router was last seen to let no frame pass. */
  readonly dark: boolean;
  /** CKNs of the keys that the router was last seen to hold; undefined = not known now. */
  readonly held: readonly Ckn[] | undefined;
}

/** The rows that ask an operator for the change. */
const asking: readonly string[] = [
  "draining.validated",
  "staged.tellPerson",
  "switching.personWaits",
];
/** The rows that ask an operator to put the old pair back. */
const askingBack: readonly string[] = ["reverting.farByHand", "reverting.farOther"];

/** Returns the task; null = the agent changes the far end, or there is nothing to change. */
export function farEndTask(scene: FarEndScene): FarEndTask | null {
  if (scene.azure.farEnd !== "manual") return null;
  const { campaign, far } = scene;
  const { reason, claimed, goal } = campaign;
  switch (campaign.state) {
    case "queued":
    case "gated":
    case "draining":
    case "staging":
    case "staged":
    case "awaitingPeer":
      if (goal === "revert") return far === "old" ? null : taskOf(scene, "old", "notYet");
      return isMoved(far) ? null : taskOf(scene, "new", "notYet");
    case "switching": {
      if (isMoved(far) || far === "updating") return null;
      const asks = asking.includes(reason.code) || (far === "unknown" && !claimed);
      return taskOf(scene, "new", asks ? "now" : "notYet");
    }
    case "reverting":
      return far === "new" || far === "other" ? taskOf(scene, "old", "notYet") : null;
    case "held":
      if (!askingBack.includes(reason.code) || far === "old" || far === "updating") return null;
      return taskOf(scene, "old", "now");
    case "proving":
    case "promoting":
    case "retiring":
    case "restoring":
    case "done":
      return null;
  }
}

const isMoved = (far: FarEnd): boolean => far === "new" || far === "either";

/**
 * The link loses nothing by the change, and the router has the pair already; one that can have one
 * key alone follows the far end by itself.
 */
function isSafe({ campaign, drained, dark, held }: FarEndScene, { ckn }: KeyRef): boolean {
  if (!drained && !dark) return false;
  const follows = held !== undefined && entryOf(campaign).overlap === "breakBeforeMake";
  return follows || held?.includes(ckn) === true;
}

function taskOf(scene: FarEndScene, to: "new" | "old", asked: FarEndTask["when"]) {
  const { campaign, azure, resource, azureLink: link, drained } = scene;
  const entry = entryOf(campaign);
  const wanted = to === "new" ? entry.new : entry.old;
  // An enrolment has no old pair: MACsec is taken off by hand (docs/enrolment.md).
  if (wanted === undefined) return null;
  const { key, settings } = wanted;
  const { cakSecretId, cknSecretId } = key;
  const sciState = settings.includeSci ? ("Enabled" as const) : ("Disabled" as const);
  const ids = { resource, link, cakSecretId, cknSecretId };
  const setting = { ...ids, cipher: azureCipher(settings.suite), sciState };
  const when: FarEndTask["when"] = asked === "now" && isSafe(scene, key) ? "now" : "notYet";
  const shown = when === "now" ? shownFor(scene, to, setting) : { command: null, note: null };
  return { ...setting, ...shown, when, to, drained, cloud: azClouds[azure.cloud] ?? null };
}

function shownFor(
  { azure, campaign }: FarEndScene,
  to: FarEndTask["to"],
  setting: FarEndSetting,
): Pick<FarEndTask, "command" | "note"> {
  if (azure.cloud === "sim") {
    const fault = to === "new" ? "far-ahead" : "far-back";
    const where = `${campaign.group}/${entryOf(campaign).name}`;
    const cak = setting.cakSecretId.replace(/^.*\//, "");
    return { command: null, note: `linkseal sim fault ${fault} --link ${where} --cak ${cak}` };
  }
  const command = farEndCommand(setting);
  switch (command.kind) {
    case "command":
      return { command: command.text, note: null };
    case "none":
      return { command: null, note: `set these values by hand: ${command.why}` };
  }
}
