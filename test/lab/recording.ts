// `npm run lab -- record`: rotations on the real kernel, as docs/timelines.md shows them.

import { release } from "node:os";
import { setTimeout as rest } from "node:timers/promises";
import type { Plan } from "#agent/compare/plan.ts";
import type { Reason } from "#agent/model/reason.ts";
import type { Rehearsal } from "#agent/runtime/campaigns/rehearsal-shape.ts";
import { rehearse } from "#sim/lab/rehearsal.ts";
import type { TrafficCounters } from "../kernel/host/traffic.ts";
import type { Lab } from "./lab.ts";
import { betweenSupplicants, rotateUndrained } from "./undrained.ts";

/** Times in ms; those of the drained rotation count from its request. */
export interface Recording {
  readonly kernel: string;
  readonly drained: {
    readonly steps: readonly Move[];
    /** The same rotation as the agent rehearsed it on a simulated copy. */
    readonly rehearsed: readonly Move[];
    /**
     * The same rotation in the simulator, with an operator and a far end as quick as the real ones.
     */
    readonly replayed: readonly Move[];
    /** When the hardware of each far end was started with its new key. */
    readonly far: readonly { readonly ms: number; readonly link: string }[];
    readonly sent: number;
    readonly received: number;
    /** Frames of data on either wire that were not under MACsec. */
    readonly clear: number;
  };
  readonly undrained: readonly {
    readonly link: string;
    /** The prediction of the dry run after the previous rotation, based on that one's times. */
    readonly predicted: { readonly theirs: Range; readonly ours: Range };
    readonly darkMs: number;
    readonly oursMs: number;
  }[];
  readonly supplicantsMs: number;
}

export interface Move {
  readonly ms: number;
  readonly link: string;
  readonly state: string;
  readonly reason: Reason;
}

export interface Range {
  readonly low: number;
  readonly likely: number;
  readonly high: number;
}

const edgeMs = 5000;

/** Records rotations of a lab that is enrolled. */
export async function record(lab: Lab): Promise<Recording> {
  const drained = await recordDrained(lab);
  const supplicantsMs = await betweenSupplicants();
  let plan: Plan | undefined;
  const dark = await rotateUndrained(lab, async () => {
    plan = await lab.dryRun();
  });
  const undrained = dark.map((one) => ({ ...one, predicted: predictedFor(plan, one.link) }));
  return { kernel: release(), drained, undrained, supplicantsMs };
}

async function recordDrained(lab: Lab): Promise<Recording["drained"]> {
  const clear = (): number => [...lab.wires.values()].reduce((sum, wire) => sum + wire.clear, 0);
  await lab.offerKeys();
  const rehearsed = movesOf(await lab.rehearsal());
  const [stop, clearBefore] = [await lab.traffic(), clear()];
  await rest(edgeMs);
  const begunAt = Date.now();
  const why = await lab.rotate();
  if (why !== undefined) throw new Error(`not rotated: ${why}`);
  await rest(edgeMs);
  const allCounters = await stop();
  const steps = ((await lab.campaign())?.steps ?? []).map(({ at, link, state, reason }) => ({
    ...{ ms: Date.parse(at) - begunAt, link, state, reason },
  }));
  const far = lab.farChanges
    .filter(({ atMs }) => atMs >= begunAt)
    .map(({ atMs, link }) => ({ ms: Math.round(atMs - begunAt), link }));
  const total = (name: "sent" | "received"): number =>
    allCounters.reduce((sum: number, counters: TrafficCounters) => sum + counters[name], 0);
  const counted = { sent: total("sent"), received: total("received") };
  const replayed = await replay(lab, steps, far);
  return { steps, rehearsed, replayed, far, ...counted, clear: clear() - clearBefore };
}

function movesOf({ links }: Rehearsal): readonly Move[] {
  return links.flatMap(({ link, steps }) =>
    steps.map(({ atMs, state, reason }) => ({
      ...{ ms: atMs, link: link.split("/")[1] ?? link, state, reason },
    })),
  );
}

/**
 * The least time until a far end's change is seen, as measured on the real one and not on the
 * simulated one.
 */
const farEndMsLeast = 3_500;
const replayMsMax = 60_000;

/**
 * Replays the same rotation in the simulator. The operator and the far end, which linkseal cannot
 * speed up, take as long as they took; all other times are the simulator's own.
 */
export async function replay(
  lab: Lab,
  steps: readonly Move[],
  far: Recording["drained"]["far"],
): Promise<readonly Move[]> {
  const leftMs = (state: string): readonly number[] =>
    steps.flatMap((step, index) =>
      step.state === state ? [(steps[index + 1]?.ms ?? step.ms) - step.ms] : [],
    );
  const waits = leftMs("awaitingPeer");
  const personMs = Math.round(waits.reduce((sum, ms) => sum + ms, 0) / waits.length);
  const begun = steps.filter(({ state }) => state === "switching");
  const farEndMs = far.map(({ ms, link }) => {
    const reported = begun.find((step) => step.link === link)?.ms ?? ms;
    return Math.max(farEndMsLeast, ms - reported - personMs);
  });
  const twin = { ...(await lab.twin()), farEndMs };
  const stop = AbortSignal.timeout(replayMsMax);
  const target = twin.group;
  return movesOf(await rehearse({ twin, target, urgency: "planned", personMs, stop }));
}

function predictedFor(plan: Plan | undefined, link: string) {
  const darks = (plan?.steps ?? []).flatMap((step) =>
    step.link?.endsWith(`/${link}`) === true && step.dark ? [step.dark] : [],
  );
  if (darks.length === 0) throw new Error(`the dry run does not mention ${link}`);
  const sum = (whose: "theirs" | "ours"): Range =>
    darks.reduce(
      (total, dark) => ({
        low: total.low + dark[whose].low,
        likely: total.likely + dark[whose].likely,
        high: total.high + dark[whose].high,
      }),
      { low: 0, likely: 0, high: 0 },
    );
  return { theirs: sum("theirs"), ours: sum("ours") };
}
