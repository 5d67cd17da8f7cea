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
    const snapshot = pageSnapshot(bench.agent, bench.site.clock);
    expect(snapshot).toMatchObject({ intent: 0, links: [], tunnels: [], devices: [], ended: [] });
    expect(snapshot.status.reasons[0]?.code).toBe("not-configured");
    const all = JSON.parse(pageText(bench.agent, bench.site.clock, "withHistory")) as object;
    expect(all).toMatchObject({ history: { links: {}, tunnels: {} } });
    await bench.end();
  });

  it("a snapshot counts traffic of a port without MACsec as clear", async () => {
    const bench = await new AgentBench("clear").live();
    await bench.apply();
    const pps = (): number =>
      pageSnapshot(bench.agent, bench.site.clock).links[0]?.newest?.openPps ?? 0;
    expect(await bench.run(60_000, () => pps() > 100)).toBe(true);
    const [link] = pageSnapshot(bench.agent, bench.site.clock).links;
    expect(link).toMatchObject({ controlledPort: "unprotected", keyCreatedAt: null, keys: [] });
    await bench.end();
  });

  it("a snapshot has the status of the same moment, and the readings", async () => {
    const bench = await protectedBench();
    const snapshot = pageSnapshot(bench.agent, bench.site.clock);
    expect(snapshot.status).toEqual(bench.agent.status());
    expect(snapshot.at).toBe(bench.site.clock.wall());
    const frames = snapshot.status.groups[0]?.links[0]?.frames;
    const [link] = snapshot.links;
    expect(link).toMatchObject({
      id: `${group}/primary`,
      azureLink: "link1",
      controlledPort: "secured",
      respondedPeers: 1,
      bgp: "up",
      drained: false,
    });
    expect(link?.keys).toEqual([
      { ckn: snapshot.status.groups[0]?.links[0]?.ckn, role: "primary" },
    ]);
    const sum = BigInt(frames?.rxOk ?? 0) + BigInt(frames?.txProtected ?? 0);
    expect(link?.newest).toMatchObject({ protected: String(sum), openPps: null, livePeers: 1 });
    expect(snapshot.tunnels[0]).toMatchObject({ ike: "established", sas: 2, insideMacsec: group });
    expect(Number(snapshot.tunnels[0]?.newest?.sent)).toBeGreaterThan(0);
    expect(snapshot.ended.map(({ kind, state }) => `${kind} ${state}`)).toEqual(["enrol done"]);
    expect(snapshot.events.at(-1)?.n).toBe(bench.agent.events.count);
    await bench.end();
  });

  it("the history of a snapshot has earlier observations, the newest last", async () => {
    const bench = await protectedBench();
    const { clock } = bench.site;
    const text = pageText(bench.agent, clock, "withHistory");
    const { history, links } = JSON.parse(text) as ReturnType<typeof pageSnapshot>;
    const looks = history?.links[`${group}/primary`] ?? [];
    expect(looks.length).toBeGreaterThan(5);
    expect(looks.at(-1)).toEqual(links[0]?.newest);
    expect(looks.map(({ at }) => at)).toEqual(looks.map(({ at }) => at).sort((a, b) => a - b));
    await bench.end();
  });

  it("a snapshot has no values of a link that cannot be observed any more", async () => {
    const bench = await protectedBench();
    for (const { router } of bench.site.links) router.setFault("unreachable", true);
    await bench.run(2 * minute);
    const snapshot = pageSnapshot(bench.agent, bench.site.clock);
    expect(snapshot.links.map(({ newest, keys, bgp }) => [newest, keys, bgp])).toEqual([
      [null, null, null],
      [null, null, null],
    ]);
    expect(snapshot.devices.map(({ seen }) => seen)).toEqual([false, false]);
    expect(snapshot.tunnels[0]).toMatchObject({ ike: null, sas: null, newest: null });
    expect(snapshot.status.groups[0]?.verdict).toBe("unknown");
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
      const text = pageText(bench.agent, bench.site.clock, "withHistory");
      found.push(search.search("page", Buffer.from(text)));
    }
    expect(bench.state()).toBe("secondary done");
    expect(found.filter((each) => each !== undefined)).toEqual([]);
    await bench.end();
  });
});
