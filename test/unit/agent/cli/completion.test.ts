// Completion in the shells themselves.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, type TestContext } from "vitest";
import { everyCommand } from "#agent/cli/command-tree.ts";
import { completed, completion, type Shell } from "#agent/cli/completion.ts";
import { wholeProgram } from "#sim/lab/main.ts";
import { cannotRun } from "../../../why-not.ts";

const folder = mkdtempSync(join(tmpdir(), "linkseal-completion-"));
afterAll(() => rmSync(folder, { recursive: true }));

const fixed = { codes: ["sci-mismatch", "mtu"], faults: ["peer-silent", "mtu"] };
const script = (shell: Shell): string => completion(wholeProgram(), shell, fixed);

// Stands for the command whose agent knows these names; it prints what it was asked for as well.
const fake = join(folder, "linkseal");
writeFileSync(fake, '#!/bin/sh\nprintf "%s\\n" erd-dub erd-dub/primary hub-1 "asked-$3"\n');
chmodSync(fake, 0o755);
const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };

const words = (line: string): string =>
  `COMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1))`;

/** What is offered for the last word of the line. */
function offered(context: TestContext, shell: Shell, line: string): readonly string[] {
  const file = join(folder, shell);
  const last = line.split(" ").at(-1) ?? "";
  writeFileSync(file, script(shell));
  const scripts: Readonly<Record<Shell, readonly string[]>> = {
    bash: ["-c", `source ${file}; ${words(line)}; _linkseal; printf '%s\\n' "\${COMPREPLY[@]}"`],
    zsh: [
      ...["-f", "-c"],
      // As bashcompinit sets it up for a function that was written for bash.
      `autoload -Uz compinit; compinit -u -D; source ${file}; setopt ksharrays shwordsplit
       ${words(line)}; _linkseal_words; print -l -- "\${COMPREPLY[@]}"`,
    ],
    fish: ["--no-config", "-c", `source ${file}; complete -C "${line.replaceAll('"', "")}"`],
  };
  const { error, stdout, stderr } = spawnSync(shell, scripts[shell], { encoding: "utf8", env });
  if (error !== undefined) cannotRun(context, `there is no ${shell}`);
  expect(stderr).toBe("");
  return (
    stdout
      .split("\n")
      .map((each) => each.split("\t")[0] ?? "")
      // What does not fit the word zsh leaves out by itself, when it shows them.
      .filter((each) => each !== "" && each.startsWith(last))
      .sort()
  );
}

describe("completion", () => {
  it.for(["bash", "zsh", "fish"] as const)(
    "%s offers the verbs that a word begins",
    (shell, context) => {
      expect(offered(context, shell, "linkseal rotat")).toEqual(["rotate", "rotation"]);
    },
  );

  it.for(["bash", "zsh", "fish"] as const)("%s offers what follows a verb", (shell, context) => {
    expect(offered(context, shell, "linkseal rotation re")).toEqual(["resume", "revert"]);
  });

  it.for(["bash", "zsh", "fish"] as const)(
    "%s offers the names of the config in force where a verb takes them",
    (shell, context) => {
      expect(offered(context, shell, "linkseal drain erd")).toEqual(["erd-dub", "erd-dub/primary"]);
      expect(offered(context, shell, "linkseal drain asked")).toEqual(["asked-links,tunnels"]);
      expect(offered(context, shell, "linkseal tunnels hub")).toEqual(["hub-1"]);
    },
  );

  it.for(["bash", "zsh", "fish"] as const)("%s offers codes and faults", (shell, context) => {
    expect(offered(context, shell, "linkseal explain sci")).toEqual(["sci-mismatch"]);
    expect(offered(context, shell, "linkseal sim fault peer")).toEqual(["peer-silent"]);
    expect(offered(context, shell, "linkseal sim site --fault peer")).toEqual(["peer-silent"]);
  });

  it.for(["bash", "zsh"] as const)(
    "%s knows which argument it completes, behind options with values too",
    (shell, context) => {
      expect(offered(context, shell, "linkseal explain mtu erd")).toEqual([
        ...["erd-dub", "erd-dub/primary"],
      ]);
      expect(offered(context, shell, "linkseal explain mtu sci")).toEqual([]);
      const line = "linkseal sim fault --socket x --link erd";
      expect(offered(context, shell, line)).toEqual(["erd-dub", "erd-dub/primary"]);
      expect(offered(context, shell, "linkseal sim fault --link x/y peer")).toEqual([
        "peer-silent",
      ]);
      expect(offered(context, shell, "linkseal sim router --platform junos-")).toEqual([
        "junos-srx",
      ]);
    },
  );

  it("the completion script is a file that zsh loads from its folder of completions", () => {
    expect(script("zsh")).toMatch(/^#compdef linkseal\n/);
  });
});

describe("the text of a completion", () => {
  const program = wholeProgram();

  it.each([
    ["bash", '"config rollback") words="--yes --wait --json --socket --help"'],
    ["zsh", "autoload -U +X bashcompinit"],
    ["fish", 'from config; and __fish_seen_subcommand_from rollback" -l wait'],
  ] as const)("the completion of %s knows verbs below verbs and their options", (shell, line) => {
    expect(completion(program, shell, fixed)).toContain(line);
  });

  it("each verb and option whose names are completed exists", () => {
    const paths = everyCommand(program).flatMap((command): readonly string[] => {
      const names: string[] = [];
      for (let at: typeof command | null = command; at !== null; at = at.parent)
        names.unshift(at.name());
      const path = names.slice(1).join(" ");
      return [path, ...command.options.map(({ long }) => `${path} ${long}`)];
    });
    expect(Object.keys(completed).filter((path) => !paths.includes(path))).toEqual([]);
  });
});
