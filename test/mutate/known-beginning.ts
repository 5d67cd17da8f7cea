// Mutants of what begins a campaign, and of what is told before it, that no test can notice.

import type { Known } from "./known.ts";

const typed = "the check is for the type";

export const knownOfBeginnings: readonly Known[] = [
  {
    file: "agent/runtime/campaigns/rotation.ts",
    line: 'return due.kind === "due" ? due.links : [];',
    becomes: ['["Stryker was here"]'],
    why: "no link has that name",
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'await assertFresh(parts, links[0]?.group ?? "", keys, signal);',
    becomes: ['"Stryker was here!"', "links[0].group"],
    why: `what was found is of a link that was asked for: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'case "managed":',
    becomes: ['case "managed":', '""'],
    why: "whatever is managed was left out before",
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'return "it is managed already";',
    becomes: ['""'],
    why: "whatever is managed was left out before",
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'case "clear":',
    becomes: ['""'],
    why: "the last cases of the switch do nothing, as no case does",
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'return standing.kind === "managed" ? standing.drift.map(',
    becomes: ['["Stryker was here"]', "true"],
    why: `the pretended memory has a binding, and both ends were read: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: "const slots = port === undefined ? undefined : strongValue(port.keys);",
    becomes: ["false"],
    why: `a link that is told as unmanaged shows its port: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: "const slot = slots?.[0];",
    becomes: ["slots[0]"],
    why: `a link that is told as unmanaged tells its keys: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: "const far = view.peer?.pointsAt;",
    becomes: ["view.peer.pointsAt"],
    why: `a link that is told as unmanaged shows its far end: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'const bare = port?.settings.kind === "known" && port.settings.value === undefined;',
    becomes: ["true", "port.settings"],
    why: `a link that is told as unmanaged tells the settings of its port: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: "if (bare && slots?.length === 0) {",
    becomes: ["slots.length"],
    why: `a link that is told as unmanaged tells its keys: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: "if (port === undefined || slot === undefined || slots?.length !== 1) {",
    becomes: ["false", "port === undefined && slot === undefined", "slots.length"],
    why: `one key is a first key, and the port is shown: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'settings: foundSettings(port.settings.kind === "known" ? port.settings.value :',
    becomes: ["true"],
    why: `a link that is told as unmanaged tells the settings of its port: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/preview.ts",
    line: "if (view === undefined) return [];",
    becomes: ['["Stryker was here"]', "false"],
    why: `every link of the group was looked at: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/preview.ts",
    line: "if (lookout.capabilities(device)?.probe === true) return [];",
    becomes: ["lookout.capabilities(device).probe"],
    why: `a router that was not reached has no link in the plan: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/preview.ts",
    line: "accepted: entry.old?.settings,",
    becomes: ["entry.old.settings"],
    why: `what is rotated has an old key: ${typed}`,
  },
  {
    file: "agent/rotation/forecast.ts",
    line: 'const id = `${group}/${links[at]?.name ?? ""}`;',
    becomes: ['"Stryker was here!"', "links[at].name"],
    why: `a campaign that goes on is at one of its links: ${typed}`,
  },
  {
    file: "agent/rotation/forecast.ts",
    line: "return drain >= 0 ? drain :",
    becomes: ["drain > 0"],
    why: "what has soaked was drained twice: the last drain is never the first step",
  },
  {
    file: "agent/rotation/forecast.ts",
    line: 'if (this.#input.kind === "rotate" || old === undefined) return false;',
    becomes: ["false"],
    why: `what is changed has old settings: ${typed}`,
  },
  {
    file: "agent/rotation/forecast.ts",
    line: 'if (this.#input.kind === "change") return `macsec',
    becomes: ["old.settings"],
    why: `what is changed has old settings: ${typed}`,
  },
  {
    file: "agent/rotation/forecast.ts",
    line: 'const before = shortCkn(old?.key.ckn ?? "none");',
    becomes: ['""', "old.key"],
    why: `what is rotated has an old key: ${typed}`,
  },
  {
    file: "agent/rotation/forecast.ts",
    line: "const preview = `- pre-shared key ${shortCkn(this.#entry.old?.key.ckn",
    becomes: ['""', "this.#entry.old.key"],
    why: `what is rotated has an old key: ${typed}`,
  },
  {
    file: "agent/rotation/forecast.ts",
    line: "const seen = old === undefined ? undefined :",
    becomes: ["false"],
    why: `what is changed has old settings: ${typed}`,
  },
  {
    file: "agent/rotation/forecast.ts",
    line: "basis: bases.indexOf(basis) > bases.indexOf(total.basis) ?",
    becomes: ["bases.indexOf(basis) >= bases.indexOf(total.basis)"],
    why: "of two that are equal either is taken",
  },
  {
    file: "agent/rotation/forecast.ts",
    line: 'this.#restore("end"),',
    becomes: ['""'],
    why: "only the two others are asked for by name",
  },
  {
    file: "agent/rotation/forecast.ts",
    line: "...(risk === undefined ? {} : { risk }),",
    becomes: ["false"],
    why: "a risk that is undefined is taken as none",
  },
  {
    file: "agent/rotation/forecast.ts",
    line: "const others = links.filter((entry) => entry.name !== this.#entry.name &&",
    becomes: ["true"],
    why: "the link itself comes first, and the first that was measured is taken",
  },
  {
    file: "agent/runtime/campaigns/hand-drain.ts",
    line: "if (lost === undefined || view === undefined ||",
    becomes: ["false"],
    why: `every link of the group was looked at: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/hand-drain.ts",
    line: 'far: "either",',
    becomes: ['""'],
    why: "the gates ask for what speaks against a far end alone",
  },
  {
    file: "agent/runtime/campaigns/hand-drain.ts",
    line: 'ownPath: "elsewhere",',
    becomes: ['""'],
    why: "the gates ask for what speaks against a path alone",
  },
  {
    file: "agent/runtime/campaigns/hand-drain.ts",
    line: "acceptsUnknownPath: true,",
    becomes: ["false"],
    why: "the path is not unknown",
  },
];
