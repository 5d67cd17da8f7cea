// Mutants of campaigns that no test can notice, each with the reason.

import type { Known } from "./known.ts";

export const knownOfCampaigns: readonly Known[] = [
  {
    file: "agent/campaign/conductor.ts",
    line: "const moved = next.state !== campaign.state || next.at !== campaign.at;",
    becomes: ["false"],
    why: "a link hands over to the next one only as its own state becomes another",
  },
  {
    file: "agent/campaign/effects.ts",
    line: "const lost = lostWhen[what]?.(port) === true;",
    becomes: ["lostWhen[what](port)"],
    why: "only what looks can show as lost is remembered as accepted",
  },
  {
    file: "agent/campaign/effects.ts",
    line: "this.#accepted = lostWhen[what] === undefined ? undefined : { what, at };",
    becomes: ["false"],
    why: "what no look can show as lost is judged as kept",
  },
  {
    file: "agent/campaign/effects.ts",
    line: 'return device?.quirks.includes("shutBeforeKeyChange") === true;',
    becomes: ["device.quirks"],
    why: "every link is on a device of the same intent",
  },
  {
    file: "agent/campaign/effects.ts",
    line: 'entry.overlap === "fallback" && port?.promoted === true && old !== undefined',
    becomes: ["true"],
    why: "where two keys overlap there is an old one: the check is for the type",
  },
  {
    file: "agent/campaign/scout.ts",
    line: 'sibling: siblings.every((each) => each.carries === "carrying")',
    becomes: ['siblings.some(each => each.carries === "carrying")'],
    why: "a group has two links, and so one sibling",
  },
  {
    file: "agent/campaign/scout.ts",
    line: 'shutsFirst: device?.quirks.includes("shutBeforeKeyChange") === true,',
    becomes: ["device.quirks"],
    why: "every link is on a device of the same intent",
  },
  {
    file: "agent/campaign/scout.ts",
    line: 'phase: campaign.goal === "revert" ? "goingBack" : begun ? "begun" : "beforeDrain",',
    becomes: ['""'],
    why: "the gates ask for the two other words",
  },
  {
    file: "agent/campaign/scout.ts",
    line: "return put !== undefined && put > start ? put : start;",
    becomes: ["true", "put >= start"],
    why: "nothing is later than undefined, and of two equal moments either will do",
  },
  {
    file: "agent/campaign/scout.ts",
    line: "const lit = seen !== undefined && strongValue(seen.linkUp) === true;",
    becomes: ["true"],
    why: "the light is asked for only of a port that was seen",
  },
  {
    file: "agent/campaign/scout.ts",
    line: "case ",
    becomes: ['""', 'case "done":'],
    why: "without a deadline of its own a state has undefined, and nothing is later than that",
  },
  {
    file: "agent/campaign/window.ts",
    line: 'return `the window ${opening?.text ?? ""} opens at',
    becomes: ['"Stryker was here!"', "opening.text"],
    why: "the moment is one at which a window opens",
  },
  {
    file: "agent/campaign/window.ts",
    line: "const edges = freezes.flatMap(",
    becomes: ["at >= wall"],
    why: "an answer that is kept for no time is only found anew",
  },
  {
    file: "agent/campaign/window.ts",
    line: "for (let turn = 0; turn < 2 * freezes.length + 2; turn += 1) {",
    becomes: ["turn <= 2 * freezes.length + 2"],
    why: "one turn more finds nothing that the others did not",
  },
  {
    file: "agent/campaign/window.ts",
    line: "(first, { from }) => (from > at ? Math.min(first, from) : first),",
    becomes: ["from >= at"],
    why: "a freeze that begins at that moment was met above",
  },
  {
    file: "agent/campaign/window.ts",
    line: "for (let day = begin; day * dayMs < steady.until + steady.offsetMs; day += 1) {",
    becomes: ["day * dayMs <= steady.until + steady.offsetMs"],
    why: "a day that begins at the end has no time before it",
  },
  {
    file: "agent/campaign/window.ts",
    line: "return at === undefined || at === Number.POSITIVE_INFINITY ? undefined :",
    becomes: ["false"],
    why: "undefined is undefined either way",
  },
  {
    file: "agent/campaign/gates.ts",
    line: "if (view.state === undefined || control === undefined)",
    becomes: ["false"],
    why: "without a look there is no control plane either: the check is for the type",
  },
  {
    file: "agent/campaign/gates.ts",
    line: 'case "elsewhere":',
    becomes: ['""'],
    why: "no case at all gives undefined as well",
  },
  {
    file: "agent/campaign/window.ts",
    line: "const lasts = toMinute > fromMinute ?",
    becomes: ["toMinute >= fromMinute"],
    why: "the config refuses a window whose end is its beginning",
  },
  {
    file: "agent/campaign/table/shared.ts",
    line: 'if (port === undefined) return "what nobody can read";',
    becomes: ["false", '""'],
    why: "whoever asks has met an unread port in a row above",
  },
  {
    file: "agent/campaign/table/shared.ts",
    line: 'when: ({ campaign, port }) => campaign.shut && port?.admin === "down",',
    becomes: ["true", 'campaign.shut || port?.admin === "down"'],
    why: "the guard of its effect asks the same",
  },
  {
    file: "agent/campaign/table/shared.ts",
    line: 'facts.replacement.kind === "refused" ? facts.replacement.text : undefined;',
    becomes: ["true"],
    why: "only a refusal has a text",
  },
];
