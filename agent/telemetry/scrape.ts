// What a scrape gets: the text of one moment, shared by all who ask within a second.

import { type Instant, instantAfter, type World } from "#hal/world.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { exposition, expositionType } from "./exposition.ts";
import { familiesOf } from "./metric.ts";
import { metricRows } from "./metric-rows.ts";
import { type Deliveries, snapshotOf } from "./snapshot.ts";

interface ScrapeReply {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
}

/** Whoever scrapes more often gets the same octets: asking in a loop costs next to nothing. */
const sharedMs = 1_000;

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

  answer(method: string, path: string): ScrapeReply {
    if (path.split("?", 1)[0] !== "/metrics") return plain(404, "the metrics are at /metrics\n");
    if (method !== "GET" && method !== "HEAD") return plain(405, "metrics are only read\n");
    return { status: 200, type: expositionType, body: this.#text() };
  }

  #text(): Uint8Array {
    const now = this.#clock.now();
    if (this.#staleAt === undefined || now >= this.#staleAt) {
      const families = familiesOf(
        metricRows,
        snapshotOf(this.#agent, this.#clock, this.#deliveries?.()),
      );
      this.#octets = new TextEncoder().encode(exposition(families));
      this.#staleAt = instantAfter(now, sharedMs);
    }
    return this.#octets;
  }
}

function plain(status: number, body: string): ScrapeReply {
  return { status, type: "text/plain; charset=utf-8", body };
}
