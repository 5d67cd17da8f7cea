// An Arista router as its command line answers: sessions that contain a configuration until they
// are committed, and a timer that reverts a commit; written from Arista's manual and from output
// that was published.

import { LinksealError } from "#hal/error.ts";
import type { Router } from "../router/router.ts";
import type { Session as RouterSession } from "../router/router-commit.ts";
import type { RouterModel } from "../site/site-plan.ts";
import { draftOf, Emulator } from "./emulator.ts";
import type { EosConfiguration, EosModel } from "./eos-answers.ts";
import { CommandError, type ConfigSession } from "./eos-config.ts";
import { bgpIn, configFrom, effectsOf, firstLines, linesAfter } from "./eos-meaning.ts";
import { EosShell } from "./eos-shell.ts";
import { lost } from "./exchange.ts";
import { type Block, childOf, cloneBlocks, restOf } from "./line-tree.ts";
import type { EmulatorSession, Wire } from "./netconf.ts";
import { peersOf } from "./router-facts.ts";
import { eosForm, type SnmpObject, snmpObjects } from "./snmp.ts";
import { type Printed, serveLine, serveTerminal } from "./terminal.ts";

/** A router with one key and a fallback; a pending commit is reverted to the second. */
export const eosModel: RouterModel = {
  capabilities: {
    commit: { kind: "confirmed", confirmedBy: "anySession", stepMs: 1_000, maxMs: 86_399_000 },
    macsec: {
      suites: ["gcm-aes-xpn-256", "gcm-aes-xpn-128", "gcm-aes-256", "gcm-aes-128"],
      overlap: "fallback",
      counters: "perPort",
      hitless: [],
    },
    drain: { means: ["prepend", "peeringShutdown"], settleMs: 4_000 },
    probe: true,
  },
  commitMs: 2_000,
  portName: "Ethernet1/1",
};

/** A router of the family that terminates tunnels. */
export const eosTunnelModel: RouterModel = {
  ...eosModel,
  capabilities: {
    ...eosModel.capabilities,
    ipsec: { keying: ["ike"], authentication: ["psk"], atomicReplace: true, rekeys: [] },
  },
};

const openMax = 5;

/** One router with its configuration and the sessions in which changes of it are prepared. */
export class EosEmulator extends Emulator<readonly Block[]> implements EosConfiguration {
  readonly model: EosModel;
  readonly #session: RouterSession;
  #sessions = new Map<string, ConfigSession>();
  #armed:
    | {
        readonly token: Parameters<Router["commits"]["recall"]>[0];
        readonly name: string;
        readonly by: number;
      }
    | undefined;
  #numbered = 0;

  constructor(
    router: Router,
    model: EosModel = {
      ...{ model: "DCS-7280CR3MK-32P4-F", version: "4.30.5M" },
      ...{ timer: "inRow", wiring: {} },
    },
  ) {
    super(router, firstLines(router, model.wiring), linesAfter);
    this.bootFromSaved();
    this.model = model;
    this.#session = router.openSession();
  }

  /** Opens a terminal; undefined if the router does not answer. */
  connect(wire: Wire): EmulatorSession | undefined {
    if (!this.router.reachable()) return undefined;
    return serveTerminal(this.router, new EosShell(this, 1), wire);
  }

  /**
   * Runs one command without a terminal, with all privileges; undefined if the router does not
   * answer.
   */
  execute(wire: Wire, command: string): EmulatorSession | undefined {
    if (!this.router.reachable()) return undefined;
    return serveLine(this.router, new EosShell(this, 15), command, wire);
  }

  /** Returns the objects of its SNMP agent; undefined if the router does not answer. */
  objects(): readonly SnmpObject[] | undefined {
    if (!this.router.reachable()) return undefined;
    this.follow();
    return snmpObjects(this.router, this.bootedAt, eosForm);
  }

  /** The configuration sessions by name. */
  get sessions(): ReadonlyMap<string, ConfigSession> {
    return this.#sessions;
  }

  /** Returns the session whose commit waits, and the uptime in seconds at which it is reverted. */
  waiting(): { readonly name: string; readonly by: number } | undefined {
    if (this.router.hasFault("foreignCommit")) {
      return { name: "operator-1", by: (this.router.wall() - this.bootedAt) / 1000 + 600 };
    }
    return this.#armed;
  }

  /** True if the neighbour is configured as shut down. */
  isShut(peer: string): boolean {
    const bgp = bgpIn(this.current, this.model.wiring);
    return childOf(bgp, `neighbor ${peer} shutdown`) !== undefined;
  }

