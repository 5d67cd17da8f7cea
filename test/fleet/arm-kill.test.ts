// The agent dies at every call around a write to the management API: one that Azure accepted is
// never written again, and what a person did meanwhile stays.

import { beforeAll, describe, expect, it } from "vitest";
import { Agent } from "#agent/agent.ts";
import { soundMind } from "#agent/campaign/conductor.ts";
import { type Death, type Fate, MortalWorld } from "#agent/fleet/mortal.ts";
import { IntentStore } from "#agent/intent/intent.ts";
import { Journal } from "#agent/journal/journal.ts";
import { simulatedDialer } from "#agent/simulate.ts";
import { drivers, simVault } from "#drivers/index.ts";
import { Secret } from "#hal/secret.ts";
import type { Dialer, Disk, HttpReply, HttpRequest, World } from "#hal/world.ts";
import type { SimAzure } from "#sim/azure/azure.ts";
import { SimDisk } from "#sim/disk.ts";
import { siteHandler } from "#sim/faces/site.ts";
import { formatViolation, type Oracle, watchSite } from "#sim/oracle.ts";
import { buildSite, type Site } from "#sim/site.ts";
import { hasty } from "../haste.ts";
import { armDialer, farEnds, simulatedAzure } from "../unit/arm-bench.ts";

const address = "unix:/run/linkseal-sim/site.sock";
const vaultBase = "https://kv-demo.vault.azure.net";
const group = "erd-demo";
const seed = "arm-kill-1";

function config(site: Site): string {
  return hasty(site.config(address)).replace(
    `  cloud: sim\n  vault: ${address}`,
    `  cloud: public\n  vault: ${vaultBase}\n  identity: { kind: arc }`,
  );
}

interface Ended {
  readonly calls: readonly string[];
  readonly epitaph: string;
  readonly verdict: string;
  readonly campaign: string;
  readonly ends: string;
  readonly puts: readonly string[];
  readonly complaints: readonly string[];
}

class Stage {
  readonly site: Site;
  readonly cloud: SimAzure;
  readonly oracle: Oracle;
  /** Every call of the first life, as its killer counts them. */
  readonly calls: string[] = [];
  readonly #disk: SimDisk;
  readonly #documents: "prompt" | "late";
  #shown: HttpReply | undefined;
  #lives = 0;
  #agent: Agent | undefined;

  /** `late`: documents show a change only once its operation is over. */
  constructor(documents: "prompt" | "late" = "prompt") {
    this.#documents = documents;
    const names = { seed, name: "demo", groups: 1, tunnels: 0 } as const;
    this.site = buildSite({ ...names, start: "clear", vaultBase });
    this.cloud = simulatedAzure(this.site);
    const { clock, prng } = this.site;
    this.#disk = new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 });
    this.oracle = watchSite(this.site);
  }

  #world(): World {
    const note = <T>(what: string, run: () => Promise<T>): Promise<T> => {
      if (this.#lives === 1) this.calls.push(what);
      return run();
    };
    const disk = this.#disk;
    const noted: Disk = {
      read: (name) => note(`read ${name}`, () => disk.read(name)),
      list: (prefix) => note(`list ${prefix}`, () => disk.list(prefix)),
      append: (name, bytes) => note(`append ${name}`, () => disk.append(name, bytes)),
      replace: (name, bytes) => note(`replace ${name}`, () => disk.replace(name, bytes)),
    };
    const near = simulatedDialer(siteHandler(this.site));
    const dial: Dialer = {
      http: (request, signal) =>
        note(`${request.method} ${request.path}`, () =>
          request.to === address ? near.http(request, signal) : this.#far(request, signal),
        ),
      routeTo: async () => undefined,
      // Names that stand for this host cross no link.
      resolve: (host) => note(`resolve ${host}`, async () => ["127.0.0.1"]),
    };
    const entropy = this.site.prng.fork(`agent ${this.#lives}`);
    return { clock: this.site.clock, entropy, disk: noted, dial, log: { write: () => undefined } };
  }

