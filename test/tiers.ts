// Turns vitest's report into one row per tier, and into the exit status of the whole run.

/** Tiers in the order of the table; a tier whose folder holds no test is not in it. */
export const tierNames = ["unit", "conformance", "fleet", "process", "peers", "kernel"] as const;

/** The part of vitest's JSON report that is read here. */
export interface Report {
  readonly success: boolean;
  readonly testResults: readonly {
    /** Path of the file. */
    readonly name: string;
    readonly status: string;
    /** Error that occurred while the file was loaded; absent = none. */
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName?: string;
      readonly failureMessages?: readonly string[];
      /** `whyNot`: the reason of a test that this computer cannot run (why-not.ts). */
      readonly meta?: { readonly whyNot?: string };
    }[];
  }[];
}

export interface Tier {
  readonly name: string;
  /** Tests that ended, failed ones included. */
  readonly ran: number;
  readonly failed: number;
  /** Why some or all tests did not run; undefined = all ran. */
  readonly whyNot: string | undefined;
}

/** Joins the reports. A missing report fails the whole, because its result is unknown. */
export function joinReports(reports: readonly (Report | undefined)[]): Report | undefined {
  const all = reports.filter((report) => report !== undefined);
  if (all.length < reports.length) return undefined;
  return {
    success: all.every((report) => report.success),
    testResults: all.flatMap((report) => report.testResults),
  };
}

/** Keeps only the files of which each test passed; the others still have to run elsewhere. */
export function wholeFiles(report: Report): Report {
  const testResults = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === "passed" &&
      assertionResults.length > 0 &&
      assertionResults.every((test) => test.status === "passed"),
  );
  return { success: true, testResults };
}

/** Returns the same report with other paths of its files. */
export function renamed(report: Report, rename: (path: string) => string): Report {
  const { success, testResults } = report;
  return { success, testResults: testResults.map((one) => ({ ...one, name: rename(one.name) })) };
}

/** Returns the paths of the files in which a test failed. */
export function failedFiles(report: Report): readonly string[] {
  return report.testResults.filter((one) => one.status === "failed").map(({ name }) => name);
}

/**
 * Returns the final report of files that failed beside others and were run `again` alone: they
 * count as failed, because the rerun only helps to tell a flaky test from a fault. If the first run
 * has no report, the tests of the rerun are used.
 */
export function stillFailed(
  first: Report | undefined,
  again: Report | undefined,
): Report | undefined {
  const tests = first ?? again;
  return tests === undefined ? undefined : { ...tests, success: false };
}

/** Describes how each of these files ended that were run again alone, and what that means. */
export function formatRerun(paths: readonly string[], again: Report | undefined): string {
  return paths
    .map((path) => {
      const result = again?.testResults.find(({ name }) => name === path);
      if (result === undefined) return `run again alone, it brought back no report: ${path}`;
      if (result.status !== "passed") return `run again alone, it failed as well: ${path}`;
      return (
        `run again alone, it passed: ${path}: ` +
        "that it fails beside others is a failure to be mended, and the run is red"
      );
    })
    .join("\n");
}

/**
 * `files`: the test files of each tier that has any; `notRun`: the reason of a tier that this
 * computer cannot run.
 */
export function tiersOf(
  files: ReadonlyMap<string, readonly string[]>,
  report: Report | undefined,
  notRun: ReadonlyMap<string, string>,
): Tier[] {
  return [...files].map(([name, paths]): Tier => {
    if (report === undefined) {
      return { name, ran: 0, failed: 0, whyNot: "vitest ended without a report" };
    }
    const results = report.testResults.filter((result) => paths.includes(result.name));
    const tests = results.flatMap((result) => result.assertionResults);
    const passed = tests.filter((test) => test.status === "passed").length;
    // A file that does not load has no tests of its own and counts as one.
    const failed =
      tests.filter((test) => test.status === "failed").length +
      results.filter((one) => one.status === "failed" && one.assertionResults.length === 0).length;
    const ran = passed + failed;
    const others = tests.filter(({ status }) => status !== "passed" && status !== "failed");
    const why = notRun.get(name) ?? whyNot(paths.length - results.length, others);
    return { name, ran, failed, whyNot: why };
  });
}

function whyNot(
  files: number,
  tests: Report["testResults"][0]["assertionResults"],
): string | undefined {
  const reasons = Map.groupBy(tests, ({ meta }) => meta?.whyNot ?? "not asked for");
  const parts = [
    ...(files > 0 ? [`${files} files not asked for`] : []),
    ...[...reasons].map(([reason, { length }]) => `${length} tests ${reasonText(reason)}`),
  ];
  return parts.length === 0 ? undefined : parts.join(", ");
}

const reasonText = (reason: string): string =>
  reason === "not asked for" ? reason : `not run: ${reason}`;

export function formatTiers(tiers: readonly Tier[]): string {
  const rows = [
    ["tier", "ran", "failed", "why not"],
    ...tiers.map((tier) => [
      tier.name,
      String(tier.ran),
      String(tier.failed),
      tier.whyNot ?? (tier.ran === 0 ? "no test in its files" : "-"),
    ]),
  ];
  const line = ([name = "", ran = "", failed = "", why = ""]: readonly string[]): string =>
    `${name.padEnd(12)}${ran.padStart(6)}${failed.padStart(8)}  ${why}`;
  const failed = tiers.reduce((sum, tier) => sum + tier.failed, 0);
  const passed = tiers.reduce((sum, tier) => sum + tier.ran, 0) - failed;
  return [...rows.map(line), "", `${passed} passed, ${failed} failed`].join("\n");
}

const linesPerFailure = 14;

/** Lists the failures briefly: often only the end of a long output is shown. */
export function formatFailures(report: Report | undefined): string {
  const failures = (report?.testResults ?? []).flatMap((result) => {
    const failed = result.assertionResults.filter((test) => test.status === "failed");
    if (failed.length > 0) {
      return failed.map((test) => ({
        what: `${result.name} > ${test.fullName ?? ""}`,
        why: (test.failureMessages ?? []).join("\n"),
      }));
    }
    return result.status === "failed" ? [{ what: result.name, why: result.message ?? "" }] : [];
  });
  return failures
    .flatMap(({ what, why }) => [
      `failed: ${what}`,
      ...why.split("\n", linesPerFailure).map((line) => `    ${line.slice(0, 200)}`),
    ])
    .join("\n");
}

/** `complete`: a test that did not run fails the run, as in CI. */
export function exitStatus(
  tiers: readonly Tier[],
  report: Report | undefined,
  complete: boolean,
): number {
  const allRan = tiers.every((tier) => tier.whyNot === undefined && tier.ran > 0);
  return report?.success === true && (allRan || !complete) ? 0 : 1;
}
