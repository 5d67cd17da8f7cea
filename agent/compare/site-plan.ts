// The plan of a whole config: the config against the accepted one, and what it does to the devices.
// A plan that an operator agreed to is carried out exactly, or refused with what has changed. Pure.

import { createHash } from "node:crypto";
import type { SettingChange } from "../config/index.ts";
import { linkId } from "../model/desired.ts";
import { type Plan, type PlanInput, standingOf } from "./plan.ts";
import { tunnelDifferences } from "./tunnel-change.ts";

/** A planned config, compared with the one in force. */
export interface ConfigPart {
  /** Number of the config in force; null = none was accepted yet. */
  readonly accepted: number | null;
  /** SHA-256 of the planned text, in lower-case hex. */
  readonly sha256: string;
  /**
   * `inForce`: both texts are equal, to the byte; `respelled`: only comments, layout and the order
   * of named elements differ; `differs`: settings differ; `first`: no config is in force.
   */
  readonly compared: "inForce" | "respelled" | "differs" | "first";
  /** The settings that differ, changes of authority first. */
  readonly settings: readonly SettingChange[];
}

/** What an operator agrees to with a plan; it is compared before the config is accepted. */
interface AgreedPlan {
  /** Number of the config in force; null = none was accepted yet. */
  readonly accepted: number | null;
  /** SHA-256 of the planned text, in lower-case hex. */
  readonly sha256: string;
  /** Digest of how each link and tunnel compares with the config, by `group/link` or tunnel. */
  readonly states: Readonly<Record<string, string>>;
  /** Digest of each step, in their order. */
  readonly steps: readonly string[];
}

/** The answer to `linkseal plan --json`. */
export interface SitePlan extends Plan {
  /** The config against the one in force. */
  readonly config: ConfigPart;
  /** False only if the text is in force and everything is as it wants it. */
  readonly differs: boolean;
  /** What `apply` compares. */
  readonly agreed: AgreedPlan;
}

/** What was observed for the plan. */
type StateInput = Omit<PlanInput, "sends">;

/** Joins both parts of the plan. */
export function sitePlan(config: ConfigPart, devices: Plan, input: StateInput): SitePlan {
  const { accepted, sha256 } = config;
  const { steps, notes } = devices;
  const isAsWanted = steps.length === 0 && notes.every(({ kind }) => kind === "limit");
  return {
    ...devices,
    config,
    differs: config.compared !== "inForce" || !isAsWanted,
    agreed: { accepted, sha256, states: statesOf(input), steps: steps.map(stepDigest) },
  };
}

/** Enough of a SHA-256 to notice any change. */
const digestLength = 32;

function digest(value: unknown): string {
  const text = JSON.stringify(value);
  return createHash("sha256").update(text, "utf8").digest("hex").slice(0, digestLength);
}

/** The key in use is left out: a rotation that ends meanwhile changes nothing that was agreed. */
function statesOf(input: StateInput): AgreedPlan["states"] {
  const { desired, memory, capabilities, snapshot, state, made } = input;
  const links = desired.groups.flatMap((group) => group.links);
  return Object.fromEntries([
    ...links.map((link) => {
      const standing = standingOf(snapshot(link), memory, capabilities(link.device));
      const seen =
        standing.kind === "managed"
          ? [standing.kind, ...standing.drift.map(({ text, farEnd }) => [text, farEnd ?? null])]
          : [standing];
      return [linkId(link), digest(seen)] as const;
    }),
    ...desired.tunnels.map((tunnel) => {
      const { name, device } = tunnel;
      const observed = state(device);
      const found = observed?.ipsec.find((entry) => entry.name === name);
      const before = made(name);
      const differences = before === undefined ? null : tunnelDifferences(before, tunnel);
      const there = observed === undefined ? "unread" : found === undefined ? "absent" : "present";
      const gaps = (found?.gaps ?? []).map(({ text }) => text);
      return [name, digest([there, gaps, differences])] as const;
    }),
  ]);
}

/** Times that a line has from the router's own clock, as Junos and IOS XR write them. */
const clockTimes =
  /\d{4}-\d\d-\d\d[.T ]\d\d:\d\d:\d\d\S*|\d{1,2}:\d\d:\d\d(?:\s+\w+\s+\w+\s+\d{4})?/g;

function stepDigest(step: Plan["steps"][number]): string {
  const { where, link, does, preview, darkMs, risk, by, sends } = step;
  const sent = JSON.stringify(sends ?? null).replace(clockTimes, "TIME");
  return digest([where, link, does, preview, darkMs.high > 0, risk, by ?? null, sent]);
}

/**
 * Lists what has changed since an operator agreed to a plan; empty = nothing. `shown` came over a
 * socket or from a file and may be anything: it is only read.
 */
export function changedSince(shown: unknown, fresh: SitePlan): readonly string[] {
  const agreed = agreedIn(shown);
  if (agreed === undefined) return ["it is not a plan that this version has made"];
  const now = fresh.agreed;
  return [
    ...(agreed.sha256 === now.sha256 ? [] : ["the text of the config is another one"]),
    ...(agreed.accepted === now.accepted ? [] : [acceptedText(agreed, now)]),
    ...changedStates(agreed.states, now.states),
    ...changedSteps(agreed.steps, fresh),
  ];
}

function acceptedText(agreed: AgreedPlan, now: AgreedPlan): string {
  const numberText = ({ accepted }: AgreedPlan): string =>
    accepted === null ? "no config" : `config ${accepted}`;
  return `${numberText(now)} is in force, and it was ${numberText(agreed)}`;
}

function changedStates(before: AgreedPlan["states"], now: AgreedPlan["states"]): readonly string[] {
  const names = Object.keys(now).filter(
    (name) => !Object.hasOwn(before, name) || before[name] !== now[name],
  );
  return names.map((name) => `${name} is no longer as it was`);
}

function changedSteps(before: AgreedPlan["steps"], fresh: SitePlan): readonly string[] {
  const { steps, agreed } = fresh;
  const others = steps.filter(({ n }) => before[n - 1] !== agreed.steps[n - 1]);
  const changed = others.map(({ n, link, where, does }) => {
    return `step ${n} is now: ${link ?? where}: ${does}`;
  });
  const gone = before.length - steps.length;
  if (gone <= 0) return changed;
  return [...changed, gone === 1 ? "1 step is not needed now" : `${gone} steps are not needed now`];
}

function agreedIn(shown: unknown): AgreedPlan | undefined {
  if (typeof shown !== "object" || shown === null || !("agreed" in shown)) return undefined;
  return isAgreed(shown.agreed) ? shown.agreed : undefined;
}

function isAgreed(value: unknown): value is AgreedPlan {
  if (typeof value !== "object" || value === null) return false;
  const { accepted, sha256, states, steps }: Partial<Record<keyof AgreedPlan, unknown>> = value;
  return (
    (accepted === null || typeof accepted === "number") &&
    typeof sha256 === "string" &&
    typeof states === "object" &&
    states !== null &&
    Array.isArray(steps)
  );
}
