// Makes completion scripts from the tree of commands: which words may follow which words. They do
// not ask the agent.

import type { Command } from "commander";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

interface Place {
  /** Verbs up to here, such as `config rollback`; "" at the start. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly text: string }[];
}

export function completion(program: Command, shell: Shell): string {
  const places = placesOf(program, "");
  switch (shell) {
    case "bash":
      return bash(places, "_linkseal");
    case "zsh":
      return zsh(places);
    case "fish":
      return fish(places);
  }
}

function placesOf(command: Command, path: string): Place[] {
  const verbs = command.commands.map((each) => ({ word: each.name(), text: each.description() }));
  const options = command.options.map(({ long, short, description }) => ({
    word: long ?? short ?? "",
    text: description,
  }));
  const words = [...verbs, ...options, { word: "--help", text: "help for this verb" }];
  const below = command.commands.flatMap((each) =>
    placesOf(each, path === "" ? each.name() : `${path} ${each.name()}`),
  );
  return [{ path, words }, ...below];
}

// Names of verbs and options are plain words, so nothing here needs quoting.
function bash(places: readonly Place[], name: string): string {
  const cases = places.map(
    ({ path, words }) => `    "${path}") words="${words.map(({ word }) => word).join(" ")}" ;;`,
  );
  return `${name}() {
  local path="" words="" word
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD-1))}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  while :; do
    case "$path" in
${cases.map((line) => `  ${line}`).join("\n")}
    esac
    # An argument of a verb is not a verb: the verb before it decides which words fit.
    [ -n "$words" ] && break
    case "$path" in *" "*) path="\${path% *}" ;; *) path="" ;; esac
  done
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ "\${#COMPREPLY[@]}" -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F ${name} linkseal
`;
}

// When the script is a file among zsh's functions, the first completion runs it, and gets its
// answer as well.
function zsh(places: readonly Place[]): string {
  const name = "_linkseal_words";
  return `#compdef linkseal
autoload -U +X bashcompinit && bashcompinit
${bash(places, name)}if [ "\${funcstack[1]}" = _linkseal ]; then _bash_complete -F ${name}; fi
`;
}

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, words }) => {
    const verbs = path === "" ? [] : path.split(" ");
    const seen = verbs.map((verb) => `__fish_seen_subcommand_from ${verb}`).join("; and ");
    const when = seen === "" ? "__fish_use_subcommand" : seen;
    return words.map(({ word, text }) => {
      const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-f -a ${word}`;
      return `complete -c linkseal -n "${when}" ${what} -d "${text.replace(/["$\\]/g, "")}"`;
    });
  });
  return `${lines.join("\n")}\n`;
}
