// A plan and its outcome as text. All input must be readable text (without control characters).

import type { Plan } from "../compare/plan.ts";
import type { ConfigPart, SitePlan } from "../compare/site-plan.ts";
import type { SettingChange } from "../config/index.ts";
import { spansText, spanText } from "../model/text.ts";
import type { Estimate } from "../rotation/forecast.ts";

type Step = Plan["steps"][number];

/** Returns both parts: the config against the one in force, then what happens on devices. */
export function sitePlanText(plan: SitePlan): string {
  const { config, differs, steps, notes } = plan;
  if (!differs && notes.length === 0) {
    const { accepted } = config;
    return `Nothing to do: config ${accepted} is in force, and both ends are as it wants them.`;
  }
  const devices =
    steps.length === 0 && notes.length === 0
      ? "On the devices nothing changes: both ends are as this config wants them."
      : ["On the devices:", planText(plan)].join("\n");
  return [configText(config), "", devices].join("\n");
}

/** Returns the settings in which a config differs from the one in force, authority first. */
export function configText({ accepted, compared, settings }: ConfigPart): string {
  const allowed = settings.filter(({ authority }) => authority !== null);
  const others = settings.filter(({ authority }) => authority === null);
  const authority = [
    ...(allowed.length === 0 ? [] : ["! What the agent may do by itself from then on:"]),
    ...allowed.flatMap((change) => [`! ${settingText(change)}`, `      ${change.authority}`]),
  ];
  switch (compared) {
    case "inForce":
      return `It is config ${accepted}, which is in force.`;
    case "respelled":
      return `It has the settings of config ${accepted}: only comments, layout or order differ.`;
    case "first":
      return [
        `No config is in force; this one has ${settings.length} settings.`,
        ...authority,
      ].join("\n");
    case "differs": {
      const { length } = settings;
      const many = length === 1 ? "1 setting differs" : `${length} settings differ`;
      return [
        `${many} from config ${accepted}, which is in force.`,
        ...authority,
        ...others.map((change) => `${signOf(change)} ${settingText(change)}`),
      ].join("\n");
    }
  }
}

function signOf({ old, new: wanted }: SettingChange): string {
  if (old === null) return "+";
  return wanted === null ? "-" : "~";
}

function settingText({ path, old, new: wanted }: SettingChange): string {
  return `${path}: ${old ?? "(absent)"} -> ${wanted ?? "(absent)"}`;
}

/** Returns the steps on devices, and what keeps others from being done. */
export function planText({ steps, notes }: Plan): string {
  const lines = steps.flatMap((step) => [...stepLines(step), ...expected(step)]);
  if (steps.length === 0 && notes.length === 0) {
    lines.push("Nothing to do: both ends are as the config wants them.");
  }
  lines.push(...inAll(steps));
  for (const { about, text, next, code, kind } of notes) {
    const what = kind ?? (code === undefined ? "not done" : "in the way");
    lines.push(`${what}: ${about}: ${text}`, `     next: ${next}`);
  }
  return lines.join("\n");
}

function stepLines(step: Step): string[] {
  const { n, where, link, does, preview, darkMs, risk, by } = step;
  // An estimate by both ends has a line of its own, and nothing is written twice.
  const isEstimated = step.takes !== undefined && (step.dark ?? null) !== null;
  const isDark = darkMs.high > 0 && !isEstimated;
  const dark = isDark ? `, link down for ${spansText(darkMs)}` : "";
  const named = risk === null ? "" : `, risk ${risk}`;
  const whose = by === "person" ? ", by a person" : "";
  return [
    `${n}. ${link ?? where}: ${does} (at ${where}${whose}${dark}${named})`,
    `     ${preview}`,
    ...sentLines(step),
  ];
}

function sentLines({ where, sends }: Step): string[] {
  switch (sends?.kind) {
    case undefined:
      return [];
    case "undoes":
      return [`     takes the lines of step ${sends.step} away again`];
    case "unknown":
      return [`     what ${where} is sent is not known: ${sends.why}`];
    case "lines":
      if (sends.lines.length === 0) return [`     ${where} has this already`];
      return [
        `     ${where} is sent${wordsIn(sends.lines)}:`,
        ...sends.lines.map((line) => `       | ${line}`),
      ];
  }
}

/** A plan does not read the vault, so a key that is not in use yet has words for its parts. */
function wordsIn(lines: readonly string[]): string {
  const found = ["VAULT", "CKN-OF-", "/newest"].filter((word) => lines.join("\n").includes(word));
  if (found.length === 0) return "";
  const words = found.map((word) => word.replace("OF-", "OF-NAME").replace("/", ""));
  return `, with what the vault has then in place of ${words.join(", ")}`;
}

function expected({ state, takes, dark }: Step): string[] {
  if (takes === undefined) return [];
  const long = state === "awaitingPeer" ? "as long as it takes" : `takes ${aboutText(takes)}`;
  if (dark === null || dark === undefined) return [`     ${long}`];
  const { theirs, ours, drained } = dark;
  const parts = [
    ...(theirs.high === 0 ? [] : [`by the far end ${aboutText(theirs)}`]),
    ...(ours.high === 0 ? [] : [`by us ${aboutText(ours)}`]),
  ];
  const lost = drained ? "drained, so no frame is lost" : "not drained: its frames are lost";
  return [`     ${long}; link down ${parts.join(", ")}; ${lost}`];
}

function inAll(steps: Plan["steps"]): string[] {
  const parts = steps.flatMap(({ takes }) => (takes === undefined ? [] : [takes]));
  if (parts.length === 0) return [];
  const likely = parts.reduce((total, each) => total + each.likely, 0);
  const isGuess = parts.some(({ basis }) => basis === "firstRun");
  const basis = isGuess ? "by defaults where nothing was measured yet" : "as it was measured here";
  const person = steps.some(({ state }) => state === "awaitingPeer");
  const wait = person ? ", and the time that a person takes" : "";
  return [`In all about ${spanText(likely)}, ${basis}${wait}.`];
}

/** Returns the likely duration, its range if that says more, and whether it was ever measured. */
export function aboutText(estimate: Estimate): string {
  const { low, likely, high, basis } = estimate;
  if (low === high) return spanText(likely);
  const [about, range] = [spanText(likely), spansText(estimate)];
  const more = [
    ...(range === about ? [] : [range]),
    ...(basis === "firstRun" ? ["not measured yet"] : []),
  ];
  return more.length === 0 ? `about ${about}` : `about ${about} (${more.join(", ")})`;
}
