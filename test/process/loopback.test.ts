// A whole rotation of a group whose routers are of two vendors, over real SSH and NETCONF, with
// keys and far end behind TLS: kill -9 at every journal write, commit, effect and cloud request.

import { describe, expect, it } from "vitest";
import type { CampaignShape } from "#agent/api/shape.ts";
import type { Status } from "#agent/health/status.ts";
import { sightOf } from "#hal/conformance-canary.ts";
import { Prng } from "#sim/prng.ts";
import { effort } from "../effort.ts";
import type { Account, Fate } from "./deadly-site.ts";
import type { Life } from "./life.ts";
import type { Platform } from "./loopback-site.ts";
import { Stage } from "./stage.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "loopback";
const group = "erd-demo";
/** Logins and TLS take their own time, which counts this many times. */
const speed = 12;
const patienceMs = 240_000;

type Point =
  | ({ readonly kind: "request" } & Fate)
  | { readonly kind: "record"; readonly nth: number };

interface Ended {
  readonly deaths: number;
  readonly outcome: string;
  readonly ends: string;
  readonly violations: readonly string[];
  /** Journal records and requests of the rotation alone. */
  readonly records: number;
  readonly requests: Account["requests"];
  readonly seconds: number;
  readonly trace: readonly string[];
}

async function until(
  stage: Stage,
  life: Life,
  what: string,
  holds: () => Promise<boolean>,
): Promise<void> {
  let why = "";
  const failed = (error: unknown): false => {
    why = error instanceof Error ? error.message : String(error);
    return false;
  };
  for (const begun = performance.now(); !life.dead; ) {
    if (await holds().catch(failed)) return;
    if (performance.now() - begun > patienceMs) {
      const status = JSON.stringify(await stage.view<Status>("/v1/status").catch(String));
      throw new Error(`waited too long: ${what}: ${why}: ${status}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function adopted(stage: Stage): Promise<Life> {
  const life = await stage.live();
  await stage.apply();
  await until(stage, life, "an adoption", async () => {
    await stage.admin("/v1/adopt", { target: group, risks: [] });
    return true;
  });
  await until(stage, life, "protection", async () => {
    const { verdict } = await stage.view<Status>("/v1/status");
    return verdict === "protected";
  });
  return life;
}

async function rotation(stage: Stage): Promise<CampaignShape | undefined> {
  const { campaigns } = await stage.view<{ campaigns: readonly CampaignShape[] }>("/v1/rotation");
  return campaigns.find(({ kind }) => kind === "rotate");
}

/** Asked for until a campaign tells of it: a death may have taken the first word along. */
async function rotated(stage: Stage, life: Life): Promise<string> {
  let resumed = 0;
  await until(stage, life, "the end of a rotation", async () => {
    const campaign = await rotation(stage);
    if (campaign === undefined) {
      await stage.admin("/v1/rotate", { target: group, risks: [], urgency: "planned" });
      return false;
    }
    const status = await stage.view<Status>("/v1/status");
    stage.tell({ kind: "reported", status });
    if (campaign.state === "held" && resumed < 3) {
      resumed += 1;
      await stage.admin("/v1/rotation/resume", { group });
    }
    return campaign.state === "done" && status.verdict === "protected";
  });
  const campaign = life.dead ? undefined : await rotation(stage);
  const held = resumed === 0 ? "" : `, held ${resumed} times`;
  return campaign === undefined
    ? "dead"
    : `${campaign.state}: ${campaign.links.map(({ outcome }) => outcome).join(", ")}${held}`;
}

const isEnded = (value: unknown): value is Ended =>
  typeof value === "object" && value !== null && "ends" in value;

async function run(platforms: readonly Platform[], point: Point | undefined): Promise<Ended> {
  const fate = point?.kind === "request" ? point : undefined;
  const setting = { seed, start: "protected", speed, fate, platforms } as const;
  await using stage = await Stage.open(setting, "loopback-site.ts");
  let life = await adopted(stage);
  const [recordsBefore, begun] = [stage.records(), performance.now()];
  stage.tell({ kind: "newKeys" });
  if (point?.kind === "record") stage.killAtRecord(life, recordsBefore + point.nth);
  let outcome = await rotated(stage, life);
  while (life.dead) {
    life = await stage.live();
    outcome = await rotated(stage, life);
  }
  const seconds = (performance.now() - begun) / 1000;
  const records = stage.records() - recordsBefore;
  const { truth, violations, requests, canaries } = await stage.account();
  const caks = canaries.map(({ bytes }) => bytes);
  for (const { bytes } of stage.lives) {
    expect(sightOf(caks, [Buffer.from(bytes).toString("latin1")])).toBeUndefined();
  }
  const links = truth.groups.flatMap((each) => each.links);
  return {
    ...{ deaths: stage.lives.length - 1, outcome, violations, records, requests, seconds },
    ends: links
      .map(({ id, edgeKeys, farKey, secured, drained, bgpUp, commitPending }) =>
        JSON.stringify([id, edgeKeys, farKey, secured, drained, bgpUp, commitPending]),
      )
      .join("; "),
    trace: stage.lives.flatMap(({ said }) => said.split("\n").slice(-40)),
  };
}

function pointsOf({ records, requests }: Ended): readonly Point[] {
  const numbered = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);
  const deathsOf = (request: string): readonly Fate["when"][] => {
    if (request.endsWith(" effect")) return ["after"];
    return request.endsWith(" commit") ? ["before"] : ["before", "after"];
  };
  return [
    ...numbered(records).map((nth): Point => ({ kind: "record", nth })),
    ...[...requests].flatMap(([request, count]) =>
      numbered(count).flatMap((nth) =>
        deathsOf(request).map((when): Point => ({ kind: "request", request, nth, when })),
      ),
    ),
  ];
}

const nameOf = (point: Point): string =>
  point.kind === "record"
    ? `journal record ${point.nth}`
    : `${point.when} ${point.request} ${point.nth}`;

/** Several at a time: each is mostly waiting. */
async function together<T>(
  count: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: count }, worker));
}

const pairs: readonly (readonly Platform[])[] = effort(
  [["junos", "iosxr"]],
  [
    ["junos", "iosxr"],
    ["eos", "iosxe"],
  ],
);

describe.each(pairs)("a real agent beside %s and %s", { timeout: 10_800_000 }, (...platforms) => {
  it("rotates both links, and ends the same wherever it is killed", async () => {
    const clean = await run(platforms, undefined);
    expect(clean).toMatchObject({ deaths: 0, outcome: "done: rotated, rotated", violations: [] });
    const points = pointsOf(clean);
    const counts = [...clean.requests].map(([request, count]) => `${count} ${request}`);
    console.log(`seed ${seed}: a rotation takes ${clean.seconds.toFixed(1)} s`);
    console.log(`${points.length} points: ${clean.records} records, ${counts.join(", ")}`);
    const lots = new Prng(`${seed} points`);
    const chosen = points
      .map((point) => ({ point, lot: lots.real() }))
      .sort((a, b) => a.lot - b.lot)
      .slice(0, effort(1, points.length))
      .map(({ point }) => point);
    const outcomes = new Map<string, number>();
    const wrong: string[] = [];
    await together(effort(2, 4), chosen, async (point) => {
      const ended = await run(platforms, point).catch((error: unknown) => error);
      if (!isEnded(ended)) {
        wrong.push(`${nameOf(point)}: ${String(ended)}`);
        return;
      }
      outcomes.set(ended.outcome, (outcomes.get(ended.outcome) ?? 0) + 1);
      const isSame = ended.ends === clean.ends && ended.violations.length === 0;
      if (ended.deaths === 0 || !ended.outcome.startsWith("done") || !isSame)
        wrong.push(`${nameOf(point)}: ${JSON.stringify(ended, null, 1)}`);
    });
    console.log(`${chosen.length} deaths: ${JSON.stringify(Object.fromEntries(outcomes))}`);
    expect(wrong).toEqual([]);
  });
});
