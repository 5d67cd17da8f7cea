// A campaign and a rehearsal as text: what runs, what it waits for, what it did, and which commands
// are allowed. All input must be readable text (without control characters).

import { stateText } from "../model/state-text.ts";
import { columns, spanText } from "../model/text.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { Rehearsal } from "../runtime/campaigns/rehearsal-shape.ts";
import { aboutText } from "./plan-text.ts";
import { campaignLines } from "./status-text.ts";

/** Returns everything that is known about one campaign. */
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
    ...commandsFor(campaign).map((command) => `  allowed now: ${command}`),
    ...trailLines(campaign),
  ].join("\n");
}

/** Returns the commands that an operator may give now, in addition to the next one. */
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
