// Mutants of the beginning of campaigns, and of the reports before it, that no test can notice.

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
    why: `every result belongs to a requested link: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'case "managed":',
    becomes: ['case "managed":', '""'],
    why: "managed objects were left out before",
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'return "it is managed already";',
    becomes: ['""'],
    why: "managed objects were left out before",
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'case "clear":',
    becomes: ['""'],
    why: "the last cases of the switch do nothing, like a missing case",
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'return standing.kind === "managed" ? standing.drift.map(',
    becomes: ['["Stryker was here"]', "true"],
    why: `the simulated memory has a binding, and both ends were read: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: "const slots = port === undefined ? undefined : strongValue(port.keys);",
    becomes: ["false"],
    why: `a link that is reported as unmanaged has its port: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: "const slot = slots?.[0];",
    becomes: ["slots[0]"],
    why: `a link that is reported as unmanaged has its keys: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: "const far = snapshot.peer?.pointsAt;",
    becomes: ["snapshot.peer.pointsAt"],
    why: `a link that is reported as unmanaged has its far end: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'const bare = port?.settings.kind === "known" && port.settings.value === undefined;',
    becomes: ["true", "port.settings"],
    why: `a link that is reported as unmanaged has the settings of its port: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: "if (bare && slots?.length === 0) {",
    becomes: ["slots.length"],
    why: `a link that is reported as unmanaged has its keys: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: "if (port === undefined || slot === undefined || slots?.length !== 1) {",
    becomes: ["false", "port === undefined && slot === undefined", "slots.length"],
    why: `one key is a first key, and the port is listed: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/enrolment.ts",
    line: 'settings: foundSettings(port.settings.kind === "known" ? port.settings.value :',
    becomes: ["true"],
    why: `a link that is reported as unmanaged has the settings of its port: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/preview.ts",
    line: "if (snapshot === undefined) return [];",
    becomes: ['["Stryker was here"]', "false"],
    why: `every link of the group was observed: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/preview.ts",
    line: "if (deviceCache.capabilities(device)?.probe === true) return [];",
    becomes: ["deviceCache.capabilities(device).probe"],
    why: `a router that was not reached has no link in the plan: ${typed}`,
  },
  {
    file: "agent/runtime/campaigns/preview.ts",
    line: "accepted: entry.old?.settings,",
    becomes: ["entry.old.settings"],
    why: `a rotation has an old key: ${typed}`,
  },
  {
    file: "agent/rotation/steps-left.ts",
    line: 'const id = `${group}/${links[at]?.name ?? ""}`;',
    becomes: ['"Stryker was here!"', "links[at].name"],
    why: `a campaign that continues is at one of its links: ${typed}`,
  },
  {
    file: "agent/rotation/steps-left.ts",
    line: "return drain >= 0 ? drain :",
    becomes: ["drain > 0"],
    why: "a link that has soaked was drained twice: the last drain is never the first step",
  },
  {
    file: "agent/rotation/forecast.ts",
    line: 'if (this.#input.kind === "rotate" || old === undefined) return false;',
    becomes: ["false"],
    why: `a change has old settings: ${typed}`,
  },
  {
    file: "agent/rotation/forecast.ts",
    line: 'if (this.#input.kind === "change") return `macsec',
    becomes: ["old.settings"],
    why: `a change has old settings: ${typed}`,
  },
  {
    file: "agent/rotation/forecast.ts",
    line: 'const before = shortCkn(old?.key.ckn ?? "none");',
    becomes: ['""', "old.key"],
    why: `a rotation has an old key: ${typed}`,
  },
  {
    file: "agent/rotation/forecast.ts",
    line: "const preview = `- pre-shared key ${shortCkn(this.#entry.old?.key.ckn",
    becomes: ['""', "this.#entry.old.key"],
    why: `a rotation has an old key: ${typed}`,
  },
  {
    file: "agent/rotation/forecast.ts",
    line: "const observed = old === undefined ? undefined :",
    becomes: ["false"],
    why: `a change has old settings: ${typed}`,
  },
  {
    file: "agent/rotation/forecast.ts",
    line: "basis: bases.indexOf(basis) > bases.indexOf(total.basis) ?",
    becomes: ["bases.indexOf(basis) >= bases.indexOf(total.basis)"],
    why: "either of two equal ones may be taken",
  },
  {
    file: "agent/rotation/forecast.ts",
    line: 'this.#restore("end"),',
    becomes: ['""'],
    why: "the callers compare only with the names of the two others",
  },
  {
    file: "agent/rotation/forecast.ts",
    line: "...(risk === undefined ? {} : { risk }),",
    becomes: ["false"],
    why: "an undefined risk counts as none",
  },
  {
    file: "agent/rotation/forecast.ts",
    line: "const others = links.filter((entry) => entry.name !== this.#entry.name &&",
    becomes: ["true"],
    why: "the link itself comes first, and the first that was measured is taken",
  },
  {
    file: "agent/runtime/campaigns/manual-drain.ts",
    line: 'far: "either",',
    becomes: ['""'],
    why: "the checks use only the objections to a far end",
  },
  {
    file: "agent/runtime/campaigns/manual-drain.ts",
    line: 'managementPath: "elsewhere",',
    becomes: ['""'],
    why: "the checks use only the objections to a path",
  },
  {
    file: "agent/runtime/campaigns/manual-drain.ts",
    line: "acceptsUnknownPath: true,",
    becomes: ["false"],
    why: "the path is not unknown",
  },
];
