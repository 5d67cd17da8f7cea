// An agent on the clock of this host beside simulated routers that keep the right time, with an
// oracle that compares what it reports with the truth.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask } from "#agent/cli/client.ts";
import type { Campaign } from "#agent/model/campaign.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { formatViolation, type Oracle, watchSite } from "#sim/oracle/oracle.ts";
import { type Pace, paceClock, type Served, serveSite } from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import { hasty } from "../../short-waits.ts";
import { Programs } from "../host/programs.ts";
import { addNetwork, leaveNetworks, until } from "../lab.ts";
import { setClock } from "./host-clock.ts";

export interface SignedTotals {
  readonly subjects: readonly {
    readonly name: string;
    readonly totals: Readonly<Record<"protected" | "notProtected" | "unknown", { ms: number }>>;
  }[];
  readonly breaks: readonly { readonly what: string; readonly text: string }[];
}

const group = "erd-demo";

export class RealTimeAgent implements AsyncDisposable {
  readonly site: Site;
  readonly #folder: string;
  readonly #oracle: Oracle;
  readonly #served: Served;
  #pace: Pace;
  readonly #programs: Programs;
  pid = 0;

  private constructor(site: Site, served: Served, folder: string) {
    this.site = site;
    this.#folder = folder;
    this.#served = served;
    this.#oracle = watchSite(site);
    this.#pace = paceClock(site.clock, { speed: 1 });
    this.#programs = new Programs(folder, addNetwork());
  }

  /** Resolves once both links are managed and reported as protected. */
  static async open(seed: string): Promise<RealTimeAgent> {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-clock-"));
    const shape = { seed, name: "demo", groups: 1, tunnels: 0, start: "protected" } as const;
    const site = buildSite(shape);
    setClock(site.clock.wall());
    const socket = join(folder, "site.sock");
    const served = await serveSite(siteHandler(site), socket);
    const agent = new RealTimeAgent(site, served, folder);
    const { child } = await agent.#programs.serveUntil('"code":"ready"', "agent");
    agent.pid = child.pid ?? 0;
    const config = { text: hasty(site.config(`unix:${socket}`)), file: "site.yaml", queue: false };
    await agent.admin("/v1/apply", config);
    // The first observations come after a moment.
    await until(() =>
      agent.admin("/v1/adopt", { target: group, risks: [] }).then(
        () => true,
        () => undefined,
      ),
    );
    await agent.until("protected");
    return agent;
  }

  async view<T>(path: string): Promise<T> {
    const socket = join(this.#folder, "run", "view.sock");
    return (await ask({ role: "view", method: "GET", path, socket })) as T;
  }

  async admin<T>(path: string, body: object): Promise<T> {
    const socket = join(this.#folder, "run", "admin.sock");
    return (await ask({ role: "admin", method: "POST", path, body, socket })) as T;
  }

  /** Returns the status, which the oracle compares with the truth. */
  async status(): Promise<Status> {
    const askedAt = this.site.clock.now();
    const status = await this.view<Status>("/v1/status");
    this.#oracle.reported(status, askedAt);
    return status;
  }

  async until(verdict: Status["verdict"]): Promise<void> {
    await until(
      async () => ((await this.status()).verdict === verdict ? true : undefined),
      240_000,
    );
  }

  /** Puts new pairs into the vault and begins to bring them in. */
  async rotate(): Promise<void> {
    for (const { key } of this.site.links) this.site.vault.generatePair(key, "gcm-aes-xpn-256");
    await until(async () => {
      const isBegun = await this.admin("/v1/rotate", { target: group, risks: [] }).then(
        () => true,
        () => undefined,
      );
      return isBegun;
    });
  }

  async campaign(): Promise<Campaign["state"] | undefined> {
    const { campaigns } = await this.view<{ campaigns: readonly Campaign[] }>("/v1/rotation");
    return campaigns[0]?.state;
  }

  /** Lets the routers live on for a time in which this host stood still. */
  async pass(ms: number): Promise<void> {
    await this.#pace.stop();
    await this.site.clock.runFor(ms);
    this.#pace = paceClock(this.site.clock, { speed: 1 });
  }

  report(query: string): Promise<SignedTotals> {
    return this.view<SignedTotals>(`/v1/report?${query}`);
  }

  get violations(): readonly string[] {
    return this.#oracle.violations.map(formatViolation);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#programs[Symbol.dispose]();
    await this.#pace.stop();
    await this.#served.close();
    leaveNetworks();
    rmSync(this.#folder, { recursive: true });
  }
}
