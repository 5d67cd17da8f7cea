// Short waiting times, so that a campaign takes a minute or two of virtual time.

const shortWaits = [
  "  - { risk: shortSettle, until: 2027-11-24 }",
  "health: { poll: 5s, staleAfter: 20s, evidence: 90s }",
  "rotation:",
  "  settle: 6s",
  "  soak: 4s",
  "  verify: 20s",
  "  confirm: 60s",
  "  farEnd: 5m",
  "  putGrace: 5s",
  "  drained: { samples: 1, every: 1s }",
  "",
];

/** Shortens the times in the config of a simulated site, which ends with its accepted risks. */
export function hasty(config: string): string {
  return [config.trimEnd(), ...shortWaits].join("\n");
}
