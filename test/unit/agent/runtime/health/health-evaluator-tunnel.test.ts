// The health evaluator's output for tunnels, and for an audit log that takes no records.

import { describe, expect, it } from "vitest";
import type { Desired, DesiredLink } from "#agent/model/desired.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { LinksealError } from "#hal/error.ts";
import type { MacsecPort } from "#hal/model.ts";
import { wallAfter } from "#hal/world.ts";
import { at, clearPort, desired, wall } from "../../../kit/snapshot-kit.ts";
import { bound, HealthEvaluatorBench, pollMs, type Scene } from "../health-evaluator-bench.ts";

const codesOf = (scene: Scene, polls = 14): readonly string[] =>
  new HealthEvaluatorBench(scene)
    .polls(polls)
    .status()
    .warnings.map(({ code, about }) => `${code} ${about}`);

describe("a weak policy of a tunnel", () => {
  const accepted = (afterMs: number) =>
    ({ risk: "weakTunnel", until: wallAfter(wall, afterMs), reason: undefined }) as const;
  const under = (until: number): Desired => ({
    ...desired,
    tunnels: desired.tunnels.map((tunnel) => ({ ...tunnel, weaknesses: ["DH group 2"] })),
    acceptRisks: [accepted(until)],
  });

  it("a weak policy of a tunnel is a warning once its waiver has ended, and not before", () => {
    expect(codesOf({ desired: under(31 * 86_400_000) })).toEqual([]);
    // The last day comes with a warning; it came without one.
    expect(codesOf({ desired: under(3_600_000) })).toEqual(["risk-ending site"]);
    const late = under(-1);
    expect(codesOf({ desired: late })).toEqual(["weak-policy hub-1"]);
    expect(new HealthEvaluatorBench({ desired: late }).polls(4).status().tunnels).toMatchObject([
      { name: "hub-1", verdict: "degraded" },
    ]);
  });

  it("a waiver has no effect on a tunnel with a strong policy", () => {
    const acceptRisks = [accepted(-1)];
    expect(codesOf({ desired: { ...desired, acceptRisks } })).toEqual([]);
  });
});

describe("a tunnel", () => {
  it("a tunnel that a person keeps drained is reported by its own name", () => {
    const drains = { "hub-1": { by: "ann", since: wall } };
    const memory = { ...bound, drains };
    expect(codesOf({ memory, drained: "tunnel" })).toEqual(["drained-by-hand hub-1"]);
    expect(codesOf({ memory })).toEqual(["drain-not-in-force hub-1"]);
  });

  it("a tunnel that is drained to authenticate anew is reported once that has ended", () => {
    const drains = { "hub-1": { by: "ann", since: wall, until: "authenticated" as const } };
    const auth = { kind: "psk", secretId: "https://v/secrets/hub-1-psk/1" } as const;
    const next = {
      auth,
      state: "switching",
      since: wall,
      reason: { code: "recorded", text: "it is told" } as const,
    } as const;
    const during = { ...bound, drains, auths: { "hub-1": { auth, next } } };
    expect(codesOf({ memory: during })).not.toContain("drained-by-hand hub-1");
    for (const memory of [
      { ...bound, drains },
      { ...bound, drains, auths: { "hub-1": { auth } } },
    ]) {
      const scene = { memory, drained: "tunnel" } as const;
      expect(new HealthEvaluatorBench(scene).polls(14).warnings()).toEqual([
        "drained-by-hand hub-1: its traffic was moved away to authenticate anew " +
          "(ann, since 2026-11-24T10:00:00Z)",
      ]);
    }
  });

  it("a tunnel that its gateway refuses is reported with the reason", () => {
    const text = "the tunnel hub-1: the ends agree on no algorithms for IKE";
    const details = { effect: "none", where: "hub-1", next: "linkseal tunnels hub-1" } as const;
    const tunnelTrouble = new LinksealError("device.rejected", text, details);
    const scene: Scene = { tunnelTrouble, tunnels: "absent" };
    const [tunnel] = new HealthEvaluatorBench(scene).polls(4).status().tunnels;
    expect(tunnel?.reasons[0]).toMatchObject({
      code: "tunnel-configured-but-absent",
      text: expect.stringContaining(`its last set-up failed: ${text}`),
    });
  });

  it("the pairs of SAs of a tunnel and the NAT before an end are in the status", () => {
    const [tunnel] = new HealthEvaluatorBench({ tunnels: "listed" }).polls(4).status().tunnels;
    expect(tunnel?.sas).toEqual({ pairs: 1, nat: null });
    const [unread] = new HealthEvaluatorBench({ unread: true }).polls(4).status().tunnels;
    expect(unread?.sas).toEqual({ pairs: null, nat: null });
  });

  it("a tunnel whose newer key was withdrawn is reported", () => {
    const auth = { kind: "psk", secretId: "https://v/secrets/hub-1-psk/1" } as const;
    const next = {
      auth,
      state: "held",
      since: wall,
      reason: { code: "recorded", text: "it is not taken" } as const,
    } as const;
    const memory = { ...bound, auths: { "hub-1": { auth, next } } };
    expect(codesOf({ memory })).toEqual(["rotation-held hub-1"]);
  });

  it("a tunnel inside MACsec is degraded once one link of its group is clear", () => {
    const port = (link: DesiredLink, poll: number): MacsecPort | undefined =>
      link.name === "primary" ? clearPort({ port: link.port }, at(poll * pollMs)) : undefined;
    const bench = new HealthEvaluatorBench({ port: port as NonNullable<Scene["port"]> }).polls(4);
    expect(bench.status().tunnels).toMatchObject([
      { verdict: "degraded", reasons: [{ code: "outside-macsec" }] },
    ]);
  });
});

