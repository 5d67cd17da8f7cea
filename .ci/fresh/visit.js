// Runs inside a fresh root, on that root's own Node: enters a command of README as a reader would.
// `visit.js to-its-end LINE` or `visit.js until-interrupted LINE`. This file must also run on
// Debian's older Node.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as rest } from "node:timers/promises";

const answerTries = 60;
const endMs = 30_000;
/** Matches the last of the lines that a site prints before anything happens in it. */
const readyLine = /^page at (http:\S+);/m;

/** Starts a shell line in its own process group, as a terminal does. */
function type(line) {
  console.log(`$ ${line}`);
  const child = spawn("sh", ["-c", line], { stdio: ["ignore", "pipe", "inherit"], detached: true });
  const typed = { child, output: "", ended: once(child, "close") };
  child.stdout.on("data", (chunk) => {
    typed.output += String(chunk);
    process.stdout.write(chunk);
  });
  return typed;
}

async function toItsEnd(line) {
  const { ended } = type(line);
  const [status, signal] = await ended;
  return status === 0 ? undefined : `"${line}" ended with ${signal ?? status}`;
}

/** Resolves to undefined if the server answers, and to the reason if it does not. */
async function answers(page) {
  const status = type("npx --no -- linkseal status");
  await status.ended;
  if (!status.output.startsWith("demo: ")) return "status reports no site named demo";
  for (let tries = 0; tries < answerTries; tries += 1) {
    const reply = await fetch(page).catch(() => undefined);
    if (reply?.ok === true && (await reply.text()).includes("<title>linkseal</title>")) return;
    await rest(1_000);
  }
  return `no status page answers at ${page}`;
}

async function untilInterrupted(line) {
  const { child, ended, ...typed } = type(line);
  let over = false;
  const end = ended.then(([status, signal]) => {
    over = true;
    return signal ?? status;
  });
  const page = await new Promise((resolve) => {
    child.stdout.on("data", (chunk) => {
      typed.output += String(chunk);
      const found = readyLine.exec(typed.output)?.[1];
      if (found !== undefined) resolve(found);
    });
    void end.then(() => resolve(undefined));
  });
  if (page === undefined) return `"${line}" ended with ${await end} before it served`;
  const why = await answers(page);
  if (over) return `"${line}" ended with ${await end} by itself`;
  // Interrupts all processes that the line has started, as Ctrl-C does.
  const group = -Number(child.pid);
  process.kill(group, "SIGINT");
  const status = await Promise.race([end, rest(endMs, "nothing: it still runs", { ref: false })]);
  console.log(`"${line}" was interrupted, and ended with ${status}`);
  if (!over) process.kill(group, "SIGKILL");
  return why ?? (over ? undefined : `"${line}" runs on after an interrupt`);
}

const [how, line = ""] = process.argv.slice(2);
const why = await (how === "until-interrupted" ? untilInterrupted(line) : toItsEnd(line));
if (why !== undefined) {
  console.error(`fresh root: ${why}`);
  process.exitCode = 1;
}
