// Runs inside the machine: builds the lab, prints what happens, and carries out commands.

import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { parseArgs } from "node:util";
import { lostOf } from "../kernel/host/router.ts";
import { type LabFault, labFaults } from "./faults.ts";
import { Lab, links } from "./lab.ts";
import { record } from "./recording.ts";

const { values } = parseArgs({
  options: {
    once: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    rotate: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
    fault: { type: "string" },
  },
});
const faults: Readonly<Record<string, LabFault>> = labFaults;
const typedFile = "/run/machine/results/typed";
const recordFile = "/run/machine/results/recorded.json";
const pollMs = 300;
const observeMs = 5000;
const slackMs = 60_000;
const help = `Type the name of a fault, heal, rotate, status, wires, any command of linkseal, end:
  ${Object.keys(faults).join(", ")}`;
const begun = performance.now();

function say(line: string): void {
  if (values.json) return;
  const seconds = String(Math.round((performance.now() - begun) / 1000)).padStart(4);
  console.log(`${seconds} s  ${line}`);
}

const lab = await Lab.open(mkdtempSync(join(tmpdir(), "linkseal-lab-")), say);
process.exitCode = await run();
await lab[Symbol.asyncDispose]();
process.exit();

async function run(): Promise<number> {
  const why = await lab.enrol();
  if (why !== undefined) {
    say(`the enrolment did not end: ${why}`);
    return await conclude();
  }
  if (values.record) {
    writeFileSync(recordFile, `${JSON.stringify(await record(lab), undefined, 2)}\n`);
    return await conclude();
  }
  const stop = await lab.traffic();
  await rest(observeMs);
  wires();
  await show();
  if (values.rotate) await rotate();
  const fault = values.fault === undefined ? undefined : faults[values.fault];
  if (fault !== undefined) await strike(fault);
  if (!values.once) await obey();
  const allCounters = await stop();
  const [out, back] = lostOf(allCounters);
  const [left = 0, returned = 0] = allCounters.map(({ sent }) => sent);
  say(`${out} of ${left} packets from the edge and ${back} of ${returned} to it were lost`);
  return await conclude();
}

function wires(): void {
  for (const { name, port } of links) {
    const wire = lab.wires.get(port);
    if (wire === undefined) continue;
    const { sealed, clear, newest } = wire;
    say(`on the wire of ${name}: ${sealed} frames under MACsec, ${clear} of data in the clear`);
    say(`  ${newest.slice(0, 24)} ${newest.slice(24, 28)} ${newest.slice(28)}…`);
  }
}

async function show(): Promise<void> {
  if (values.json) return;
  const { out, err } = await lab.run("status");
  console.log(out + err);
}

async function rotate(): Promise<void> {
  await lab.offerKeys();
  const why = await lab.rotate();
  say(why === undefined ? "both links are on new keys" : `not rotated: ${why}`);
  wires();
  await show();
}

async function strike(fault: LabFault): Promise<void> {
  say(`now ${fault.title}`);
  const struck = performance.now();
  await fault.strike(lab);
  for (;;) {
    const { verdict, reasons } = await lab.link("primary");
    const reported = reasons.find(({ code }) => code === fault.code);
    const tookMs = Math.round(performance.now() - struck);
    if (verdict === fault.verdict && reported !== undefined) {
      say(`reported after ${tookMs} ms: ${verdict}, ${reported.code}: ${reported.text}`);
      return;
    }
    if (tookMs > fault.withinMs + slackMs) {
      const others = reasons.map(({ code, text }) => `${code}: ${text}`).join("; ");
      say(`not reported after ${tookMs} ms: ${verdict}, ${others}`);
      return;
    }
    await rest(pollMs);
  }
}

async function obey(): Promise<void> {
  console.log(help);
  let struck: LabFault | undefined = values.fault === undefined ? undefined : faults[values.fault];
  for (let seen = 0; ; await rest(pollMs)) {
    const lines = readFileSync(typedFile, "utf8").split("\n").slice(0, -1);
    for (const line of lines.slice(seen)) {
      seen += 1;
      const words = line.trim().split(/\s+/);
      const fault = faults[words[0] ?? ""];
      if (words[0] === "end") return;
      if (fault !== undefined) {
        struck = fault;
        await strike(fault);
      } else if (words[0] === "rotate") await rotate();
      else if (words[0] === "heal" && struck !== undefined) await struck.heal(lab);
      else if (words[0] === "wires") wires();
      else if (line.trim() === "" || words[0] === "help") console.log(help);
      else {
        const { out, err } = await lab.run(...words.filter((word) => word !== "linkseal"));
        console.log(out + err);
      }
    }
  }
}

async function conclude(): Promise<number> {
  const status = await lab.status();
  if (values.json) console.log(JSON.stringify(status, undefined, 2));
  else say(`the site is ${status.verdict}`);
  return status.verdict === "protected" ? 0 : 4;
}
