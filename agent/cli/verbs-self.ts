// The verbs about this command itself: help, version, completion.

import type { Command } from "commander";
import { nearest } from "../model/nearest.ts";
import { version } from "../model/version.ts";
import type { Status } from "../runtime/health/status.ts";
import { completion, type NameKind, nameKinds, type Shell, shells } from "./completion.ts";
import { usage } from "./failure.ts";
import type { Launch } from "./launch.ts";
import { type Common, Session } from "./session.ts";
import { collected, verb, withExample } from "./shape.ts";

/** Adds these verbs, and the option that prints the version. */
export function registerSelf(program: Command, launch: Pick<Launch, "faults">): void {
  program.version(`linkseal ${version}`, "-V, --version", "print the version");
  withExample(
    program
      .command("help [verb...]")
      .description("help for a verb; without a verb the list of all"),
    "linkseal help rotation show",
  ).action((words: readonly string[]) => showHelp(program, words));
  verb(
    program.command("version").description("version of linkseal and Node"),
    "linkseal version",
  ).action(showVersion);
  withExample(
    program
      .command("completion [shell]")
      .description(`print a completion script for ${shells.join(", ")}`)
      .option(
        "--names <kinds>",
        "for the script: names of groups, links, tunnels or devices of the config in force",
        collected,
      )
      .option("--socket <path>", "socket of the agent to ask"),
    "source <(linkseal completion bash)",
  ).action((shell: string | undefined, options: CompletionOptions) =>
    showCompletion(program, launch, shell, options),
  );
}

function showHelp(program: Command, words: readonly string[]): void {
  let at = program;
  for (const word of words) {
    const names = at.commands.map((command) => command.name());
    const next = at.commands.find((command) => command.name() === word);
    if (next === undefined) {
      const meant = nearest(word, names);
      const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
      throw usage(`no verb is named ${JSON.stringify(word)}${hint}`, "linkseal help");
    }
    at = next;
  }
  at.outputHelp();
}

async function showVersion(options: Common): Promise<void> {
  const result = { schema: "linkseal.version/1", version, node: process.versions.node };
  await new Session(options).show(result, (shown) => `linkseal ${shown.version}`);
}

interface CompletionOptions {
  readonly names?: readonly string[];
  readonly socket?: string;
}

async function showCompletion(
  program: Command,
  launch: Pick<Launch, "faults">,
  shell: string | undefined,
  { names, ...common }: CompletionOptions,
): Promise<void> {
  if (names !== undefined) return await showNames(names, common);
  const known = shells.find((name): name is Shell => name === shell);
  if (known === undefined) {
    const word = shell === undefined ? "no shell is named: it is one of" : `"${shell}" is none of`;
    throw usage(`${word} ${shells.join(", ")}`, "linkseal help completion");
  }
  const { explanations } = await import("../explain/explain.ts");
  const fixed = { codes: [...explanations.keys()], faults: launch.faults };
  process.stdout.write(completion(program, known, fixed));
}

/** Who presses the tabulator key does not wait for long. */
const namesMsMax = 2_000;

/** Prints names, one a line. A shell may expand what it completes, so only plain words appear. */
async function showNames(kinds: readonly string[], common: Common): Promise<void> {
  const unknown = kinds.find((kind) => !nameKinds.some((known) => known === kind));
  if (unknown !== undefined) {
    throw usage(`names are of ${nameKinds.join(", ")}`, "linkseal help completion");
  }
  const status = await new Session(common).view<Status>("/v1/status", namesMsMax);
  const names = namesIn(status);
  const asked = nameKinds.filter((kind) => kinds.includes(kind)).flatMap((kind) => names[kind]);
  const plain = [...new Set(asked)].filter((name) => /^[\w./-]+$/.test(name));
  process.stdout.write(plain.map((name) => `${name}\n`).join(""));
}

function namesIn({ groups, tunnels }: Status): Readonly<Record<NameKind, readonly string[]>> {
  const links = groups.flatMap((group) => group.links.map((link) => ({ ...link, group })));
  return {
    groups: groups.map(({ name }) => name),
    links: links.map(({ group, name }) => `${group.name}/${name}`),
    tunnels: tunnels.map(({ name }) => name),
    devices: links.map(({ device }) => device),
  };
}
