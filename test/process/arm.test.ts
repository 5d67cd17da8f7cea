// An agent beside a simulated cloud, each in its own process: keys over Microsoft's own client with
// a certificate, and the far end over the management API, both over TLS.

import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { CloudStage } from "./cloud-stage.ts";

const stage = new CloudStage("arm", 40);
beforeAll(() => stage.begin(), 60_000);
afterAll(() => stage.end());

describe("the agent and a cloud over TLS", () => {
  it("an agent with Microsoft's client enrols both links and writes the far end", async () => {
    const fault = ["sim", "fault", "operation-refused", "--socket", stage.socket];
    expect(await stage.run(...fault)).toMatchObject({ exit: 0 });
    const applied = await stage.run("apply", stage.config(), "--yes");
    expect(applied).toEqual({ exit: 0, output: expect.any(String) });
    await stage.until("the warning of an operation that is refused", async () => {
      const { warnings } = await stage.view<Status>("/v1/status");
      const reported = warnings.find(({ code }) => code === "far-end-unfollowed");
      return reported?.text.includes("Microsoft.Network/locations/operations/read") === true;
    });
    expect(await stage.run(...fault, "--heal")).toMatchObject({ exit: 0 });
    await stage.until("protection", async () => {
      const path = "/v1/rotation";
      const { campaigns } = await stage.view<{ campaigns: readonly CampaignShape[] }>(path);
      const { verdict, warnings } = await stage.view<Status>("/v1/status");
      const isOver = campaigns[0]?.state === "done" && warnings.length === 0;
      return isOver && verdict === "protected";
    });
    const { groups, tunnels } = await stage.view<Status>("/v1/status");
    const links = groups.flatMap((group) => group.links);
    expect(links.map(({ verdict }) => verdict)).toEqual(["protected", "protected"]);
    expect(tunnels.map(({ azure }) => azure?.connection)).toEqual(["Connected", undefined]);
    for (const { ages, azure, keyVersion } of links) {
      expect(azure?.peerings).toEqual([{ type: "AzurePrivatePeering", state: "Enabled" }]);
      expect(ages.farEndMs).toBeLessThan(90_000);
      expect(keyVersion).toMatch(/^[0-9a-f]{32}$/);
    }
  });

  it("the enrolment breaks no promise of the site, and prints no token or key", async () => {
    const { agent, cloud } = stage;
    agent.child.kill("SIGTERM");
    await agent.ended;
    expect(agent.child.exitCode).toBe(0);
    expect(agent.output).not.toMatch(/eyJ[\w-]{20}|PRIVATE KEY|Bearer /);
    const ended = once(cloud.child, "close");
    cloud.child.kill("SIGINT");
    await ended;
    expect([cloud.child.exitCode, cloud.output]).toEqual([0, expect.any(String)]);
  });
});
