// `/metrics` where the accepted config wants it, moved along when another config is accepted.

import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import type { Agent } from "../agent.ts";
import type { Listen } from "../desired.ts";
import { Scrape } from "../telemetry/scrape.ts";
import type { Deliveries } from "../telemetry/snapshot.ts";
import { errnoOf } from "./folder.ts";
import type { Places } from "./places.ts";
import { openToGroup } from "./server.ts";
import { type HttpService, serveLoopback, serveUnix } from "./unix-server.ts";

/** A port that somebody else has may be free later. */
const againMs = 10_000;

interface Served {
  readonly listen: Listen;
  readonly close: () => Promise<void>;
}

export interface MetricsParts {
  readonly kind: Places["kind"];
  readonly deliveries: () => Deliveries;
  readonly broken: (error: unknown) => void;
}

/** Serves until the signal aborts; one that cannot be served is told, and keeps nobody waiting. */
export async function serveMetrics(
  agent: Agent,
  world: World,
  { kind, deliveries, broken }: MetricsParts,
  end: AbortSignal,
): Promise<void> {
  let wake = new AbortController();
  const deaf = agent.events.listen(({ code }) => {
    if (code === "intent-accepted") wake.abort();
  });
  const scrape = new Scrape(agent, world, deliveries);
  const service: HttpService = {
    requestBytesMax: 0,
    isInstant: true,
    answer: async ({ method, path }) => scrape.answer(method, path),
    tooLong: () => scrape.answer("", ""),
    broken,
  };
  const open = (listen: Listen): Promise<Served> => serve(service, listen, kind, world);
  let served: Served | undefined;
  let failure = "";
  while (!end.aborted) {
    wake = new AbortController();
    const wanted = wantedOf(agent, served?.listen);
    if (served !== undefined && !isSame(served.listen, wanted)) {
      await served.close();
      served = undefined;
    }
    if (wanted !== undefined && served === undefined) {
      served = await open(wanted).catch((error: unknown) => {
        const why = whyNot(error);
        if (why !== failure) world.log.write("warn", "metrics-not-served", why, { again: true });
        failure = why;
        return undefined;
      });
      if (served !== undefined) failure = "";
    }
    await world.clock
      .sleep(againMs, AbortSignal.any([wake.signal, end]))
      // A new config and the end both wake it.
      .catch(() => undefined);
  }
  deaf();
  await served?.close();
}

/** While a config in force is damaged, whoever watches must go on seeing just that. */
function wantedOf({ intent, intentDamage }: Agent, now: Listen | undefined): Listen | undefined {
  return intentDamage === undefined ? intent?.desired.serve.metrics : now;
}

function isSame(one: Listen, other: Listen | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

async function serve(
  service: HttpService,
  listen: Listen,
  kind: Places["kind"],
  world: World,
): Promise<Served> {
  if (listen.kind === "port") {
    const server = await serveLoopback(service, listen);
    return { listen, close: () => server.close() };
  }
  const { path } = listen;
  const server = await serveUnix({ ...service, path });
  if (kind === "system") await openToGroup(path, "linkseal", world);
  return { listen, close: () => server.close() };
}

function whyNot(error: unknown): string {
  const why = error instanceof LinksealError ? error.message : errnoOf(error);
  return `/metrics cannot be served where serve.metrics says: ${why}`;
}
