// Waves as text for a person.

import type { Member, Wave } from "../../fleet/wave.ts";
import { isoTime } from "../../model/iso-time.ts";
import { spanText } from "../../model/text.ts";
import type { ShownWave } from "../fleet-acts.ts";
import { keyOf, type WaitCode } from "../wave-step.ts";

/** The columns of `waveRow`. */
export const waveHead = ["wave", "state", "stage", "open", "reached", "groups"] as const;

/** Returns a wave as a row of a table. */
export function waveRow(wave: Wave): readonly string[] {
  const members = wave.stages.flat();
  const count = (...kinds: readonly Member["state"]["kind"][]): string =>
    String(members.filter(({ state }) => kinds.includes(state.kind)).length);
  const stage = Math.min(wave.stage + 1, wave.stages.length);
  return [
    wave.name,
    wave.state.kind,
    `${stage} of ${wave.stages.length}`,
    `${count("permitted", "begun")} of ${wave.shareMax}`,
    count("reached"),
    String(members.length),
  ];
}

/** Returns a wave as lines: what it does, and each group. */
export function waveText({ wave, waits }: ShownWave): string {
  return [
    ...planLines(wave),
    stateText(wave),
    ...wave.stages.flatMap((stage, at) => [
      at === wave.stage ? `* stage ${at + 1}${bakingText(wave)}` : `  stage ${at + 1}`,
      ...stage.map((member) => `    ${keyOf(member)}: ${memberText(member, waits[keyOf(member)])}`),
    ]),
  ].join("\n");
}

/** Returns what a wave is going to do, as lines. */
export function planLines(wave: Wave): readonly string[] {
  const { name, kind, stages, shareMax, bakeMs, begun } = wave;
  const groups = stages.flat().length;
  return [
    `${name}: ${kind}, ${groups} ${groups === 1 ? "group" : "groups"} in ${stages.length} ` +
      `${stages.length === 1 ? "stage" : "stages"}, at most ${shareMax} at once, ` +
      `each stage watched for ${spanText(bakeMs)}`,
    `begun ${isoTime(begun.at)} by ${begun.by}`,
  ];
}

function stateText({ state, name }: Wave): string {
  switch (state.kind) {
    case "running":
      return "it runs";
    case "frozen":
      return `frozen ${isoTime(state.at)} by ${state.by}: ${state.why}`;
    case "stopped":
      return (
        `stopped ${isoTime(state.at)} by ${state.by}: ${state.why}\n` +
        `     next: linkseal fleet resume ${name}`
      );
    case "done":
      return `done ${isoTime(state.at)}`;
  }
}

const bakingText = ({ bakingSince }: Wave): string =>
  bakingSince === null ? "" : `, watched since ${isoTime(bakingSince)}`;

function memberText({ state }: Member, wait: WaitCode | undefined): string {
  switch (state.kind) {
    case "waiting":
      return wait === undefined ? "gets its permit next" : `waits: ${waitTexts[wait]}`;
    case "permitted":
      return state.isWithdrawn
        ? "its permit was withdrawn"
        : `permitted ${isoTime(state.at)}, until ${isoTime(state.notAfter)}`;
    case "begun":
      return `begun ${isoTime(state.at)}`;
    case "reached":
      return `reached ${isoTime(state.at)}`;
    case "failed":
      return `failed ${isoTime(state.at)}: ${failureTexts[state.why]}${state.isOpen ? still : ""}`;
    case "leftOut":
      return `left out ${isoTime(state.at)}`;
  }
}

const still = "; a link may be out of service";

const waitTexts: Readonly<Record<WaitCode, string>> = {
  stage: "an earlier stage is not over",
  noAsk: "its site has not asked",
  unreadableAsk: "its site's ask cannot be read",
  otherKind: "its site asks for another kind of campaign",
  underWay: "a campaign is under way without a permit of this wave",
  ended: "its last campaign has ended, and its site has not asked again",
  siteFrozen: "its site is frozen",
  noStatus: "its site's status is absent, or minutes old by the hub's clock",
  siteOpen: "another group of its site is under way",
  share: "as many groups as may be are under way",
};

const failureTexts: Readonly<Record<(Member["state"] & { kind: "failed" })["why"], string>> = {
  notReached: "its campaign ended, and not every link has what was asked for",
  worse: "its site's verdict is worse than before",
  late: "its campaign did not end in time",
  unknownEnd: "its site asks anew, and how its campaign ended is not known",
  otherCampaign: "a campaign began that this wave gave no permit for",
  withdrawn: "a person withdrew its permit",
};
