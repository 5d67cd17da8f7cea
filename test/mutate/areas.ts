// The files that `npm run mutate` mutates, and the tests that should notice.

/** One run of Stryker. A test file that uses none of the files would only make it slower. */
export interface Part {
  readonly files: readonly string[];
  readonly tests: readonly string[];
}

const unit = (...names: readonly string[]): readonly string[] =>
  names.map((name) => `test/unit/**/${name}.test.ts`);

export const areas: Readonly<Record<string, readonly Part[]>> = {
  plan: [
    { files: ["agent/compare/{plan,sends}.ts"], tests: unit("plan", "plan-*") },
    { files: ["agent/compare/site-plan.ts"], tests: unit("site-plan") },
    { files: ["agent/config/{authority,setting-changes}.ts"], tests: unit("setting-changes") },
  ],
  verify: [{ files: ["agent/health/verify.ts"], tests: unit("verify") }],
  health: [
    {
      files: [
        "agent/{health/{control,frames,health,prefix,window},model/health}.ts",
        "agent/health/{tunnel,tunnel-bundle,tunnel-paths}.ts",
      ],
      tests: unit("health", "health-!(site)", "tunnel-bundle", "backup", "prefix"),
    },
    { files: ["agent/health/backup.ts"], tests: unit("backup", "health-evaluator-backup") },
    { files: ["agent/{runtime/health/status,model/iso-time}.ts"], tests: unit("status") },
    // The generated documents contain titles and next steps.
    { files: ["agent/model/warning-rows.ts"], tests: unit("docs", "warnings", "warning-rows") },
    {
      files: [
        "agent/runtime/health/{health-evaluator,causes,backup-report,bgp-report}.ts",
        "agent/runtime/health/{device,group,host,link,tunnel}-rows.ts",
        "agent/runtime/health/{finder,unmanaged}.ts",
        "agent/health/warnings.ts",
      ],
      tests: unit(
        "health-evaluator",
        "health-evaluator-*",
        "bgp-report",
        "early",
        "early-auth",
        "warnings",
      ),
    },
  ],
  // Exploring whole state spaces takes seconds for each mutant, so the small cases must suffice.
  table: [
    ...["draining", "parked", "proving", "restoring", "staging", "switching"].map((table) => ({
      files: [`agent/rotation/rows-${table}.ts`],
      tests: unit(`campaign-rows-${table}`),
    })),
    { files: ["agent/rotation/rows-shared.ts"], tests: unit("campaign-rows-*") },
  ],
  campaign: [
    {
      files: ["agent/rotation/guards.ts"],
      tests: unit("campaign-guards", "campaign-rows-{draining,parked,proving}"),
    },
    {
      files: ["agent/{rotation,model}/campaign.ts"],
      tests: unit("campaign-decide", "campaign-record"),
    },
    { files: ["agent/rotation/verbs.ts"], tests: unit("campaign-record") },
    { files: ["agent/rotation/facts.ts"], tests: unit("facts") },
    {
      files: ["agent/rotation/{preconditions,sibling}.ts"],
      tests: unit("preconditions", "sibling"),
    },
    { files: ["agent/rotation/evidence.ts"], tests: unit("evidence") },
    { files: ["agent/rotation/window.ts"], tests: unit("window") },
    { files: ["agent/rotation/{bake,later-saks}.ts"], tests: unit("bake", "later-saks") },
    {
      files: ["agent/rotation/tunnel-{change,gates}.ts"],
      tests: unit("tunnel-rows", "tunnel-gates", "tunnel-change*", "tunnel-gateway"),
    },
    { files: ["agent/rotation/policy.ts"], tests: unit("policy") },
    { files: ["agent/{runtime/campaigns/begin,rotation/change}.ts"], tests: unit("begin") },
    { files: ["agent/runtime/campaigns/rotation.ts"], tests: unit("rotation-begins") },
    { files: ["agent/runtime/campaigns/enrolment.ts"], tests: unit("enrolment-begins") },
    { files: ["agent/runtime/campaigns/preview.ts"], tests: unit("preview-notes") },
    {
      files: ["agent/rotation/forecast.ts", "agent/rotation/steps-left.ts"],
      tests: unit("forecast", "forecast-plan"),
    },
    { files: ["agent/runtime/campaigns/manual-drain.ts"], tests: unit("manual-drain") },
    { files: ["agent/runtime/campaigns/management-path.ts"], tests: unit("management-path") },
  ],
  "rotation-runner": [
    { files: ["agent/runtime/campaigns/rotation-runner.ts"], tests: unit("rotation-runner*") },
    { files: ["agent/runtime/campaigns/effects.ts"], tests: unit("effects*") },
    { files: ["agent/runtime/campaigns/fact-collector.ts"], tests: unit("fact-collector*") },
  ],
};
