// Issue 32: whatever a report asks of Azure waits for one small budget, which campaigns and polls
// never use.

import { beforeEach, describe, expect, it } from "vitest";
import { answer } from "#agent/api/api.ts";
import { simCloud } from "#agent/azure/sim-cloud.ts";
import { unknownClient } from "#agent/model/client.ts";
import type { Clouds } from "#agent/model/cloud.ts";
import { openAgent } from "#agent/operate/open.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import type { Dialer } from "#hal/world.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedIdentity, simulatedWorld } from "#sim/lab/simulate.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import { apiWorld } from "../../kit/api-world.ts";
import { never, settled } from "../../kit/site-bench.ts";

/** The budget at once, and the milliseconds until one more request. */
const burst = 100;
const eachMs = 100;

describe("the reports of an agent whose cloud has limits", () => {
  let site: Site;
  let agent: Agent;
  let documents = 0;
  let vaultRequests = 0;
  /** Ends the agent's own requests. */
  let halt: () => Promise<void>;

  beforeEach(async () => {
    site = buildSite({ seed: "budget", name: "demo", groups: 1, tunnels: 0, start: "protected" });
    const { clock, prng } = site;
    const disk = new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 });
    const log = { write: () => undefined };
    const world = simulatedWorld({ site, disk, log, prng: prng.fork("agent") });
    const dial: Dialer = {
      ...world.dial,
      http: async (request, signal) => {
        if (request.path.startsWith("/vault/")) vaultRequests += 1;
        return await world.dial.http(request, signal);
      },
    };
    const clouds: Clouds = ({ vault }) => ({
      ...simCloud(dial, vault),
      pace: "polled",
      document: async () => {
        documents += 1;
        return {};
      },
    });
    agent = await settled(clock, openAgent({ ...world, dial }, simulatedIdentity(), clouds));
    const stop = new AbortController();
    const ended = agent.run(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    const text = site.config("unix:/run/site.sock");
    const request = { text, file: "site.yaml", who: "test", queue: false };
    await settled(clock, agent.apply(request, never));
    await clock.runFor(60_000, () => agent.supervisor !== undefined);
    halt = async () => {
      stop.abort();
      await settled(clock, ended);
      [documents, vaultRequests] = [0, 0];
    };
  });

  function readDocuments(count: number): void {
    const desired = agent.intent?.desired;
    const read = desired === undefined ? undefined : agent.azureReader(desired);
    for (let n = 0; n < count; n += 1) void read?.("/port", {}, never);
  }

  it("documents for a scorecard are read within the budget", async () => {
    await halt();
    readDocuments(3 * burst);
    await site.clock.runFor(0);
    expect(documents).toBe(burst);
    await site.clock.runFor(10 * eachMs);
    expect(documents).toBe(burst + 10);
  });

  it("looks of doctor at far ends wait for the same budget", async () => {
    await halt();
    readDocuments(burst - 1);
    let allowed = 0;
    for (let n = 0; n < 3; n += 1) {
      void agent.supervisor?.mayRead(1, never).then(() => {
        allowed += 1;
      });
    }
    await site.clock.runFor(0);
    expect(allowed).toBe(1);
    await site.clock.runFor(2 * eachMs);
    expect(allowed).toBe(3);
  });

  it("the keys are read from the vault within the same budget", async () => {
    await halt();
    readDocuments(burst);
    await site.clock.runFor(0);
    const begun = site.clock.now();
    const request = { method: "GET", path: "/v1/keys", body: "", client: unknownClient("view") };
    const { clock } = site;
    const reply = await settled(clock, answer(agent, request, apiWorld(agent, clock), never));
    expect(reply.status).toBe(200);
    expect(vaultRequests).toBeGreaterThan(4);
    expect(clock.now() - begun).toBeGreaterThanOrEqual(vaultRequests * eachMs);
  });

  it("rotations and polls of the vault do not wait for it", async () => {
    const { clock } = site;
    await clock.runFor(60_000);
    const [group = ""] = site.groups;
    await settled(clock, agent.commands.adopt(group, [], never));
    for (const { key } of site.links) site.vault.generatePair(key, "gcm-aes-xpn-256");
    // Readers have used the budget for days.
    void agent.supervisor?.mayRead(3_000_000, never);
    const state = () => agent.memory.campaigns[group]?.state;
    const asked = { by: "test", risks: [], urgency: "planned" } as const;
    void agent.commands.rotate(group, asked, never);
    await clock.runFor(3_600_000, () => state() === "done");
    expect(state()).toBe("done");
    vaultRequests = 0;
    await clock.runFor(3_600_000);
    expect(vaultRequests).toBeGreaterThan(4);
    await halt();
  });
});
