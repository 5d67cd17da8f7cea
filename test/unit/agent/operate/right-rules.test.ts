// What doctor reports about the rights of the agent's identity.

import { describe, expect, it } from "vitest";
import type { RightsReport } from "#agent/model/rights-report.ts";
import { rightFindings } from "#agent/operate/doctor/right-rules.ts";
import type { RightsOf } from "#agent/runtime/polling/rights-reader.ts";
import { followRight, sharedKeyRight } from "../../kit/rights-kit.ts";
import { never } from "../../kit/site-bench.ts";
import { desired } from "../../kit/snapshot-kit.ts";

function readerOf(reports: Readonly<Record<string, RightsReport>>) {
  const asked: string[] = [];
  const nameOf = (of: RightsOf): string => (of.kind === "campaign" ? of.group : of.tunnel);
  const reader = {
    refresh: async (of: RightsOf, everyMs: number) => void asked.push(`${nameOf(of)} ${everyMs}`),
    report: (of: RightsOf) => reports[nameOf(of)],
    scopesOf: () => ["/subscriptions/s"],
  };
  const mayRead = async (requests: number) => void asked.push(`may read ${requests}`);
  return { asked, reader: { rights: reader, mayRead } };
}

describe("doctor and the rights in Azure", () => {
  it("every change is asked for anew; without an answer there is no finding", async () => {
    const { asked, reader } = readerOf({});
    expect(await rightFindings(reader, desired, never)).toEqual([]);
    expect(asked).toEqual(["may read 1", "erd-demo 0", "may read 1", "hub-1 0"]);
  });

  it("a missing right is an error and an unknown one a warning, each with its scope", async () => {
    const scope = "/subscriptions/s/resourceGroups/rg";
    const { reader } = readerOf({
      "erd-demo": { missing: [followRight], unknown: [{ scope, why: "no", next: "ask" }] },
      "hub-1": { missing: [sharedKeyRight], unknown: [] },
    });
    const found = await rightFindings(reader, desired, never);
    expect(found).toMatchObject([
      { code: "gate.rightsMissing", severity: "error", about: "erd-demo" },
      { code: "rights-unknown", severity: "warning", about: "erd-demo", next: "ask" },
      { code: "gate.rightsMissing", severity: "error", about: "hub-1" },
    ]);
    expect(found.map(({ here }) => here)).toEqual([
      `the agent's identity does not have ${followRight.action} at ${followRight.scope}`,
      `the rights of the agent's identity at ${scope} are not known: no`,
      `the agent's identity does not have ${sharedKeyRight.action} at ${sharedKeyRight.scope}`,
    ]);
    expect(found[0]?.next).toContain(followRight.action);
  });
});
