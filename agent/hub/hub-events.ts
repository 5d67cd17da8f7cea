// What happens at a hub, as its log says it: codes, names and sentences.

import type { LogLevel } from "#hal/world.ts";
import type { EngineState, Lack, Outage } from "../fleet/engine.ts";
import { lackText } from "../fleet/lack-text.ts";
import { isOpen, type Member, type Wave } from "../fleet/wave.ts";
import { keyOf } from "./wave-step.ts";

/** Something that happened at a hub. */
export type HubEvent =
  /** This hub gives permits now; or another does. */
  | { readonly kind: "leads" | "follows" }
  | { readonly kind: "engine"; readonly state: EngineState }
  | { readonly kind: "lack"; readonly lack: Lack }
  /** The record of a wave cannot be read, and gives no permit. */
  | { readonly kind: "unreadable"; readonly wave: string }
  /** The permits of these members were taken back, because the wave is stopped. */
  | { readonly kind: "withdrawn"; readonly wave: Wave; readonly taken: readonly Member[] }
  /** A member's state changed. */
  | { readonly kind: "member"; readonly wave: Wave; readonly member: Member }
  /** The state of a wave, or its stage, changed. */
  | { readonly kind: "wave"; readonly wave: Wave; readonly change: WaveChange };

/** What changed of a wave. */
type WaveChange = "frozen" | "thawed" | "stopped" | "baking" | "nextStage" | "done";

/** Returns what changed between two records of a wave. */
export function waveEvents(before: Wave, after: Wave): readonly HubEvent[] {
  const members = after.stages.flatMap((stage, at) =>
    stage.filter(({ state }, index) => before.stages[at]?.[index]?.state.kind !== state.kind),
  );
  const changes = changesOf(before, after).map(
    (change) => ({ kind: "wave", wave: after, change }) as const,
  );
  // In the order of cause and effect: permits follow a thaw, and a stop follows a failure.
  return [
    ...changes.filter(({ change }) => change === "thawed"),
    ...members.map((member): HubEvent => ({ kind: "member", wave: after, member })),
    ...changes.filter(({ change }) => change !== "thawed"),
  ];
}

function changesOf(before: Wave, after: Wave): readonly WaveChange[] {
  const [was, is] = [before.state.kind, after.state.kind];
  const changes: WaveChange[] = [];
  if (was !== is && is !== "running") changes.push(is);
  if (was === "frozen" && is === "running") changes.push("thawed");
  if (before.bakingSince === null && after.bakingSince !== null) changes.push("baking");
  if (after.stage > before.stage && is !== "done") changes.push("nextStage");
  return changes;
}

/** A line of the log. */
export interface HubLine {
  readonly level: LogLevel;
  readonly code: string;
  readonly text: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

/** Returns the line of an event. */
export function lineOf(event: HubEvent): HubLine {
  switch (event.kind) {
    case "leads":
      return line("info", "hub-leads", "this hub leads: it gives the permits of waves");
    case "follows":
      return line("info", "hub-follows", "another hub leads");
    case "engine":
      return engineLine(event.state);
    case "lack":
      return failedLine(lackText(event.lack));
    case "unreadable":
      return line("warn", "wave-unreadable", "its record cannot be read, and gives no permit", {
        ...{ wave: event.wave, next: `linkseal fleet waves ${event.wave}` },
      });
    case "withdrawn": {
      const about = event.taken.map(keyOf).join(" ");
      const text = "the wave is stopped: permits that nothing began with were withdrawn";
      return line("info", "permit-withdrawn", text, { wave: event.wave.name, about });
    }
    case "member":
      return memberLine(event.wave, event.member);
    case "wave":
      return waveLine(event.wave, event.change);
  }
}

const line = (
  level: LogLevel,
  code: string,
  text: string,
  fields: HubLine["fields"] = {},
): HubLine => ({ level, code, text, fields });

function engineLine(state: EngineState): HubLine {
  if (state.kind === "connected") return line("info", "hub-connected", "connected to the engine");
  return failedLine(state);
}

function failedLine({ why, next }: Outage): HubLine {
  return line("warn", "hub-failed", `no permit is given: ${why}; sites go on without it`, { next });
}

function memberLine(wave: Wave, member: Member): HubLine {
  const { state } = member;
  const fields = {
    wave: wave.name,
    about: keyOf(member),
    open: openOf(wave),
    share: wave.shareMax,
  };
  switch (state.kind) {
    case "waiting":
      return line("info", "wave-waits", "it waits for its permit", fields);
    case "permitted":
      return line("info", "wave-permit", "it has its permit", { ...fields, nonce: state.nonce });
    case "begun":
      return line("info", "wave-begun", "its campaign has begun", fields);
    case "reached":
      return line("info", "wave-reached", "every link of it has what was asked for", fields);
    case "failed":
      return line("warn", "wave-failed", `it failed: ${state.why}`, { ...fields, why: state.why });
    case "leftOut":
      return line("info", "wave-left-out", "a person left it out", fields);
  }
}

/** Returns how many members are open. */
const openOf = ({ stages }: Wave): number => stages.flat().filter(isOpen).length;

function waveLine(wave: Wave, change: WaveChange): HubLine {
  const fields = { wave: wave.name, stage: wave.stage + 1, stages: wave.stages.length };
  const { state } = wave;
  const why = state.kind === "frozen" || state.kind === "stopped" ? state.why : "";
  switch (change) {
    case "frozen":
      return line("warn", "wave-frozen", `all sites are frozen: ${why}`, fields);
    case "thawed":
      return line("info", "wave-thawed", "the freeze is over, and it goes on", fields);
    case "stopped": {
      const next = `linkseal fleet waves ${wave.name}`;
      return line("error", "wave-stopped", `it gives no more permits: ${why}`, { ...fields, next });
    }
    case "baking":
      return line("info", "wave-baking", "its stage has ended, and its sites are watched", fields);
    case "nextStage":
      return line("info", "wave-stage", "its next stage is under way", fields);
    case "done":
      return line("info", "wave-done", "every group has ended", { wave: wave.name });
  }
}
