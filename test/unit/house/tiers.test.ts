import { describe, expect, it } from "vitest";
import {
  exitStatus,
  failedFiles,
  formatFailures,
  formatRerun,
  formatTiers,
  joinReports,
  type Report,
  renamed,
  stillFailed,
  tiersOf,
  wholeFiles,
} from "../../tiers.ts";

const files = new Map([
  ["unit", ["/t/unit/a.test.ts", "/t/unit/b.test.ts"]],
  ["fleet", ["/t/fleet/a.test.ts"]],
]);

type Results = Readonly<Record<string, readonly string[]>>;

// A file with no listed test did not load.
function reportOf(results: Results): Report {
  const testResults = Object.entries(results).map(([name, statuses]) => ({
    name: `/t/${name}.test.ts`,
    status: statuses.length === 0 || statuses.includes("failed") ? "failed" : "passed",
    assertionResults: statuses.map((status) => ({ status })),
  }));
  return { success: testResults.every((one) => one.status === "passed"), testResults };
}

const all: Results = {
  "unit/a": ["passed", "passed"],
  "unit/b": ["passed"],
  "fleet/a": ["passed"],
};

describe("the table of npm test", () => {
  interface Table {
    readonly name: string;
    readonly report: Report | undefined;
    readonly rows: readonly string[];
    readonly status: number;
    readonly statusInCi: number;
  }
  it.each<Table>([
    {
      ...{ name: "a whole run", report: reportOf(all), rows: ["unit 3/0 -", "fleet 1/0 -"] },
      ...{ status: 0, statusInCi: 0 },
    },
    {
      ...{ name: "a failed test", report: reportOf({ ...all, "unit/b": ["failed"] }) },
      ...{ rows: ["unit 3/1 -", "fleet 1/0 -"], status: 1, statusInCi: 1 },
    },
    {
      ...{ name: "a file that does not load", report: reportOf({ ...all, "fleet/a": [] }) },
      ...{ rows: ["unit 3/0 -", "fleet 1/1 -"], status: 1, statusInCi: 1 },
    },
    {
      ...{ name: "a filter", report: reportOf({ "unit/a": ["passed", "pending"] }) },
      rows: [
        "unit 1/0 1 files not asked for, 1 tests not asked for",
        "fleet 0/0 1 files not asked for",
      ],
      ...{ status: 0, statusInCi: 1 },
    },
    {
      ...{ name: "no report", report: undefined, status: 1, statusInCi: 1 },
      rows: ["unit 0/0 vitest ended without a report", "fleet 0/0 vitest ended without a report"],
    },
  ])("the rows and exit status are right for $name", ({ report, rows, status, statusInCi }) => {
    const tiers = tiersOf(files, report, new Map());
    expect(tiers.map((t) => `${t.name} ${t.ran}/${t.failed} ${t.whyNot ?? "-"}`)).toEqual(rows);
    expect(exitStatus(tiers, report, false)).toBe(status);
    expect(exitStatus(tiers, report, true)).toBe(statusInCi);
  });

  it("a tier that cannot run here has a reason, and fails a complete run", () => {
    const report = reportOf({ "unit/a": ["passed"], "unit/b": ["passed"] });
    const tiers = tiersOf(files, report, new Map([["fleet", "not run: there is no fleet"]]));
    expect(tiers.at(-1)).toMatchObject({ ran: 0, whyNot: "not run: there is no fleet" });
    expect(exitStatus(tiers, report, false)).toBe(0);
    expect(exitStatus(tiers, report, true)).toBe(1);
  });

  it("reports of several runs are joined, and a missing one makes the whole missing", () => {
    const [first, second] = [
      reportOf({ "unit/a": ["passed"] }),
      reportOf({ "unit/b": ["failed"] }),
    ];
    expect(joinReports([first, second])).toEqual({
      success: false,
      testResults: [...first.testResults, ...second.testResults],
    });
    expect(joinReports([first, undefined])).toBeUndefined();
  });

  it("the table names what a computer lacks for the tests that it cannot run", () => {
    const skipped = (why: string) => ({ status: "skipped", meta: { whyNot: why } });
    const { testResults } = reportOf({ "unit/b": ["passed"], "fleet/a": ["passed"] });
    const assertionResults = [
      { status: "passed" },
      skipped("there is no zsh"),
      skipped("no zsh 5"),
    ];
    const a = { name: "/t/unit/a.test.ts", status: "passed", assertionResults };
    const report = { success: true, testResults: [a, ...testResults] };
    const tiers = tiersOf(files, report, new Map());
    expect(tiers[0]).toMatchObject({
      ran: 2,
      whyNot: "1 tests not run: there is no zsh, 1 tests not run: no zsh 5",
    });
    expect([exitStatus(tiers, report, false), exitStatus(tiers, report, true)]).toEqual([0, 1]);
    // Only files that passed as a whole need not run elsewhere.
    const whole = renamed(wholeFiles(report), (path) => path.replace("/t/", "/u/"));
    expect(whole.testResults.map(({ name }) => name)).toEqual([
      "/u/unit/b.test.ts",
      "/u/fleet/a.test.ts",
    ]);
  });

  it.each<[string, Results]>([
    ["failed", { "unit/a": ["passed", "failed"] }],
    ["did not load", { "unit/a": [] }],
  ])("a file runs again elsewhere that %s", (_what, results) => {
    expect(wholeFiles(reportOf(results)).testResults).toEqual([]);
  });

  it("each test that failed and each file that did not load is named, with the reason", () => {
    const report: Report = {
      success: false,
      testResults: [
        {
          name: "/t/unit/a.test.ts",
          status: "failed",
          assertionResults: [
            { status: "passed", fullName: "a good one" },
            {
              status: "failed",
              fullName: "a bad one",
              failureMessages: [Array.from({ length: 40 }, (_, at) => `line ${at}`).join("\n")],
            },
          ],
        },
        { name: "/t/unit/b.test.ts", status: "failed", message: "no b", assertionResults: [] },
      ],
    };
    const lines = formatFailures(report).split("\n");
    expect(lines[0]).toBe("failed: /t/unit/a.test.ts > a bad one");
    expect(lines[1]).toBe("    line 0");
    expect(lines).not.toContain("    line 20");
    expect(lines.slice(-2)).toEqual(["failed: /t/unit/b.test.ts", "    no b"]);
    expect(formatFailures(reportOf(all))).toBe("");
    expect(formatFailures(undefined)).toBe("");
  });

  it("a run stays red although a failed test passes in a rerun of its own", () => {
    const first = reportOf({ "unit/a": ["passed"], "unit/b": ["failed", "passed"] });
    const again = reportOf({ "unit/b": ["passed", "passed"] });
    expect(failedFiles(first)).toEqual(["/t/unit/b.test.ts"]);
    const counts = stillFailed(first, again);
    expect(counts).toEqual(first);
    const tiers = tiersOf(files, counts, new Map());
    expect(tiers.map(({ failed }) => failed)).toEqual([1, 0]);
    expect(exitStatus(tiers, counts, false)).toBe(1);
    // A machine without a report counts as failed as well, with the tests of the rerun.
    expect(stillFailed(undefined, again)).toEqual({ ...again, success: false });
    expect(exitStatus(tiers, stillFailed(undefined, again), false)).toBe(1);
    expect(stillFailed(undefined, undefined)).toBeUndefined();
  });

  it("a rerun's result is shown, and a failure beside others still counts", () => {
    const again = reportOf({ "unit/a": ["failed"], "unit/b": ["passed"] });
    const [a, b, c] = ["/t/unit/a.test.ts", "/t/unit/b.test.ts", "/t/unit/c.test.ts"];
    expect(formatRerun([a, b, c], again).split("\n")).toEqual([
      `run again alone, it failed as well: ${a}`,
      `run again alone, it passed: ${b}: ` +
        "that it fails beside others is a failure to be mended, and the run is red",
      `run again alone, it brought back no report: ${c}`,
    ]);
  });

  it("the table and the sum are printed last", () => {
    const tiers = tiersOf(files, reportOf({ ...all, "unit/b": ["failed"] }), new Map());
    expect(formatTiers(tiers).split("\n")).toEqual([
      "tier           ran  failed  why not",
      "unit             3       1  -",
      "fleet            1       0  -",
      "",
      "3 passed, 1 failed",
    ]);
  });
});
