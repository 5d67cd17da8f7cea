// A campaign and a rehearsal in words: what runs, what it waits for, what it did, who may go on.
// Takes readable text only.

import { columns, spanText } from "../model/text.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { Rehearsal } from "../runtime/campaigns/rehearsal-shape.ts";
import { aboutText } from "./plan-text.ts";
import { campaignLines } from "./status-text.ts";

/** Everything that is known of one campaign. */
export function campaignText(campaign: CampaignShape, at: string): string {
  const { restMs, urgency, by, goal } = campaign;
  const [head = "", ...more] = campaignLines(campaign, at);
  const nature = [`by ${by}`, ...(urgency === "emergency" ? ["emergency"] : [])];
  if (goal === "revert") nature.push("going back to the old key");
  return [
    head,
    `  ${nature.join(", ")}`,
    ...more,
    ...(restMs === null ? [] : [`  what is left takes ${aboutText(restMs)}`]),
    ...commandsFor(campaign).map((command) => `  may be said: ${command}`),
    ...trailLines(campaign),
  ].join("\n");
}

/** What an operator may say to it now, other than what is next anyway. */
function commandsFor({ state, group, links, kind }: CampaignShape): readonly string[] {
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
  const rows = steps.map(({ at, link, state, because }) => [at, link, state, because]);
  return columns(rows).map((row) => `  ${row}`);
}

/** What the twin did. */
export function rehearsalText(rehearsal: Rehearsal): string {
  const { target, verdict, because, tookMs, links, lostFrames, brokenPromises } = rehearsal;
  const told = links.flatMap(({ link, outcome, dark, steps }) => {
    const { wholeMs, theirsMs, oursMs } = dark;
    const parts = `${spanText(theirsMs)} by the far end, ${spanText(oursMs)} by us`;
    const rows = steps.map(({ atMs, state, because: why }) => [
      `${(atMs / 1000).toFixed(1)} s`,
      state,
      why,
    ]);
    return [
      `${link}: ${outcome ?? "not ended"}, dark for ${spanText(wholeMs)} (${parts})`,
      ...columns(rows).map((row) => `  ${row}`),
    ];
  });
  const frames = `${lostFrames} frames of the pair were lost`;
  const promises = `${brokenPromises.length} promises broken`;
  return [
    `Rehearsal of ${target} on a simulated twin: ${verdict}: ${because}`,
    ...told,
    `It took ${spanText(tookMs)} of virtual time; ${frames}; ${promises}.`,
    ...brokenPromises.map((text) => `  ${text}`),
  ].join("\n");
}
