// An enrolment over a management API that throttles, refuses, sends wrong answers, fails or hangs:
// how it ends, and what the operator reads meanwhile.

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

describe("an enrolment over the management API", () => {
  it("operations ten times as slow still end protected, with one write per link", async () => {
    const stage = new ArmStage();
    stage.msee.setFault("slow", true);
    await stage.live(undefined);
    await enrolled(stage);
    expect(stage.puts()).toEqual(["200", "200"]);
    expect(stage.complaints()).toEqual([]);
  });

  it("an operation that reports its end too early stops the campaign after one write", async () => {
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

  it("throttled writes wait as long as Azure asks, and the reason says so", async () => {
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

  it("a write refused for a missing right stops, and the reason names the right", async () => {
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

  it("an operation that fails stops the campaign, with Azure's code in the reason", async () => {
    const stage = new ArmStage();
    stage.msee.setFault("fails", true);
    await stage.live(undefined);
    await stage.until(() => stage.campaign === "held");
    expect(stage.reason).toEqual({
      code: "switching.farFailed",
      cause: { code: "farEnd.failed" },
    });
    const [link] = stage.agent.supervisor?.intent.desired.groups[0]?.links ?? [];
    const seen = link === undefined ? undefined : stage.agent.supervisor?.deviceCache.peer(link);
    expect(seen?.state.details?.failure).toBe("ExpressRoutePortUpdateFailed");
    expect(stage.puts()).toEqual(["200"]);
    expect(stage.complaints()).toEqual([]);
  });

  it("a far end that may not be read starts no campaign, and the right is named", async () => {
    const stage = new ArmStage();
    stage.cloud.faults.arm.strike("authorizationFailed");
    await stage.live(undefined);
    await stage.site.clock.runFor(5 * minute);
    expect([stage.campaign, stage.puts()]).toEqual(["none", []]);
    const raised = warnings(stage).filter((line) => line.startsWith("far-end-unreadable"));
    expect(raised).toHaveLength(2);
    expect(raised[0]).toContain("give it Microsoft.Network/expressRoutePorts/read");
  });

  it("a management API that hangs does not delay observations of the routers", async () => {
    const stage = new ArmStage();
    await stage.live(undefined);
    await enrolled(stage);
    stage.cloud.faults.arm.strike("hang");
    for (let round = 0; round < 60; round += 1) {
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