describe("a block without a tunnel", () => {
  const bench = (blocked: NonNullable<Scene["blocked"]>, scene: Partial<Scene> = {}) =>
    new HealthEvaluatorBench({ blocked, ...scene });

  // Nothing reported the prefixes of a tunnel that left the config before it ever came up.
  it("a prefix that no tunnel protects is reported on its device until it is released", () => {
    const left = bench((poll) => ["10.100.0.0/16", ...(poll < 4 ? ["10.105.0.0/16"] : [])]);
    const what = "blocks 10.105.0.0/16, and no tunnel of the config protects that";
    const on = (device: string): string => `guard-left ${device}: ${device} ${what}`;
    expect(left.polls(3).warnings()).toContain(on("edge-a"));
    const [warning] = left.status().warnings;
    expect(warning?.next).toBe("linkseal guard --release 10.105.0.0/16");
    expect(left.polls(20).warnings().join()).not.toContain("10.105.0.0/16");
  });

  it("a narrowed prefix is reported, and a part of what a tunnel protects is not", () => {
    const narrowed = bench(() => ["10.100.0.0/15", "10.100.0.0/16", "10.100.7.0/24"]);
    const [first] = narrowed.polls(4).warnings();
    expect(first).toContain("edge-a blocks 10.100.0.0/15, and no tunnel");
  });

  it("the prefix of a tunnel that goes on unmanaged is not reported", () => {
    const [tunnel] = desired.tunnels;
    const without = { ...desired, tunnels: [] };
    const agent = { made: () => tunnel } as Partial<Agent>;
    const memory = { ...bound, tunnels: { "hub-1": 1 } };
    const scene = bench(() => ["10.100.0.0/16"], { desired: without, memory, agent });
    const about = scene
      .polls(4)
      .warnings()
      .map((text) => text.slice(0, 17));
    expect(about).toEqual(["guard-left edge-b"]);
  });
});

describe("an audit log that takes no records", () => {
  const auditTrouble = new LinksealError("journal.full", "the disk is full", {
    ...{ effect: "none", where: "audit", next: "make room" },
  });

  it("an audit log that takes no records is a warning of the site", () => {
    const bench = new HealthEvaluatorBench({ agent: { auditTrouble } as Partial<Agent> }).polls(4);
    expect(bench.warnings()).toEqual([
      "audit-lossy site: the audit log takes no records: the disk is full",
    ]);
  });
});
