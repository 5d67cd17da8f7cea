// The api-versions that the simulated cloud takes, and those that linkseal speaks.

import { describe, expect, it } from "vitest";
import { readEstate } from "#agent/evidence/scorecard/estate-reader.ts";
import type { ReadDocument } from "#agent/model/azure-document.ts";
import { cloud, management } from "../../kit/azure-kit.ts";
import { never } from "../../kit/site-bench.ts";

const dayMs = 86_400_000;

function stage(jumpMs = 0) {
  const scene = cloud();
  scene.site.clock.jumpWall(jumpMs);
  const port = scene.site.plan.groups[0]?.expressRoutePort ?? "";
  const base = port.split("/providers/")[0] ?? "";
  const get = async (path: string, version: string) => {
    const query = new URLSearchParams({ "api-version": version });
    const { status, body } = await scene.json(management, `${path}?${query}`);
    return { status, body };
  };
  return { ...scene, port, base, get };
}

/** From the start of the simulated calendar to a day. */
function until(day: string): number {
  return Date.parse(day) - stage().site.clock.wall();
}

describe("a version that Azure never published for a type is refused", () => {
  it.each([
    ["KeyVault/vaults", "1999-01-01", "2026-02-01"],
    ["KeyVault/vaults", "2024-05-01", "2025-05-01"],
    ["Network/virtualNetworks", "1999-01-01", "2024-05-01"],
    ["Network/virtualNetworks", "2026-02-01", "2026-01-01"],
    ["Network/connections", "2024-05-02", "2024-07-01"],
    ["Network/bastionHosts", "2018-11-01", "2018-10-01"],
    ["Network/azureFirewalls", "2018-02-01", "2018-04-01"],
    ["Insights/metricAlerts", "2024-05-01", "2018-03-01"],
    ["Cdn/profiles", "2024-05-01", "2024-02-01"],
    ["Cdn/profiles/edge/afdEndpoints", "2019-04-15", "2020-09-01"],
    [
      "KeyVault/vaults/kv-demo/providers/Microsoft.Authorization/roleAssignments",
      "7",
      "2022-04-01",
    ],
  ])(
    "%s in the unpublished version %s is refused, and %s is accepted",
    async (type, wrong, right) => {
      const { base, get } = stage();
      const path = `${base}/providers/Microsoft.${type}`;
      expect(await get(path, wrong)).toMatchObject({
        status: 400,
        body: {
          error: {
            code: "NoRegisteredProviderFound",
            message: expect.stringContaining(`${right}`),
          },
        },
      });
      expect((await get(path, right)).status).toBe(200);
    },
  );

  it("the port in a version that is between two published ones is refused", async () => {
    const { port, get } = stage();
    expect((await get(port, "2024-05-02")).status).toBe(400);
    expect((await get(`${port}/links`, "2018-07-01")).status).toBe(400);
    expect((await get(port, "2024-05-01")).status).toBe(200);
    const metrics = `${port}/providers/Microsoft.Insights/metrics`;
    expect((await get(metrics, "2024-05-01")).status).toBe(400);
  });
});

describe("on 27 February 2027", () => {
  const vaults = "Microsoft.KeyVault/vaults";

  it("on 27 February 2027 older versions of the vault API retire", async () => {
    const eve = stage(until("2027-02-26T23:59:00Z"));
    const after = stage(until("2027-02-27T00:00:00Z"));
    const path = `${eve.base}/providers/${vaults}`;
    expect((await eve.get(path, "2025-05-01")).status).toBe(200);
    expect((await after.get(path, "2025-05-01")).status).toBe(400);
    expect((await after.get(path, "2026-02-01")).status).toBe(200);
  });

  it("on 27 February 2027 a scorecard still reads the vault, and every other list", async () => {
    const { port, base, ...scene } = stage(until("2027-02-26T00:00:00Z") + 2 * dayMs);
    const read: ReadDocument = async (path, query) => {
      const asked = `${path}?${new URLSearchParams(query)}`;
      const { status, body } = await scene.json(management, asked);
      if (status !== 200) throw new RangeError(`${path}: ${JSON.stringify(body)}`);
      return body;
    };
    const parts = { read, scopes: [base], ports: [port], vault: scene.site.vault.base };
    const { lists } = await readEstate(parts, never);
    expect(Object.values(lists).map(({ kind }) => kind)).not.toContain("unread");
    expect(lists.vaults).toMatchObject({ kind: "read", items: [{ name: "kv-demo" }] });
    expect(lists.roles).toMatchObject({
      ...{ kind: "read", items: [{ type: "Microsoft.Authorization/roleAssignments" }] },
    });
  });
});
