// A Junos router as its NETCONF answers: a candidate that is locked, commits confirmed in minutes,
// and a history with notes; written from Juniper's documents.

import type { MacsecCapabilities } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Router } from "../router/router.ts";
import type { Session as RouterSession } from "../router/router-commit.ts";
import type { RouterModel } from "../site/site-plan.ts";
import { applyEdit, type ConfigNode, cloneTree, nodes, printTree, select } from "./config-tree.ts";
import { draftOf, Emulator } from "./emulator.ts";
import { lost } from "./exchange.ts";
import {
  answerOf,
  commits,
  type HistoryEntry,
  type JunosConfiguration,
  type Model,
} from "./junos-answers.ts";
import { configFrom, firstTree, treeAfter } from "./junos-config.ts";
import {
  EmulatorError,
  type EmulatorSession,
  type Operations,
  type Outcome,
  replied,
  rpcError,
  serveNetconf,
  type Wire,
} from "./netconf.ts";
import { hasIpsec } from "./router-facts.ts";
import { junosForm, type SnmpObject, snmpObjects } from "./snmp.ts";
import { child, childText, tag, type XmlNode } from "./xml-text.ts";

const capabilities = [
  "urn:ietf:params:xml:ns:netconf:base:1.0",
  "urn:ietf:params:xml:ns:netconf:capability:candidate:1.0",
  "urn:ietf:params:xml:ns:netconf:capability:confirmed-commit:1.0",
  "urn:ietf:params:xml:ns:netconf:capability:validate:1.0",
  "urn:ietf:params:netconf:base:1.0",
  "urn:ietf:params:netconf:capability:candidate:1.0",
  "urn:ietf:params:netconf:capability:confirmed-commit:1.0",
  "http://xml.juniper.net/netconf/junos/1.0",
];

const macsec: MacsecCapabilities = {
  suites: ["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"],
  overlap: "keychain",
  counters: "perSa",
  hitless: [],
};

/** A router with room for two keys, which confirms commits in whole minutes. */
export const junosModel: RouterModel = {
  capabilities: {
    commit: {
      kind: "confirmed",
      confirmedBy: "anySession",
      stepMs: 60_000,
      maxMs: 65_535 * 60_000,
    },
    macsec,
    drain: { means: ["prepend", "gracefulShutdown", "peeringShutdown"], settleMs: 4_000 },
    probe: true,
  },
  commitMs: 3_000,
};

/** A firewall: VPNs, and one key per port. */
export const srxModel: RouterModel = {
  ...junosModel,
  capabilities: {
    ...junosModel.capabilities,
    macsec: { ...macsec, overlap: "none" },
    ipsec: { keying: ["ike"], authentication: ["psk"], atomicReplace: true, rekeys: [] },
  },
};

const recent: Model = { model: "ptx10008", version: "23.4R2-S1.5-EVO", wiring: {} };
const minuteMs = 60_000;
const defaultMinutes = 10;
const historyMax = 50;

/** One router with its Junos configuration; all of its sessions share one candidate. */
export class JunosEmulator extends Emulator<ConfigNode> implements JunosConfiguration {
  readonly model: Model;
  readonly #session: RouterSession;
  #candidate: ConfigNode;
  #isModified = false;
  #holder: object | undefined;
  #history: HistoryEntry[] = [];
  #armed: Parameters<Router["commits"]["recall"]>[0] | undefined;
  /** The configuration of the second routing engine, if there is one. */
  #second: ConfigNode;

  constructor(router: Router, model: Model = recent) {
    super(router, firstTree(router, model.wiring), treeAfter);
    this.#second = this.current;
    this.model = model;
    this.#session = router.openSession();
    this.#candidate = cloneTree(this.current);
    this.#note("operator", "cli", undefined, undefined);
  }

  /** The configuration that a switchover to the second routing engine would bring. */
  get second(): ConfigNode {
    return this.#second;
  }

  /** Opens a session; undefined if the router does not answer. */
  connect(wire: Wire): EmulatorSession | undefined {
    if (!this.router.reachable()) return undefined;
    const holder = {};
    const operations: Operations = {
      msFor: (operation) => this.#msFor(operation),
      run: (operation) => this.#run(operation, holder),
      closed: () => this.#leave(holder),
    };
    return serveNetconf({ router: this.router, capabilities, operations }, wire);
  }

  /** Returns the objects of its SNMP agent; undefined if the router does not answer. */
  objects(): readonly SnmpObject[] | undefined {
    if (!this.router.reachable()) return undefined;
    this.#follow();
    return snmpObjects(this.router, this.bootedAt, junosForm);
  }

