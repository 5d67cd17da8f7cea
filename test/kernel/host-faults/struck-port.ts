// An MKA process on a secured port, struck in the middle of a change: by kill -9 at a system call,
// or by a disk that fails. The far end is linkseal-mka too, or wpa_supplicant. The test is its
// service manager: it keeps the memory of the process, and starts the next one with it.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import type { RequestedOperation } from "#drivers/linux/mka/protocol.ts";
import { LinksealError } from "#hal/error.ts";
import { leaveNetworks, soon, until } from "../lab.ts";
import { ClearWatch } from "../mka/clear-watch.ts";
import { Participant } from "../mka/participant.ts";
import { ServiceManager } from "../mka/service-manager.ts";
import { address, makeSecy, wire } from "../mka/station.ts";
import { type FarEnd, farEnds } from "./far-end.ts";
import {
  first,
  type Held,
  heldIn,
  isSame,
  type MkaScenario,
  suite,
  wayTo,
} from "./mka-scenarios.ts";
import { type Fate, oneFileThread, type Scope, Strace } from "./strace.ts";
import type { Known } from "./struck-net.ts";

const withinMs = 8_000;
/** A new SAK is in use at both ends after two hellos. */
const exchangeMs = 5_000;

export interface PortOutcome {
  readonly known: Known;
  readonly counts: ReadonlyMap<string, number>;
  readonly found: Held | undefined;
  readonly deaths: number;
}

export class StruckPort implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "linkseal-struck-"));
  readonly networks = wire();
  readonly #manager = new ServiceManager(join(this.folder, "notify"));
  readonly #near: Participant;
  readonly #far: FarEnd;
  readonly #clear: ClearWatch;
  #changes = 0;

  constructor(far: keyof typeof farEnds) {
    const seal = join(this.folder, "seal");
    writeFileSync(seal, crypto.getRandomValues(new Uint8Array(32)));
    chmodSync(seal, 0o600);
    const [network, beyond] = this.networks;
    makeSecy(network, { suite, sci: "on" });
    address(network, 0);
    this.#near = new Participant({
      ...{ network, folder: this.folder, environment: oneFileThread },
      manager: this.#manager.address,
      options: ["--key-cache", `file:${seal}`],
    });
    this.#far = farEnds[far](beyond, this.folder);
    this.#clear = new ClearWatch(beyond);
  }

  /** The files of the state folder of the struck process, with those that are written aside. */
  get files(): readonly string[] {
    const state = join(this.folder, "state-mka", "wire");
    return [state, join(state, "sealed-keys"), join(state, "sealed-keys~")];
  }

  /** Frames that crossed the wire in the clear. */
  get clear(): readonly string[] {
    return this.#clear.observed;
  }

  /** What our processes print. */
  get output(): string {
    return this.#near.output + this.#far.output;
  }

  async start(): Promise<void> {
    await Promise.all([this.#near.start(), this.#far.start()]);
    await this.#near.add(first, { token: "near-1", within: "final" });
    await this.secured();
    await until(() => this.#manager.held());
  }

  /** Resolves once both ends use the same SAK, in both directions. */
  async secured(): Promise<string> {
    return await until(async () => {
      const sak = await this.#near.secured();
      return sak !== undefined && (await this.#far.uses(sak, this.networks)) ? sak : undefined;
    });
  }

  /** Brings the port to a state, by changes that nothing strikes. */
  async bring(to: Held): Promise<void> {
    const found = heldIn(await this.#near.observe());
    if (found === undefined) throw new Error("the port has no SecY");
    for (const operation of wayTo(found, to)) await this.#final(operation);
    await this.secured();
  }

  async #final(operation: RequestedOperation): Promise<void> {
    this.#changes += 1;
    await this.#near.change(operation, { token: `change-${this.#changes}`, within: "final" });
    if ("key" in operation) operation.key[Symbol.dispose]();
  }

  /** Strikes one change, and looks once nothing waits any more and the port is secured again. */
  async struck(scenario: MkaScenario, scope: Scope, fate: Fate): Promise<PortOutcome> {
    const pid = this.#near.pid;
    if (pid === undefined) throw new Error("linkseal-mka does not run");
    using strace = await Strace.attach(pid, scope, fate);
    const known = await this.#act(scenario);
    await rest(exchangeMs);
    const counts = await strace.end();
    const isDead = fate.kind === "killed" && (await this.#near.hasEnded());
    if (isDead) await this.#near.start(this.#manager.held());
    await until(async () =>
      (await this.#near.observe()).pending === undefined ? true : undefined,
    );
    const found = heldIn(await this.#near.observe());
    await this.secured();
    return { known, counts, found, deaths: isDead ? 1 : 0 };
  }

  async #act({ operation, how }: MkaScenario): Promise<Known> {
    this.#changes += 1;
    const token = `change-${this.#changes}`;
    const { client } = this.#near;
    const asked = operation();
    try {
      await client.stage(token, 0, asked, soon());
      await client.apply(token, how === "final" ? how : withinMs, soon());
      if (how === "confirmed") await client.confirm(token, soon());
      if (how === "rolledBack") await client.rollback(token, soon());
      if (how === "expired") await rest(withinMs);
      return "done";
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      // A refused confirmation leaves a change that is reverted in time.
      return error.effect === "none" ? "refused" : "unknown";
    } finally {
      if ("key" in asked) asked.key[Symbol.dispose]();
    }
  }

  /** Kills the process and starts the next one after a boot: with the sealed keys alone. */
  async boot(): Promise<Held | undefined> {
    await this.#near.end("SIGKILL");
    this.#manager.forget();
    await this.#near.start();
    const found = heldIn(await this.#near.observe());
    await this.secured();
    await until(() => this.#manager.held());
    return found;
  }

  [Symbol.dispose](): void {
    this.#near[Symbol.dispose]();
    this.#far[Symbol.dispose]();
    this.#clear[Symbol.dispose]();
    this.#manager[Symbol.dispose]();
    leaveNetworks();
    rmSync(this.folder, { recursive: true });
  }
}

/** Returns what an outcome breaks; "" = nothing. */
export function brokenBy(
  { how, before, after }: MkaScenario,
  { known, found }: PortOutcome,
): string {
  if (how === "rolledBack" || how === "expired")
    return isSame(found, before) ? "" : "a trial left something";
  if (known === "done") return isSame(found, after) ? "" : "what was reported as done is lost";
  if (known === "refused") return isSame(found, before) ? "" : "a refused change had an effect";
  return isSame(found, before) || isSame(found, after) ? "" : "half a change stayed";
}
