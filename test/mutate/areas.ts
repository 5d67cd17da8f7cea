// What `npm run mutate` mutates, and the tests that are to notice.

/** One run of Stryker: a test file that meets none of the files would only make it slower. */
export interface Part {
  readonly files: readonly string[];
  readonly tests: readonly string[];
}

const unit = (...names: readonly string[]): readonly string[] =>
  names.map((name) => `test/unit/${name}.test.ts`);

export const areas: Readonly<Record<string, readonly Part[]>> = {
  plan: [{ files: ["agent/plan.ts"], tests: unit("plan") }],
  verify: [{ files: ["agent/verify.ts"], tests: unit("verify") }],
  health: [
    {
      files: ["agent/health/!(judge|status|status-time|warning-rows).ts"],
      tests: unit("health", "health-!(site)", "warnings"),
    },
    { files: ["agent/health/status*.ts"], tests: unit("status") },
    // Titles and next steps stand in the generated documents.
    { files: ["agent/health/warning-rows.ts"], tests: unit("docs", "warnings", "warning-rows") },
    { files: ["agent/health/judge.ts"], tests: unit("judge") },
  ],
  campaign: [
    {
      files: ["agent/campaign/**/*.ts"],
      tests: unit("campaign*", "facts", "verbs", "enrolment"),
    },
  ],
};
