// Each call of the agent to its disk fails while it drains a link: once with an I/O error, or from
// then on because the disk is full. What it reported as done is in force and recorded after a kill;
// what it refused has no effect; it never reports more than it knows.

import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { LinksealError } from "#hal/error.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../effort.ts";
import {
  type Fate,
  fileCalls,
  oneFileThread,
  type Scope,
  type Step,
  Strace,
  stepsOf,
} from "../kernel/host-faults/strace.ts";
import { whyLacking } from "../machine/place.ts";
import type { Program } from "./program.ts";
import { Stage } from "./stage.ts";

const seed = "disk-calls";
const prng = new Prng(seed);
const link = "erd-demo/primary";
const why = whyLacking(["strace"]);
/** Of the calls of each kind, so many are tried; the long form tries all. */
const tried = effort(2, Number.POSITIVE_INFINITY);

let stage: Stage;
let program: Program;
const threads = process.env["UV_THREADPOOL_SIZE"];
beforeAll(async () => {
  if (why !== undefined) return;
  Object.assign(process.env, oneFileThread);
  const setting = { seed, start: "protected", speed: 20, fate: undefined } as const;
  stage = await Stage.open(setting);
  program = await stage.live();
  await stage.apply();
  await until(async () => (await stage.status()).groups.length > 0);
  await stage.admin("/v1/adopt", { target: "erd-demo" });
  await until(async () => (await stage.status()).verdict === "protected");
});
afterAll(async () => {
  if (threads === undefined) delete process.env["UV_THREADPOOL_SIZE"];
  else process.env["UV_THREADPOOL_SIZE"] = threads;
  await stage?.[Symbol.asyncDispose]();
});

const scope = (): Scope => {
  const names = ["journal", "audit/00", "audit-confirmed"];
  const files = names.flatMap((name) => [join(stage.state, name), join(stage.state, `${name}~`)]);
  return {
    calls: [...fileCalls.changing, ...fileCalls.looking],
    files: [stage.state, join(stage.state, "audit"), ...files],
  };
};

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!program.dead && !(await holds())) await rest(50);
  expect(program.dead ? program.output : "").toBe("");
}

/** Drains or undrains; `later` = a check of another kind does not let it yet. */
async function attempt(verb: "drain" | "undrain"): Promise<"done" | "refused" | "later"> {
  try {
    await stage.admin(`/v1/${verb}`, { link });
    return "done";
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    if (error.code.startsWith("gate.")) return "later";
    expect(error).toMatchObject({ code: "journal.full" });
    expect(["none", "applied"]).toContain(error.effect);
    // The disk failed after the effect, and the error says so.
    return error.effect === "none" ? "refused" : "done";
  }
}

async function isDrained(): Promise<boolean> {
  const { truth } = await stage.account();
  return truth.groups.some(({ links }) => links.some(({ id, drained }) => id === link && drained));
}

const isRecorded = ({ warnings }: Status): boolean =>
  warnings.some(({ code, about }) => code === "drained-by-hand" && about === link);

/** Takes the link back to its traffic. */
async function back(): Promise<void> {
  await until(async () => {
    const status = await stage.status();
    if (!(await isDrained()) && !isRecorded(status)) return status.verdict === "protected";
    await attempt("undrain");
    return false;
  });
}

async function strike(
  fate: Fate,
): Promise<{ readonly known: string; readonly steps: readonly Step[] }> {
  let known: Awaited<ReturnType<typeof attempt>> = "later";
  let steps: readonly Step[] = [];
  while (known === "later") {
    using strace = await Strace.attach(program.pid, scope(), fate);
    known = await attempt("drain");
    if (known === "later") await rest(50);
    await stage.status();
    steps = stepsOf(await strace.end());
  }
  expect([fate, await isDrained()]).toEqual([fate, known === "done"]);
  // A kill takes away all that only memory holds.
  stage.kill(program);
  await program.ended;
  program = await stage.live();
  await until(async () => (await stage.status()).groups.length > 0);
  // A disk that stays full does not take the record of a refused drain away either.
  if (known === "done" || fate.kind === "failed")
    await until(async () => isRecorded(await stage.status()) === (known === "done"));
  expect(await isDrained()).toBe(known === "done");
  await back();
  return { known, steps };
}

function drawn(steps: readonly Step[]): readonly Step[] {
  const lots = steps.map((step) => ({ step, lot: prng.real() }));
  const chosen = lots.sort((a, b) => a.lot - b.lot).slice(0, tried);
  return chosen.map(({ step }) => step);
}

const timeout = 3_000_000;
it("an agent whose disk fails at any call loses nothing", { timeout }, async (context) => {
  if (why !== undefined) return context.skip(why);
  const { known, steps } = await strike({ kind: "none" });
  expect(known).toBe("done");
  const figures = { done: 0, refused: 0 };
  const run = async (fate: Fate): Promise<void> => {
    const outcome = await strike(fate);
    figures[outcome.known === "done" ? "done" : "refused"] += 1;
  };
  const changing: readonly string[] = fileCalls.changing;
  for (const step of drawn(steps)) await run({ kind: "failed", errno: "EIO", ...step });
  for (const step of drawn(steps.filter(({ call }) => changing.includes(call))))
    await run({ kind: "failing", errno: "ENOSPC", ...step });
  console.log(`seed ${seed}: ${steps.length} calls to the disk; ${figures.done} drains done and
  ${figures.refused} refused while one of them failed`);
  expect((await stage.account()).violations).toEqual([]);
});