  /** The configuration as it is printed; BFD of a peering may have been removed since. */
  get shown(): readonly Block[] {
    const off = [...peersOf(this.router)]
      .filter(([port]) => this.router.bfdOf(port) === "off")
      .map(([, peer]) => `neighbor ${peer} bfd`);
    const kept = (lines: readonly Block[]): Block[] =>
      lines
        .filter(({ line }) => !off.includes(line))
        .map((one) => ({ ...one, children: kept(one.children) }));
    return off.length === 0 ? this.current : kept(this.current);
  }

  /** Returns the configured host name. */
  hostname(): string {
    return restOf(this.current, "hostname") ?? "localhost";
  }

  /** Follows changes of the router that were made otherwise, and the revert of its own timer. */
  follow(): void {
    if (this.hasRebooted()) this.#sessions.clear();
    if (this.#armed !== undefined && !this.router.commits.armed()) {
      // A session whose time ran out leaves no row.
      this.#sessions.delete(this.#armed.name);
      this.#armed = undefined;
    }
    this.followRunning();
  }

  /**
   * Enters a session, which is created if there is none of that name.
   * @throws CommandError
   */
  open(given: string | undefined): ConfigSession {
    this.#refuseLocked();
    this.#numbered += 1;
    const name = given ?? `sess-${this.#numbered}`;
    if (this.waiting()?.name === name) {
      throw new CommandError(`% Cannot enter session ${name} (pendingCommitTimer)`);
    }
    const found = this.#sessions.get(name);
    if (found?.state === "pending") return found;
    if (found?.state === "completed") {
      throw new CommandError(`% Cannot enter session ${name} (already completed)`);
    }
    const open = [...this.#sessions.values()].filter(({ state }) => state === "pending");
    if (open.length >= openMax) {
      throw new CommandError("% Maximum number of pending sessions has been reached");
    }
    const made: ConfigSession = { name, state: "pending", root: cloneBlocks(this.current) };
    this.#sessions.set(name, made);
    return made;
  }

  /**
   * Ends a session; a commit of it that waits is reverted.
   * @throws CommandError if there is no such session
   */
  abort(name: string): void {
    const found = this.#sessions.get(name);
    if (this.#armed?.name === name) {
      this.router.commits.rollback(this.#armed.token);
      this.#armed = undefined;
      this.follow();
    } else if (found?.state !== "pending") {
      throw new CommandError(`% Cannot abort session ${name} (no such session)`);
    } else if (this.model.timer === "beside") {
      this.#remember(name, "aborted");
      return;
    }
    this.#sessions.delete(name);
  }

  /**
   * Confirms the session's commit if it waits, or commits the session for good.
   * @throws CommandError
   */
  commitNamed(name: string): Printed {
    if (this.#armed?.name === name) {
      this.router.commits.confirm(this.#session, this.#armed.token);
      this.#armed = undefined;
      this.#remember(name, "completed");
      return this.#reply();
    }
    const found = this.#sessions.get(name);
    if (found?.state !== "pending") {
      throw new CommandError(`% Cannot commit session ${name} (no such session)`);
    }
    return this.commit(found, "final");
  }

  /**
   * Commits a session; without a timer the session is complete.
   * @throws CommandError with the text that EOS prints
   */
  commit(session: ConfigSession, within: number | "final"): Printed {
    const { router } = this;
    this.#refuseLocked();
    const other = this.waiting();
    if (other !== undefined) {
      throw new CommandError(`% Commit failed: session ${other.name} is pending commit timer`);
    }
    const { root } = session;
    try {
      const draft = draftOf(() => configFrom(root, router, this.model.wiring), effectsOf);
      const prepared = router.commits.prepareDraft(this.#session, draft);
      router.commits.commit(prepared.token, within);
      this.settle(cloneBlocks(root));
      if (within === "final") this.#remember(session.name, "completed");
      else {
        const by = (router.wall() - this.bootedAt + within) / 1000;
        this.#armed = { token: prepared.token, name: session.name, by };
      }
    } catch (error) {
      // The simulated router itself refused the change.
      if (!(error instanceof LinksealError)) throw error;
      throw new CommandError(`% Commit failed: ${error.message}`);
    }
    return this.#reply();
  }

  /** Puts a line in force at once, as for an operator who edits without a session. */
  direct(root: readonly Block[]): void {
    this.commit({ name: "configure", state: "pending", root: cloneBlocks(root) }, "final");
    this.#sessions.delete("configure");
  }

  #reply(): Printed {
    return this.router.hasFault("replyLost") ? lost(this.router, this.#sessions.size) : "";
  }

  /** Only the newest session of each kind is remembered: one is the default. */
  #remember(name: string, state: "completed" | "aborted"): void {
    for (const other of this.#sessions.values()) {
      if (other.state === state) this.#sessions.delete(other.name);
    }
    this.#sessions.set(name, { name, state, root: [] });
  }

  #refuseLocked(): void {
    if (!this.router.hasFault("locked")) return;
    throw new CommandError("% Configuration is locked by operator on vty4");
  }
}
