// The status of a site as a hub reads it: an agent's whole, and a hostile one not at all.

import { describe, expect, it } from "vitest";
import { parseSiteStatus } from "#agent/hub/site-status.ts";
import { statusOctets } from "#agent/telemetry/fleet/status-document.ts";
import { AgentBench } from "../../kit/agent-bench.ts";
import { downLink, siteStatus } from "../../kit/site-statuses.ts";
import { hostileTexts, hostileValues } from "../hostile-json.ts";

const read = (value: unknown) =>
  parseSiteStatus(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)));

describe("a status", () => {
  it("what an agent publishes is read whole", async () => {
    const bench = new AgentBench("protected");
    await bench.live();
    await bench.apply();
    await bench.run(300_000);
    const progress = { published: 7, lost: 0 };
    const octets = statusOctets(bench.agent, bench.site.clock.wall(), progress);
    const { schema, ...status } = JSON.parse(Buffer.from(octets).toString()) as { schema: string };
    expect(schema).toBe("linkseal.siteStatus/1");
    expect(parseSiteStatus(octets)).toEqual(status);
  });

  it("what a newer agent adds is left out", () => {
    const { schema: _, ...status } = siteStatus("dub");
    expect(read({ ...siteStatus("dub"), more: { of: ["it"] } })).toEqual(status);
  });

  it.each([
    ["a count", { verdicts: { protected: 1, unprotected: 1 } }, "unprotected"],
    ["a listed link", { wrong: downLink("dub").wrong }, "down"],
  ])("where %s contradicts the verdict, the worst counts", (_what, edit, verdict) => {
    expect(read({ ...siteStatus("dub"), ...edit })?.verdict).toBe(verdict);
  });

  it.each([
    ["another schema", { schema: "linkseal.siteStatus/2" }],
    ["a verdict that there is not", { verdict: "fine" }],
    ["a line feed in a name", { site: "dub\nams" }],
    ["text that turns around", { version: "\u202e0.2.0" }],
    ["a negative count", { verdicts: { protected: -1 } }],
    ["more entries than an agent writes", { keys: { all: 51, first: Array(51).fill({}) } }],
    ["a time that is none", { at: "2026-13-45T99:00:00Z" }],
  ])("one with %s is none", (_what, edit) => {
    expect(read({ ...siteStatus("dub"), ...edit })).toBeUndefined();
  });

  it("a long one is none", () => {
    const long = "x".repeat(300);
    const first = Array.from({ length: 50 }, () => ({ about: long, verdict: "down", codes: [] }));
    expect(read({ ...siteStatus("dub"), wrong: { all: 50, first } })).toBeDefined();
    const codes = Array.from({ length: 8 }, () => long);
    const much = first.map((entry) => ({ ...entry, codes }));
    expect(read({ ...siteStatus("dub"), wrong: { all: 50, first: much } })).toBeUndefined();
    expect(parseSiteStatus(new Uint8Array([0xff, 0xfe]))).toBeUndefined();
  });

  it("no hostile value or text is an error, wherever it is", () => {
    for (const text of hostileTexts) expect(read(text)).toBeUndefined();
    const status: Readonly<Record<string, unknown>> = { ...siteStatus("dub", downLink("dub")) };
    for (const [name, whole] of Object.entries(status)) {
      for (const value of hostileValues) {
        expect(() => read({ ...status, [name]: value })).not.toThrow();
        if (typeof whole !== "object" || whole === null) continue;
        for (const inner of Object.keys(whole)) {
          expect(() => read({ ...status, [name]: { ...whole, [inner]: value } })).not.toThrow();
        }
      }
    }
  });
});
