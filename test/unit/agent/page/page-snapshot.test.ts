// What the status page is told of a simulated site, held against status and truth.

import { describe, expect, it } from "vitest";
import { pageSnapshot, pageText } from "#agent/page/snapshot.ts";
import { CanarySearch } from "#sim/oracle/canary.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";

const minute = 60_000;

async function protectedBench(): Promise<AgentBench> {
  const bench = await new AgentBench("clear").live();
  await bench.apply();
  await bench.run(40 * minute, () => bench.agent.status().verdict === "protected");
  await bench.reach("secondary done");
  return bench;
}

describe("a snapshot", () => {
  it("a snapshot has no site before a config is accepted", async () => {
    const bench = await new AgentBench("clear").live();
    const snapshot = pageSnapshot(bench.agent);
    expect(snapshot).toMatchObject({ status: { site: null }, devices: [], ended: [] });
    expect([snapshot.status.groups, snapshot.status.tunnels]).toEqual([[], []]);
    expect(snapshot.status.reasons[0]?.code).toBe("not-configured");
    const all = JSON.parse(pageText(bench.agent, "withHistory")) as object;
    expect(all).toMatchObject({ history: { links: {}, tunnels: {} } });
    await bench.end();
  });

  it("a snapshot counts traffic of a port without MACsec as clear", async () => {
    const bench = await new AgentBench("clear").live();
    await bench.apply();
    const shown = () => pageSnapshot(bench.agent).status.groups[0]?.links[0];
    const pps = (): number => shown()?.newest?.openPps ?? 0;
    expect(await bench.run(60_000, () => pps() > 100)).toBe(true);
    expect(shown()).toMatchObject({ controlledPort: "unprotected", keyCreatedAt: null, keys: [] });
    await bench.end();
  });

  it("a snapshot has the status of the same moment, and the readings", async () => {
    const bench = await protectedBench();
    const snapshot = pageSnapshot(bench.agent);
    expect(snapshot.status).toMatchObject(bench.agent.status());
    expect(snapshot.at).toBe(bench.site.clock.wall());
    const [link] = snapshot.status.groups[0]?.links ?? [];
    const frames = link?.frames;
    expect(link).toMatchObject({
      name: "primary",
      azureLink: "link1",
      controlledPort: "secured",
      bgp: "up",
      drained: false,
    });
    expect(link?.keys).toEqual([{ ckn: link?.ckn, role: "primary" }]);
    const sum = BigInt(frames?.rxOk ?? 0) + BigInt(frames?.txProtected ?? 0);
    expect(link?.newest).toMatchObject({ protected: String(sum), openPps: null, livePeers: 1 });
    const [tunnel] = snapshot.status.tunnels;
    expect(tunnel).toMatchObject({ ike: "established", saCount: 2, insideMacsec: group });
    expect(Number(tunnel?.newest?.sent)).toBeGreaterThan(0);
    expect(snapshot.ended.map(({ kind, state }) => `${kind} ${state}`)).toEqual(["enrol done"]);
    expect(snapshot.events.at(-1)?.n).toBe(bench.agent.events.count);
    await bench.end();
  });

  it("the history of a snapshot has earlier observations, the newest last", async () => {
    const bench = await protectedBench();
    const text = pageText(bench.agent, "withHistory");
    const { history, status } = JSON.parse(text) as ReturnType<typeof pageSnapshot>;
    const looks = history?.links[`${group}/primary`] ?? [];
    expect(looks.length).toBeGreaterThan(5);
    expect(looks.at(-1)).toEqual(status.groups[0]?.links[0]?.newest);
    expect(looks.map(({ at }) => at)).toEqual(looks.map(({ at }) => at).sort((a, b) => a - b));
    await bench.end();
  });

  it("a snapshot has no values of a link that cannot be observed any more", async () => {
    const bench = await protectedBench();
    for (const { router } of bench.site.links) router.setFault("unreachable", true);
    await bench.run(2 * minute);
    const snapshot = pageSnapshot(bench.agent);
    const [{ links, verdict } = { links: [], verdict: undefined }] = snapshot.status.groups;
    expect(links.map(({ newest, keys, bgp }) => [newest, keys, bgp])).toEqual([
      [null, null, null],
      [null, null, null],
    ]);
    expect(snapshot.devices.map(({ seen }) => seen)).toEqual([false, false]);
    expect(snapshot.status.tunnels[0]).toMatchObject({ ike: null, saCount: null, newest: null });
    expect(verdict).toBe("unknown");
    await bench.end();
  });

  it("a snapshot contains no key, through a whole enrolment", async () => {
    const bench = await new AgentBench("clear").live();
    const search = new CanarySearch();
    const found: unknown[] = [];
    await bench.apply();
    for (const { id, bytes } of bench.site.canaries()) search.add({ label: id, bytes });
    for (let n = 0; n < 60; n += 1) {
      await bench.run(20_000);
      const text = pageText(bench.agent, "withHistory");
      found.push(search.search("page", Buffer.from(text)));
    }
    expect(bench.state()).toBe("secondary done");
    expect(found.filter((each) => each !== undefined)).toEqual([]);
    await bench.end();
  });
});
