// The severity of the health evaluator's events, for receivers that get only some severities.

import { describe, expect, it } from "vitest";
import type { DesiredLink } from "#agent/model/desired.ts";
import { known, type MacsecPort } from "#hal/model.ts";
import { keyOne } from "../../../kit/campaign-kit.ts";
import { at, clearPort } from "../../../kit/snapshot-kit.ts";
import { carrying, HealthEvaluatorBench, pollMs, unplugged } from "../health-evaluator-bench.ts";

describe("verdicts", () => {
  it("a recovery has the severity of the new state, and names what it resolves", () => {
    const bench = new HealthEvaluatorBench({ port: unplugged(3, 4) }).turn().polls(12);
    const reported = bench.events
      .after(0)
      .events.filter(({ about }) => about === "erd-demo/primary")
      .map(({ verdict, severity, resolves, ends }) => [verdict, severity, resolves, ends]);
    expect(reported).toEqual([
      ["unknown", "warning", undefined, undefined],
      ["protected", "info", "collecting-evidence", "warning"],
      ["down", "error", undefined, undefined],
      ["protected", "info", "link-down", "error"],
    ]);
    const long = new HealthEvaluatorBench({ port: unplugged(3, 8) }).turn().polls(20);
    const warned = long.events.after(0).events.filter(({ code }) => code === "link-down");
    expect(
      warned.map(({ severity, over, resolves, ends }) => [severity, over, resolves, ends]),
    ).toEqual([
      ["error", undefined, undefined, undefined],
      ["info", true, "link-down", "error"],
    ]);
  });

  it("the events of verdicts are as severe as the verdicts, from the first one on", () => {
    const clear = (link: DesiredLink, poll: number): MacsecPort =>
      link.name === "primary"
        ? clearPort({ port: link.port }, at(poll * pollMs))
        : carrying(link, poll);
    const first = new HealthEvaluatorBench({ port: clear }).turn().events.after(0).events;
    expect(first.map(({ about, verdict, severity }) => [about, verdict, severity])).toEqual([
      ["erd-demo/secondary", "unknown", "warning"],
      ["erd-demo/primary", "unprotected", "error"],
      ["hub-1", "degraded", "warning"],
    ]);
    const [well] = new HealthEvaluatorBench().turn().events.after(0).events.slice(-1);
    expect([well?.about, well?.verdict, well?.severity]).toEqual(["hub-1", "protected", "info"]);
  });
});

describe("changes of a SecY by another program", () => {
  it("they are an event each time that their count rises, once they were read", () => {
    const counts = [4n, 4n, 5n, 5n, 8n];
    const port = (link: DesiredLink, poll: number): MacsecPort => {
      const count = link.name === "primary" ? counts[poll] : undefined;
      if (count === undefined) return carrying(link, poll);
      const secyChanges = known({ count, last: `change ${count}` }, at(poll * pollMs));
      return carrying(link, poll, { secyChanges });
    };
    const bench = new HealthEvaluatorBench({ port }).turn().polls(6);
    const changes = bench.events.after(0).events.filter(({ code }) => code === "secy-changed");
    expect(changes.map(({ about, text, severity }) => `${about} ${severity}: ${text}`)).toEqual([
      "erd-demo/primary warning: change 5",
      "erd-demo/primary warning: change 8 (and 2 more)",
    ]);
  });
});

describe("an evaluation", () => {
  it("an evaluation is handed on whole, each link and tunnel with its newest observation", () => {
    const port = (link: DesiredLink, poll: number): MacsecPort =>
      carrying(link, poll, {
        liveSuite: known(poll < 3 ? "gcm-aes-128" : link.settings.suite, at(poll * pollMs)),
      });
    const bench = new HealthEvaluatorBench({ port }).turn().polls(3);
    expect(bench.observed).toHaveLength(4);
    const link = { kind: "link", suite: "gcm-aes-xpn-256", ckn: keyOne.ckn, observationAgeMs: 0 };
    expect(bench.observed.at(-1)).toEqual([
      expect.objectContaining({ ...link, about: "erd-demo/secondary" }),
      expect.objectContaining({ ...link, about: "erd-demo/primary" }),
      {
        ...{ about: "hub-1", kind: "tunnel", verdict: "protected", codes: [], ckn: null },
        ...{ suite: "aes-256-gcm none ecp-384", observationAgeMs: 0 },
      },
    ]);
  });
});
