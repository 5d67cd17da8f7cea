// Rules for sizes, names of files, and text that no file may contain.

import { functionSpans } from "./scan.ts";
import { offencesPerLine, type Rule } from "./source.ts";

const functionLinesMax = 69;
const fileLinesMax = 499;
/** A file that one idea fills is longer where a cut would make two files that are read together. */
const wholeFileLinesMax = 699;
const wholeFiles: ReadonlySet<string> = new Set([
  // The contract, an operation after the other, and its words.
  "hal/device.ts",
  "hal/model.ts",
  // One KaY (IEEE Std 802.1X-2020, clause 9).
  "drivers/linux/mka/kay.ts",
  // One effect of the campaign machine after the other, and one fact.
  "agent/runtime/campaigns/effects.ts",
  "agent/runtime/campaigns/fact-collector.ts",
  // One turn over a device, and what the last turns read of each.
  "agent/runtime/reconcile.ts",
  "agent/runtime/polling/device-cache.ts",
  // One far end: its document, its operations and its hardware.
  "sim/site/msee.ts",
  // Tables of cases of one subject.
  "test/unit/agent/runtime/campaigns/effects.test.ts",
  "test/unit/agent/runtime/campaigns/fact-collector.test.ts",
  "test/unit/drivers/eos/eos-parsers.test.ts",
  "test/unit/sim/faults/sim-faults.test.ts",
  "test/unit/sim/router/sim-router.test.ts",
]);
const columnsMax = 100;

const isCode = (path: string): boolean => /\.[jt]s$/.test(path);

export const functionRule: Rule = {
  name: "function length",
  check: (source) =>
    functionSpans(source.code)
      .filter((span) => span.lines > functionLinesMax)
      .map((span) => ({ line: span.line, text: `${span.name} has ${span.lines} lines` })),
};

export const fileRule: Rule = {
  name: "file length",
  check: ({ path, text }) => {
    const lines = text.split("\n").length - 1;
    const most = wholeFiles.has(path) ? wholeFileLinesMax : fileLinesMax;
    return isCode(path) && lines > most ? [{ line: lines, text: `${lines} lines` }] : [];
  },
};

export const columnRule: Rule = {
  name: "line length",
  check: ({ path, text }) =>
    text
      .split("\n")
      .flatMap((line, index) =>
        isCode(path) && line.length > columnsMax
          ? [{ line: index + 1, text: `${line.length} columns` }]
          : [],
      ),
};

const topFolders = ["agent", "bench", "docs", "drivers", "hal", "sim", "systemd", "test", ".ci"];
const topFiles = /^([-a-z]+\.json|vitest\.config\.ts|[A-Z]+(\.md)?|\.\w+(\.json)?)$/;

export const pathRule: Rule = {
  name: "file names",
  check: ({ path }) => {
    const parts = path.split("/");
    const top = parts[0] ?? "";
    if (parts.length === 1 ? !topFiles.test(top) : !topFolders.includes(top)) {
      return [{ line: 1, text: `${top} has no place at the top` }];
    }
    const kebab = /^\.?[a-z0-9]+([-.@][a-z0-9]+|@)*$/;
    // Code hosts look for these under their usual names.
    const usual = /^(README|CONTRIBUTING|SECURITY)\.md$/;
    const odd = parts.filter((part) => parts.length > 1 && !usual.test(part) && !kebab.test(part));
    return odd.map((part) => ({ line: 1, text: `${part} is not kebab-case` }));
  },
};

export const classRule: Rule = {
  name: "exported classes",
  check: ({ code }) => {
    const exported = code.filter(
      (token, index) =>
        token.text === "class" &&
        /^(export|abstract|default)$/.test(code[index - 1]?.text ?? "") &&
        token.kind === "name",
    );
    return exported.slice(1).map(({ line }) => ({ line, text: "one exported class per file" }));
  },
};

const reminder = /\b(TODO|FIXME|XXX)\b/;

export const reminderRule: Rule = {
  name: "reminders",
  check: (source) =>
    isCode(source.path)
      ? source.comments
          .filter((comment) => reminder.test(comment.text))
          .map(({ line }) => ({ line, text: "do it, or file an issue" }))
      : offencesPerLine(source, reminder, "do it, or file an issue"),
};

const suppression =
  /@ts-(ignore|nocheck|expect-error)|(biome-ignore|oxlint-disable|eslint-disable)/;

export const suppressionRule: Rule = {
  name: "suppressions",
  check: ({ comments }) =>
    comments
      .filter((comment) => suppression.test(comment.text))
      .map(({ line }) => ({ line, text: "write code that passes the check" })),
};

const awaitsOutside = /^(((export )?const|let) .* = |[\w.]+ = |for )?await\b/;
const declaresOutside = /^(export )?(const|let|class) /;

const functionOutside = /^(export )?(async )?function /;

/**
 * A top-level await runs before the declarations below it, and may call functions that are declared
 * in between.
 */
export const awaitRule: Rule = {
  name: "late constants",
  check: ({ path, text }) => {
    const lines = isCode(path) ? text.split("\n") : [];
    const last = lines.findLastIndex((line) => awaitsOutside.test(line));
    const called = lines.findIndex((line, at) => at > last && functionOutside.test(line));
    const why = "below the last await at the top: a function that is called there finds it unset";
    return lines.flatMap((line, at) =>
      last >= 0 && called >= 0 && at > called && declaresOutside.test(line)
        ? [{ line: at + 1, text: why }]
        : [],
    );
  },
};

const place = (...roots: readonly string[]): RegExp =>
  new RegExp(`(?<![\\w.*~-])/(${roots.join("|")})/[\\w.]`);
const machine = place("work", "home", "root", "Users");
// A test may make up a home folder.
const machineInTests = place("work");
const registry = /registry\.(?!(test\.)?ts\b|md\b)|npmjs\.|artifactory|verdaccio/;

export const machineRule: Rule = {
  name: "machine",
  check: (source) =>
    /(^|\/)package-lock\.json$/.test(source.path) || source.path.startsWith("test/tidy/")
      ? []
      : [
          ...offencesPerLine(
            source,
            source.path.startsWith("test/") ? machineInTests : machine,
            "a path of one machine",
          ),
          ...offencesPerLine(source, registry, "a registry's host: the client's settings say it"),
        ],
};
