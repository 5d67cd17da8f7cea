import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import { buildSite } from "#sim/site/site.ts";

const demo = { seed: "site", name: "demo", groups: 1, tunnels: 2 } as const;

describe("the demo site", () => {
  it.each(["clear", "protected"] as const)(
    "the demo site started %s has both links in the state that it reports",
    async (start) => {
      const site = buildSite({ ...demo, start });
      await site.clock.runFor(30_000);
      const { groups, tunnels } = site.truth();
      expect(groups.map(({ name }) => name)).toEqual(["erd-demo"]);
      const links = groups[0]?.links ?? [];
      expect(links.map(({ id, device, port }) => [id, device, port])).toEqual([
        ["erd-demo/primary", "edge-a", "et-0/0/0"],
        ["erd-demo/secondary", "edge-b", "et-0/0/0"],
      ]);
      const secured = start === "protected";
      for (const link of links) {
        expect([link.carries, link.bgpUp, link.secured]).toEqual([true, true, secured]);
        expect(link.clearFrames > 0n).toBe(!secured);
        expect(link.edgeKeys).toEqual(link.farKey === undefined ? [] : [link.farKey]);
        expect(link.edgeCaks.every((id) => id?.includes("-cak/"))).toBe(true);
      }
      expect(tunnels.map(({ name, up }) => [name, up])).toEqual([
        ["hub-1", secured],
        ["hub-2", secured],
      ]);
    },
  );

  it("the demo site offers a thousand frames a second each way to the group", async () => {
    const site = buildSite({ ...demo, start: "protected" });
    await site.clock.runFor(30_000);
    const delivered = (): bigint =>
      (site.truth().groups[0]?.links ?? []).reduce((sum, link) => sum + link.deliveredOut, 0n);
    const before = delivered();
    await site.clock.runFor(10_000);
    expect(delivered() - before).toBe(10_000n);
  });

  it("the config of the demo site is accepted by the agent unchanged", () => {
    const site = buildSite({ ...demo, start: "clear" });
    const parsed = parseConfig(site.config("unix:/run/site.sock"), "demo.yaml");
    expect(parsed.kind === "ok" ? parsed.warnings : parsed.complaints).toEqual([]);
    const links = parsed.kind === "ok" ? (parsed.desired.groups[0]?.links ?? []) : [];
    expect(links.map(({ key }) => key.cak)).toEqual(["erd-demo-1-cak", "erd-demo-2-cak"]);
  });

  it("a site with many groups has every name once, and one config", () => {
    const site = buildSite({
      seed: "many",
      name: "fleet",
      groups: 10,
      tunnels: 20,
      start: "clear",
    });
    expect(site.routers.size).toBe(20);
    expect(site.msees.size).toBe(10);
    const parsed = parseConfig(site.config("unix:/run/site.sock"), "fleet.yaml");
    expect(parsed.kind === "ok" ? parsed.warnings : parsed.complaints).toEqual([]);
  });

  it("the same seed draws the same keys and MACs, and another seed others", () => {
    const ids = (seed: string): readonly string[] =>
      buildSite({ ...demo, seed, start: "clear" })
        .canaries()
        .map(({ id }) => id);
    expect(ids("a")).toEqual(ids("a"));
    expect(ids("a")).not.toEqual(ids("b"));
  });
});
