// The result of a part, from its report or its output, and whether it may be recorded.

import type { Report } from "../tiers.ts";

export type Ended =
  | {
      readonly kind: "green";
      readonly tests: number | undefined;
      readonly figures: string | undefined;
    }
  | { readonly kind: "red"; readonly why: string };

const red = (why: string): Ended => ({ kind: "red", why });

/** `report`: written by test/run.ts; a test that did not run counts as one that failed. */
export function endOfTests(report: Report | undefined, status: number | null): Ended {
  if (report === undefined) return red("it left no report");
  const tests = report.testResults.flatMap((result) => result.assertionResults);
  const count = (wanted: string): number => tests.filter((one) => one.status === wanted).length;
  const [passed, failed] = [count("passed"), count("failed")];
  if (status !== 0 || failed > 0) return red(`${failed} tests failed, exit status ${status}`);
  const left = tests.length - passed;
  if (left > 0) return red(`${left} tests did not run`);
  if (passed === 0) return red("no test ran");
  return { kind: "green", tests: passed, figures: undefined };
}

/** `said`: all output of test/mutate.ts. */
export function endOfMutation(area: string, output: string, status: number | null): Ended {
  const sum = new RegExp(`^ *([\\d.]+) {2}${area}; ([\\d.]+) but for the known$`, "m").exec(output);
  if (sum === null) return red("it left no score");
  const [, all, unexplained] = sum;
  const figures = `${all} % noticed, ${unexplained} % but for the known`;
  return status === 0 ? { kind: "green", tests: undefined, figures } : red(figures);
}

interface Tree {
  readonly commit: string;
  /** Changes as `git status --porcelain` lists them; empty = none. */
  readonly changes: string;
}

/** Returns why a result from such a tree is not a result of a commit; undefined = it is one. */
export function whyUnwritten(before: Tree, after: Tree): string | undefined {
  if (before.commit !== after.commit) return "another commit was checked out meanwhile";
  const [change] = `${before.changes}\n${after.changes}`.trim().split("\n");
  return change === "" ? undefined : `the tree has changes that are not committed: ${change}`;
}
