// linkseal-net on a port with every kind of configuration, struck in the middle of a change: by
// kill -9 at a system call, or by a disk that fails.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { Programs } from "../host/programs.ts";
import { addNetwork, ip, leaveNetworks, until } from "../lab.ts";
import { buildPort, configuredIn } from "../net/ports.ts";
import { askNet, type NetReply } from "./net-client.ts";
import type { NetScenario } from "./net-scenarios.ts";
import { type Fate, oneFileThread, type Scope, Strace } from "./strace.ts";

/** What the client knows of its change in the end. */
export type Known = "done" | "refused" | "unknown";

export interface Outcome {
  readonly known: Known;
  /** Text of the refusal; undefined = there was none. */
  readonly refusal: string | undefined;
  readonly counts: ReadonlyMap<string, number>;
  /** The configuration once nothing waits any more, with the successor of a killed process. */
  readonly found: readonly string[];
  readonly deaths: number;
}

const withinMs = 20_000;
/** The kernel adds the route of an IPv6 address, and raises a link, after it has replied. */
const settleMs = 300;
const names = ["net-state", "guard", "tunnels", "backing"];

export class StruckNet implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "linkseal-struck-"));
  readonly network = addNetwork();
  readonly #programs = new Programs(this.folder, this.network);
  readonly #socket = join(this.folder, "run", "net.sock");
  #net: ChildProcess | undefined;

  constructor() {
    buildPort(this.network);
    this.#programs.environment = oneFileThread;
  }

  /** The files of its state folder, with those that are written aside. */
  get files(): readonly string[] {
    const state = join(this.folder, "state-net");
    return [state, ...names.flatMap((name) => [join(state, name), join(state, `${name}~`)])];
  }

  async start(): Promise<void> {
    this.#net = await this.#programs.serve("net");
  }

  async kill(): Promise<void> {
    const net = this.#net;
    if (net === undefined || net.exitCode !== null || net.signalCode !== null) return;
    net.kill("SIGKILL");
    await once(net, "close");
  }

  /** Carries out a change that nothing strikes. */
  async make(change: readonly object[]): Promise<void> {
    if (change.length === 0) return;
    const token = await this.#prepared(change);
    const reply = await this.#ask(`/transactions/${token}/apply`, { within: "final" });
    if (reply?.status !== 200) throw new Error(`not made: ${JSON.stringify(reply?.body)}`);
  }

  async release(prefix: string): Promise<void> {
    const { status, err } = await this.#programs.run("guard", "--release", prefix);
    if (status !== 0) throw new Error(err);
  }

  /** All that the change may touch, once the kernel has done what it does later. */
  async look(): Promise<readonly string[]> {
    for (let before = this.#now(); ; ) {
      await rest(settleMs);
      const now = this.#now();
      if (JSON.stringify(now) === JSON.stringify(before)) return now;
      before = now;
    }
  }

  #now(): readonly string[] {
    const show = (...argv: string[]): string[] => ip("-n", this.network, ...argv).split("\n");
    const secys = show("-d", "link", "show", "type", "macsec").flatMap(
      (line) => /cipher .*/.exec(line)?.[0] ?? [],
    );
    const policies = ip("-n", this.network, "xfrm", "policy").split(/\n(?=\S)/);
    const isUp = /[<,]UP[,>]/.test(ip("-n", this.network, "link", "show", "dev", "wire"));
    const port = isUp ? "up" : "down";
    // A block that a kill kept beside its successor goes with the next one, or with its release.
    const distinct = new Set(policies.map((policy) => policy.trim()).sort());
    return [...configuredIn(this.network), ...secys, ...distinct, port];
  }

  /** Strikes one change, and looks once nothing waits any more. */
  async struck(scenario: NetScenario, scope: Scope, fate: Fate): Promise<Outcome> {
    const token = await this.#prepared(scenario.change);
    const net = this.#net;
    if (net?.pid === undefined) throw new Error("linkseal-net does not run");
    using strace = await Strace.attach(net.pid, scope, fate);
    const { known, refusal } = await this.#act(scenario, token);
    const counts = await strace.end();
    const isDead = fate.kind === "killed" && (await this.#hasEnded(net));
    if (isDead) await this.start();
    await this.#settled(token);
    return { known, refusal, counts, found: await this.look(), deaths: isDead ? 1 : 0 };
  }

  async #act({ how }: NetScenario, token: string): Promise<Pick<Outcome, "known" | "refusal">> {
    const path = `/transactions/${token}`;
    const within = how === "final" ? how : withinMs;
    const applied = outcomeOf(await this.#ask(`${path}/apply`, { within }));
    if (applied.known !== "done") return applied;
    if (how === "confirmed") return outcomeOf(await this.#ask(`${path}/confirm`));
    if (how === "rolledBack") return outcomeOf(await this.#ask(`${path}/rollback`));
    // A disk that takes no write delays the record of the end, so a time is waited for.
    if (how === "expired") await rest(withinMs + 2_000);
    return applied;
  }

  /** Resolves once the change waits no more, or the process is gone. */
  async #settled(token: string): Promise<void> {
    await until(async () => {
      const reply = await this.#ask("/recall", { token });
      return reply?.body["kind"] === "pending" ? undefined : true;
    }, 3 * withinMs);
  }

  async #hasEnded(net: ChildProcess): Promise<boolean> {
    const isEnded = (): boolean => net.exitCode !== null || net.signalCode !== null;
    // The reply that was lost comes before the news of the end.
    if (!isEnded() && (await this.#ask("/recall", { token: "none" })) === undefined)
      await once(net, "close");
    return isEnded();
  }

  async #prepared(change: readonly object[]): Promise<string> {
    const reply = await this.#ask("/prepare", { change });
    const token = reply?.body["token"];
    if (typeof token !== "string") throw new Error(`not prepared: ${JSON.stringify(reply)}`);
    return token;
  }

  #ask(path: string, body: object = {}): Promise<NetReply | undefined> {
    return askNet(this.#socket, path, body);
  }

  [Symbol.dispose](): void {
    this.#programs[Symbol.dispose]();
    leaveNetworks();
    rmSync(this.folder, { recursive: true });
  }
}

function outcomeOf(reply: NetReply | undefined): Pick<Outcome, "known" | "refusal"> {
  if (reply === undefined) return { known: "unknown", refusal: undefined };
  if (reply.status === 200) return { known: "done", refusal: undefined };
  const { code, effect, text } = reply.body;
  const refusal = `${String(code)} ${String(effect)}: ${String(text)}`;
  return { known: effect === "none" ? "refused" : "unknown", refusal };
}
