// P4 on real processes: if devices match the intent, no restart writes anything. The fleet tests do
// a thousand restarts in one process.

import { describe, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { effort } from "../effort.ts";
import { patienceMs } from "../patience.ts";
import type { Program } from "./program.ts";
import { Stage } from "./stage.ts";

async function firstVerdict(stage: Stage, program: Program): Promise<Status["verdict"]> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const { verdict } = await stage.view<Status>("/v1/status");
    if (verdict === "protected" || program.dead || performance.now() > end) return verdict;
  }
}

describe("a restart of the real agent", () => {
  it("a restart over devices that match the intent writes nothing", async () => {
    const setting = { seed: "restart", start: "protected", speed: 100, fate: undefined } as const;
    await using stage = await Stage.open(setting);
    let program = await stage.live();
    await stage.apply();
    await stage.admin("/v1/adopt", { target: "erd-demo", risks: [] });
    expect(await firstVerdict(stage, program)).toBe("protected");
    stage.send({ kind: "expectNoWrites", why: "the devices are as the intent wants them" });

    const restarts = effort(6, 200);
    for (let restart = 0; restart < restarts; restart += 1) {
      if (restart % 2 === 0) stage.kill(program);
      else program.child.kill("SIGTERM");
      await program.ended;
      program = await stage.live();
      expect(await firstVerdict(stage, program)).toBe("protected");
    }
    const { agentWrites, violations, requests } = await stage.account();
    expect({ agentWrites, violations }).toEqual({ agentWrites: 0, violations: [] });
    expect([...requests.keys()].filter((request) => !/probe|vault/.test(request))).toEqual([]);
    expect(stage.programs).toHaveLength(restarts + 1);
  });
});
