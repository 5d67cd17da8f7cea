// Completion in the shells themselves.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, type TestContext } from "vitest";
import { linksealProgram } from "#agent/bin/launch.ts";
import { completion, type Shell } from "#agent/cli/completion.ts";
import { cannotRun } from "../../../why-not.ts";

const folder = mkdtempSync(join(tmpdir(), "linkseal-completion-"));
afterAll(() => rmSync(folder, { recursive: true }));

const words = (line: string): string =>
  `COMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1))`;

/** What is offered for the last word of the line. */
function offered(context: TestContext, shell: Shell, line: string): readonly string[] {
  const file = join(folder, shell);
  const last = line.split(" ").at(-1) ?? "";
  writeFileSync(file, completion(linksealProgram(), shell));
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
  const { error, stdout, stderr } = spawnSync(shell, scripts[shell], { encoding: "utf8" });
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

  it("the completion script is a file that zsh loads from its folder of completions", () => {
    expect(completion(linksealProgram(), "zsh")).toMatch(/^#compdef linkseal\n/);
  });
});

describe("the text of a completion", () => {
  const program = linksealProgram();

  it.each([
    ["bash", '"config rollback") words="--yes --wait --json --socket --help"'],
    ["zsh", "autoload -U +X bashcompinit"],
    ["fish", 'from config; and __fish_seen_subcommand_from rollback" -l wait'],
  ] as const)("the completion of %s knows verbs below verbs and their options", (shell, line) => {
    expect(completion(program, shell)).toContain(line);
  });
});
