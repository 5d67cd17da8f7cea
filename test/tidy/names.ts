// Names that must not be used in code: the outside world, loosened checks, tests that do not run.

import { findSequence, isEdge, type Offence, type Rule, type Source } from "./source.ts";

interface Banned {
  /** Token texts in order, separated by spaces. */
  readonly sequence: string;
  readonly instead: string;
}

const world: readonly Banned[] = [
  ...["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval"].map(
    (sequence) => ({ sequence, instead: "world.clock.sleep or SimClock.after" }),
  ),
  { sequence: "AbortSignal . timeout", instead: "withDeadline of hal/deadline.ts" },
  { sequence: "Date . now", instead: "world.clock.wall" },
  { sequence: "new Date ( )", instead: "new Date(world.clock.wall())" },
  { sequence: "performance", instead: "world.clock.now" },
  { sequence: "Math . random", instead: "world.entropy or Prng" },
  { sequence: "crypto .", instead: "world.entropy" },
  { sequence: "process", instead: "agent/host/ reads the process and its environment" },
  { sequence: "console", instead: "world.log" },
  { sequence: "fetch (", instead: "world.dial.http" },
  { sequence: "WebSocket", instead: "agent/web serves the page" },
  { sequence: "globalThis", instead: "a World" },
  { sequence: "eval", instead: "code" },
  { sequence: "require", instead: "import" },
  { sequence: ". localeCompare", instead: "compare with < (the host's locale decides otherwise)" },
  { sequence: ". toLocaleString", instead: "write the format out (the host's locale decides it)" },
];

interface Exception {
  readonly path: string;
  readonly sequence: string;
  readonly why: string;
}

export const exceptions: readonly Exception[] = [
  {
    path: "sim/base/clock.ts",
    sequence: "setImmediate",
    why: "one turn of the real event loop drains the promises of one virtual event",
  },
];

// `{ process: 1 }`, `x.process` and `readonly process: string` name a property and not the global.
function isProperty(source: Source, offence: Offence, name: string): boolean {
  return source.code.every((token, index) => {
    if (token.line !== offence.line || token.text !== name) return true;
    const before = source.code[index - 1]?.text ?? ";";
    if (before === "." || before === "?.") return true;
    const after = source.code[index + 1]?.text;
    const key = after === ":" || (after === "?" && source.code[index + 2]?.text === ":");
    return key && /^([{,;(]|readonly)$/.test(before);
  });
}

export const worldRule: Rule = {
  name: "outside world",
  check: (source) =>
    isEdge(source.path)
      ? []
      : world.flatMap(({ sequence, instead }) => {
          const except = exceptions.some(
            (one) => one.path === source.path && one.sequence === sequence,
          );
          const name = sequence.split(" ")[0] ?? "";
          return except
            ? []
            : findSequence(source, sequence, `${sequence}: use ${instead}`).filter(
                (offence) => name === "." || !isProperty(source, offence, name),
              );
        }),
};

const loosened: readonly Banned[] = [
  { sequence: "rejectUnauthorized : false", instead: "verify the certificate" },
  { sequence: "checkServerIdentity", instead: "the platform's own check" },
  { sequence: "NODE_TLS_REJECT_UNAUTHORIZED", instead: "verify the certificate" },
  { sequence: "strictHostKeyChecking : false", instead: "pin the host key" },
  { sequence: "hostVerifier : ( ) => true", instead: "pin the host key" },
];

/** Only tests of exactly that may loosen checks of identity. */
export const loosenedRule: Rule = {
  name: "identity checks",
  check: (source) =>
    source.path.startsWith("test/")
      ? []
      : loosened.flatMap(({ sequence, instead }) =>
          findSequence(source, sequence, `${sequence}: ${instead}`),
        ),
};

/** Files that parse text which no foreign program wrote. */
const ownJson: ReadonlySet<string> = new Set([
  "hal/json.ts",
  // In a browser, the page reads messages of its own agent.
  "agent/web/line.ts",
  // It reads its own table of Node's flags before anything is loaded.
  "agent/bin.js",
  // Its only request comes from the agent that started it.
  "drivers/transport/snmp-legacy-child.ts",
]);

/** JSON from outside has one reader, which limits its size before parsing. */
export const jsonRule: Rule = {
  name: "JSON has bounds",
  check: (source) => {
    const { path, code } = source;
    if (!/^(agent|drivers|hal)\//.test(path) || ownJson.has(path)) return [];
    const copies = (line: number): boolean =>
      code.some(
        (token, at) =>
          token.line === line &&
          token.text === "parse" &&
          code[at + 2]?.text === "JSON" &&
          code[at + 4]?.text === "stringify",
      );
    return findSequence(source, "JSON . parse", "JSON.parse: use parseJson of hal/json.ts").filter(
      ({ line }) => !copies(line),
    );
  },
};

const chapters = ["it", "test", "describe"];
const unrun = ["skip", "only", "todo", "fails", "skipIf", "runIf"];
const replaced = ["mock", "doMock", "hoisted", "useFakeTimers", "stubGlobal", "spyOn"];

const inTests: readonly Banned[] = [
  ...chapters.flatMap((chapter) =>
    unrun.map((word) => ({ sequence: `${chapter} . ${word}`, instead: "a test runs or is gone" })),
  ),
  ...replaced.map((word) => ({
    sequence: `vi . ${word}`,
    instead: "the simulator replaces mocks and fake timers",
  })),
  { sequence: ". toMatchSnapshot", instead: "a readable golden file" },
  { sequence: ". toMatchInlineSnapshot", instead: "toEqual" },
];

export const testRule: Rule = {
  name: "tests run",
  check: (source) =>
    source.path.startsWith("test/")
      ? inTests.flatMap(({ sequence, instead }) =>
          findSequence(source, sequence, `${sequence}: ${instead}`),
        )
      : [],
};

/**
 * `toMatchObject({ text: /x/ })` does not compare the text with the pattern, and passes for every
 * text.
 */
export const patternRule: Rule = {
  name: "patterns match",
  check: ({ path, code }) => {
    if (!path.startsWith("test/")) return [];
    const opened = (index: number): boolean => {
      let depth = 0;
      for (let at = index; at >= 0; at -= 1) {
        const token = code[at];
        if (token?.kind !== "punctuator") continue;
        if (token.text === ")") depth += 1;
        if (token.text === "(") depth -= 1;
        if (depth < 0) return code[at - 1]?.text === "toMatchObject";
      }
      return false;
    };
    return code.flatMap(({ kind, line }, index) =>
      kind === "regex" && opened(index)
        ? [{ line, text: "a pattern in toMatchObject never fails: use expect.stringMatching" }]
        : [],
    );
  },
};