  async #far(request: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
    const reply = await armDialer(this.cloud).http(request, signal);
    const { method, path } = request;
    if (this.#documents === "prompt" || method !== "GET" || path.includes("/operations/")) {
      return reply;
    }
    const isBusy = [...this.site.msees.values()].some(
      (msee) => msee.resource("link1").operation ?? msee.resource("link2").operation,
    );
    this.#shown = isBusy ? (this.#shown ?? reply) : reply;
    return this.#shown;
  }

  async live(fate: Fate | undefined): Promise<MortalWorld> {
    this.#lives += 1;
    const mortal = new MortalWorld(this.#world(), fate, () => this.#disk.crash());
    this.#agent = undefined;
    void this.#process(mortal.world);
    return mortal;
  }

  async #process(world: World): Promise<void> {
    const key = Secret.take("host-key", new Uint8Array(32).fill(0x5a));
    const intents = await IntentStore.open(world.disk);
    const { journal } = await Journal.open(world, { key, host: "simulated-host" });
    const far = farEnds(world.clock, this.cloud, world.dial);
    const agent = new Agent({
      ...{ world, drivers, intents, journal, mind: soundMind },
      vault: () => simVault(world.dial, address),
      peerPort: ({ groups }, link, operation) => {
        const resource = groups.find(({ name }) => name === link.group)?.expressRoutePort ?? "";
        return far.peer({ resource, link: link.azureLink, operation });
      },
    });
    this.#agent = agent;
    const { signal } = new AbortController();
    void agent.run(signal);
    if (agent.intent !== undefined) return;
    await this.site.clock.sleep(1_000);
    await agent.apply({ text: config(this.site), file: "demo", who: "test", queue: false }, signal);
  }

  get campaign(): string {
    return this.#agent?.memory.campaigns[group]?.state ?? "none";
  }

  get because(): string {
    return this.#agent?.memory.campaigns[group]?.because ?? "";
  }

  async until(what: () => boolean, limitMs = 1_200_000): Promise<void> {
    await this.site.clock.runFor(limitMs, what);
  }

  isOver(): boolean {
    return this.campaign === "done" && this.#agent?.status().verdict === "protected";
  }

  /** The answers to every write that reached the management API. */
  puts(): readonly string[] {
    return this.cloud.answered
      .filter(({ method, service }) => method === "PUT" && service === "arm")
      .map(({ status }) => String(status));
  }

  async run(fate: Fate | undefined): Promise<Ended> {
    const first = await this.live(fate);
    await this.until(() => first.dead || (fate === undefined && this.isOver()));
    if (first.dead) {
      await this.site.clock.runFor(3_000);
      await this.live(undefined);
      await this.until(() => this.isOver());
    }
    const links = this.site.truth().groups[0]?.links ?? [];
    return {
      calls: this.calls,
      epitaph: first.epitaph,
      verdict: this.#agent?.status().verdict ?? "none",
      campaign: this.campaign,
      ends: links.map((link) => `${link.id} ${link.edgeKeys.join()} ${link.farKey}`).join("; "),
      puts: this.puts(),
      complaints: this.oracle.violations.map(formatViolation),
    };
  }
}

/** From the record before a write to the looks after it. */
function aroundPuts(calls: readonly string[]): readonly number[] {
  const puts = calls.flatMap((call, index) => (call.startsWith("PUT /subscriptions") ? index : []));
  return [...new Set(puts.flatMap((put) => Array.from({ length: 16 }, (_, at) => put - 6 + at)))];
}

describe.each(["prompt", "late"] as const)("killed around a put, with %s documents", (kind) => {
  let clean: Ended;
  beforeAll(async () => {
    clean = await new Stage(kind).run(undefined);
  });

  it("writes each link once when nobody dies", () => {
    expect(clean).toMatchObject({ verdict: "protected", campaign: "done", complaints: [] });
    expect(clean.puts).toEqual(["200", "200"]);
    const called = aroundPuts(clean.calls).map((index) => clean.calls[index]?.split(/[ ?]/, 2)[0]);
    expect(new Set(called)).toEqual(new Set(["append", "GET", "PUT", "POST"]));
  });

  const deaths: readonly Death[] = ["before", "during", "after"];
  it.each(deaths)("dies %s each Disk and Dialer call", { timeout: 600_000 }, async (when) => {
    const wrong: string[] = [];
    for (const index of aroundPuts(clean.calls)) {
      const ended = await new Stage(kind).run({ call: index + 1, when });
      // Unseen and unshown it may be tried again, and Azure itself says that it is busy with it.
      const accepted = ended.puts.filter((status) => status === "200");
      const others = ended.puts.filter((status) => status !== "200" && status !== "409");
      const same =
        ended.epitaph === clean.calls[index] &&
        ended.verdict === "protected" &&
        ended.campaign === "done" &&
        ended.ends === clean.ends &&
        accepted.length === 2 &&
        others.length === 0 &&
        (kind === "late" || ended.puts.length === 2) &&
        ended.complaints.length === 0;
      if (!same) wrong.push(`${when} ${JSON.stringify({ ...ended, calls: index })}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe("a person who acts while the agent is dead", () => {
  it("is seen and respected: the link is held, and what they set stays", async () => {
    const stage = new Stage();
    const first = await stage.live(undefined);
    await stage.until(() => stage.puts().length === 1);
    first.kill();
    const [msee] = stage.site.msees.values();
    const [link] = stage.site.links;
    if (msee === undefined || link === undefined) throw new RangeError("no far end");
    const key = stage.site.vault.generatePair(link.key, "gcm-aes-xpn-256");
    msee.person(link.azureLink, { key });
    await stage.site.clock.runFor(120_000);
    await stage.live(undefined);
    await stage.until(() => stage.campaign === "held");
    await stage.site.clock.runFor(600_000);
    expect([stage.campaign, stage.puts()]).toEqual(["held", ["200"]]);
    expect(stage.because).toContain("far end");
    expect(msee.resource(link.azureLink).pointsAt?.cakSecretId).toBe(key.cakSecretId);
    expect(stage.oracle.violations.map(formatViolation)).toEqual([]);
  });
});
