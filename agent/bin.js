#!/usr/bin/env node
// Starts linkseal on the Node that npm installed; plain JavaScript, because an older Node reads
// this.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { findNode, reportNoNode, runOn } from "./launcher.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const here = fileURLToPath(import.meta.url);
const args = process.argv.slice(2);
// Node's flags for the services, which mostly wait: a small heap costs them a little processor time
// and saves more than half of their own memory (bench/idle.ts, bench/mka.ts). A signal opens no
// debugger of a process that may have a key in memory. An MKA client stays the process that it is:
// a descriptor that a manager passes to it would not survive an exec by Node. The package's own
// command starts all of them with their flags.
const { mka: _, ...started } = JSON.parse(readFileSync(join(root, "agent", "flags.json"), "utf8"));
const flags = Object.hasOwn(started, args[0] ?? "") ? started[args[0]] : [];

// Which program runs a line, by its first words: each has a bundle and a package of its own.
const programs = JSON.parse(readFileSync(join(root, "agent", "programs.json"), "utf8"));

// Returns the name of the program whose verb the line names. Only the laboratory writes to a device
// for `driver check`; without that program the agent's own command says which package has the verb.
function programOf(words) {
  const named = words[0] === "help" ? words.slice(1) : words;
  if (named[0] === "driver" && named.includes("--read-only")) return "agent";
  const found = Object.keys(programs).find((name) =>
    Object.keys(programs[name].verbs).some((verb) =>
      verb.split(" ").every((word, index) => named[index] === word),
    ),
  );
  return found !== undefined && entry(found) !== undefined ? found : "agent";
}

// Returns the program's bundle if no source is as new as it, else its sources: a stale bundle never
// runs. undefined = the program is not installed.
function entry(name) {
  const bundle = join(root, "dist", name, "cli.js");
  const sources = join(root, programs[name].source);
  const stamp = statSync(join(root, "dist", "STAMP"), { throwIfNoEntry: false });
  const built = existsSync(bundle);
  if (!existsSync(sources)) return built ? bundle : undefined;
  return built && stamp !== undefined && isNewest(stamp.mtimeMs) ? bundle : sources;
}

function isNewest(stampMs) {
  return ["agent", "drivers", "hal", "sim"].every((folder) => {
    const path = join(root, folder);
    if (!existsSync(path)) return true;
    return readdirSync(path, { recursive: true }).every(
      (name) =>
        !/\.(ts|json|css|html|svg)$/.test(name) || statSync(join(path, name)).mtimeMs < stampMs,
    );
  });
}

const node = findNode();
if (node === undefined) {
  reportNoNode();
} else if (node !== process.execPath || flags.some((flag) => !process.execArgv.includes(flag))) {
  runOn(node, [...flags, here, ...args]);
} else {
  const { main } = await import(pathToFileURL(entry(programOf(args))).href);
  process.exitCode = await main(args);
}
