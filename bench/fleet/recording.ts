// What an agent publishes in half an hour of a simulated site: statuses and audit records, octet by
// octet as its own publisher sends them.

import { publish } from "#agent/telemetry/fleet/publisher.ts";
import { AgentBench, group } from "../../test/unit/kit/agent-bench.ts";
import { MemoryEngine } from "../../test/unit/kit/engine-kit.ts";
import { never, settled } from "../../test/unit/kit/site-bench.ts";
import type { Recording } from "./recorded.ts";

/** Records a site that is protected, drained, cut and restored. */
export async function record(): Promise<Recording> {
  const bench = new AgentBench("protected");
  await bench.live();
  await bench.apply();
  await bench.run(20_000);
  await settled(bench.site.clock, bench.agent.commands.adopt(group, [], never));
  const engine = new MemoryEngine();
  const end = new AbortController();
  const { agent, site } = bench;
  const world = { clock: site.clock, log: { write: () => undefined } };
  const { whenUp } = engine;
  void publish({ agent, world, engine, whenUp, site: "demo", headsMs: 600_000 }, end.signal);
  await bench.run(600_000);
  await bench.ask("POST /v1/drain", { link: `${group}/primary` });
  await bench.run(300_000);
  await bench.ask("POST /v1/undrain", { link: `${group}/primary` });
  await bench.run(300_000);
  bench.link("secondary").fibre.setUp(false);
  await bench.run(300_000);
  bench.link("secondary").fibre.setUp(true);
  await bench.run(300_000);
  end.abort();
  await bench.end();
  return {
    statuses: engine.texts("$KV.linkseal-status.demo"),
    events: engine.texts("linkseal.events.demo"),
  };
}
