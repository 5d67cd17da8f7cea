import { describe, expect, it } from "vitest";
import { iosxe } from "#drivers/iosxe/iosxe.ts";
import { capabilitiesOf, enablingOf } from "#drivers/iosxe/quirks.ts";
import { preview } from "#hal/secret.ts";

describe("a platform", () => {
  const of = (platform: string, version: string) => ({
    platform,
    version,
    ...{ restartedAt: undefined, uptimeMs: undefined, licence: undefined },
  });

  it.each([
    {
      platform: "c8500-12x4qc",
      version: "17.15.1",
      overlap: "fallback",
      suites: 4,
      always: ["replayWindow"],
    },
    {
      platform: "asr1006-x",
      version: "17.12.1",
      overlap: "fallback",
      suites: 4,
      always: ["replayWindow"],
    },
    {
      platform: "asr1006-x",
      version: "17.9.4",
      overlap: "none",
      suites: 2,
      always: ["replayWindow", "includeSci"],
    },
    {
      platform: "c9500-48y4c",
      version: "17.9.4",
      overlap: "none",
      suites: 4,
      always: ["replayWindow", "includeSci"],
    },
    {
      platform: "c9500-48y4c",
      version: "17.15.1",
      overlap: "fallback",
      suites: 4,
      always: ["replayWindow", "includeSci"],
    },
    {
      platform: "c9500-48y4c",
      version: "16.12.5",
      overlap: "none",
      suites: 2,
      always: ["replayWindow", "includeSci"],
    },
  ])(
    "$platform with $version has what its release brought",
    ({ platform, version, overlap, suites, always }) => {
      const { macsec } = capabilitiesOf(iosxe.offers, of(platform, version), true);
      expect(macsec?.overlap).toBe(overlap);
      expect(macsec?.suites).toHaveLength(suites);
      expect(macsec?.always).toEqual(always);
    },
  );

  it.each([
    ["c9200-48t", undefined, ["gcm-aes-128"]],
    ["c9300-48uxm", undefined, ["gcm-aes-128", "gcm-aes-256"]],
    ["c9500-48y4c", "essentials", ["gcm-aes-128"]],
    ["c9400", "advantage", ["gcm-aes-128", "gcm-aes-256"]],
    // No guide says that these have MACsec.
    ["c8000v", undefined, undefined],
    ["c8300-1n1s-4t2x", undefined, undefined],
    ["isr4451-x/k9", undefined, undefined],
    ["", undefined, undefined],
  ] as const)("a %s with licence %s offers the suites %s", (platform, licence, suites) => {
    const software = { ...of(platform, "17.9.4"), licence };
    expect(capabilitiesOf(iosxe.offers, software, true).macsec?.suites).toEqual(suites);
  });

  it("a router without an archive reverts nothing by itself", () => {
    const { commit } = capabilitiesOf(iosxe.offers, of("asr1006-x", "17.12.1"), false);
    expect(commit).toEqual({ kind: "immediate" });
  });

  it("a platform turns MACsec on by its own command", () => {
    expect(preview(enablingOf(of("c9500-48y4c", "17.9.4")))).toBe("macsec network-link");
    expect(preview(enablingOf(of("asr1006-x", "17.9.4")))).toBe("macsec");
  });

  it("a platform has no rekey and no fresh SAK on demand", () => {
    expect(iosxe.offers.ipsec?.rekeys).toEqual([]);
    expect(iosxe.offers.macsec?.freshSak).toBeUndefined();
  });
});
