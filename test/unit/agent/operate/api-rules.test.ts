// The versions of the management API: each exists, and doctor warns before Microsoft ends one.

import { describe, expect, it } from "vitest";
import { apiFindings, requestedVersions } from "#agent/operate/doctor/api-rules.ts";
import { endOf } from "#drivers/azure/api-versions.ts";
import type { WallTime } from "#hal/world.ts";
import { versionsOf } from "#sim/azure/versions.ts";

const at = (text: string): WallTime => Date.parse(text) as WallTime;
const today = at("2026-11-28T00:00:00Z");
const azure = { cloud: "public" } as const;
const old = [{ type: "Microsoft.KeyVault/vaults", version: "2023-07-01" }];
const messages = (now: WallTime, requested = old) =>
  apiFindings(azure, now, requested).map(({ code, severity, about, here, there }) => [
    ...[code, severity, about],
    `${here}; ${there ?? ""}`,
  ]);

describe("the versions that are requested", () => {
  it.each(requestedVersions.map(({ type, version }) => [type, version] as const))(
    "Microsoft has published %s %s",
    (type, version) => {
      expect(versionsOf(type.toLowerCase(), today)).toContain(version);
    },
  );

  it("no version that is requested has a published end", () => {
    expect(requestedVersions.filter((one) => endOf(one) !== undefined)).toEqual([]);
    expect(apiFindings(azure, at("2035-01-01T00:00:00Z"))).toEqual([]);
  });

  it("a type is the same in lower case", () => {
    const type = "microsoft.keyvault/VAULTS";
    expect(endOf({ type, version: "2025-05-01" })).toBe(at("2027-02-27T00:00:00Z"));
    expect(endOf({ type, version: "2026-02-01" })).toBeUndefined();
    expect(endOf({ type: "Microsoft.Network/connections", version: "2015-06-15" })).toBeUndefined();
  });
});

describe("doctor", () => {
  // 180 days before 27 February 2027.
  it.each<readonly [string, "warning" | undefined, string]>([
    ["2026-08-30T23:59:59Z", undefined, ""],
    ["2026-08-31T00:00:00Z", "warning", "Azure ends it on 2027-02-27"],
    ["2027-02-26T23:59:59Z", "warning", "Azure ends it on 2027-02-27"],
    ["2027-02-27T00:00:00Z", "warning", "Azure ended it on 2027-02-27"],
  ])("at %s an old version is %s", (now, severity, end) => {
    const here = "this build requests version 2023-07-01 of it";
    expect(messages(at(now))).toEqual(
      severity === undefined
        ? []
        : [["api-version-ends", severity, "Microsoft.KeyVault/vaults", `${here}; ${end}`]],
    );
  });

  it("doctor names a version once, and nothing of a simulated site", () => {
    expect(messages(at("2027-03-01T00:00:00Z"), [...old, ...old])).toHaveLength(1);
    expect(apiFindings({ cloud: "sim" }, at("2027-03-01T00:00:00Z"), old)).toEqual([]);
  });
});
