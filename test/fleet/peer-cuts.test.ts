// The path between the agent and another Linux host, cut at every frame of a rotation: no frame of
// traffic is in the clear, no effect is repeated, and the rotation ends.

import { describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../effort.ts";
import { type AgentAt, type Cut, cuts, type FrameSeen, HostPair } from "./linux-host/host-pair.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "peer cuts";

interface Ended {
  readonly outcomes: string;
  /** How often it waited for an operator. */
  readonly holds: number;
  /** Frames of the pair that were lost. */
  readonly lost: number;
  /** True if traffic went back to the first link before its key was changed. */
  readonly gaveBack: boolean;
  /** Effects that happened again without a return between. */
  readonly repeats: readonly string[];
  readonly violations: readonly string[];
  /** Per link: its only key is that of the far end. */
  readonly agreed: readonly boolean[];
  readonly frames: readonly FrameSeen[];
}

async function rotated(agentAt: AgentAt, cut?: Cut): Promise<Ended> {
  const pair = await HostPair.adopted(seed, { agentAt, ...(cut === undefined ? {} : { cut }) });
  await pair.rotated();
  const links = pair.site.truth().groups[0]?.links ?? [];
  return {
    ...{ outcomes: pair.outcomes(), lost: pair.lost(), repeats: pair.repeats() },
    ...{ violations: pair.violations(), holds: pair.holds, gaveBack: pair.gaveBack() },
    agreed: links.map(({ edgeKeys, farKey }) => edgeKeys.join() === farKey),
    frames: pair.frames,
  };
}

const good = {
  ...{ outcomes: "rotated, rotated", holds: 0, lost: 0, repeats: [], violations: [] },
  agreed: [true, true],
};

const isRead = ({ kind }: FrameSeen): boolean =>
  /observe|subnets|read|cat|route|changes|ping|capabilities/.test(kind);

/** Numbers of the frames to cut at: each that belongs to an effect, and some that only read. */
function chosen(frames: readonly FrameSeen[], reads: number, effects: number): readonly number[] {
  const lots = new Prng(`${seed} frames`);
  const some = (all: readonly number[], most: number): readonly number[] =>
    all
      .map((nth) => ({ nth, lot: lots.real() }))
      .sort((a, b) => a.lot - b.lot)
      .slice(0, most)
      .map(({ nth }) => nth);
  const numbered = frames.map((frame, index) => ({ frame, nth: index + 1 }));
  const [reading, acting] = [true, false].map((is) =>
    numbered.filter(({ frame }) => isRead(frame) === is).map(({ nth }) => nth),
  );
  return [...some(acting ?? [], effects), ...some(reading ?? [], reads)].sort((a, b) => a - b);
}

type Row = Ended & Cut & { readonly frame: FrameSeen | undefined };

/** Ends and lost frames, by the kind of frame at which the path was cut. */
function table(rows: readonly Row[]): string {
  const byKind = Map.groupBy(rows, ({ frame }) => `${frame?.way}\t${frame?.kind}`);
  const sorted = [...byKind].sort(([one], [other]) => one.localeCompare(other));
  const lines = sorted.map(([kind, all]) => {
    const ends = Map.groupBy(all, ({ outcomes, holds }) =>
      holds === 0 ? outcomes : `${outcomes} after ${holds} holds`,
    );
    const counts = [...ends].map(([outcomes, { length }]) => `${length} ${outcomes}`).join("; ");
    const [kept, gaveBack] = [false, true].map((is) =>
      Math.max(0, ...all.filter((row) => row.gaveBack === is).map((row) => row.lost)),
    );
    return `${kind}\t${all.length}\t${counts}\t${kept}\t${gaveBack}`;
  });
  return ["way\tframe\tcuts\tends\tlost at most\tafter traffic went back", ...lines].join("\n");
}

// Traffic that comes back to a link whose far end changes is lost in part. A path that is back at
// once costs no frame, and no person is asked.
function isBad({ how, repeats, violations, agreed, lost, gaveBack, holds }: Row): boolean {
  const isLasting = how === "silent" || how === "long";
  const isLost = lost > 0 && !(gaveBack && isLasting);
  const isWrong = repeats.length + violations.length > 0 || agreed.includes(false);
  return isWrong || isLost || (holds > 0 && !isLasting);
}

describe.each(["first", "third"] as const)(
  "a rotation of two hosts, agent on the %s",
  (agentAt) => {
    it("a rotation over `linkseal peer` loses nothing and does each thing once", async () => {
      expect(await rotated(agentAt)).toMatchObject(good);
    });

    // An agent on a third host has two such paths, and nothing else is different about the second.
    it.each(agentAt === "first" ? cuts : effort([], ["before", "after"] as const))(
      "a rotation whose path is cut at a frame ends, and repeats nothing, %s",
      async (how) => {
        const { frames } = await rotated(agentAt);
        const isEach = agentAt === "first" && /^(?:before|during|after)$/.test(how);
        const reads = effort(1, isEach ? frames.length : 40);
        const rows: Row[] = [];
        for (const nth of chosen(frames, reads, effort(2, frames.length))) {
          const ended = await rotated(agentAt, { nth, how });
          rows.push({ ...ended, nth, how, frame: frames[nth - 1] });
        }
        console.log(`seed ${seed}, agent on the ${agentAt} host, cut: ${how}\n${table(rows)}`);
        const bad = rows.filter(isBad).map(({ frames: _all, ...row }) => JSON.stringify(row));
        expect(bad).toEqual([]);
      },
    );
  },
);
