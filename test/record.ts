// `npm run record`: replaces the recorded kernel messages by those of the machine's kernel.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { runInMachine } from "./machine/machine.ts";
import { whyNoMachine } from "./machine/place.ts";

const root = join(import.meta.dirname, "..");
const results = join(root, "test", "unit", "recorded");
const why = whyNoMachine();
if (why !== undefined) throw new Error(why);
mkdirSync(results, { recursive: true });
const end = await runInMachine({
  argv: [process.execPath, join(root, "test", "kernel", "netlink", "record.ts")],
  cwd: root,
  ...{ kernel: "emulated", patienceMs: 300_000 },
  out: 1,
  err: 2,
  results,
});
if (end.kind !== "ended") console.error(`the machine ${end.kind}:\n${end.console}`);
process.exitCode = end.kind === "ended" ? end.status : 1;
