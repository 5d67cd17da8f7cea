// Statuses of sites, as an agent publishes them.

import type { SiteStatus } from "#agent/telemetry/fleet/status-document.ts";

/** Returns the status of a site with two links that are protected. */
export function siteStatus(site: string, edit: Partial<SiteStatus> = {}): SiteStatus {
  return {
    schema: "linkseal.siteStatus/1",
    ...{ site, host: "a1b2c3d4", at: "2026-11-24T10:00:00Z", version: "0.2.0" },
    config: { number: 3, sha256: "ab".repeat(32) },
    ...{ verdict: "protected", verdicts: { protected: 2 } },
    ...{ wrong: { all: 0, first: [] }, campaigns: { all: 0, first: [] } },
    keys: {
      all: 2,
      first: ["primary", "secondary"].map((name, index) => ({
        ...{ about: `erd-${site}/${name}`, ckn: "c0".repeat(32), ageDays: 40 - index },
      })),
    },
    warnings: { all: 0, first: [] },
    audit: { newest: 120, published: 120, lost: 0 },
    ...edit,
  };
}

/** The parts of a status whose first link is down. */
export const downLink = (site: string): Partial<SiteStatus> => ({
  verdict: "down",
  verdicts: { protected: 1, down: 1 },
  wrong: {
    all: 1,
    first: [{ about: `erd-${site}/primary`, verdict: "down", codes: ["mka-no-live-peer"] }],
  },
});
