// The links that a fault of a router disturbs if both links of a group end on it.

import { describe, expect, it } from "vitest";
import { stormFaults, strikeFault } from "#sim/faults/faults.ts";
import { buildSite } from "#sim/site/site.ts";

describe("at a router that has both links", () => {
  it.each([
    ...(["reboot", "boot-forgets", "standby-behind"] as const).map((name) => ({ name, of: 2 })),
    { name: "fibre-cut", of: 1 },
    { name: "vault-down", of: 0 },
  ])("$name disturbs $of links of a router that has both links", ({ name, of }) => {
    const size = { groups: 1, tunnels: 0, routers: "one", start: "protected" } as const;
    const site = buildSite({ seed: "f", name: "demo", ...size });
    const disturbed = new Set<string>();
    site.attach({ disturbed: (link) => disturbed.add(link) });
    const fault = stormFaults.find((each) => each.name === name);
    const [link] = site.links;
    if (fault === undefined || link === undefined) throw new RangeError(name);
    strikeFault(site, fault, link);
    expect(disturbed.size).toBe(of);
  });
});
