// Viewers who ask for reports without a pause, while an agent rotates over Azure's management API:
// they cost Azure little, and the campaign nothing.

import { beforeAll, describe, expect, it } from "vitest";
import { answer } from "#agent/api/api.ts";
import { WaitLimit } from "#agent/api/wait-limit.ts";
import { unknownClient } from "#agent/model/client.ts";
import { apiWorld } from "../unit/kit/api-world.ts";
import { ArmStage } from "./arm-stage.ts";

const minute = 60_000;
const reports = ["/v1/doctor", "/v1/keys", "/v1/scorecard"];

interface Seen {
  readonly outcomes: readonly (string | undefined)[];
  readonly tookMs: number;
  /** When a request was sent to the management API. */
  readonly sent: readonly number[];
  readonly answered: number;
  readonly violations: readonly unknown[];
}

async function rotation(viewers: number): Promise<Seen> {
  const stage = new ArmStage({ overlap: "keychain", rights: "asked" });
  await stage.live(undefined);
  await stage.until(() => stage.isOver());
  const { clock } = stage.site;
  await clock.runFor(2 * minute);
  const sent: number[] = [];
  stage.alter = (reply) => {
    sent.push(clock.now());
    return reply;
  };
  const stop = new AbortController();
  let answered = 0;
  const view = async (n: number): Promise<void> => {
    const path = reports[n % reports.length] ?? "";
    const request = { method: "GET", path, body: "", client: unknownClient("view") };
    while (!stop.signal.aborted) {
      const world = { ...apiWorld(stage.agent, clock), waits: new WaitLimit() };
      await answer(stage.agent, request, world, stop.signal);
      answered += 1;
    }
  };
  const all = Array.from({ length: viewers }, (_, n) => view(n).catch(() => undefined));
  await clock.runFor(minute);
  const begun = clock.now();
  await stage.rotate();
  await stage.until(() => stage.isOver(), 60 * minute);
  const tookMs = clock.now() - begun;
  stop.abort(new Error("the viewers leave"));
  await Promise.all(all);
  const { violations } = stage.oracle;
  return { outcomes: stage.outcomes(), tookMs, sent, answered, violations };
}

/** The most requests in any span of so many milliseconds. */
function busiest(sent: readonly number[], ms: number): number {
  return Math.max(...sent.map((from) => sent.filter((at) => at >= from && at < from + ms).length));
}

describe("a rotation beside 60 viewers who ask without a pause", () => {
  let alone: Seen;
  let beside: Seen;
  beforeAll(async () => {
    alone = await rotation(0);
    beside = await rotation(60);
  });

  it("ends as one without viewers, and takes no longer", () => {
    expect(beside.outcomes).toEqual(["rotated", "rotated"]);
    expect(alone.outcomes).toEqual(["rotated", "rotated"]);
    expect(beside.tookMs).toBeLessThanOrEqual(alone.tookMs + minute);
    expect([alone.violations, beside.violations]).toEqual([[], []]);
  });

  it("gives each viewer fresh answers", () => {
    const rounds = beside.tookMs / (minute / 2);
    expect(beside.answered).toBeGreaterThan(60 * rounds);
  });

  it("leaves most of what Azure Resource Manager grants to others", () => {
    // 250 at once and 25 a second: 500 in ten seconds.
    expect(busiest(alone.sent, 10_000)).toBeLessThan(50);
    expect(busiest(beside.sent, 10_000)).toBeLessThan(250);
  });
});