  #msFor(operation: XmlNode): number {
    const { observeMs, prepareMs, commitMs } = this.router.options.latency;
    if (operation.name === "commit-configuration" || operation.name === "commit") {
      return child(operation, "check") === undefined ? commitMs : prepareMs;
    }
    return observeMs / 10;
  }

  #leave(holder: object): void {
    if (this.#holder !== holder) return;
    this.#holder = undefined;
    this.#discard();
  }

  #discard(): void {
    this.#candidate = cloneTree(this.current);
    this.#isModified = false;
    this.#previous = false;
  }

  /** Follows changes of the router that were made otherwise, and the revert of its own timer. */
  #follow(): void {
    this.hasRebooted();
    const isOver = this.#armed !== undefined && !this.router.commits.armed();
    if (this.followRunning({ keepsSame: true }) === "changed") {
      if (!this.#isModified) this.#discard();
      // Both routing engines take back a trial that was made on both.
      if (isOver) this.#second = this.current;
      if (isOver) this.#note("root", "other");
      else this.#note("operator", "cli");
    }
    if (isOver) this.#armed = undefined;
  }

  #note(user: string, client: string, log?: string, comment?: string): void {
    const entry = { user, client, wall: this.router.wall(), log, comment };
    this.#history = [entry, ...this.#history].slice(0, historyMax);
  }

  #run(operation: XmlNode, holder: object): Outcome {
    this.#follow();
    // Under this fault the router still answers, with text that cannot be parsed.
    if (this.router.hasFault("unparsed")) return replied(tag("output", "%% daemon is not running"));
    switch (operation.name) {
      case "lock":
      case "lock-configuration":
        return this.#lock(holder);
      case "unlock":
      case "unlock-configuration":
        this.#leave(holder);
        return ok();
      case "discard-changes":
        this.#discard();
        return ok();
      case "edit-config":
        return this.#edit(operation, holder);
      case "load-configuration":
        return this.#load(operation, holder);
      case "commit":
      case "commit-configuration":
        return this.#commit(operation);
      case "validate":
        configFrom(this.#candidate, this.router, this.model.wiring);
        return ok();
      case "get-config":
        return this.#getConfig(operation);
      case "close-session":
        return { kind: "last", body: tag("ok") };
      default:
        return replied(...this.#replyTo(operation).map(printTree));
    }
  }

  #replyTo(operation: XmlNode): readonly ConfigNode[] {
    const isOfTunnels = operation.name.includes("security-associations");
    const answer = isOfTunnels && !hasIpsec(this.router) ? undefined : answerOf(this, operation);
    if (answer !== undefined) return answer;
    throw new EmulatorError("operation-not-supported", `syntax error: <${operation.name}>`);
  }

  /** Returns the commit history as elements, newest first. */
  commits(): readonly ConfigNode[] {
    const foreign = this.router.hasFault("foreignCommit");
    const comment = `commit confirmed, rollback in ${defaultMinutes}mins`;
    const person = { user: "operator", client: "cli", wall: this.router.wall(), comment };
    const shown = foreign ? [{ ...person, log: undefined }, ...this.#history] : this.#history;
    return commits(shown, this.#armed !== undefined || foreign);
  }

  #lock(holder: object): Outcome {
    const locked = this.#holder !== undefined && this.#holder !== holder;
    if (locked || this.router.hasFault("locked")) {
      const who = "operator terminal p0 (pid 4711) on since 2026-11-25 09:00:00 UTC, idle 00:01:30";
      return refused("lock-denied", `configuration database locked by:\n${who}`);
    }
    if (this.#isModified) return refused("lock-denied", "configuration database modified");
    this.#holder = holder;
    this.#discard();
    return ok();
  }

  #mayEdit(holder: object): void {
    if (this.#holder === holder || this.#holder === undefined) return;
    throw new EmulatorError("in-use", "configuration database locked by another session");
  }

  #edit(operation: XmlNode, holder: object): Outcome {
    this.#mayEdit(holder);
    const configuration = child(operation, "config", "configuration");
    if (configuration === undefined) throw new EmulatorError("missing-element", "no configuration");
    const warnings: string[] = [];
    const next = cloneTree(this.#candidate);
    applyEdit(next, configuration, warnings);
    this.#candidate = next;
    this.#isModified = true;
    const reported = warnings.map((text) => rpcError("data-missing", text, "warning"));
    return replied(...reported, tag("ok"));
  }

  #load(operation: XmlNode, holder: object): Outcome {
    this.#mayEdit(holder);
    if (operation.attributes.get("rollback") !== "1" || this.#armed === undefined) {
      throw new EmulatorError("invalid-value", "rollback: no such configuration");
    }
    this.#previous = true;
    return reply`load-configuration-results { ok; }`;
  }

  /** True if the candidate is the configuration from before the commit that waits. */
  #previous = false;

  #commit(operation: XmlNode): Outcome {
    const candidate = this.#candidate;
    if (child(operation, "check") !== undefined) {
      configFrom(candidate, this.router, this.model.wiring);
      // A check confirms as well: the entry of the trial stays the newest one, without its mark.
      this.#settleTrial();
      return results();
    }
    const log = childText(operation, "log");
    const isForBoth = child(operation, "synchronize") !== undefined;
    if (isForBoth && this.model.secondEngine !== "OK") {
      return refused("operation-failed", "error: remote routing engine is not ready");
    }
    try {
      this.#commitNow(operation, candidate, log);
      if (isForBoth) this.#second = this.current;
    } catch (error) {
      // The router reports an error inside a reply that ends as a success.
      if (!(error instanceof LinksealError)) throw error;
      if (!this.router.hasFault("errorWithSuccess")) throw error;
      return reply`
        commit-results { routing-engine { name re0;
          'xnm:error xmlns:xnm="http://xml.juniper.net/xnm/1.1/xnm"' {
            source-daemon dot1xd; message ${error.message}; } } }
        ok;`;
    }
    return this.router.hasFault("replyLost") ? lost(this.router, this.#history.length) : results();
  }

  #confirm(log: string | undefined): void {
    if (this.#settleTrial()) this.#note("linkseal", "netconf", log);
  }

  /** Ends the wait of a trial for good; false if none waits. */
  #settleTrial(): boolean {
    const token = this.#armed;
    if (token === undefined) return false;
    this.router.commits.confirm(this.#session, token);
    this.#armed = undefined;
    return true;
  }

  #commitNow(operation: XmlNode, candidate: ConfigNode, log: string | undefined): void {
    const { router } = this;
    const { commits: engine } = router;
    if (this.#previous && this.#armed !== undefined) {
      engine.rollback(this.#armed);
      this.#armed = undefined;
      this.#previous = false;
      this.#settled(this.current, log);
      return;
    }
    // Any commit confirms the one before.
    this.#confirm(log);
    if (!this.#isModified) {
      if (this.#history[0]?.log !== log) this.#note("linkseal", "netconf", log);
      return;
    }
    const draft = draftOf(() => configFrom(candidate, router, this.model.wiring));
    const prepared = engine.prepareDraft(this.#session, draft);
    const within = this.#within(operation);
    engine.commit(prepared.token, within);
    this.#settled(candidate, log, within);
    if (within !== "final") this.#armed = prepared.token;
  }

  #settled(tree: ConfigNode, log: string | undefined, within: number | "final" = "final"): void {
    this.settle(this.formOf(this.router.running) ?? tree);
    this.#discard();
    const comment =
      within === "final" ? undefined : `commit confirmed, rollback in ${within / minuteMs}mins`;
    this.#note("linkseal", "netconf", log, comment);
  }

  /** Reads the timeout: minutes in Junos' own operation, seconds in the one of RFC 6241. */
  #within(operation: XmlNode): number | "final" {
    if (child(operation, "confirmed") === undefined) return "final";
    const text = childText(operation, "confirm-timeout");
    if (operation.name === "commit") return Number(text ?? 600) * 1000;
    return Number(text ?? defaultMinutes) * minuteMs;
  }

  #getConfig(operation: XmlNode): Outcome {
    const isCandidate = child(operation, "source", "candidate") !== undefined;
    const tree = isCandidate ? this.#candidate : this.current;
    const filter = child(operation, "filter", "configuration");
    const found = filter === undefined ? tree : select(tree, filter);
    const printed = found === undefined ? tag("configuration") : printTree(found);
    return replied(tag("data", printed));
  }
}

const reply = (...text: Parameters<typeof nodes>): Outcome =>
  replied(...nodes(...text).map(printTree));

const ok = (): Outcome => reply`ok;`;

const refused = (error: string, message: string): Outcome => replied(rpcError(error, message));

const results = (): Outcome =>
  reply`commit-results { routing-engine { name re0; commit-success; } } ok;`;
