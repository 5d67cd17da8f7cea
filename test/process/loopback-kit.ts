// A rotation of a group whose routers are of two vendors, over real SSH and NETCONF, with keys and
// far end behind TLS: the operator's commands, and the checks at the end.

import { expect } from "vitest";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { sightOf } from "#sim/conformance/canary.ts";
import { patienceMs } from "../patience.ts";
import type { Account, CrashPoint } from "./deadly-site.ts";
import type { Platform } from "./loopback-site.ts";
import type { Program } from "./program.ts";
import { Stage } from "./stage.ts";

export const seed = process.env["LINKSEAL_SEED"] ?? "loopback";
const group = "erd-demo";
/** Logins and TLS take real time, which counts this many times in the site's time. */
export const speed = 12;
/** Time in ms that an operator takes to look at a stopped campaign before resuming it. */
const resumeMs = 5_000;

export type Point =
  | ({ readonly kind: "request" } & CrashPoint)
  | { readonly kind: "record"; readonly nth: number };

export interface Ended {
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
  program: Program,
  what: string,
  holds: () => Promise<boolean>,
): Promise<void> {
  let why = "";
  const failed = (error: unknown): false => {
    why = error instanceof Error ? error.message : String(error);
    return false;
  };
  for (const begun = performance.now(); !program.dead; ) {
    if (await holds().catch(failed)) return;
    if (performance.now() - begun > patienceMs) {
      const status = JSON.stringify(await stage.view<Status>("/v1/status").catch(String));
      throw new Error(`waited too long: ${what}: ${why}: ${status}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Starts an agent and waits until it has adopted the group; `path`: of another version. */
export async function adopted(stage: Stage, path?: string): Promise<Program> {
  const program = await stage.live({}, path);
  await stage.apply();
  await until(stage, program, "an adoption", async () => {
    await stage.admin("/v1/adopt", { target: group, risks: [] });
    return true;
  });
  await until(stage, program, "protection", async () => {
    const { verdict } = await stage.view<Status>("/v1/status");
    return verdict === "protected";
  });
  return program;
}

export async function rotation(stage: Stage): Promise<CampaignShape | undefined> {
  const { campaigns } = await stage.view<{ campaigns: readonly CampaignShape[] }>("/v1/rotation");
  return campaigns.find(({ kind }) => kind === "rotate");
}

/** Is called with every new state. */
export type Hear = (stage: Stage, campaign: CampaignShape) => void;

/** Repeats the request until a campaign is reported: a kill may have lost the first request. */
export async function rotated(stage: Stage, program: Program, hear: Hear): Promise<string> {
  let [resumed, resumedAt] = [0, Number.NEGATIVE_INFINITY];
  await until(stage, program, "the end of a rotation", async () => {
    const campaign = await rotation(stage);
    if (campaign === undefined) {
      await stage.admin("/v1/rotate", { target: group, risks: [], urgency: "planned" });
      return false;
    }
    const status = await stage.status();
    hear(stage, campaign);
    const restedMs = performance.now() - resumedAt;
    if (campaign.state === "held" && resumed < 5 && restedMs > resumeMs) {
      [resumed, resumedAt] = [resumed + 1, performance.now()];
      await stage.admin("/v1/rotation/resume", { group });
    }
    return campaign.state === "done" && status.verdict === "protected";
  });
  const campaign = program.dead ? undefined : await rotation(stage);
  const held = resumed === 0 ? "" : `, held ${resumed} times`;
  return campaign === undefined
    ? "dead"
    : `${campaign.state}: ${campaign.links.map(({ outcome }) => outcome).join(", ")}${held}`;
}

export const isEnded = (value: unknown): value is Ended =>
  typeof value === "object" && value !== null && "ends" in value;

export async function run(
  platforms: readonly Platform[],
  point: Point | undefined,
  hear: Hear = () => undefined,
): Promise<Ended> {
  const fate = point?.kind === "request" ? point : undefined;
  const setting = { seed, start: "protected", speed, fate, platforms } as const;
  await using stage = await Stage.open(setting, "loopback-site.ts");
  let program = await adopted(stage);
  const [recordsBefore, begun] = [stage.records(), performance.now()];
  stage.send({ kind: "newKeys" });
  if (point?.kind === "record") stage.killAtRecord(program, recordsBefore + point.nth);
  let outcome = await rotated(stage, program, hear);
  while (program.dead) {
    program = await stage.live();
    outcome = await rotated(stage, program, hear);
  }
  const seconds = (performance.now() - begun) / 1000;
  const records = stage.records() - recordsBefore;
  const { truth, violations, requests, canaries } = await stage.account();
  const caks = canaries.map(({ bytes }) => bytes);
  for (const { bytes } of stage.programs) {
    expect(sightOf(caks, [Buffer.from(bytes).toString("latin1")])).toBeUndefined();
  }
  const links = truth.groups.flatMap((each) => each.links);
  return {
    ...{ deaths: stage.programs.length - 1, outcome, violations, records, requests, seconds },
    ends: links
      .map(({ id, edgeKeys, farKey, secured, drained, bgpUp, commitPending }) =>
        JSON.stringify([id, edgeKeys, farKey, secured, drained, bgpUp, commitPending]),
      )
      .join("; "),
    trace: stage.programs.flatMap(({ output }) => output.split("\n").slice(-40)),
  };
}
