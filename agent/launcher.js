// Finds the Node that linkseal runs on, and replaces this process with it; plain JavaScript, for an
// older Node.

import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const nodeMajorMin = 24;
const name = `node-${process.platform}-${process.arch}`;

/**
 * Returns the path of the Node to run on: the one that `npm ci` installed, else this one if it is
 * new enough, as in the Debian package; undefined = there is none. npm's link to it in
 * node_modules/.bin cannot be used: npm 9 removes it together with the package of the other
 * processor.
 */
export function findNode() {
  const installed = join(root, "node_modules", name, "bin", "node");
  if (existsSync(installed)) return realpathSync(installed);
  const major = Number.parseInt(process.versions.node, 10);
  return major >= nodeMajorMin ? process.execPath : undefined;
}

/**
 * Runs `node ...argv` in place of this process; a Node without execve starts a child and passes all
 * signals on.
 */
export function runOn(node, argv) {
  // The process stays the same, so that its parent still knows it by its id.
  if (process.execve !== undefined) process.execve(node, [node, ...argv], process.env);
  const child = spawn(node, argv, { stdio: "inherit" });
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
    // Ends by the same signal, so that a shell or systemd sees what happened.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    process.exitCode = 128 + (constants.signals[signal] ?? 0);
  });
}

/** Reports that findNode() found none. */
export function reportNoNode() {
  const remedy = `run "npm ci" in ${root}, without --omit=optional`;
  console.error(`linkseal: needs Node ${nodeMajorMin}, and ${name} is not installed: ${remedy}`);
  process.exitCode = 1;
}
