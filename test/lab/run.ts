// `npm run lab`: linkseal on a real kernel, in a machine of its own, for operators who want to try
// it.

import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { runInMachine } from "../machine/machine.ts";
import { machineFolder, whyNoMachine } from "../machine/place.ts";
import { labFaults } from "./faults.ts";

const usage = `npm run lab -- [rotate | record] [--once] [--json] [--fault NAME]
       npm run lab -- pair [--strikes NUMBER]

Boots a small machine with this clone in it: an edge router that linkseal looks after, two links
with BGP, and a stand-in for Microsoft's end (wpa_supplicant and FRR). Both links are enrolled, a
script playing the person who changes the far end; then it does what you type, until its end.

  rotate    gives both links new keys once they are protected, under traffic
  record    the same, drained and then not, written down for docs/timelines.md
  pair      both links on two hosts, the agent on the first, which reaches the second by SSH and
            linkseal peer: enrolment, a rotation and a change of a setting under traffic, a rotation
            for each thing that may end on the way, and one under a tunnel from each host; a table
            of the ends and of the lost packets
  --strikes only the first so many of the rotations in which something ends; 0: none
  --once    ends as soon as both links are protected, rotated, or the fault was told
  --json    prints the status as JSON at the end, and nothing else
  --fault   strikes once both links are protected; one of:
${Object.entries(labFaults)
  .map(([name, { title }]) => `              ${name.padEnd(18)}${title}`)
  .join("\n")}

Exit status: 0 protected, 4 not protected, 1 the enrolment did not end, 2 this usage; of pair: 0 if
no packet was lost but those of a host that died, and none was in the clear.`;

const recorded = join(import.meta.dirname, "..", "recorded-rotation.json");
const tailMs = 100;
const patienceMs = 24 * 3_600_000;

const labWords: readonly string[] = ["rotate", "record", "pair"];

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        once: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        fault: { type: "string" },
        strikes: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    const [word, ...more] = positionals;
    if (more.length > 0 || (word !== undefined && !labWords.includes(word))) return undefined;
    return { ...values, once: values.once === true || word === "record", word };
  } catch {
    return undefined;
  }
}

/** Copies a growing file, until it is stopped and everything has been copied. */
function follow(path: string, to: NodeJS.WriteStream): () => void {
  const file = openSync(path, "r");
  const room = new Uint8Array(64 * 1024);
  const copy = (): void => {
    for (;;) {
      const length = readSync(file, room);
      if (length === 0) return;
      to.write(Uint8Array.from(room.subarray(0, length)));
    }
  };
  const timer = setInterval(copy, tailMs);
  return () => {
    clearInterval(timer);
    copy();
    closeSync(file);
  };
}

async function main(): Promise<number> {
  const asked = options();
  const isFault = asked?.fault === undefined || asked.fault in labFaults;
  if (asked === undefined || asked.help || !isFault) {
    console.error(usage);
    return asked?.help === true ? 0 : 2;
  }
  const why = whyNoMachine();
  if (why !== undefined) {
    console.error(why);
    return 1;
  }
  const results = mkdtempSync(join(tmpdir(), "linkseal-lab-"));
  try {
    return await (asked.word === "pair" ? runPair(results, asked) : runLab(results, asked));
  } finally {
    rmSync(results, { recursive: true });
  }
}

type Asked = NonNullable<ReturnType<typeof options>>;

/** The kernel of user mode has virtual time: what else this computer does changes no figure. */
async function runPair(results: string, { strikes }: Asked): Promise<number> {
  const [out, err] = ["printed", "err"].map((name) => openSync(join(results, name), "a"));
  if (out === undefined || err === undefined) return 1;
  appendFileSync(join(results, "out"), "");
  const stops = [
    follow(join(results, "out"), process.stdout),
    follow(join(results, "err"), process.stderr),
  ];
  const guest = join(import.meta.dirname, "pair", "guest.ts");
  const words = strikes === undefined ? [] : ["--strikes", strikes];
  const end = await runInMachine({
    argv: [process.execPath, guest, ...words],
    cwd: join(import.meta.dirname, "..", ".."),
    env: { LINKSEAL_MACHINE: machineFolder },
    ...{ kernel: "user-mode", patienceMs, out, err, results, processor: 1 },
  });
  for (const stop of stops) stop();
  for (const file of [out, err]) closeSync(file);
  if (end.kind === "ended") return end.status;
  console.error(`the machine ${end.kind}:\n${end.console}`);
  return 1;
}

async function runLab(results: string, { once, json, fault, word }: Asked): Promise<number> {
  const [out, err] = ["out", "err"].map((name) => openSync(join(results, name), "a"));
  if (out === undefined || err === undefined) return 1;
  appendFileSync(join(results, "typed"), "");
  const stops = [
    follow(join(results, "out"), process.stdout),
    follow(join(results, "err"), process.stderr),
  ];
  const lines = once ? undefined : createInterface(process.stdin);
  const type = (line: string): void => appendFileSync(join(results, "typed"), `${line}\n`);
  lines?.on("line", type);
  // The lab ends with its input.
  lines?.once("close", () => type("end"));
  const guest = join(import.meta.dirname, "guest.ts");
  const words = [
    ...(once ? ["--once"] : []),
    ...(json ? ["--json"] : []),
    ...(word === undefined ? [] : [`--${word}`]),
    ...(fault === undefined ? [] : ["--fault", fault]),
  ];
  const end = await runInMachine({
    argv: [process.execPath, guest, ...words],
    cwd: join(import.meta.dirname, "..", ".."),
    env: { LINKSEAL_MACHINE: machineFolder },
    ...{ kernel: "emulated", patienceMs, out, err, results },
  });
  lines?.close();
  for (const stop of stops) stop();
  for (const file of [out, err]) closeSync(file);
  if (word === "record" && existsSync(join(results, "recorded.json"))) {
    copyFileSync(join(results, "recorded.json"), recorded);
  }
  if (end.kind === "ended") return end.status;
  console.error(`the machine ${end.kind}:\n${end.console}`);
  return 1;
}

process.exitCode = await main();
