// Rules for the versions of the management API that this build requests. Pure.

import { type ApiVersion, armVersions, endOf } from "#drivers/azure/api-versions.ts";
import type { WallTime } from "#hal/world.ts";
import { estateVersions } from "../../evidence/scorecard/estate-reader.ts";
import type { AzureSettings } from "../../model/desired.ts";
import type { Finding } from "../../model/finding.ts";
import { severityOf } from "../../model/severity.ts";

/** All versions of the management API that linkseal requests. */
export const requestedVersions: readonly ApiVersion[] = [
  ...Object.values(armVersions),
  ...estateVersions,
];

const dayMs = 86_400_000;
/** How long before its end a version is reported, in milliseconds. */
const noticeMs = 180 * dayMs;

/** Finds versions that Azure does not serve any more, or will not after half a year. */
export function apiFindings(
  { cloud }: Pick<AzureSettings, "cloud">,
  now: WallTime,
  requested: readonly ApiVersion[] = requestedVersions,
): readonly Finding[] {
  // A simulated site has no management API.
  if (cloud === "sim") return [];
  const byName = new Map(requested.map((one) => [`${one.type} ${one.version}`, one]));
  return [...byName.values()].flatMap((one): Finding[] => {
    const end = endOf(one);
    if (end === undefined || now < end - noticeMs) return [];
    const day = new Date(end).toISOString().slice(0, 10);
    const isOver = now >= end;
    const code = "api-version-ends";
    return [
      {
        code,
        severity: severityOf(code),
        about: one.type,
        here: `this build requests version ${one.version} of it`,
        there: isOver ? `Azure ended it on ${day}` : `Azure ends it on ${day}`,
        rule: "The management API serves every version that linkseal requests",
        source: "Microsoft's announcement for the type, in docs/sources.md",
        next: "install a newer linkseal: docs/install.md",
      },
    ];
  });
}
