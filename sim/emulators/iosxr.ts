// A router with IOS XR as its command line answers: a target configuration for each session, and
// trial commits that only their session confirms and that outlive it until their timer; written
// from Cisco's documents and from output that was published.

import { LinksealError } from "#hal/error.ts";
import type { Router } from "../router/router.ts";
import type { Session as RouterSession } from "../router/router-commit.ts";
import type { RouterModel } from "../site/site-plan.ts";
import { ping, stamp } from "./cisco-answers.ts";
import { plainLayout, printedByXr } from "./cisco-layout.ts";
import { answerTo } from "./cli-answers.ts";
import { draftOf, Emulator } from "./emulator.ts";
import { lost } from "./exchange.ts";
import {
  type CommitEntry,
  type Model,
  type OpenEdit,
  questions,
  type XrEmulator,
} from "./iosxr-answers.ts";
import {
  blocksAfter,
  configFrom,
  firstBlocks,
  portsWithBothChanged,
  SemanticError,
} from "./iosxr-config.ts";
import { grammar, printBlocks } from "./iosxr-tree.ts";
import {
  type Block,
  block,
  blocksAt,
  cloneBlocks,
  enter,
  type Place,
  parentOf,
  top,
} from "./line-tree.ts";
import type { EmulatorSession, Wire } from "./netconf.ts";
import { iosxrForm, type SnmpObject, snmpObjects } from "./snmp.ts";
import { ciscoStyle, type Printed, type Shell, serveTerminal } from "./terminal.ts";

/** A router with a fallback key, on which only the session that made a trial confirms it. */
export const iosxrModel: RouterModel = {
  capabilities: {
    commit: { kind: "confirmed", confirmedBy: "ownSession", stepMs: 1_000, maxMs: 65_535_000 },
    macsec: {
      suites: ["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"],
      overlap: "fallback",
      counters: "perSa",
      hitless: [],
      always: ["includeSci", "replayWindow"],
    },
    drain: { means: ["prepend", "peeringShutdown"], settleMs: 4_000 },
    probe: true,
  },
  commitMs: 3_000,
  portName: "HundredGigE0/0/0/0",
};

const recent: Model = { platform: "8201-32FH", version: "7.11.2", wiring: {} };
const historyMax = 50;
const keystrokeMs = 4;
/** The most lines and columns of a terminal. */
const terminalMax = 512;
const shortestS = 30;
const longestS = 65_535;
const shortestLabelMax = 20;
const largeQuestion =
  "This could be a few minutes if your config is large. Confirm? [y/n][confirm]";
const leavingText =
  "You are exiting after a 'commit confirm' with an active rollback session.  If you exit the " +
  "configuration awaiting confirmation will not be confirmed and the router will immediately " +
  "rollback to the previous configuration.";
const leavingQuestion = "Do you wish to exit? [no]: ";
/** The row of a session whose connection broke stays in the table for minutes. */
const lingersMs = 540_000;
const operatorEdit: OpenEdit = {
  ...{ id: "00001000-00002fd1-00000000", line: "con0", user: "operator", since: 0 },
  ...{ client: "CLI", isExclusive: true },
};
const invalid = "                ^\n% Invalid input detected at '^' marker.";

/** One router with its configuration; every session has a target of its own. */
export class IosxrEmulator extends Emulator<readonly Block[]> implements XrEmulator {
  readonly model: Model;
  readonly #sessions = new Set<Vty>();
  #history: CommitEntry[] = [];
  #lingering: readonly OpenEdit[] = [];
  #lines = 0;
  #editsBegun = 0;
  #commitId = 1_000_000_000;
  /** The agent's trial that waits for its confirm. */
  trial:
    | {
        readonly token: Parameters<Router["commits"]["recall"]>[0];
        readonly vty: Vty;
        readonly edit: OpenEdit;
      }
    | undefined;

  constructor(router: Router, model: Model = recent) {
    super(router, firstBlocks(router, model.wiring), blocksAfter);
    this.model = model;
    this.note("operator", "con0_RP0_CPU0", "CLI");
  }

  /** Opens a session; undefined if the router does not answer. */
  connect(wire: Wire): EmulatorSession | undefined {
    if (!this.router.reachable()) return undefined;
    const vty = new Vty(this, `vty${this.#lines}`);
    this.#lines += 1;
    this.#sessions.add(vty);
    return serveTerminal(this.router, vty, wire);
  }

