// An enrolment over a management API that throttles, refuses, lies, fails or hangs: what becomes of
// it, and what the operator reads meanwhile.

import { describe, expect, it } from "vitest";
import type { HttpReply } from "#hal/world.ts";
import { ArmStage } from "./arm-stage.ts";

const minute = 60_000;

function refusal(status: number, code: string, headers: HttpReply["headers"] = {}): HttpReply {
  const body = new TextEncoder().encode(JSON.stringify({ error: { code, message: "no" } }));
  return { status, headers, body };
}

function warnings(stage: ArmStage): readonly string[] {
  return stage.status().warnings.map(({ code, text, next }) => `${code}: ${text} -> ${next}`);
}

async function enrolled(stage: ArmStage): Promise<void> {
  await stage.until(() => stage.isOver());
  expect([stage.campaign, stage.status().verdict]).toEqual(["done", "protected"]);
}

describe("an enrolment while the management API", () => {
  it("takes ten times as long ends protected, with one write a link", async () => {
    const stage = new ArmStage();
    stage.msee.setFault("slow", true);
    await stage.live(undefined);
    await enrolled(stage);
    expect(stage.puts()).toEqual(["200", "200"]);
    expect(stage.complaints()).toEqual([]);
  });

  it("says that it is done long before it is ends held, and is not written to again", async () => {
    const stage = new ArmStage();
    stage.msee.setFault("lies", true);
    await stage.live(undefined);
    await stage.until(() => stage.campaign === "held");
    await stage.site.clock.runFor(10 * minute);
    expect([stage.campaign, stage.puts()]).toEqual(["held", ["200", "200"]]);
    const { links = [] } = stage.agent.memory.campaigns["erd-demo"] ?? {};
    expect(links.map(({ outcome }) => outcome)).toEqual(["enrolled", undefined]);
    expect(stage.complaints()).toEqual([]);
  });

  it("throttles writes waits as long as it is told to, and says so", async () => {
    const stage = new ArmStage();
    const asked: number[] = [];
    const { clock } = stage.site;
    stage.alter = (reply, { method }) => {
      if (asked.length > 0 && clock.now() - (asked.at(-1) ?? 0) < 30_000) asked.push(-1);
      if (method !== "PUT" || asked.length >= 3) return reply;
      asked.push(clock.now());
      return refusal(429, "TooManyRequests", { "retry-after": "30" });
    };
    stage.msee.setFault("throttled", true);
    await stage.live(undefined);
    await stage.until(() => asked.length === 1);
    await clock.runFor(20_000);
    expect(warnings(stage).join("\n")).toContain("far-end-refused: the management API:");
    await stage.until(() => asked.length === 3);
    expect(asked).not.toContain(-1);
    stage.msee.setFault("throttled", false);
    await enrolled(stage);
    expect(stage.complaints()).toEqual([]);
  });

  it("refuses the write for a missing right is held, and the operator reads which", async () => {
    const stage = new ArmStage();
    stage.alter = (reply, { method }) =>
      method === "PUT" ? refusal(403, "LinkedAuthorizationFailed") : reply;
    stage.msee.setFault("refuses", true);
    await stage.live(undefined);
    await stage.until(() => stage.puts().length === 1);
    await stage.site.clock.runFor(30_000);
    expect(warnings(stage).join("\n")).toContain(
      "userAssignedIdentities/assign/action on that identity",
    );
    await stage.until(() => stage.campaign === "held" || stage.campaign === "gated");
    expect(stage.status().verdict).toBe("unprotected");
    expect(stage.complaints()).toEqual([]);
  });

  it("fails the operation is held, with the code of the failure", async () => {
    const stage = new ArmStage();
    stage.msee.setFault("fails", true);
    await stage.live(undefined);
    await stage.until(() => stage.campaign === "held");
    expect(stage.reason).toEqual({
      code: "switching.farFailed",
      cause: { code: "farEnd.failed" },
    });
    const [link] = stage.agent.crew?.intent.desired.groups[0]?.links ?? [];
    const seen = link === undefined ? undefined : stage.agent.crew?.lookout.peer(link);
    expect(seen?.state.details?.failure).toBe("ExpressRoutePortUpdateFailed");
    expect(stage.puts()).toEqual(["200"]);
    expect(stage.complaints()).toEqual([]);
  });

  it("may not be read does not begin, and says which right is missing", async () => {
    const stage = new ArmStage();
    stage.cloud.faults.arm.strike("authorizationFailed");
    await stage.live(undefined);
    await stage.site.clock.runFor(5 * minute);
    expect([stage.campaign, stage.puts()]).toEqual(["none", []]);
    const told = warnings(stage).filter((line) => line.startsWith("far-end-unreadable"));
    expect(told).toHaveLength(2);
    expect(told[0]).toContain("give it Microsoft.Network/expressRoutePorts/read");
  });

  it("hangs keeps nobody from looking at the routers", async () => {
    const stage = new ArmStage();
    await stage.live(undefined);
    await enrolled(stage);
    stage.cloud.faults.arm.strike("hang");
    for (let look = 0; look < 60; look += 1) {
      await stage.site.clock.runFor(5_000);
      const { verdict, groups } = stage.status();
      const ages = groups.flatMap(({ links }) =>
        links.map((link) => link.ages.controlPlaneMs ?? -1),
      );
      expect(verdict).toBe("protected");
      expect(Math.max(...ages)).toBeLessThan(15_000);
    }
    const ages = stage
      .status()
      .groups.flatMap(({ links }) => links.map((link) => link.ages.farEndMs));
    expect(Math.min(...ages.map((age) => age ?? 0))).toBeGreaterThan(4 * minute);
    expect(warnings(stage).join("\n")).toContain(
      "far-end-unreadable: the management API: no answer",
    );
  });
});
