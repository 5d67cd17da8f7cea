// Explanations of a bad verdict besides the observations: a vault that refuses, an effect that
// failed.

import { describe, expect, it } from "vitest";
import type { DesiredLink } from "#agent/model/desired.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { LinksealError } from "#hal/error.ts";
import type { MacsecPort } from "#hal/model.ts";
import { at, clearPort, desiredOf } from "../../../kit/snapshot-kit.ts";
import { HealthEvaluatorBench, pollMs, type Scene, unplugged } from "../health-evaluator-bench.ts";

describe("readings that the agent cannot take in time", () => {
  const overloaded = {
    loopLag: { isOverload: true, ms: 2_340 },
  } as Partial<Agent>;
  const reasonsOf = (bench: HealthEvaluatorBench): readonly string[] =>
    bench.status().groups[0]?.links[0]?.reasons.map(({ code }) => code) ?? [];

  it("are the agent's fault, in the verdict and in one warning for the whole site", () => {
    const bench = new HealthEvaluatorBench({ silentFrom: 2, agent: overloaded }).polls(40);
    expect(reasonsOf(bench)).toEqual(["agent-overloaded"]);
    expect(bench.status().groups[0]?.verdict).toBe("unknown");
    expect(bench.warnings().filter((text) => !text.startsWith("key-"))).toEqual([
      expect.stringMatching(/^agent-overloaded site: .* ring 2\.3 s late/),
    ]);
  });

  it("are the devices' silence while the agent has processor time", () => {
    const bench = new HealthEvaluatorBench({ silentFrom: 2 }).polls(40);
    expect(reasonsOf(bench)).toEqual(["reading-stale"]);
    expect(bench.warnings().some((text) => text.startsWith("reading-stale"))).toBe(true);
  });
});

describe("a router that does not answer", () => {
  const silence = {
    code: "transport.timeout",
    text: "it is silent",
    next: "go on",
    since: at(2 * pollMs),
  } as const;
  const bench = (): HealthEvaluatorBench => new HealthEvaluatorBench({ silentFrom: 2, silence });

  it("has one warning, which names its links and tunnels; it had one for each of them", () => {
    const warnings = bench().polls(40).warnings();
    expect(warnings.filter((text) => !text.startsWith("key-"))).toEqual([
      expect.stringMatching(/^device-unreachable edge-a: .* edge-a with erd-demo\/primary, hub-1 /),
      expect.stringMatching(/^device-unreachable edge-b: .* edge-b with erd-demo\/secondary is /),
    ]);
  });

  it("alarms once: the verdicts of its links are its consequences; each alarmed by itself", () => {
    const { events } = bench().polls(40);
    const silent = events.after(0).events.filter(({ verdict }) => verdict === "unknown");
    expect(new Map(silent.map(({ about, because }) => [about, because?.about]))).toEqual(
      new Map([
        ["erd-demo/primary", "edge-a"],
        ["erd-demo/secondary", "edge-b"],
        ["hub-1", "edge-a"],
      ]),
    );
  });

  it("is the cause of the verdict of each of them, also where an effect failed there", () => {
    const failed = new LinksealError("transport.timeout", "no reply to the effect", {
      ...{ effect: "unknown", where: "edge-a", next: "linkseal status" },
    });
    const scene = { silentFrom: 2, silence, troubles: [failed], tunnelTrouble: failed };
    const { groups, tunnels } = new HealthEvaluatorBench(scene).polls(40).status();
    const because = { code: "device-unreachable", about: "edge-a" };
    const link = groups[0]?.links.find(({ name }) => name === "primary");
    expect(link?.reasons).toEqual([expect.objectContaining({ because })]);
    expect(tunnels[0]).toMatchObject({ verdict: "unknown", because });
  });
});

describe("causes", () => {
  const down: Scene = { port: unplugged(0), sessions: () => [] };
  const codes = (scene: Scene): readonly string[] => {
    const [group] = new HealthEvaluatorBench({ ...down, ...scene }).polls(1).status().groups;
    const link = group?.links.find(({ name }) => name === "primary");
    return link?.reasons.map(({ code, text, next }) => `${code}: ${text}: ${next}`) ?? [];
  };
  const bare = "link-down: edge-a et-0/0/0 has no link: linkseal links erd-demo/primary";
  const trouble = (code: ConstructorParameters<typeof LinksealError>[0]): LinksealError =>
    new LinksealError(code, "what happened", { effect: "none", where: "here", next: "go on" });

  it("the causes of a wait and of failed effects come first", () => {
    expect(codes({})).toEqual([bare]);
    expect(codes({ waiting: { code: "vault-denied", text: "it says no" } })).toEqual([
      "vault-denied: it says no: linkseal explain vault-denied erd-demo",
      bare,
    ]);
    expect(codes({ troubles: [trouble("vault.unreachable")] })).toEqual([
      "vault-unreachable: what happened: linkseal explain vault-unreachable erd-demo/primary",
      bare,
    ]);
  });

  it("an effect that the sibling keeps from this link is a reason of this link", () => {
    const why = "secondary is not carrying: it is drained";
    const refused = (where: string): LinksealError =>
      new LinksealError("gate.siblingUnhealthy", why, {
        ...{ effect: "none", where, next: "linkseal rotation show erd-demo" },
      });
    const told = `sibling-unhealthy: ${why}: linkseal links erd-demo/primary`;
    expect(codes({ troubles: [refused("erd-demo/primary")] })).toEqual([told, bare]);
  });

  it("causes without a warning of their own are left out", () => {
    expect(codes({ waiting: { code: "nothing-known", text: "?" } })).toEqual([bare]);
    expect(codes({ troubles: [trouble("journal.locked")] })).toEqual([bare]);
  });

  it("a set-up that does not end in time says nothing of its device, which answers", () => {
    const port = (link: DesiredLink, poll: number): MacsecPort =>
      clearPort({ port: link.port }, at(poll * pollMs));
    const late = trouble("transport.timeout");
    const bench = new HealthEvaluatorBench({ port, tunnelTrouble: late }).polls(4);
    const codes = bench.status().tunnels[0]?.reasons.map(({ code }) => code);
    expect(codes).not.toContain("device-unreachable");
    expect(bench.warnings().join("\n")).not.toContain("device-unreachable");
  });

  it("the causes of a device reach its tunnel, which names its group", () => {
    const port = (link: DesiredLink, poll: number): MacsecPort =>
      clearPort({ port: link.port }, at(poll * pollMs));
    const bench = new HealthEvaluatorBench({ port, trouble: trouble("vault.unreachable") }).polls(
      1,
    );
    expect(bench.status().tunnels).toMatchObject([
      { name: "hub-1", reasons: [{ code: "vault-unreachable" }, { code: "outside-macsec" }] },
    ]);
    const refused = new HealthEvaluatorBench({ port, trouble: trouble("peer.rejected") }).polls(1);
    expect(refused.status().tunnels[0]?.reasons[0]?.next).toContain("erd-demo");
    const bare = desiredOf((text) => text.replace("    insideMacsec: erd-demo\n", ""));
    const free = new HealthEvaluatorBench({ port, desired: bare }).polls(1).status().tunnels;
    expect(free).toMatchObject([{ name: "hub-1", verdict: "protected" }]);
  });
});
