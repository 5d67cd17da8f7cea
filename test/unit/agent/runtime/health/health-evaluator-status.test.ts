// The status that the health evaluator derives.

import { describe, expect, it } from "vitest";
import type { DesiredLink } from "#agent/model/desired.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { LinksealError } from "#hal/error.ts";
import { known, type MacsecPort } from "#hal/model.ts";
import { keyOne } from "../../../kit/campaign-kit.ts";
import { bindingOf } from "../../../kit/snapshot-kit.ts";
import {
  bound,
  carrying,
  foreign,
  HealthEvaluatorBench,
  running,
} from "../health-evaluator-bench.ts";

describe("the status", () => {
  it("the status shows the site's links with keys, observations and the age of the key", () => {
    const status = new HealthEvaluatorBench().polls(3).status();
    expect(status).toMatchObject({ site: "demo", verdict: "protected", unmanaged: [] });
    expect(new HealthEvaluatorBench().status().warnings).toEqual([]);
    expect(status.groups[0]).toMatchObject({
      name: "erd-demo",
      rotation: null,
      links: [
        { name: "secondary", ckn: keyOne.ckn, keyAgeDays: 0, frames: { rxOk: "4000" } },
        { name: "primary", ckn: keyOne.ckn, keyAgeDays: 0, frames: { rxOk: "4000" } },
      ],
    });
  });

  it("the status shows the campaign, and accepts only its key on that link", () => {
    const port = (link: DesiredLink, poll: number): MacsecPort => {
      const session = carrying(link, poll).session;
      if (session.kind !== "known") return carrying(link, poll);
      const value = { ...session.value, principalCkn: foreign.ckn };
      return carrying(link, poll, { session: known(value, session.at) });
    };
    const status = new HealthEvaluatorBench({ port, memory: running("proving") }).polls(1).status();
    expect(status.groups[0]?.rotation).toMatchObject({ link: "primary", state: "proving" });
    expect(status.groups[0]?.links.map(({ name, verdict }) => [name, verdict])).toEqual([
      ["secondary", "degraded"],
      ["primary", "protected"],
    ]);
  });

  it("the status names unmanaged keys, but not those of a campaign", () => {
    const status = new HealthEvaluatorBench({ memory: emptyMemory }).polls(1).status();
    const text = "the router already has MACsec on this port";
    expect(status.unmanaged).toEqual([
      {
        kind: "link",
        name: "erd-demo/secondary",
        where: "edge-b",
        text,
        next: "linkseal adopt erd-demo/secondary",
      },
      {
        kind: "link",
        name: "erd-demo/primary",
        where: "edge-a",
        text,
        next: "linkseal adopt erd-demo/primary",
      },
    ]);
    const memory = { ...running("proving"), bindings: {} };
    expect(new HealthEvaluatorBench({ memory }).polls(1).status().unmanaged).toEqual([]);
  });

  it("the status names links that an earlier intent left behind", () => {
    const bindings = { ...bound.bindings, "erd-old/primary": bindingOf() };
    const status = new HealthEvaluatorBench({ memory: { ...bound, bindings } }).polls(1).status();
    expect(status.unmanaged).toEqual([
      {
        kind: "link",
        name: "erd-old/primary",
        where: "erd-old/primary",
        text: "still there, but no longer in the intent",
        next: "linkseal retire link erd-old/primary",
      },
    ]);
  });

  it("the status reports a damaged intent, and the next step", () => {
    const intentDamage = new LinksealError("journal.corrupt", "config 3 is gone", {
      effect: "none",
      where: "intent",
      next: "restore it",
    });
    const status = new HealthEvaluatorBench({ agent: { intentDamage } as Partial<Agent> }).status();
    expect(status).toMatchObject({ site: null, verdict: "unknown" });
    expect(status.reasons).toEqual([
      { code: "journal-lossy", text: intentDamage.message, next: intentDamage.next },
    ]);
  });
});
