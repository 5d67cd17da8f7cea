// The oracle of a site judges an agent in another process by its config and by its reports.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Instant } from "#hal/world.ts";
import { AgentJudge } from "#sim/lab/agent-judge.ts";
import { configBounds, proofBounds } from "#sim/lab/oracle-bounds.ts";
import { demoSite } from "#sim/lab/simulate.ts";
import type { OracleBounds } from "#sim/oracle/oracle.ts";
import type { ReportedStatus } from "#sim/oracle/report.ts";
import { desired } from "../../kit/snapshot-kit.ts";

const address = "unix:/nowhere";
const schema = "linkseal.status/1";
const good = "protected" as const;
const lie = {
  schema,
  verdict: good,
  groups: [{ name: "erd-demo", verdict: good, links: [{ name: "primary", verdict: good }] }],
  tunnels: [],
};

let folder = "";
let server: Server | undefined;
let answers: Record<string, unknown> = {};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "linkseal-judge-"));
  const handler = createServer((request, response) => {
    const answer = answers[request.url ?? ""];
    const body = Buffer.from(typeof answer === "string" ? answer : JSON.stringify(answer ?? {}));
    const status = answer === undefined ? 409 : 200;
    response.writeHead(status, { "content-length": body.length, connection: "close" }).end(body);
  });
  server = handler;
  await new Promise<void>((resolve) => {
    handler.listen(join(folder, "view.sock"), () => resolve());
  });
});

afterEach(async () => {
  await new Promise((resolve) => server?.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

interface Heard {
  readonly limits: Partial<OracleBounds>[];
  readonly reports: ReportedStatus[];
}

function listening(strayedAt?: number): { readonly judge: AgentJudge; readonly heard: Heard } {
  const heard: Heard = { limits: [], reports: [] };
  const { site, oracle } = demoSite("judge", "clear");
  oracle.judgeBy = (limits) => void heard.limits.push(limits);
  oracle.reported = (status) => void heard.reports.push(status);
  const socket = join(folder, "view.sock");
  const staff = { site, oracle };
  const judge = new AgentJudge({ socket, staff, strayedAt: () => strayedAt as Instant });
  return { judge, heard };
}

function configOf(proofFrames: number): string {
  const text = demoSite("judge", "clear").site.config(address).trimEnd();
  return `${text}\nrotation: { proofFrames: ${proofFrames} }\n`;
}

describe("the limits of the oracle", () => {
  it("the oracle goes by the config, and by its defaults where it sets nothing", () => {
    const { health, rotation } = desired;
    const defaults = { controlMs: 40_000, dataMs: 100_000, staleMs: 40_000 };
    expect(configBounds({ health, rotation })).toEqual({
      ...{ proofFrames: 19, settleMs: 16_000 },
      ...defaults,
    });
    const fewer = { ...rotation, proofFrames: 5, settleMs: 1_000 };
    expect(configBounds({ health, rotation: fewer })).toMatchObject({
      ...{ proofFrames: 4, settleMs: 0 },
    });
    const slow = { pollMs: 30_000, staleAfterMs: 120_000, evidenceMs: 90_000 };
    expect(configBounds({ health: slow, rotation })).toMatchObject({
      ...{ controlMs: 180_000, dataMs: 180_000, staleMs: 180_000 },
    });
    expect(proofBounds({ settleMs: 18_000, frames: 20 })).toEqual({
      ...{ settleMs: 16_000, proofFrames: 19 },
    });
  });
});

describe("an agent in another process", () => {
  it("a report that is better than the truth breaks P7 there too", async () => {
    const staff = demoSite("judge", "clear");
    await staff.site.clock.runFor(200_000);
    answers = { "/v1/config": { text: configOf(20) }, "/v1/status": lie };
    const socket = join(folder, "view.sock");
    await new AgentJudge({ socket, staff, strayedAt: () => undefined }).turn();
    const found = staff.oracle.violations.map(({ promise, event }) => `${promise} ${event}`);
    expect(found).toContain("P7 status says erd-demo/primary protected");
  });

  it("the proof bound is that of its config, also after it accepts another one", async () => {
    const { judge, heard } = listening();
    answers = { "/v1/config": { text: configOf(5) }, "/v1/status": lie };
    await judge.turn();
    await judge.turn();
    expect(heard.limits.map(({ proofFrames }) => proofFrames)).toEqual([4]);
    answers["/v1/config"] = { text: configOf(50) };
    await judge.turn();
    expect(heard.limits.map(({ proofFrames }) => proofFrames)).toEqual([4, 49]);
    expect(heard.reports).toHaveLength(3);
  });

  it("an agent that time ran away from is not judged until it can have caught up", async () => {
    answers = { "/v1/config": { text: configOf(20) }, "/v1/status": lie };
    const lately = listening(-50_000);
    await lately.judge.turn();
    expect(lately.heard.reports).toEqual([]);
    const long = listening(-100_001);
    await long.judge.turn();
    expect(long.heard.reports).toHaveLength(1);
  });

  it.each<[string, Record<string, unknown>]>([
    ["no config", { "/v1/status": lie }],
    ["a text that is no answer", { "/v1/config": "no JSON", "/v1/status": lie }],
    ["another schema", { "/v1/config": { text: configOf(20) }, "/v1/status": { schema: "x" } }],
    [
      "a group that is none",
      { "/v1/config": { text: configOf(20) }, "/v1/status": { ...lie, groups: [1] } },
    ],
    ["no groups", { "/v1/config": { text: configOf(20) }, "/v1/status": { schema } }],
    ["null", { "/v1/config": null, "/v1/status": null }],
  ])("%s is no report, and ends nothing", async (_what, replies) => {
    answers = replies;
    const { judge, heard } = listening();
    await judge.turn();
    expect(heard.reports).toEqual([]);
  });

  it("an agent that is not there is no report", async () => {
    const { judge, heard } = listening();
    await new Promise((resolve) => server?.close(resolve));
    await judge.turn();
    expect(heard).toEqual({ limits: [], reports: [] });
  });
});
