// Serves `/metrics` at the address of the accepted config, and moves when another config is
// accepted.

import type { World } from "#hal/world.ts";
import type { Listen } from "../model/desired.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { Scrape } from "../telemetry/scrape.ts";
import type { Deliveries } from "../telemetry/webhook.ts";
import { keepServed, type Served } from "./kept-served.ts";
import type { Places } from "./places.ts";
import { openToGroup } from "./server.ts";
import { type HttpService, serveLoopback, serveUnix } from "./unix-server.ts";

export interface MetricsParts {
  readonly kind: Places["kind"];
  readonly deliveries: () => Deliveries;
  readonly broken: (error: unknown) => void;
}

/** Serves until the signal aborts. */
export async function serveMetrics(
  agent: AgentView,
  world: World,
  { kind, deliveries, broken }: MetricsParts,
  end: AbortSignal,
): Promise<void> {
  const scrape = new Scrape(agent, world, deliveries);
  const service: HttpService = {
    requestBytesMax: 0,
    isInstant: true,
    answer: async ({ method, path }) => scrape.answer(method, path),
    refused: () => scrape.answer("", ""),
    broken,
  };
  const kept = {
    wanted: (serve: { readonly metrics?: Listen }) => serve.metrics,
    open: (listen: Listen) => serveAt(service, listen, kind, world),
    code: "metrics-not-served",
    failed: "/metrics cannot be served where serve.metrics says",
  };
  await keepServed(agent, world, kept, end);
}

async function serveAt(
  service: HttpService,
  listen: Listen,
  kind: Places["kind"],
  world: World,
): Promise<Served> {
  if (listen.kind === "port") return await serveLoopback(service, listen);
  const { path } = listen;
  const server = await serveUnix({ ...service, path });
  if (kind === "system") await openToGroup(path, "linkseal", world);
  return server;
}
