// Writers of CAK and CKN race with the agent's reads, step by step: the agent gets a whole pair or
// none.

import { describe, expect, it } from "vitest";
import { chooseKey, keyResolver } from "#agent/runtime/polling/vault.ts";
import { LinksealError } from "#hal/error.ts";
import type { KeyRef } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { generationTag, type KeyVault, pairTag } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { SimVault } from "#sim/site/vault.ts";
import { effort } from "../../../../effort.ts";
import { AgentBench } from "../../../kit/agent-bench.ts";
import { never, wallStart } from "../../../kit/site-bench.ts";
import { link } from "../../../kit/snapshot-kit.ts";

/** Names of the two secrets, or their values. */
interface Pair {
  readonly cak: string;
  readonly ckn: string;
}

/** Writes pairs in each of the orders that operators and pipelines use. */
class Writers {
  /** The pair that its writer meant, by id of a CAK version. */
  readonly meant = new Map<string, Pair>();
  readonly #vault: SimVault;
  readonly #names: Pair;
  readonly #prng: Prng;
  readonly #steps: (() => void)[][] = [];
  #generation = 1;

  constructor(vault: SimVault, names: Pair, prng: Prng) {
    this.#vault = vault;
    this.#names = names;
    this.#prng = prng;
  }

  /** Runs some steps of some writers, each writer's own in order. */
  advance(): void {
    for (let left = this.#upTo(4); left > 0; left -= 1) {
      if (this.#steps.length < 3) this.#steps.push(this.#begun());
      const writer = this.#steps[this.#upTo(this.#steps.length - 1)];
      writer?.shift()?.();
      if (writer?.length === 0) this.#steps.splice(this.#steps.indexOf(writer), 1);
    }
  }

  #upTo(most: number): number {
    return Math.floor(this.#prng.between(0, most + 1));
  }

  #begun(): (() => void)[] {
    const pair = { ckn: this.#prng.hex(32).toUpperCase(), cak: this.#prng.hex(32).toUpperCase() };
    this.#generation += 1;
    const tags = { [pairTag]: pair.ckn, [generationTag]: String(this.#generation) };
    let cak = "";
    let ckn = "";
    const putCkn = (): void => {
      ckn = this.#vault.put(this.#names.ckn, pair.ckn, { holds: "ckn" });
    };
    const putCak = (more = {}) => {
      cak = this.#vault.put(this.#names.cak, pair.cak, more);
      this.meant.set(cak, pair);
    };
    const disable = (id: () => string) => () => this.#vault.setEnabled(id(), false);
    switch (this.#upTo(5)) {
      case 0:
        return [putCkn, () => putCak({ tags })];
      case 1:
        return [() => putCak({ tags }), putCkn];
      case 2:
        return [() => putCak(), putCkn, () => this.#vault.update(cak, { tags })];
      case 3:
        return [putCkn, () => putCak(), () => this.#vault.update(cak, { tags })];
      case 4:
        return [putCkn, () => putCak({ tags }), disable(() => cak), disable(() => ckn)];
      default:
        // If the tag is missing, nothing proves that the two belong together.
        return [() => putCak(), putCkn];
    }
  }
}

/** A vault in which the writers continue before every answer. */
function raced(vault: SimVault, writers: readonly Writers[]): KeyVault {
  const advance = (): void => {
    for (const each of writers) each.advance();
  };
  return {
    async versions(name) {
      advance();
      return vault.versions(name);
    },
    async read(id) {
      advance();
      return Secret.take("value", new TextEncoder().encode(vault.value(id)));
    },
  };
}

const now = wallStart as WallTime;

/** Returns the pair that the agent would use now, which must be one that a writer meant. */
async function chosen(store: KeyVault, writers: Writers, names: Pair): Promise<KeyRef | undefined> {
  try {
    const { key } = await chooseKey(store, { ...link, key: names }, now, never);
    using octets = await keyResolver(store, never)({ kind: "cak", key });
    const cak = octets.use((bytes) => Buffer.from(bytes).toString("hex")).toUpperCase();
    expect({ cak, ckn: key.ckn.toUpperCase() }).toEqual(writers.meant.get(key.cakSecretId));
    using ckn = await store.read(key.cknSecretId, never);
    expect(ckn.use((bytes) => Buffer.from(bytes).toString())).toBe(key.ckn.toUpperCase());
    return key;
  } catch (error) {
    if (error instanceof LinksealError) return undefined;
    throw error;
  }
}

/** Returns true if the newest versions of both secrets do not belong together: the race is real. */
async function mixesNaively(store: KeyVault, writers: Writers, names: Pair): Promise<boolean> {
  const cak = (await store.versions(names.cak, never)).at(-1);
  const ckn = (await store.versions(names.ckn, never)).at(-1);
  if (cak?.enabled !== true || ckn?.enabled !== true) return false;
  using value = await store.read(ckn.id, never).catch(() => Secret.take("none", new Uint8Array()));
  const read = value.use((bytes) => Buffer.from(bytes).toString());
  return read !== "" && read !== writers.meant.get(cak.id)?.ckn;
}

describe("writers that race", () => {
  it("writers that race a thousand times never cause a mixed pair", async () => {
    const runs = effort(1_000, 20_000);
    const seed = String(Date.now());
    console.log(`seed ${seed}`);
    let whole = 0;
    let mixed = 0;
    for (let run = 0; run < runs; run += 1) {
      const prng = new Prng(`${seed} ${run}`);
      const clock = new SimClock(wallStart);
      const vault = new SimVault({ clock, prng: prng.fork("vault"), base: "https://v" });
      const names = [1, 2].map((n) => ({ cak: `cak-${n}`, ckn: `ckn-${n}` }));
      const writers = names.map((each) => new Writers(vault, each, prng.fork(each.cak)));
      const store = raced(vault, writers);
      for (let observe = 0; observe < 3; observe += 1) {
        for (const [i, each] of names.entries()) {
          const key = await chosen(store, writers[i] as Writers, each);
          if (key !== undefined) whole += 1;
          if (await mixesNaively(store, writers[i] as Writers, each)) mixed += 1;
        }
      }
    }
    console.log(`${runs} races: ${whole} whole pairs; the newest of each: ${mixed} mixed ones`);
    expect(whole).toBeGreaterThan(runs / 4);
    expect(mixed).toBeGreaterThan(runs / 4);
  });

  it.each([1, 2, 3])(
    "writers that race leave a real agent with whole pairs on both ends, seed %s",
    async (seed) => {
      const bench = new AgentBench("clear", `race ${seed}`);
      const { vault } = bench.site;
      const writers = bench.site.links.map(
        ({ id, key }) => new Writers(vault, key, new Prng(`${seed} ${id}`)),
      );
      let racing = true;
      await bench.live((world) => ({
        ...world,
        dial: {
          ...world.dial,
          http: (request, signal) => {
            if (racing && request.path.startsWith("/vault/")) for (const w of writers) w.advance();
            return world.dial.http(request, signal);
          },
        },
      }));
      await bench.apply();
      await bench.run(900_000);
      racing = false;
      for (const { key } of bench.site.links) vault.generatePair(key, "gcm-aes-xpn-256");
      await bench.reach("secondary done", 3_600_000);
      expect(bench.violations()).toEqual([]);
      expect(bench.broken).toEqual([]);
      const bindings = Object.values(bench.agent.memory.bindings);
      expect(bindings).toHaveLength(2);
      for (const { key } of bindings) {
        const meant = writers.map((each) => each.meant.get(key.cakSecretId)).find(Boolean);
        const made = bench.site.links
          .flatMap((each) => vault.pairs(each.key))
          .find(({ cakSecretId }) => cakSecretId === key.cakSecretId);
        expect(meant?.ckn.toLowerCase() ?? made?.ckn).toBe(key.ckn);
      }
    },
  );
});
