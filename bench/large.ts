// The processor time of an agent on a large site, compared with that of a smaller one: it may grow
// with the links, and not faster.

import type { Agent } from "#agent/runtime/agent.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedAgent, simulatedWorld } from "#sim/lab/simulate.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import { never, settled } from "../test/unit/kit/site-bench.ts";
import { type Bench, sized } from "./bench.ts";

const watchedMs = 60_000;
const most = sized(1_000, 10);
const fewer = sized(200, 2);

interface Large {
  readonly site: Site;
  readonly agent: Agent;
}

const opened = new Map<number, Promise<Large>>();

/** An agent that manages so many links, at rest. */
async function open(links: number): Promise<Large> {
  const names = { seed: "large", name: "demo", tunnels: 0, start: "protected" } as const;
  const site = buildSite({ ...names, groups: links / 2 });
  const { clock, prng } = site;
  const disk = new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 });
  const log = { write: () => undefined };
  const world = simulatedWorld({ site, disk, log, prng: prng.fork("agent") });
  const agent = await settled(clock, simulatedAgent(world));
  void agent.run(never);
  const text = site.config("unix:/run/linkseal-sim/site.sock");
  const request = { text, file: "site.yaml", who: "bench", queue: false };
  await settled(clock, agent.apply(request, never));
  await clock.runFor(30_000);
  const groups = agent.intent?.desired.groups ?? [];
  const adopted = groups.map(({ name }) => agent.commands.adopt(name, [], never));
  await settled(clock, Promise.all(adopted));
  await clock.runFor(120_000);
  if (agent.status().verdict !== "protected") throw new Error("the site is not protected");
  return { site, agent };
}

/** Milliseconds of the processor for each link in a virtual minute, with the simulator. */
async function perLink(links: number): Promise<number> {
  const large = opened.get(links) ?? open(links);
  opened.set(links, large);
  const { site } = await large;
  const before = process.cpuUsage();
  await site.clock.runFor(watchedMs);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / links;
}

export const bench: Bench = {
  title: "an agent and its simulated site in one process, polls every 5 s",
  runs: 2,
  figures: [
    {
      name: `processor a link, ${most.toLocaleString("en")} links`,
      unit: "ms a minute",
      ours: () => perLink(most),
      peer: { name: `${fewer} links`, sample: () => perLink(fewer) },
      most: 1.5,
    },
  ],
};
