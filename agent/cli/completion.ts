// Makes completion scripts from the tree of commands: which words may follow which words. Codes and
// faults are in the script; the script asks the agent for the names of its config.

import type { Command, Option } from "commander";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** What a config in force has names for. */
export const nameKinds = ["groups", "links", "tunnels", "devices"] as const;
export type NameKind = (typeof nameKinds)[number];

/** Words that are the same on every host. */
export interface FixedWords {
  /** The codes that `explain` knows. */
  readonly codes: readonly string[];
  /** The faults of a simulated site. */
  readonly faults: readonly string[];
}

type Kind = NameKind | keyof FixedWords | "shells" | "verbs";

const anything = ["groups", "links", "tunnels", "devices"] as const;
const target = ["groups", "links"] as const;

/**
 * The arguments of a verb that are names, in their order, and the values of options. All other
 * arguments are files, numbers, or choices that the tree itself knows.
 */
export const completed: Readonly<Record<string, readonly (readonly Kind[])[]>> = {
  links: [target],
  tunnels: [["tunnels"]],
  explain: [["codes"], anything],
  night: [["groups", "links", "tunnels"]],
  "keys generate": [target],
  "keys pair": [["links"]],
  adopt: [target],
  enrol: [target],
  rotate: [target],
  "rotation show": [["groups"]],
  "rotation proceed": [["groups"]],
  "rotation resume": [["groups"]],
  "rotation revert": [["groups"]],
  "rotation abandon": [["groups"]],
  drain: [["links", "tunnels"]],
  undrain: [["links", "tunnels"]],
  "retire link": [["links"]],
  "retire tunnel": [["tunnels"]],
  "psk show": [["tunnels"]],
  "psk proceed": [["tunnels"]],
  "driver check --device": [["devices"]],
  "sim fault": [["faults"]],
  "sim fault --link": [["links"]],
  "sim site --fault": [["faults"]],
  completion: [["shells"]],
  help: [["verbs"]],
};

