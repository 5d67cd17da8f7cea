// What `npm run mutate` mutates, and the tests that are to notice.

/** One run of Stryker: a test file that meets none of the files would only make it slower. */
export interface Part {
  readonly files: readonly string[];
  readonly tests: readonly string[];
}

const unit = (...names: readonly string[]): readonly string[] =>
  names.map((name) => `test/unit/${name}.test.ts`);

export const areas: Readonly<Record<string, readonly Part[]>> = {
  plan: [{ files: ["agent/plan.ts"], tests: unit("plan", "plan-*") }],
  verify: [{ files: ["agent/verify.ts"], tests: unit("verify") }],
  health: [
    {
      files: [
        "agent/health/{control,frames,health,model,prefix,window}.ts",
        "agent/health/{tunnel,tunnel-bundle,tunnel-paths}.ts",
      ],
      tests: unit("health", "health-!(site)", "tunnel-bundle", "backup", "prefix"),
    },
    { files: ["agent/health/backup.ts"], tests: unit("backup", "judge-backup") },
    { files: ["agent/health/status*.ts"], tests: unit("status") },
    // Titles and next steps stand in the generated documents.
    { files: ["agent/health/warning-rows.ts"], tests: unit("docs", "warnings", "warning-rows") },
    {
      files: ["agent/health/{judge,backup-report,bgp-report,early,unmanaged,warnings}.ts"],
      tests: unit("judge", "judge-*", "bgp-report", "early", "early-auth", "warnings"),
    },
  ],
  // The explorations of whole spaces take seconds for each mutant: the small cases must do.
  table: [
    ...["draining", "parked", "proving", "restoring", "staging", "switching"].map((table) => ({
      files: [`agent/campaign/table/${table}.ts`],
      tests: unit(`campaign-rows-${table}`),
    })),
    { files: ["agent/campaign/table/shared.ts"], tests: unit("campaign-rows-*") },
  ],
  campaign: [
    {
      files: ["agent/campaign/guards.ts"],
      tests: unit("campaign-guards", "campaign-rows-{draining,parked,proving}"),
    },
    {
      files: ["agent/campaign/{campaign,model}.ts"],
      tests: unit("campaign-decide", "campaign-record"),
    },
    { files: ["agent/campaign/verbs.ts"], tests: unit("campaign-record") },
    { files: ["agent/campaign/facts.ts"], tests: unit("facts") },
    { files: ["agent/campaign/{gates,sibling}.ts"], tests: unit("gates", "sibling") },
    { files: ["agent/campaign/evidence.ts"], tests: unit("evidence") },
    { files: ["agent/campaign/window.ts"], tests: unit("window") },
    { files: ["agent/campaign/policy.ts"], tests: unit("policy") },
    { files: ["agent/campaign/{begin,change}.ts"], tests: unit("begin") },
    { files: ["agent/campaign/rotation.ts"], tests: unit("rotation-begins") },
    { files: ["agent/campaign/enrolment.ts"], tests: unit("enrolment-begins") },
    { files: ["agent/campaign/preview.ts"], tests: unit("preview-notes") },
    { files: ["agent/campaign/forecast.ts"], tests: unit("forecast", "forecast-plan") },
    { files: ["agent/campaign/hand-drain.ts"], tests: unit("hand-drain") },
    { files: ["agent/campaign/own-path.ts"], tests: unit("own-path") },
  ],
  conductor: [
    { files: ["agent/campaign/conductor.ts"], tests: unit("conductor*") },
    { files: ["agent/campaign/effects.ts"], tests: unit("effects*") },
    { files: ["agent/campaign/scout.ts"], tests: unit("scout*") },
  ],
};
