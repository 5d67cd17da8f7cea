// Answers scrapes with the metrics of one moment, which all requests within a second share.

import { type Instant, instantAfter, type World } from "#hal/world.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { exposition, expositionType } from "./exposition.ts";
import { familiesOf, measured } from "./metric.ts";
import { metricRows } from "./metric-rows.ts";
import type { Deliveries } from "./webhook.ts";

interface ScrapeReply {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
}

/** How long a text is shared, in milliseconds: frequent requests cost next to nothing. */
const sharedMs = 1_000;

/** The `/metrics` resource. */
export class Scrape {
  readonly #agent: AgentView;
  readonly #clock: World["clock"];
  readonly #deliveries: (() => Deliveries) | undefined;
  #octets: Uint8Array = new Uint8Array();
  #staleAt: Instant | undefined;

  constructor(agent: AgentView, { clock }: Pick<World, "clock">, deliveries?: () => Deliveries) {
    this.#agent = agent;
    this.#clock = clock;
    this.#deliveries = deliveries;
  }

  /** Answers one request. */
  answer(method: string, path: string): ScrapeReply {
    if (path.split("?", 1)[0] !== "/metrics") return plain(404, "the metrics are at /metrics\n");
    if (method !== "GET" && method !== "HEAD") return plain(405, "metrics are read-only\n");
    return { status: 200, type: expositionType, body: this.#text() };
  }

  #text(): Uint8Array {
    const now = this.#clock.now();
    if (this.#staleAt === undefined || now >= this.#staleAt) {
      const families = familiesOf(metricRows, measured(this.#agent, this.#deliveries?.()));
      this.#octets = new TextEncoder().encode(exposition(families));
      this.#staleAt = instantAfter(now, sharedMs);
    }
    return this.#octets;
  }
}

function plain(status: number, body: string): ScrapeReply {
  return { status, type: "text/plain; charset=utf-8", body };
}
