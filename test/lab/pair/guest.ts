// Runs inside the machine: enrols a pair on two hosts, changes its settings, and rotates a link
// once for each thing that may end on the way.

import { appendFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PairLab } from "./pair-lab.ts";
import { isGood, type Result, resultsText, strikes, struck, underTraffic } from "./strikes.ts";

const { values } = parseArgs({
  options: { third: { type: "boolean", default: false }, strikes: { type: "string" } },
});
/** Read while the machine runs. */
const printed = "/run/machine/results/out";
const begun = performance.now();

const print = (text: string): void => appendFileSync(printed, `${text}\n`);

function say(line: string): void {
  const seconds = String(Math.round((performance.now() - begun) / 1000)).padStart(5);
  print(`${seconds} s  ${line}`);
}

const folder = mkdtempSync(join(tmpdir(), "linkseal-pair-"));
const lab = await PairLab.open(folder, values.third ? "third" : "edge-a", say);
const results: Result[] = [];
try {
  results.push(await underTraffic(lab, "enrolment, from the clear", () => lab.enrol()));
  results.push(await underTraffic(lab, "another SAK lifetime", () => lab.changeSettings()));
  results.push(await underTraffic(lab, "rotation of both links", () => lab.rotate()));
  for (const strike of strikes.slice(0, Number(values.strikes ?? strikes.length))) {
    say(`${strike.title}, at ${strike.at}`);
    results.push(await struck(lab, strike));
    print(resultsText(results.slice(-1)));
  }
} catch (error) {
  print(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
const all = results.every(isGood) && results.length > 2;
if (!all) print(lab.complaints().join("\n"));
print(resultsText(results));
await lab[Symbol.asyncDispose]();
process.exit(all ? 0 : 4);
