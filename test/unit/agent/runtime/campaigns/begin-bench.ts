// A pair of scripted links with a vault: what begins on them, or would, in words.

import { expect } from "vitest";
import type { Plan } from "#agent/compare/plan.ts";
import type { Desired, DesiredGroup, DesiredLink, RotatePolicy } from "#agent/model/desired.ts";
import type { Asked, Beginning, BeginParts } from "#agent/runtime/campaigns/begin.ts";
import { beginEnrolment, matchExisting } from "#agent/runtime/campaigns/enrolment.ts";
import { previewRotation } from "#agent/runtime/campaigns/preview.ts";
import { beginChange, beginRotation } from "#agent/runtime/campaigns/rotation.ts";
import type { Binding } from "#agent/store/journal/memory.ts";
import { type CipherSuite, type KeyRef, known } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { KeyVault } from "#hal/vault.ts";
import { Prng } from "#sim/base/prng.ts";
import { SimVault } from "#sim/site/vault.ts";
import { type BenchOptions, RotationRunnerBench } from "../../../kit/rotation-runner-bench.ts";
import { never, settled } from "../../../kit/site-bench.ts";
import { at, bindingOf, clearPort, peerOff, peerOn, session } from "../../../kit/snapshot-kit.ts";

export type Name = "primary" | "secondary";
export const names: readonly Name[] = ["primary", "secondary"];

export const groupWith =
  (over: Partial<DesiredGroup>) =>
  (wanted: Desired): Desired => ({
    ...wanted,
    groups: wanted.groups.map((group) => ({ ...group, ...over })),
  });

export const rotateOn = (policy: Partial<RotatePolicy>) =>
  groupWith({ rotate: { on: "vaultVersion", maxAgeMs: undefined, windows: [], ...policy } });

export const asked = (over: Partial<Asked> = {}): Asked => ({
  ...{ by: "nora", risks: [], links: undefined, urgency: "planned" },
  ...over,
});

/** Both links run on the first pair that the vault was given for them. */
export class BeginBench extends RotationRunnerBench {
  readonly store = new SimVault({
    clock: this.clock,
    prng: new Prng("begin"),
    base: "https://demo.vault.sim",
  });
  override readonly vault: KeyVault = {
    versions: async (name) => this.store.versions(name),
    read: async (id) => Secret.take("value", new TextEncoder().encode(this.store.value(id))),
  };
  /** Accepted in the config. */
  readonly risks: string[] = [];
  readonly #acceptsRisk = (risk: string): boolean => this.risks.includes(risk);

  /** Every end was looked at once, but for the routers that were never reached. */
  static async begun(
    options: BenchOptions = { edit: rotateOn({}) },
    met: readonly Name[] = names,
  ): Promise<BeginBench> {
    const bench = new BeginBench(options);
    for (const name of names) bench.bind(name);
    await bench.observe(met);
    bench.log.length = 0;
    return bench;
  }

  /** The key as a person has left it: on both ends, and not in the journal. */
  static async byHand(): Promise<BeginBench> {
    const bench = await BeginBench.begun();
    for (const name of names) {
      const [key] = bench.store.pairs(bench.linkOf(name).key).slice(-1);
      if (key === undefined) throw new Error("there is a pair");
      const secured = known({ ...session, principalCkn: key.ckn }, at(0));
      bench.port[name] = { ...bench.port[name], session: secured };
      bench.unbind(name);
    }
    return bench;
  }

  async observe(met: readonly Name[] = names): Promise<void> {
    for (const name of met) {
      await settled(this.clock, this.deviceCache.observe(this.linkOf(name).device, never));
    }
    for (const link of this.group.links) {
      await settled(this.clock, this.deviceCache.observePeer(link, never));
    }
  }

  linkOf(name: Name): DesiredLink {
    const link = this.group.links.find((each) => each.name === name);
    if (link === undefined) throw new Error(`no link ${name}`);
    return link;
  }

