// How often `keys` and `doctor` read the secrets of a vault, counted at the vault.

import { describe, expect, it } from "vitest";
import { type ApiReply, answer } from "#agent/api/api.ts";
import { WaitLimit } from "#agent/api/wait-limit.ts";
import { unknownClient } from "#agent/model/client.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { surveyKeys } from "#agent/runtime/polling/key-check.ts";
import { Secret } from "#hal/secret.ts";
import { generationTag, type KeyVault, pairTag } from "#hal/vault.ts";
import type { Dialer } from "#hal/world.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedAgent, simulatedWorld } from "#sim/lab/simulate.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import { apiWorld } from "../../../kit/api-world.ts";
import { never, settled } from "../../../kit/site-bench.ts";

const view = "GET /v1/keys";

/** An agent whose loops have ended: all later reads come from the test's own requests. */
class Stage {
  readonly site: Site;
  readonly agent: Agent;
  /** Paths of the requests to the vault since the loops ended. */
  readonly #asked: readonly string[];

  private constructor(site: Site, agent: Agent, asked: readonly string[]) {
    this.site = site;
    this.agent = agent;
    this.#asked = asked;
  }

  static async of(links: number): Promise<Stage> {
    const names = { seed: "once", name: "demo", tunnels: 0, start: "protected" } as const;
    const site = buildSite({ ...names, groups: links / 2 });
    const { clock, prng } = site;
    const disk = new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 });
    const log = { write: () => undefined };
    const world = simulatedWorld({ site, disk, log, prng: prng.fork("agent") });
    const asked: string[] = [];
    const dial: Dialer = {
      ...world.dial,
      http: async (request, signal) => {
        if (request.method === "GET") asked.push(request.path);
        return await world.dial.http(request, signal);
      },
    };
    const agent = await settled(clock, simulatedAgent({ ...world, dial }));
    const text = site.config("unix:/run/linkseal-sim/site.sock");
    const request = { text, file: "site.yaml", who: "test", queue: false };
    const stop = new AbortController();
    const ended = agent.run(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    await settled(clock, agent.apply(request, never));
    await clock.runFor(1_000, () => agent.supervisor !== undefined);
    stop.abort();
    await settled(clock, ended);
    asked.splice(0);
    return new Stage(site, agent, asked);
  }

  ask(what: string, signal: AbortSignal = never): Promise<ApiReply> {
    const { clock } = this.site;
    const [method = "", path = ""] = what.split(" ");
    const request = { method, path, body: "", client: unknownClient("view") };
    const world = { ...apiWorld(this.agent, clock), waits: new WaitLimit() };
    return answer(this.agent, request, world, signal);
  }

  async get<T>(what: string): Promise<T> {
    return JSON.parse((await settled(this.site.clock, this.ask(what))).body) as T;
  }

  /** Returns how many values were read, and how often the most frequent one. */
  counted(): readonly [number, number] {
    const reads = this.#asked.filter((path) => /^\/vault\/secrets\/.*\/[0-9a-f]{32}$/.test(path));
    const each = Map.groupBy(reads, (path) => path);
    return [reads.length, Math.max(...[...each.values()].map(({ length }) => length))];
  }

  /** Every request to devices, vault and far ends since the loops ended. */
  get requests(): readonly string[] {
    return this.#asked.map((path) => path.replace(/[0-9a-f]{32}/, "ID")).toSorted();
  }

  /** How often a list of versions was requested. */
  get lists(): number {
    return this.#asked.filter((path) => path.endsWith("/versions")).length;
  }
}

interface Keys {
  readonly at: string;
  readonly keys: readonly {
    readonly link: string;
    readonly newest: { readonly ckn: string } | null;
    readonly finding: { readonly code: string } | null;
  }[];
}

describe.each([2, 20, 200])("the keys of %i links", (links) => {
  it("a round reads every secret version once, and never once for each other link", async () => {
    const stage = await Stage.of(links);
    const { keys } = await stage.get<Keys>(view);
    expect(keys.filter(({ newest, finding }) => newest !== null && finding === null)).toHaveLength(
      links,
    );
    expect(stage.counted()).toEqual([2 * links, 1]);
    expect(stage.lists).toBe(2 * links);
  });
});

describe("doctor", () => {
  it("doctor reads every secret version once, including those of the far ends", async () => {
    const stage = await Stage.of(20);
    const { findings } = await stage.get<{ findings: readonly unknown[] }>("GET /v1/doctor");
    expect(findings.length).toBeGreaterThan(0);
    expect(stage.counted()).toEqual([40, 1]);
    expect(stage.lists).toBe(40);
  });
});

describe("a report that many ask for together", () => {
  it("a hundred requests to doctor cost as much as one", async () => {
    const [alone, crowded] = [await Stage.of(4), await Stage.of(4)];
    await alone.get("GET /v1/doctor");
    const asked = Array.from({ length: 100 }, () => crowded.ask("GET /v1/doctor"));
    const replies = await settled(crowded.site.clock, Promise.all(asked));
    expect(new Set(replies.map(({ body }) => body)).size).toBe(1);
    expect(alone.requests.length).toBeGreaterThan(4);
    expect(crowded.requests).toEqual(alone.requests);
  });
});

