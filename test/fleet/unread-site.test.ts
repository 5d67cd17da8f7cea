// A site that is not read while its links run in clear: what a report and the status say of it
// under a config in force that an older version accepted.

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { SignedReport } from "#agent/evidence/report/statement.ts";
import { LinksealError } from "#hal/error.ts";
import { demoFaults, type FaultKind, strikeFault } from "#sim/faults/faults.ts";
import { AgentBench, group } from "../unit/kit/agent-bench.ts";
import { never, settled } from "../unit/kit/site-bench.ts";

const minute = 60_000;
const name = "intent/0001.yaml";
const indexName = "intent/index.json";
const trusting = (text: string): string => text.replace("staleAfter: 20s", "staleAfter: 1d");

function fault(named: string): FaultKind {
  const found = demoFaults.find((one) => one.name === named);
  if (found === undefined) throw new Error(`no fault ${named}`);
  return found;
}

const dropped = (): LinksealError =>
  new LinksealError("transport.unreachable", "the request was dropped", {
    ...{ effect: "none", where: "edge-a", next: "linkseal status" },
  });

/** An agent between which and its site every request may be dropped. */
class UnreadSite {
  readonly bench = new AgentBench("protected");
  isDropping = false;

  async live(): Promise<void> {
    await this.bench.live((world) => ({
      ...world,
      dial: {
        ...world.dial,
        http: (request, signal) => {
          if (this.isDropping) return Promise.reject(dropped());
          return world.dial.http(request, signal);
        },
      },
    }));
  }

  /** Starts an agent on what an older version accepted: this one refuses it. */
  async open(): Promise<void> {
    const { bench } = this;
    await this.live();
    await bench.apply();
    await bench.run(minute);
    await settled(bench.site.clock, bench.agent.commands.adopt(group, [], never));
    await bench.run(minute);
    await bench.end();
    const text = trusting(bench.config());
    const octets = new TextEncoder().encode(text);
    const sha256 = createHash("sha256").update(octets).digest("hex");
    const { clock } = bench.site;
    await settled(clock, bench.disk.replace(name, octets));
    const index = JSON.parse(new TextDecoder().decode(await bench.disk.read(indexName)));
    const entries = [{ ...index.entries[0], sha256 }];
    const sealed = createHash("sha256")
      .update(JSON.stringify(entries, null, 1))
      .digest("hex");
    const changed = `${JSON.stringify({ ...index, sha256: sealed, entries }, null, 1)}\n`;
    await settled(clock, bench.disk.replace(indexName, new TextEncoder().encode(changed)));
    await this.live();
    await bench.run(10 * minute);
  }

  verdicts(): readonly string[] {
    const links = this.bench.agent.status().groups.flatMap((each) => each.links);
    return links.map(({ verdict }) => verdict);
  }
}

/** The answers of a report about a link over a period, without repetition. */
function answers({ subjects }: SignedReport, link: string, from: number, to: number): string[] {
  const own = subjects.find((each) => each.name === link)?.intervals ?? [];
  const inside = own.filter((each) => Date.parse(each.from) < to && Date.parse(each.to) > from);
  return [...new Set(inside.map(({ answer }) => answer))];
}

const links = ["erd-demo/primary", "erd-demo/secondary"];

describe("a config in force that trusts readings for a day", () => {
  it.each(["ends", "is killed", "lives on"] as const)(
    "half an hour in clear that was not read is unknown in status and reports if the agent %s",
    async (end) => {
      const site = new UnreadSite();
      await site.open();
      const { bench } = site;
      const { clock } = bench.site;
      expect(site.verdicts()).toEqual(["protected", "protected"]);
      const warnings = bench.agent.status().warnings.map(({ code }) => code);
      expect(warnings).toContain("stale-after-bounded");
      site.isDropping = true;
      const from = clock.wall();
      const heals = ["primary", "secondary"].flatMap((link) =>
        ["should-secure", "peer-silent"].map((one) =>
          strikeFault(bench.site, fault(one), bench.link(link as "primary")),
        ),
      );
      await bench.run(3 * minute);
      expect(site.verdicts()).toEqual(["unknown", "unknown"]);
      await bench.run(27 * minute);
      const truth = bench.site.truth().groups[0]?.links ?? [];
      expect(truth.map(({ clearFrames }) => clearFrames > 80_000n)).toEqual([true, true]);
      const blind = (await bench.ask("GET /v1/report", "", "view")) as SignedReport;
      const to = clock.wall();
      for (const heal of heals) heal();
      if (end !== "lives on") {
        if (end === "ends") await settled(clock, bench.agent.close());
        await bench.end();
        site.isDropping = false;
        await site.live();
      }
      site.isDropping = false;
      await bench.run(10 * minute);
      const late = (await bench.ask("GET /v1/report", "", "view")) as SignedReport;
      for (const link of links) {
        expect(answers(blind, link, from + minute / 10, to)).toEqual(["unknown"]);
        expect(answers(late, link, from + minute / 10, to)).not.toContain("protected");
        expect(answers(late, link, from - 5 * minute, from - minute)).toEqual(["protected"]);
      }
    },
  );

  it("the same text is refused where it is applied, at the line of staleAfter", async () => {
    const bench = new AgentBench("protected");
    await bench.live();
    const text = trusting(bench.config());
    const answer = await bench.apply(text);
    const line = text.split("\n").findIndex((each) => each.includes("staleAfter: 1d")) + 1;
    expect(answer).toMatchObject({
      kind: "refused",
      complaints: [{ line, path: "health.staleAfter", write: "staleAfter: at most 90s" }],
    });
  });
});
