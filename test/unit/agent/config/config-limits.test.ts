// What may happen at once, as a config says it.

import { describe, expect, it } from "vitest";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import { siteConfig } from "../../kit/site-config.ts";

const campaigns = (value: string): string =>
  siteConfig.replace("verify: 60s", `atOnce: ${value}, verify: 60s`);
const logins = (value: string): string =>
  siteConfig.replace("poll: 5s", `loginsAtOnce: ${value}, poll: 5s`);

function limitsOf(text: string): unknown {
  const parsed = parseConfig(text, "site.yaml");
  return parsed.kind === "ok" ? parsed.desired.limits : parsed.complaints.map(formatComplaint);
}

describe("the limits of a config", () => {
  it("are four campaigns and sixteen logins, unless the config says otherwise", () => {
    expect(limitsOf(siteConfig)).toEqual({ campaignsAtOnce: 4, loginsAtOnce: 16 });
    expect(limitsOf(campaigns("1"))).toEqual({ campaignsAtOnce: 1, loginsAtOnce: 16 });
    expect(limitsOf(logins("1000"))).toEqual({ campaignsAtOnce: 4, loginsAtOnce: 1_000 });
  });

  it.each([
    [campaigns("0"), "rotation.atOnce: is 0"],
    [campaigns("1001"), "rotation.atOnce: is 1001"],
    [campaigns("many"), 'rotation.atOnce: is "many"'],
    [campaigns("1.5"), "rotation.atOnce: is 1.5"],
    [logins("0"), "health.loginsAtOnce: is 0"],
    [logins("-4"), "health.loginsAtOnce: is -4"],
  ])("are whole numbers from 1 to 1000, and else the complaint names them: %#", (text, says) => {
    expect(limitsOf(text)).toEqual([expect.stringContaining(says)]);
  });
});

describe("the pause between the links of a group", () => {
  const baked = (value: string): string =>
    siteConfig.replace("verify: 60s", `bake: ${value}, verify: 60s`);
  const bakeOf = (text: string): unknown => {
    const parsed = parseConfig(text, "site.yaml");
    return parsed.kind === "ok"
      ? parsed.desired.rotation.bakeMs
      : parsed.complaints.map(formatComplaint);
  };

  it("is absent, unless the config names one", () => {
    expect(bakeOf(siteConfig)).toBeUndefined();
    expect(bakeOf(baked("2h"))).toBe(7_200_000);
    expect(bakeOf(baked("7d"))).toBe(604_800_000);
  });

  it.each(["59s", "8d", "0", "long"])("is from a minute to a week, and not %s", (value) => {
    expect(bakeOf(baked(value))).toEqual([expect.stringContaining("rotation.bake: is")]);
  });
});