  /** Returns the objects of its SNMP agent; undefined if the router does not answer. */
  objects(): readonly SnmpObject[] | undefined {
    if (!this.router.reachable()) return undefined;
    this.follow();
    return snmpObjects(this.router, this.bootedAt, iosxrForm);
  }

  /** Returns the session that edits exclusively; undefined if there is none. */
  holder(): Vty | undefined {
    return [...this.#sessions].find(({ isExclusive }) => isExclusive);
  }

  /** Removes a session whose connection has ended. */
  leave(vty: Vty): void {
    this.#sessions.delete(vty);
    if (vty.edit === undefined) return;
    this.#lingering = [...this.#lingering, { ...vty.edit, isExclusive: false }];
  }

  /** Makes the row of a session in which the configuration is edited. */
  beginEdit(line: string, client: OpenEdit["client"], isExclusive: boolean): OpenEdit {
    this.#editsBegun += 1;
    const serial = (0x3595 + 28 * this.#editsBegun).toString(16).padStart(8, "0");
    const id = `00001000-${serial}-00000000`;
    return { id, line, user: "linkseal", since: this.router.wall(), client, isExclusive };
  }

  /** Adds an entry to the commit history. */
  note(
    user: string,
    line: string,
    client: string,
    { label, comment }: { readonly label?: string; readonly comment?: string } = {},
  ): void {
    this.#commitId += 1;
    const wall = this.router.wall();
    const entry = { id: this.#commitId, user, line, client, wall, label, comment };
    this.#history = [entry, ...this.#history].slice(0, historyMax);
  }

  /** True if a commit of the history has this label. */
  hasLabel(label: string): boolean {
    return this.#history.some((entry) => entry.label === label);
  }

  /** Follows changes of the router that were made otherwise, and the revert of its own timer. */
  follow(): void {
    this.hasRebooted();
    const isOver = this.trial !== undefined && !this.router.commits.armed();
    if (isOver) this.trial = undefined;
    const followed = this.followRunning({ keepsSame: !isOver });
    if (followed === undefined) return;
    if (isOver) this.note("linkseal", "vty0:node0_RP0_CPU0", "Rollback");
    else if (followed === "changed") this.note("operator", "con0_RP0_CPU0", "CLI");
  }

  /** Returns the answer to a `show` command. */
  show(question: string): string {
    if (question.startsWith("running-config")) return this.#running(question);
    const [what = "", ...filters] = question.split(" | ");
    const shown = answerTo(questions, this, what) ?? invalid;
    if (shown === invalid) return shown;
    const left = filters.length === 0 ? shown : filtered(shown.split("\n"), filters).join("\n");
    return printedByXr(left, this.router.wall(), this.model.layout ?? plainLayout);
  }

  /** The commits, newest first. */
  get history(): readonly CommitEntry[] {
    return this.#history;
  }

  /** Returns the sessions in which a configuration is edited, and that of a trial. */
  editors(): readonly OpenEdit[] {
    const now = this.router.wall();
    this.#lingering = this.#lingering.filter(({ since }) => now - since < lingersMs);
    const open = [...this.#sessions].flatMap(({ edit }) => edit ?? []);
    return [
      ...this.#lingering,
      ...open,
      ...(this.trial === undefined ? [] : [this.trial.edit]),
      ...(this.router.hasFault("locked") ? [operatorEdit] : []),
    ];
  }

  #running(question: string): string {
    const [what = "", ...filters] = question.split(" | ");
    const words = what.replace(/^running-config ?/, "");
    const found = this.current.filter(({ line }) => line === words || line.startsWith(words));
    if (found.length === 0) return "% No such configuration item(s)";
    return filtered(printBlocks(found), filters).join("\n");
  }
}

function filtered(lines: readonly string[], filters: readonly string[]): readonly string[] {
  return filters.reduce<readonly string[]>((left, filter) => {
    const [verb, pattern = ""] = filter.split(/ (.*)/);
    return left.filter((line) => line.includes(pattern) === (verb === "include"));
  }, lines);
}

/** One session at the command line. */
class Vty implements Shell {
  readonly style = ciscoStyle;
  readonly line: string;
  readonly #emulator: IosxrEmulator;
  readonly #session: RouterSession;
  #place: Place | undefined;
  #target: Block[] = [];
  #isStamped = true;
  /** The question that waits for its answer: about a commit, or about the end of a trial. */
  #asked: { readonly commit: string } | "leaving" | undefined;
  #failed: string | undefined;
  /** Its row of the table; undefined = it edits nothing. */
  edit: OpenEdit | undefined;

  constructor(emulator: IosxrEmulator, line: string) {
    this.#emulator = emulator;
    this.line = line;
    this.#session = emulator.router.openSession();
  }

  get isExclusive(): boolean {
    return this.edit?.isExclusive === true;
  }

  get #isAsking(): boolean {
    return this.#emulator.model.layout?.asksAtCommit === true;
  }

  prompt(): string {
    if (this.#asked === "leaving") return leavingQuestion;
    if (this.#asked !== undefined) return largeQuestion;
    const place = this.#place;
    const mode = place === undefined ? "" : `(config${place.mode === "" ? "" : `-${place.mode}`})`;
    return `RP/0/RP0/CPU0:${this.#emulator.router.options.name}${mode}#`;
  }

  msFor(line: string): number {
    const { observeMs, commitMs } = this.#emulator.router.options.latency;
    if (this.#asked !== undefined) return commitMs;
    if (/^commit\b/.test(line)) return this.#isAsking ? keystrokeMs : commitMs;
    return /^(do )?(show|ping)\b/.test(line) ? observeMs / 10 : keystrokeMs;
  }

  run(line: string): Printed {
    const { router } = this.#emulator;
    this.#emulator.follow();
    const waiting = this.#asked;
    if (waiting !== undefined) {
      this.#asked = undefined;
      if (waiting === "leaving") return line === "yes" ? this.#leave() : "";
      return line === "y" ? this.#commit(waiting.commit) : "";
    }
    if (line === "" || /^(?:!$|!!)/.test(line)) return "";
    if (line.startsWith("!")) {
      // A comment of the configuration stays with the line that follows it.
      if (this.#place !== undefined) blocksAt(this.#target, this.#place.path).push(block(line));
      return "";
    }
    // Under this fault the router still answers, with text that cannot be parsed.
    if (router.hasFault("unparsed") && /^(do )?show/.test(line)) return "sysmgr: no output";
    const printed = this.#place === undefined ? this.#exec(line) : this.#edit(line, this.#place);
    const isStamped = this.#isStamped && /^(?:do )?(show|ping)\b/.test(line);
    if (typeof printed !== "string" || !isStamped) return printed;
    return `${stamp(router.wall())}\n${printed}`;
  }

  closed(): void {
    // A trial of this session goes on: its timer belongs to the router.
    this.#emulator.router.commits.closeSession(this.#session);
    this.#emulator.leave(this);
  }

  /** Asks first where the end of the session is the end of its trial. */
  #end(): Printed {
    if (this.#emulator.trial?.vty !== this) return this.#leave();
    this.#asked = "leaving";
    return `\n${leavingText}`;
  }

  /** Ends the editing; a trial of this session is reverted at once. */
  #leave(): "" {
    this.#place = undefined;
    this.edit = undefined;
    const { trial } = this.#emulator;
    if (trial?.vty !== this) return "";
    if (this.#emulator.router.commits.armed()) this.#emulator.router.commits.rollback(trial.token);
    this.#emulator.follow();
    return "";
  }

  #exec(line: string): Printed {
    if (line === "exit") return { kind: "last" };
    const size = /^terminal (?:length|width) (\d{1,4})$/.exec(line)?.[1];
    if (size !== undefined) return Number(size) <= terminalMax ? "" : invalid;
    if (line === "terminal exec prompt no-timestamp") {
      this.#isStamped = false;
      return "";
    }
    if (/^configure(?: terminal| exclusive)?$/.test(line)) return this.#configure(line);
    const show = /^show (.*)$/.exec(line)?.[1];
    if (show !== undefined) return this.#emulator.show(show);
    const [, vrf, address, count] =
      /^ping (?:vrf (\S+) )?(\S+) count (\d+)(?: .*)?$/.exec(line) ?? [];
    if (address === undefined) return invalid;
    const { router, model } = this.#emulator;
    return ping(router, address, Number(count), vrf === model.wiring.vrf);
  }

  #configure(line: string): Printed {
    const { router, trial } = this.#emulator;
    const isExclusive = line === "configure exclusive";
    const holder = this.#emulator.holder();
    if (holder !== undefined || router.hasFault("locked")) {
      return "Cannot enter exclusive mode. The Configuration Namespace is locked by another agent.";
    }
    if (isExclusive && trial !== undefined) {
      return (
        "Cannot enter exclusive mode. A trial commit is underway in another configuration " +
        "session."
      );
    }
    this.edit = this.#emulator.beginEdit(this.line, "CLI", isExclusive);
    this.#place = top;
    this.#target = cloneBlocks(this.#emulator.current);
    return "";
  }

  #edit(line: string, place: Place): Printed {
    switch (line) {
      case "root":
        this.#place = top;
        return "";
      case "exit":
        if (parentOf(grammar.rules, place) === undefined) return this.#end();
        this.#place = parentOf(grammar.rules, place);
        return "";
      case "end":
        return this.#end();
      case "abort":
        this.#place = undefined;
        this.edit = undefined;
        return "";
    }
    if (/^commit\b/.test(line)) {
      if (!this.#isAsking) return this.#commit(line);
      this.#asked = { commit: line };
      return "";
    }
    if (line.startsWith("show configuration failed")) {
      const [, filter] = line.split(" | ");
      const shown = ["!! SEMANTIC ERRORS", ...(this.#failed === undefined ? [] : [this.#failed])];
      return filtered(shown, filter === undefined ? [] : [filter]).join("\n");
    }
    if (line.startsWith("do ")) return this.#exec(line.slice(3));
    const next = enter(grammar, this.#target, place, line);
    if (next === undefined) return invalid;
    this.#place = next;
    return "";
  }

  #commit(line: string): Printed {
    // A trial takes no comment, and everything after that word is the comment.
    const found = /^commit(?: label ([A-Za-z][\w-]*))?(?: confirmed (\d+)| comment (.+))?$/.exec(
      line,
    );
    if (found === null) return invalid;
    const [, label, seconds, comment] = found;
    const { labelMax = shortestLabelMax } = this.#emulator.model;
    if (label !== undefined && label.length > labelMax) {
      return `% Failed to commit: the label '${label}' has more than ${labelMax} characters`;
    }
    if (label !== undefined && this.#emulator.hasLabel(label)) {
      return `% Failed to commit: the label '${label}' is used by another commit`;
    }
    const within = seconds === undefined ? "final" : Number(seconds) * 1000;
    const isLong = Number(seconds ?? shortestS);
    if (isLong < shortestS || isLong > longestS) return invalid;
    const { router, trial } = this.#emulator;
    const confirms = trial?.vty === this;
    if (!confirms && isEqual(this.#target, this.#emulator.current)) {
      return "% No configuration changes to commit.";
    }
    if (trial !== undefined && !confirms) {
      const { id } = trial.edit;
      return `% Cannot commit because there is an unexpired trial/rollback session '${id}'.`;
    }
    try {
      this.#commitNow(within, { ...(label && { label }), ...(comment && { comment }) });
    } catch (error) {
      if (!(error instanceof SemanticError) && !(error instanceof LinksealError)) throw error;
      this.#failed = `!!% ${error.message}`;
      return (
        "% Failed to commit one or more configuration items during a pseudo-atomic operation. " +
        "Please issue 'show configuration failed' from this session to view the errors"
      );
    }
    if (router.hasFault("replyLost")) return lost(router, router.wall());
    return confirms ? "\n% Confirming commit for trial session." : "";
  }

  #commitNow(
    within: number | "final",
    about: { readonly label?: string; readonly comment?: string },
  ): void {
    const { router, trial } = this.#emulator;
    const { commits } = router;
    if (trial !== undefined) {
      commits.confirm(this.#session, trial.token);
      this.#emulator.trial = undefined;
      // Lines that were entered since, comments included, are committed along with it.
      if (isEqual(this.#target, this.#emulator.current)) return;
    }
    const target = cloneBlocks(this.#target);
    const draft = draftOf(() => configFrom(target, router, this.#emulator.model.wiring));
    const prepared = commits.prepareDraft(this.#session, draft);
    const before = router.running;
    commits.commit(prepared.token, within);
    for (const port of portsWithBothChanged(before, router.running)) {
      router.port(port)?.endpoint.restartKay();
    }
    this.#emulator.settle(target);
    this.#emulator.note("linkseal", this.line, "CLI", about);
    if (within === "final") return;
    // The exclusive lock is released, and the trial has a session of its own.
    if (this.edit !== undefined) this.edit = { ...this.edit, isExclusive: false };
    const edit = this.#emulator.beginEdit(this.line, "commit-confirm", false);
    this.#emulator.trial = { token: prepared.token, vty: this, edit };
  }
}

function isEqual(one: readonly Block[], other: readonly Block[]): boolean {
  return printBlocks(one).join("\n") === printBlocks(other).join("\n");
}
