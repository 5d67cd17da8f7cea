// What an earlier version has stored is read by this one: names in journal, accepted configs, audit
// log and reports never change their meaning (docs/versioning.md). The file was written by commit
// 878b441, on a simulated site, in the middle of a rotation.

import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import type { Report } from "#agent/evidence/report/document.ts";
import { verifyReport } from "#agent/evidence/report/verify.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";
import { settled } from "../../kit/site-bench.ts";

interface Stored {
  readonly wall: number;
  readonly config: string;
  /** By name, in base64. */
  readonly files: Readonly<Record<string, string>>;
  readonly report: string;
  readonly key: { readonly publicKey: string; readonly keyId: string };
}

const file = join(import.meta.dirname, "../../stored/878b441.json");
const stored = JSON.parse(readFileSync(file, "utf8")) as Stored;

describe("what commit 878b441 has stored", () => {
  const bench = new AgentBench("protected", "fixture");

  beforeAll(async () => {
    for (const [name, content] of Object.entries(stored.files)) {
      const bytes = Buffer.from(content, "base64");
      await settled(bench.site.clock, bench.disk.replace(name, bytes));
    }
    // The agent comes back after the moment at which the other one was cut off.
    await bench.run(stored.wall - bench.site.clock.wall() + 1_000);
    await bench.live();
  });

  it("the journal of commit 878b441 is whole, with the campaign where it was", () => {
    const { agent } = bench;
    expect(agent.journalState).toBe("whole");
    const { campaigns, bindings } = agent.memory;
    expect(campaigns[group]).toMatchObject({
      ...{ kind: "rotate", goal: "forward", state: "proving", by: "test", at: 0 },
      links: [{ name: "primary" }, { name: "secondary" }],
    });
    expect(Object.keys(bindings)).toEqual(["erd-demo/primary", "erd-demo/secondary"]);
    // That version knew reasons as sentences alone.
    expect(campaigns[group]?.reason.code).toBe("recorded");
    expect(reasonText(campaigns[group]?.reason ?? { code: "begin.asked" })).toMatch(/new key/);
  });

  it("the config of commit 878b441 is in force, word for word", () => {
    const { intent, intentDamage } = bench.agent;
    expect(intentDamage).toBeUndefined();
    expect(intent).toMatchObject({ number: 1, text: stored.config });
    expect(parseConfig(stored.config, "site.yaml").kind).toBe("ok");
  });

  it("the audit log of commit 878b441 gives the same report again", async () => {
    const { from, to } = (JSON.parse(stored.report) as Report).about;
    const period = `from=${from}&to=${to}`;
    const again = await bench.reply(`GET /v1/report?${period}`, "", "view");
    expect(again.status).toBe(200);
    const { about, subjects, changes, breaks } = JSON.parse(again.body) as Report;
    const before = JSON.parse(stored.report) as Report;
    expect({ about, subjects, changes, breaks }).toEqual({
      ...{ about: before.about, subjects: before.subjects },
      ...{ changes: before.changes, breaks: before.breaks },
    });
  });

  it("the report of commit 878b441 verifies", () => {
    const key = createPublicKey(stored.key.publicKey);
    const checked = verifyReport(Buffer.from(`${stored.report}\n`), key);
    expect(checked).toMatchObject({ kind: "sound", form: "json" });
  });

  it("an agent on the state of commit 878b441 shows its campaign", async () => {
    await bench.run(20_000);
    expect(bench.broken).toEqual([]);
    expect(bench.violations()).toEqual([]);
    expect(await bench.ask("GET /v1/rotation", "", "view")).toMatchObject({
      campaigns: [{ group, kind: "rotate", link: "primary" }],
    });
  });
});
