// Runs inside the machine: enrols a pair on two hosts, rotates and changes both links, then rotates
// one of them once for each thing that may end on the way, and last both under tunnels.

import { appendFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PairLab } from "./pair-lab.ts";
import {
  changedBoth,
  enrolled,
  isGood,
  type Result,
  resultsText,
  rotatedBoth,
  rotatedUnderTunnels,
  strikes,
  struck,
} from "./strikes.ts";

const { values } = parseArgs({ options: { strikes: { type: "string" } } });
const asked = strikes.slice(0, Number(values.strikes ?? strikes.length));
/** Read while the machine runs. */
const printed = "/run/machine/results/out";
const begun = performance.now();

const print = (text: string): void => appendFileSync(printed, `${text}\n`);

function say(line: string): void {
  const seconds = String(Math.round((performance.now() - begun) / 1000)).padStart(5);
  print(`${seconds} s  ${line}`);
}

const folder = mkdtempSync(join(tmpdir(), "linkseal-pair-"));
const lab = await PairLab.open(folder, say);
const results: Result[] = [];
try {
  const { outcomes } = await lab.enrol();
  if (outcomes !== enrolled) throw new Error(`enrolment: ${outcomes}`);
  for (const play of [rotatedBoth, changedBoth]) {
    results.push(await play(lab));
    print(resultsText(results.slice(-1)));
  }
  for (const strike of asked) {
    say(`${strike.title}, at ${strike.at}`);
    results.push(await struck(lab, strike));
    print(resultsText(results.slice(-1)));
  }
  say("a tunnel from each edge host to one gateway, with a charon of its own");
  results.push(await rotatedUnderTunnels(lab));
} catch (error) {
  print(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
const all = results.every(isGood) && results.length === asked.length + 3;
if (!all) print(lab.complaints().join("\n"));
print(resultsText(results));
await lab[Symbol.asyncDispose]();
process.exit(all ? 0 : 4);
