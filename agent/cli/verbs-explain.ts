// The verbs explain and night: what a code means, and what a person does without an agent.

import type { Command } from "commander";
import { type Explanation, explain, explanations } from "../explain/explain.ts";
import { type FilledStep, filledSteps, hasCommands, stepLines } from "../explain/steps.ts";
import { jsonText } from "../model/text.ts";
import { usage } from "./failure.ts";
import { nightOf } from "./night.ts";
import { nightText } from "./night-text.ts";
import { type Common, Session } from "./session.ts";
import { verb } from "./shape.ts";
import { stepsAbout } from "./steps.ts";
import { outKind, table } from "./table.ts";

/** Adds both verbs. */
export function registerExplain(program: Command): void {
  verb(
    program
      .command("explain [code] [name]")
      .description(
        "what a code means and what to do about it, with the commands for a link, group, tunnel " +
          "or device; without a code the list of all",
      ),
    "linkseal explain sci-mismatch erd-dub/primary",
  ).action(explainCode);
  verb(
    program
      .command("night [target]")
      .description(
        "what a person does at both ends in an emergency, with the names of the config, of a " +
          "group, link or tunnel; needs no agent",
      )
      .option("--config <file>", "a config file; the accepted config if not given"),
    "linkseal night erd-dub/primary",
  ).action(night);
}

async function explainCode(
  code: string | undefined,
  name: string | undefined,
  options: Common,
): Promise<void> {
  const session = new Session(options);
  if (code === undefined) return await listCodes(session);
  const found = explain(code);
  if (found.kind === "unknown") {
    const meant = found.meant === undefined ? "" : `; did you mean ${found.meant}?`;
    throw usage(`no code is named ${JSON.stringify(code)}${meant}`, "linkseal explain");
  }
  const { explanation } = found;
  const steps =
    name === undefined
      ? filledSteps(explanation.code, { kind: "none" })
      : await stepsAbout(session, explanation.code, name);
  const result = { schema: "linkseal.explain/1", ...explanation, about: name ?? null, steps };
  await session.show(result, explanationText);
}

type Shown = Omit<Explanation, "steps"> & {
  readonly about: string | null;
  readonly steps: readonly FilledStep[];
};

function explanationText({ code, kind, severity, title, meaning, steps, about }: Shown): string {
  return [
    `${code} (${severity ?? kind}): ${title}`,
    ...["", meaning, ""],
    ...stepLines(steps, "  "),
    ...hintLines(code, about, steps),
  ].join("\n");
}

/** Says how to get the commands of the steps, where they are missing. */
function hintLines(
  code: string,
  about: string | null,
  steps: readonly FilledStep[],
): readonly string[] {
  if (!hasCommands(code) || steps.some(({ commands }) => commands.length > 0)) return [];
  return about === null
    ? ["", `For the commands name a link, group, tunnel or device: linkseal explain ${code} NAME`]
    : ["", `The commands are missing: the config names no ${JSON.stringify(about)} that has them.`];
}

async function listCodes(session: Session): Promise<void> {
  const codes = [...explanations.values()].map(({ code, kind, severity, title, meaning }) => ({
    ...{ code, kind, severity, title },
    sentence: firstSentence(meaning),
  }));
  await session.show({ schema: "linkseal.codes/1", codes }, (shown) =>
    table(
      ["code", "severity", "what is known"],
      shown.codes.map(({ code, kind, severity, sentence }) => [code, severity ?? kind, sentence]),
      outKind(),
    ),
  );
}

/** A full stop within a name, such as `rotation.overdue`, ends no sentence. */
function firstSentence(text: string): string {
  return /^.*?\.(?= |$)/.exec(text)?.[0] ?? text;
}

interface NightOptions extends Common {
  readonly config?: string;
}

async function night(target: string | undefined, options: NightOptions): Promise<void> {
  const { card, from } = await nightOf(target, options);
  if (options.json === true) process.stdout.write(`${jsonText({ ...card, from })}\n`);
  else process.stdout.write(`${nightText(card, from)}\n`);
}