describe("a viewer that requests without pause", () => {
  it("a viewer that requests without pause costs two rounds, each a fresh one", async () => {
    const stage = await Stage.of(20);
    const asked = Array.from({ length: 200 }, (_, n) =>
      stage.ask(n % 5 === 0 ? "GET /v1/doctor" : view),
    );
    const replies = await settled(stage.site.clock, Promise.all(asked));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(replies.map(({ body }) => body)).size).toBe(2);
    // doctor observes the routers first, so its request comes when the round of the others has
    // begun.
    expect(stage.counted()).toEqual([80, 2]);
    // A later request gets a newer answer, and there is a pause between two rounds.
    const began = stage.site.clock.now();
    for (let n = 0; n < 5; n += 1) await stage.get(view);
    expect(stage.counted()).toEqual([280, 7]);
    expect(stage.site.clock.now() - began).toBeGreaterThanOrEqual(5 * 3_000);
  });

  it("a viewer that leaves does not end the others' round, and the last one does", async () => {
    const stage = await Stage.of(20);
    const { clock } = stage.site;
    const leaver = new AbortController();
    const first = stage.ask(view, leaver.signal);
    const second = stage.ask(view);
    await clock.runFor(100);
    leaver.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    expect((await settled(clock, second)).status).toBe(200);
    expect(stage.counted()).toEqual([40, 1]);
    await clock.runFor(10_000);
    const alone = new AbortController();
    const only = stage.ask(view, alone.signal);
    await clock.runFor(100);
    alone.abort(new Error("gone"));
    await expect(only).rejects.toThrow("gone");
    await clock.runFor(60_000);
    expect(stage.counted()[0]).toBeLessThan(50);
    expect((await stage.get<Keys>(view)).keys).toHaveLength(20);
  });

  it("a viewer never gets an older key than existed at its request", async () => {
    const stage = await Stage.of(2);
    const { links, vault } = stage.site;
    const before = await stage.get<Keys>(view);
    const [link] = links;
    const fresh = vault.generatePair(link?.key ?? { cak: "", ckn: "" }, "gcm-aes-xpn-256");
    const after = await stage.get<Keys>(view);
    expect(Date.parse(after.at)).toBeGreaterThan(Date.parse(before.at));
    expect(after.keys.map(({ newest }) => newest?.ckn)).toContain(fresh.ckn);
    expect(before.keys.map(({ newest }) => newest?.ckn)).not.toContain(fresh.ckn);
  });
});

describe("two links with faulty keys", () => {
  const codes = async (stage: Stage) =>
    (await stage.get<Keys>(view)).keys.map(({ finding }) => finding?.code ?? null);

  it("two links with one CAK are both named, whatever its case, and no other is", async () => {
    const stage = await Stage.of(4);
    const { links, vault } = stage.site;
    const [one, , three] = links.map(({ key }) => key);
    if (one === undefined || three === undefined) throw new Error("no keys");
    const cak = vault.valueForFarEnd(vault.pairs(one).at(-1)?.cakSecretId ?? "");
    const ckn = "E0".repeat(32);
    vault.put(three.ckn, ckn, { holds: "ckn" });
    vault.put(three.cak, cak.toLowerCase(), { tags: { [pairTag]: ckn, [generationTag]: "9" } });
    expect(await codes(stage)).toEqual(["vault.reusedCkn", null, "vault.reusedCkn", null]);
    expect(stage.counted()[1]).toBe(1);
  });

  it("a link with a malformed CAK is named alone", async () => {
    const stage = await Stage.of(4);
    const { links, vault } = stage.site;
    const [one] = links.map(({ key }) => key);
    if (one === undefined) throw new Error("no key");
    const ckn = "E0".repeat(32);
    vault.put(one.ckn, ckn, { holds: "ckn" });
    vault.put(one.cak, "no key", { tags: { [pairTag]: ckn, [generationTag]: "9" } });
    expect(await codes(stage)).toEqual(["vault.malformedKey", null, null, null]);
  });
});

it("a round leaves no CAK in memory, and no digest of one in its result", async () => {
  const { site, agent } = await Stage.of(4);
  const taken: Secret[] = [];
  const vault: KeyVault = {
    versions: async (name) => site.vault.versions(name),
    read: async (id) => {
      const label = id.includes("-cak/") ? "cak" : "ckn";
      const value = Secret.take(label, new TextEncoder().encode(site.vault.value(id)));
      taken.push(value);
      return value;
    },
  };
  const links = agent.intent?.desired.groups.flatMap((group) => group.links) ?? [];
  const drawn: Uint8Array[] = [];
  const entropy = {
    bytes: (count: number): Uint8Array => {
      const bytes = site.prng.bytes(count);
      drawn.push(bytes);
      return bytes;
    },
  };
  const parts = { vault, bound: () => undefined, entropy, now: site.clock.wall() };
  const { checks } = await settled(site.clock, surveyKeys(parts, links, never));
  const caks = taken.filter(({ label }) => label === "cak");
  expect(caks).toHaveLength(4);
  for (const cak of caks) expect(() => cak.use(() => undefined)).toThrow("already wiped");
  expect(drawn.map((bytes) => bytes.every((byte) => byte === 0))).toEqual([true]);
  expect(JSON.stringify(checks)).not.toMatch(/[A-Za-z0-9+/]{43}=/);
});
