// Warnings about a backup as links fail and return: once, since when and why, and their end.

import { describe, expect, it } from "vitest";
import type { Desired } from "#agent/model/desired.ts";
import type { ProofLog } from "#agent/model/health.ts";
import type { Route } from "#hal/model.ts";
import { wallAfter } from "#hal/world.ts";
import { at, desired, linkNamed, wall } from "../../../kit/snapshot-kit.ts";
import { HealthEvaluatorBench, pollMs, type Scene, unplugged } from "../health-evaluator-bench.ts";

const hub = "10.100.0.0/16";
const primary = linkNamed("primary");
const backs = { group: "erd-demo", links: [primary], proveMs: 60_000 };
const backing: Desired = {
  ...desired,
  tunnels: desired.tunnels.map((tunnel) => ({ ...tunnel, insideMacsec: undefined, backs })),
};
const backed = [{ prefix: hub, ports: [primary.port], open: [primary.port] }];
const over: Route = { prefix: hub, via: { kind: "port", port: primary.port }, best: true };
const into: Route = { prefix: hub, via: { kind: "tunnel", name: "hub-1" }, best: true };
const waiting: Route = { ...over, best: false };

const scene = (change: Scene = {}): Scene => ({
  ...{ desired: backing, backed, routes: () => [over] },
  ...change,
});
const reported = (bench: HealthEvaluatorBench): readonly string[] =>
  bench.reported().filter((line) => line.startsWith("backup-"));
const timeAt = (poll: number): string =>
  new Date(wallAfter(wall, poll * pollMs)).toISOString().replace(".000", "");

describe("a backup", () => {
  it("a backup on standby is protected, and its links are not paths in the clear", () => {
    const bench = new HealthEvaluatorBench(scene()).polls(14);
    expect(bench.status().tunnels).toMatchObject([
      {
        verdict: "protected",
        backup: { group: "erd-demo", rides: "standby", since: timeAt(1), because: null },
      },
    ]);
    expect(bench.warnings()).toEqual([]);
    expect(reported(bench)).toEqual([]);
  });

  it("a backup that takes over is reported at once, with its cause, and so is the end", () => {
    const isCut = (poll: number): boolean => poll >= 16 && poll < 20;
    const routes = (poll: number): Scene["routes"] extends undefined ? never : Route[] =>
      isCut(poll) ? [into] : [over];
    const bench = new HealthEvaluatorBench(scene({ port: unplugged(16, 20), routes })).polls(15);
    expect(reported(bench)).toEqual([]);
    bench.polls(1);
    const text =
      `${hub} rides in hub-1, the backup of erd-demo, since ${timeAt(16)}: ` +
      "erd-demo/primary is down (link-down)";
    expect(reported(bench)).toEqual([`backup-carries hub-1: ${text}`]);
    expect(bench.status().tunnels[0]?.backup).toMatchObject({
      ...{ rides: "carries", since: timeAt(16) },
      because: "erd-demo/primary is down (link-down)",
    });
    expect(bench.status().tunnels[0]?.verdict).toBe("protected");
    bench.polls(4);
    expect(bench.status().tunnels[0]?.backup).toMatchObject({
      rides: "standby",
      since: timeAt(20),
    });
    bench.polls(8);
    expect(reported(bench)).toEqual([
      `backup-carries hub-1: ${text}`,
      `backup-carries hub-1: resolved: ${text}`,
    ]);
  });

  it("a backup that is preferred to a link is reported once settled, and stays protected", () => {
    const bench = new HealthEvaluatorBench(scene({ routes: () => [into, waiting] })).polls(14);
    const rides = `${hub} rides in hub-1, the backup of erd-demo, since ${timeAt(1)}, although`;
    const why = `erd-demo/primary is protected and brings ${hub} as well`;
    expect(reported(bench)).toEqual([`backup-preferred hub-1: ${rides} ${why}`]);
    expect(bench.status().tunnels[0]).toMatchObject({
      ...{ verdict: "protected", backup: { rides: "preferred" } },
    });
  });

  it("a backup whose link is drained carries, and is not reported as preferred", () => {
    const bench = new HealthEvaluatorBench(
      scene({ drained: true, routes: () => [into, waiting] }),
    ).polls(14);
    expect(reported(bench).map((line) => line.split(":")[0])).toEqual(["backup-carries hub-1"]);
    expect(bench.status().tunnels[0]?.backup?.because).toBe("erd-demo/primary is drained");
  });

  it("a backup without proof is degraded until a proof succeeds", () => {
    const proof = (poll: number): ProofLog => ({
      since: at(0),
      proven: poll < 8 ? undefined : { at: at(8 * pollMs), wall: wallAfter(wall, 8 * pollMs) },
      failures: poll < 3 || poll >= 8 ? 0 : 2,
      cause: poll < 3 || poll >= 8 ? undefined : "none of 5 packets was answered",
    });
    const bench = new HealthEvaluatorBench(scene({ proof })).polls(7);
    expect(bench.status().tunnels[0]).toMatchObject({
      verdict: "degraded",
      reasons: [{ code: "backup-unproven" }],
      backup: {
        provenAt: null,
        unproven: "none of 5 packets was answered; it was never proven",
      },
    });
    expect(reported(bench).map((line) => line.split(":")[0])).toEqual(["backup-unproven hub-1"]);
    bench.polls(1);
    expect(bench.status().tunnels[0]).toMatchObject({
      verdict: "protected",
      backup: { provenAt: timeAt(8), unproven: null },
    });
  });

  it("a backup whose routing is unknown is neither carrying nor preferred", () => {
    const rides = (change: Scene): unknown =>
      new HealthEvaluatorBench(scene(change)).polls(4).status().tunnels[0]?.backup?.rides;
    expect(rides({ weakRouting: true, routes: () => [into] })).toBe("unknown");
    expect(rides({ routes: () => [into] })).toBe("carries");
    expect(rides({ unread: true })).toBe("unknown");
  });

  it("a backup's routing follows the forwarding table, and BGP routes if known", () => {
    const bench = (ways: Route[], change: Scene = {}): HealthEvaluatorBench =>
      new HealthEvaluatorBench(scene({ ways, ...change })).polls(14);
    const rides = (seen: HealthEvaluatorBench): unknown => {
      const { rides: kind, because } = seen.status().tunnels[0]?.backup ?? {};
      return [kind, because, reported(seen)];
    };
    const weak = { weakRouting: true } as const;
    const silent = "edge-a does not report its BGP routes";
    expect(rides(bench([into], weak))).toEqual(["unknown", silent, []]);
    expect(rides(bench([over], weak))).toEqual(["standby", null, []]);
    expect(rides(bench([over]))).toEqual(["standby", null, []]);
    expect(bench([into]).status().tunnels[0]?.backup?.rides).toBe("preferred");
  });

  it("a backup has no known start of its routing before the first turn", () => {
    expect(new HealthEvaluatorBench(scene()).status().tunnels[0]?.backup).toMatchObject({
      ...{ rides: "standby", since: null },
    });
  });

  it("a tunnel is a backup only if the config says so", () => {
    expect(new HealthEvaluatorBench().polls(2).status().tunnels).toMatchObject([{ backup: null }]);
  });
});
