#!/usr/bin/env node
// Starts linkseal on the Node that npm installed; plain JavaScript, because an older Node reads
// this.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { findNode, reportNoNode, runOn } from "./launcher.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const here = fileURLToPath(import.meta.url);
const args = process.argv.slice(2);
// An agent mostly waits: a small heap costs it a little processor time and saves more than half of
// its memory (bench/idle.ts). The flags also keep a signal from opening a debugger of a process
// that may have a key in memory.
const noDebugger = ["--disable-sigusr1"];
const thrifty = ["--max-semi-space-size=1", "--optimize-for-size", "--v8-pool-size=1"];
// An MKA client stays the process that it is: a descriptor that a manager passes to it would not
// survive an exec by Node. The package's own command starts all of them without a debugger.
const services = { agent: [...noDebugger, ...thrifty], net: noDebugger };
const flags = Object.hasOwn(services, args[0] ?? "") ? services[args[0]] : [];

// Returns the bundle if no source is as new as it, else the sources: a stale bundle never runs.
function entry() {
  const bundle = join(root, "dist", "cli.js");
  const sources = join(root, "agent", "bin", "cli.ts");
  const stamp = statSync(join(root, "dist", "STAMP"), { throwIfNoEntry: false });
  const built = stamp !== undefined && existsSync(bundle);
  if (!existsSync(sources)) return bundle;
  return built && isNewest(stamp.mtimeMs) ? bundle : sources;
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
  const { main } = await import(pathToFileURL(entry()).href);
  process.exitCode = await main(args);
}