interface Place {
  /** Verbs up to here, such as `config rollback`; "" at the start. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly text: string }[];
  readonly options: readonly Option[];
}

/** What is offered in one place: words, and kinds of names that the agent is asked for. */
interface Offer {
  readonly words: readonly string[];
  readonly names: readonly NameKind[];
}

/** Returns the script for a shell. */
export function completion(program: Command, shell: Shell, fixed: FixedWords): string {
  const places = placesOf(program, "");
  const verbs = program.commands.map((each) => each.name());
  const offer = (kinds: readonly Kind[]): Offer => {
    const lists = { ...fixed, shells, verbs };
    return {
      words: kinds.flatMap((kind) => (isNameKind(kind) ? [] : lists[kind])),
      names: kinds.filter(isNameKind),
    };
  };
  switch (shell) {
    case "bash":
      return bash(places, offer, "_linkseal");
    case "zsh":
      return zsh(places, offer);
    case "fish":
      return fish(places, offer);
  }
}

const isNameKind = (kind: Kind): kind is NameKind => nameKinds.some((each) => each === kind);

function placesOf(command: Command, path: string): Place[] {
  const { options } = command;
  const verbs = command.commands.map((each) => ({ word: each.name(), text: each.description() }));
  const flags = options.map((option) => ({ word: flagOf(option), text: option.description }));
  const words = [...verbs, ...flags, { word: "--help", text: "help for this verb" }];
  const below = command.commands.flatMap((each) =>
    placesOf(each, path === "" ? each.name() : `${path} ${each.name()}`),
  );
  return [{ path, words, options }, ...below];
}

const flagOf = ({ long, short }: Option): string => long ?? short ?? "";

type OfferOf = (kinds: readonly Kind[]) => Offer;

/** What may be the value of an option; undefined = the tree does not know. */
function valuesFor(path: string, option: Option, offerOf: OfferOf): Offer | undefined {
  const [kinds] = completed[`${path} ${flagOf(option)}`] ?? [];
  if (kinds !== undefined) return offerOf(kinds);
  return option.argChoices === undefined ? undefined : { words: option.argChoices, names: [] };
}

// Names of verbs, options, codes and faults are plain words, so nothing here needs quoting.
function bash(places: readonly Place[], offerOf: OfferOf, name: string): string {
  const verbs = places.map(
    ({ path, words }) => `    "${path}") words="${words.map(({ word }) => word).join(" ")}" ;;`,
  );
  const taking = places.flatMap(({ options }) => options.filter((each) => each.required));
  const valued = [...new Set(taking.map(flagOf))].join(" ");
  const set = ({ words, names }: Offer, before: string): string =>
    `words="${[before, ...words].join(" ").trim()}" names="${names.join(",")}"`;
  const values = places.flatMap(({ path, options }) =>
    options.flatMap((option) => {
      const offer = valuesFor(path, option, offerOf);
      return offer === undefined
        ? []
        : [`    "${path} ${flagOf(option)}") ${set(offer, "")}; given=value ;;`];
    }),
  );
  const given = places.flatMap(({ path }) =>
    (completed[path] ?? []).map(
      (kinds, index) => `    "${path}/${index}") ${set(offerOf(kinds), "$words")} ;;`,
    ),
  );
  // zsh ties the name "path" to PATH.
  return `${name}() {
  local place="" words="" names="" given=0 last="" word
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD-1))}"; do
    case " ${valued} " in
      *" $last "*) [ -n "$last" ] && word=- ;;
    esac
    case "$word" in -*) ;; *) place="\${place:+$place }$word" ;; esac
    last="$word"
  done
  while :; do
    case "$place" in
${verbs.map((line) => `  ${line}`).join("\n")}
    esac
    # An argument of a verb is not a verb: the verb before it decides which words fit.
    [ -n "$words" ] && break
    given=$((given+1))
    case "$place" in *" "*) place="\${place% *}" ;; *) place="" ;; esac
  done
  case "$place $last" in
${values.join("\n")}
  esac
  case "$place/$given" in
${given.join("\n")}
  esac
  [ -z "$names" ] ||
    words="$words $("\${COMP_WORDS[0]}" completion --names "$names" 2>/dev/null)"
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ "\${#COMPREPLY[@]}" -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F ${name} linkseal
`;
}

// When the script is a file among zsh's functions, the first completion runs it, and gets its
// answer as well.
function zsh(places: readonly Place[], offerOf: OfferOf): string {
  const name = "_linkseal_words";
  return `#compdef linkseal
autoload -U +X bashcompinit && bashcompinit
${bash(places, offerOf, name)}
if [ "\${funcstack[1]}" = _linkseal ]; then _bash_complete -F ${name}; fi
`;
}

function fish(places: readonly Place[], offerOf: OfferOf): string {
  const lines = places.flatMap(({ path, words, options }) => {
    const verbs = path === "" ? [] : path.split(" ");
    const seen = verbs.map((verb) => `__fish_seen_subcommand_from ${verb}`).join("; and ");
    const when = `complete -c linkseal -n "${seen === "" ? "__fish_use_subcommand" : seen}"`;
    const named = (completed[path] ?? []).flat();
    return [
      ...words.map(({ word, text }) => {
        const option = options.find((each) => flagOf(each) === word);
        const value = option && valuesFor(path, option, offerOf);
        const takes = value === undefined ? "" : ` -x -a "${fishWords(value)}"`;
        const what = word.startsWith("--") ? `-l ${word.slice(2)}${takes}` : `-f -a ${word}`;
        return `${when} ${what} -d "${text.replace(/["$\\]/g, "")}"`;
      }),
      ...(named.length === 0 ? [] : [`${when} -f -a "${fishWords(offerOf(named))}"`]),
    ];
  });
  return `${lines.join("\n")}\n`;
}

function fishWords({ words, names }: Offer): string {
  const asked = `(linkseal completion --names ${names.join(",")} 2>/dev/null)`;
  return [...words, ...(names.length === 0 ? [] : [asked])].join(" ");
}
