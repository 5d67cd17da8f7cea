// The verbs in the groups in which help and reference show them.

import type { Command } from "commander";

interface VerbGroup {
  readonly title: string;
  readonly verbs: readonly string[];
}

/** Each verb is in one group; both are in the order in which an operator needs them. */
export const verbGroups: readonly VerbGroup[] = [
  {
    title: "See what is",
    verbs: ["status", "links", "ends", "tunnels", "events", "doctor", "page"],
  },
  { title: "Understand", verbs: ["explain", "night"] },
  { title: "Config", verbs: ["init", "validate", "plan", "apply", "proposal", "config"] },
  { title: "Links and tunnels", verbs: ["enrol", "adopt", "drain", "undrain", "retire"] },
  { title: "Keys", verbs: ["keys", "rotate", "rotation", "psk"] },
  { title: "Evidence", verbs: ["report", "scorecard", "journal"] },
  { title: "Many sites", verbs: ["fleet", "hub"] },
  { title: "Preparation", verbs: ["azure", "driver"] },
  { title: "Services", verbs: ["agent", "peer", "net", "guard", "mka"] },
  { title: "Simulation", verbs: ["sim"] },
  { title: "This command", verbs: ["help", "version", "completion"] },
];

/**
 * Puts the verbs of the first level into their groups and into order.
 * @throws RangeError for a verb that is in no group
 */
export function arrangeVerbs(program: Command): void {
  const order = verbGroups.flatMap(({ verbs }) => verbs);
  for (const command of program.commands) {
    const group = verbGroups.find(({ verbs }) => verbs.includes(command.name()));
    if (group === undefined) throw new RangeError(`${command.name()} is in no group`);
    command.helpGroup(`${group.title}:`);
  }
  // commander lists verbs and groups in the order of this array, which only its types protect.
  const commands = program.commands as Command[];
  commands.sort((a, b) => order.indexOf(a.name()) - order.indexOf(b.name()));
}