  newKey(name: Name, suite: CipherSuite = "gcm-aes-xpn-256"): KeyRef {
    return this.store.generatePair(this.linkOf(name).key, suite);
  }

  bind(name: Name): void {
    const key = this.newKey(name);
    const [version] = this.store.versions(this.linkOf(name).key.cak).slice(-1);
    if (version === undefined) throw new Error("a version was put");
    const { created } = version;
    const { settings } = this.linkOf(name);
    this.rebind(name, { ...bindingOf({ key, created, generation: 1, settings }) });
    this.peers[name] = peerOn(key);
    this.port[name] = {
      keys: known([{ ckn: key.ckn, role: "primary" }], at(0)),
      settings: known({ ...settings, policy: "mustSecure" }, at(0)),
    };
  }

  rebind(name: Name, over: Partial<Binding>): void {
    const before = this.memory.bindings[`erd-demo/${name}`] ?? bindingOf();
    const bindings = { ...this.memory.bindings, [`erd-demo/${name}`]: { ...before, ...over } };
    this.memory = { ...this.memory, bindings };
  }

  unbind(name: Name): void {
    const { [`erd-demo/${name}`]: _gone, ...bindings } = this.memory.bindings;
    this.memory = { ...this.memory, bindings };
  }

  /** No key on either end, as before the first enrolment. */
  bare(name: Name): void {
    this.unbind(name);
    this.peers[name] = peerOff;
    const { port: _port, ...clear } = clearPort();
    this.port[name] = clear;
  }

  get #begin(): BeginParts {
    return { ...this.parts, vault: this.vault, intent: 2 };
  }

  /** What begins, in words. */
  async rotation(wish?: Asked): Promise<string> {
    return wordsOf(await this.#rotation(wish));
  }

  async #rotation(wish: Asked | undefined): Promise<Beginning> {
    const accepting = { asked: wish, acceptsRisk: this.#acceptsRisk };
    return await settled(this.clock, beginRotation(this.#begin, this.group, accepting, never));
  }

  async rotating(wish?: Asked) {
    return campaignIn(await this.#rotation(wish));
  }

  change(wish?: Asked): Beginning {
    const accepting = { asked: wish, acceptsRisk: this.#acceptsRisk };
    return beginChange(this.#begin, this.group, accepting);
  }

  async enrolment(wish?: Asked): Promise<string> {
    return wordsOf(await this.#enrolment(wish));
  }

  async #enrolment(wish: Asked | undefined): Promise<Beginning> {
    const { group, clock } = this;
    const begun = beginEnrolment(this.#begin, group, wish, this.#acceptsRisk, never);
    return await settled(clock, begun);
  }

  async enrolling(wish?: Asked) {
    return campaignIn(await this.#enrolment(wish));
  }

  /** The links that would be adopted. */
  async adoption(risks: readonly string[] = [], links: readonly Name[] = names) {
    const meant = links.map((name) => this.linkOf(name));
    return await settled(this.clock, matchExisting(this.#begin, meant, risks, never));
  }

  async preview(wish: Asked = asked()): Promise<Plan> {
    const parts = {
      ...this.#begin,
      managementAddresses: this.parts.managementAddresses,
      acceptsRisk: this.#acceptsRisk,
      alarm: this.parts.alarm,
      full: undefined,
    };
    return await settled(this.clock, previewRotation(parts, this.group, wish, never));
  }
}

export function wordsOf(beginning: Beginning): string {
  if (beginning.kind === "nothing") return "nothing";
  if (beginning.kind === "begin") {
    const { kind, links } = beginning.campaign;
    return `${kind} ${links.map(({ name }) => name).join(" ")}`;
  }
  if (beginning.kind !== "waiting") throw new Error("it neither begins nor waits");
  const { code, refusal, text, next } = beginning.waiting;
  expect(code).toBe("campaign-waiting");
  return `${refusal}: ${text} -> ${next}`;
}

function campaignIn(beginning: Beginning) {
  if (beginning.kind === "begin") return beginning.campaign;
  throw new Error(wordsOf(beginning));
}
