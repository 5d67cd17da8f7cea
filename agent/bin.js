#!/usr/bin/env node
// Starts linkseal on the Node that npm brought; plain JavaScript, as an older Node may run this.

import { spawn } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const nodeMajorMin = 24;
const here = fileURLToPath(import.meta.url);
const args = process.argv.slice(2);
// An agent mostly waits: a small heap costs it a little processor time and saves more than half of
// its memory (bench/idle.ts). No signal opens a debugger of what may hold a key.
const noDebugger = ["--disable-sigusr1"];
const thrifty = ["--max-semi-space-size=1", "--optimize-for-size", "--v8-pool-size=1"];
// A participant stays the process that it is: a descriptor that a manager hands to it would not
// outlive an exec by Node. The package's own command starts all of them without a debugger.
const services = { agent: [...noDebugger, ...thrifty], net: noDebugger };
const flags = Object.hasOwn(services, args[0] ?? "") ? services[args[0]] : [];

// The bundle if no source is as new as it, else the sources: a stale bundle never runs.
function entry() {
  const bundle = join(root, "dist", "cli.js");
  const sources = join(root, "agent", "cli.ts");
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
      (name) => !/\.(ts|css|html|svg)$/.test(name) || statSync(join(path, name)).mtimeMs < stampMs,
    );
  });
}

async function runHere() {
  if (flags.some((flag) => !process.execArgv.includes(flag))) {
    // The same process, so that whoever started it still knows it by its id.
    process.execve(process.execPath, [process.execPath, ...flags, here, ...args], process.env);
  }
  const { main } = await import(pathToFileURL(entry()).href);
  process.exitCode = await main(args);
}

function npmNode() {
  try {
    const require = createRequire(import.meta.url);
    const manifest = require.resolve(`node-linux-${process.arch}/package.json`);
    return join(manifest, "..", "bin", "node");
  } catch {
    return undefined;
  }
}

function runThere(node) {
  const child = spawn(node, [...flags, here, ...args], { stdio: "inherit" });
  // A terminal sends these to the whole group, so the child already has them.
  const fromTerminal = process.stdin.isTTY ? ["SIGINT", "SIGQUIT"] : [];
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2", "SIGWINCH"]) {
    process.on(signal, () => {
      if (!fromTerminal.includes(signal)) child.kill(signal);
    });
  }
  child.on("error", (error) => {
    console.error(`linkseal: ${node} does not start: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (status, signal) => {
    if (signal === null) process.exit(status ?? 1);
    // Dies of the same signal, so that a shell or systemd sees what happened.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    process.exitCode = 128 + (constants.signals[signal] ?? 0);
  });
}

const node = Number.parseInt(process.versions.node, 10) >= nodeMajorMin ? undefined : npmNode();
if (node !== undefined) {
  runThere(node);
} else if (Number.parseInt(process.versions.node, 10) >= nodeMajorMin) {
  await runHere();
} else {
  console.error(`linkseal: needs Node ${nodeMajorMin} or newer; run "npm ci" in ${root}`);
  process.exitCode = 1;
}
