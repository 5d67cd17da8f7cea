// A campaign and a rehearsal as text: what runs, what it waits for, what it did, and which commands
// are allowed. All input must be readable text (without control characters).

import { stateText } from "../model/state-text.ts";
import { columns, spanText } from "../model/text.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { Rehearsal } from "../runtime/campaigns/rehearsal-shape.ts";
import { aboutText } from "./plan-text.ts";
import { campaignHead, continuation, isGoingOn } from "./status-text.ts";

/** Returns everything that is known about one campaign. */
export function campaignText(campaign: CampaignShape, at: string): string {
  const { restMs, urgency, by, goal } = campaign;
  const [head = "", ...more] = campaignHead(campaign, at);
  const show = `linkseal rotation show ${campaign.group}`;
  const next = isGoingOn(campaign) ? show : continuation(campaign);
  const nature = [`by ${by}`, ...(urgency === "emergency" ? ["emergency"] : [])];
  if (goal === "revert") nature.push("going back to the old key");
  return [
    head,
    `  ${nature.join(", ")}`,
    ...more,
    ...farEndLines(campaign),
    ...(next === undefined ? [] : [`  next: ${next}`]),
    ...(restMs === null ? [] : [`  what is left takes ${aboutText(restMs)}`]),
    ...commandsFor(campaign).map((command) => `  allowed now: ${command}`),
    ...trailLines(campaign),
  ].join("\n");
}

/** Returns what an operator sets at the far end, and the command for it once it is time. */
function farEndLines({ farEnd }: CampaignShape): readonly string[] {
  if (farEnd === null) return [];
  const { when, to, link, command, note, cloud, drained } = farEnd;
  const pair = to === "new" ? "the new pair" : "the old pair again";
  if (when === "notYet") {
    const later = `${link} gets ${pair}: not yet, its command is shown here once that is safe`;
    return [`  far end: ${later}`, ...valueLines(farEnd)];
  }
  const risk = drained ? [] : ["  the link is not drained, and carries nothing now"];
  if (command === null) {
    const how = note === null ? [] : [`  with: ${note}`];
    return [`  far end: give ${link} ${pair} now`, ...valueLines(farEnd), ...risk, ...how];
  }
  const where = cloud === null ? "" : `, signed in to ${cloud}`;
  return [
    `  far end: give ${link} ${pair} now${where}, by this command, which reads the port when it`,
    "  runs and leaves the other link as it is then:",
    `  ${command}`,
    ...risk,
  ];
}

function valueLines(task: NonNullable<CampaignShape["farEnd"]>): readonly string[] {
  const { cakSecretId, cknSecretId, cipher, sciState } = task;
  return [
    `           CAK ${cakSecretId}`,
    `           CKN ${cknSecretId}`,
    `           cipher ${cipher}, SCI ${sciState}`,
  ];
}

/** Returns the commands that an operator may give now, in addition to the next one. */
function commandsFor(campaign: CampaignShape): readonly string[] {
  const { state, group, links, kind } = campaign;
  if (isGoingOn(campaign)) return [];
  const say = (...verbs: readonly string[]): readonly string[] =>
    verbs.map((verb) => `linkseal rotation ${verb} ${group}`);
  const back = kind === "enrol" ? [] : ["revert"];
  switch (state) {
    case "queued":
      return say("abandon");
    case "gated":
    case "awaitingPeer":
    case "held":
      return say(...back, "abandon");
    case "done":
      return links.some(({ outcome }) => outcome === "abandoned") ? say("revert") : [];
    case "draining":
    case "staging":
    case "staged":
    case "switching":
    case "proving":
    case "promoting":
    case "retiring":
    case "restoring":
    case "reverting":
      return [];
  }
}

function trailLines({ steps }: CampaignShape): string[] {
  const rows = steps.map(({ at, link, state, because }) => [at, link, stateText(state), because]);
  return columns(rows).map((row) => `  ${row}`);
}

/** Returns what the rehearsal did. */
export function rehearsalText(rehearsal: Rehearsal): string {
  const { target, verdict, because, tookMs, links, lostFrames, brokenPromises } = rehearsal;
  const linkRows = links.flatMap(({ link, outcome, dark, steps }) => {
    const { wholeMs, theirsMs, oursMs } = dark;
    const parts = `${spanText(theirsMs)} by the far end, ${spanText(oursMs)} by us`;
    const rows = steps.map(({ atMs, state, because: why }) => [
      `${(atMs / 1000).toFixed(1)} s`,
      stateText(state),
      why,
    ]);
    return [
      `${link}: ${outcome ?? "not ended"}, down for ${spanText(wholeMs)} (${parts})`,
      ...columns(rows).map((row) => `  ${row}`),
    ];
  });
  const frames = `${lostFrames} frames of the pair were lost`;
  const promises = `${brokenPromises.length} promises broken`;
  return [
    `Rehearsal of ${target} on a simulated copy: ${verdict}: ${because}`,
    ...linkRows,
    `It took ${spanText(tookMs)} of virtual time; ${frames}; ${promises}.`,
    ...brokenPromises.map((text) => `  ${text}`),
  ].join("\n");
}
