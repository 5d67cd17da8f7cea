// A switch with NX-OS as its command line answers: each line is in force as it is entered, nothing
// reverts it, and checkpoints are kept in memory until the next boot; written from Cisco's
// documents and from output that was published.

import { LinksealError } from "#hal/error.ts";
import type { Router } from "../router/router.ts";
import type { Session as RouterSession } from "../router/router-commit.ts";
import type { RouterModel } from "../site/site-plan.ts";
import { dated } from "./cisco-answers.ts";
import { answerTo } from "./cli-answers.ts";
import { draftOf, Emulator } from "./emulator.ts";
import { lost } from "./exchange.ts";
import {
  type Block,
  blocksAt,
  cloneBlocks,
  enter,
  type Place,
  parentOf,
  top,
} from "./line-tree.ts";
import type { EmulatorSession, Wire } from "./netconf.ts";
import { type NxEmulator, ping, questions } from "./nxos-answers.ts";
import { blocksAfter, configFrom, firstBlocks, LineError } from "./nxos-config.ts";
import { grammar, type NxModel, printBlocks } from "./nxos-tree.ts";
import { nxosForm, type SnmpObject, snmpObjects } from "./snmp.ts";
import { ciscoStyle, type Printed, type Shell, serveTerminal } from "./terminal.ts";

/** A switch with a fallback key, on which nothing reverts a change. */
export const nxosModel: RouterModel = {
  capabilities: {
    commit: { kind: "immediate" },
    macsec: {
      suites: ["gcm-aes-xpn-128", "gcm-aes-xpn-256"],
      overlap: "fallback",
      counters: "perPort",
      hitless: [],
      always: ["includeSci", "replayWindow"],
    },
    drain: { means: ["prepend", "peeringShutdown"], settleMs: 4_000 },
    probe: true,
  },
  commitMs: 2_000,
  portName: "Ethernet1/1",
};

const usual: NxModel = { platform: "C9336C-FX2", version: "9.3(6)", wiring: {} };
const keystrokeMs = 4;
/** The most columns of a terminal. */
const terminalMax = 511;
const checkpointsMax = 10;
const invalidCommand = "                       ^\n% Invalid command at '^' marker.";
const invalidParameter = "                       ^\n% Invalid parameter detected at '^' marker.";

interface Checkpoint {
  readonly at: number;
  /** All that was configured, the keys too. */
  readonly blocks: readonly Block[];
}

/** One switch with its configuration, which all of its sessions share. */
export class NxosEmulator extends Emulator<readonly Block[]> implements NxEmulator {
  readonly model: NxModel;
  readonly #session: RouterSession;
  readonly #checkpoints = new Map<string, Checkpoint>();
  /** The configuration at the last exchange of routes with all neighbours. */
  #spoken: readonly Block[];
  #changedAt: number;

  constructor(router: Router, model: NxModel = usual) {
    super(router, firstBlocks(router, model.wiring), blocksAfter);
    this.bootFromSaved();
    this.model = model;
    this.#session = router.openSession();
    this.#spoken = this.current;
    this.#changedAt = this.bootedAt;
  }

  /** Opens a session; undefined if the router does not answer. */
  connect(wire: Wire): EmulatorSession | undefined {
    if (!this.router.reachable()) return undefined;
    return serveTerminal(this.router, new Vty(this), wire);
  }

  /** Returns the objects of its SNMP agent; undefined if the router does not answer. */
  objects(): readonly SnmpObject[] | undefined {
    if (!this.router.reachable()) return undefined;
    this.follow();
    return snmpObjects(this.router, this.bootedAt, nxosForm);
  }

  /** Follows changes of the router that were made otherwise. */
  follow(): void {
    if (this.hasRebooted()) {
      this.#checkpoints.clear();
      this.#spoken = this.current;
    }
    if (this.followRunning() === "changed") this.#changedAt = this.router.wall();
  }

  get checkpoints(): ReadonlyMap<string, Checkpoint> {
    return this.#checkpoints;
  }

  /**
   * Puts an entered line in force at once.
   * @throws LineError before anything has changed
   */
  take(blocks: readonly Block[]): void {
    const { commits } = this.router;
    const draft = draftOf(() => configFrom(blocks, this.#spoken, this.router, this.model.wiring));
    commits.commit(commits.prepareDraft(this.#session, draft).token, "final");
    this.settle(blocks);
    this.#changedAt = this.router.wall();
  }

  /** Exchanges routes again, with the route maps that are configured now. */
  refresh(): void {
    this.#spoken = this.current;
    this.take(this.current);
  }

  /**
   * Keeps a copy of the configuration under a name.
   * @throws LineError
   */
  checkpoint(name: string): void {
    if (this.router.hasFault("locked")) throw busy();
    if (name.startsWith("system")) throw new LineError("ERROR: reserved checkpoint name");
    if (this.#checkpoints.has(name)) throw new LineError("ERROR: checkpoint name already exists");
    if (this.#checkpoints.size >= checkpointsMax) {
      throw new LineError(`ERROR: there are ${checkpointsMax} checkpoints already`);
    }
    this.#checkpoints.set(name, { at: this.router.wall(), blocks: this.current });
  }

  /**
   * Removes one.
   * @throws LineError if there is none of that name
   */
  forget(name: string): void {
    if (this.router.hasFault("locked")) throw busy();
    if (!this.#checkpoints.delete(name)) throw new LineError("ERROR: checkpoint does not exist");
  }

  /**
   * Puts back a copy, as a whole.
   * @throws LineError
   */
  rollback(name: string): string {
    if (this.router.hasFault("locked")) throw busy();
    const kept = this.#checkpoints.get(name);
    if (kept === undefined) throw new LineError("ERROR: checkpoint does not exist");
    const text = (blocks: readonly Block[]): string => printBlocks(blocks).join("\n");
    if (text(kept.blocks) !== text(this.current)) this.take(kept.blocks);
    return [
      "Note: Applying config parallelly may fail Rollback verification",
      "Collecting Running-Config",
      "#Generating Rollback Patch",
      "Executing Rollback Patch",
      "Generating Running-config for verification",
      "Generating Patch for verification",
      "Verification is Successful.",
      "",
      "Rollback completed successfully.",
      "",
    ].join("\n");
  }

  /** Returns the answer to a `show` command; undefined if there is no such command. */
  show(question: string): string | undefined {
    const [what = "", ...filters] = splitAtPipes(question);
    const isJson = filters.at(-1) === "json-pretty";
    if (what.startsWith("running-config")) return this.#running(what, filters);
    const answer = answerTo(questions, this, isJson ? `${what} |J` : what);
    if (typeof answer === "string" || answer === undefined) return answer;
    return JSON.stringify(answer, undefined, 4);
  }

  #running(what: string, [filter = ""]: readonly string[]): string | undefined {
    const part = /^running-config(?: (interface|bgp|rpm))?$/.exec(what);
    if (part === null) return undefined;
    const heads: Readonly<Record<string, RegExp>> = {
      ...{ interface: /^interface /, bgp: /^(?:feature bgp$|router bgp )/, rpm: /^route-map / },
    };
    const head = heads[part[1] ?? ""] ?? /^/;
    const hasBgp = this.current.some(({ line }) => line === "feature bgp");
    if (part[1] === "bgp" && !hasBgp) return undefined;
    const own = [
      ...this.current.filter(({ line }) => head.test(line)),
      ...(part[1] === "bgp" ? besideBgp(this.current) : []),
    ];
    const lines = [
      "",
      `!Command: show ${what}`,
      `!Running configuration last done at: ${dated(this.#changedAt)}`,
      `!Time: ${dated(this.router.wall())}`,
      "",
      `version ${this.model.version} Bios:version 05.45 `,
      ...printBlocks(own),
    ];
    return filtered(lines, filter)?.join("\n");
  }
}

/** The text of BGP ends with these, as far as their lines belong to BGP. */
function besideBgp(blocks: readonly Block[]): readonly Block[] {
  const contexts = blocks.flatMap((one): readonly Block[] => {
    const children = one.children.filter(({ line }) => /^(?:rd|address-family) /.test(line));
    return one.line.startsWith("vrf context ") && children.length > 0 ? [{ ...one, children }] : [];
  });
  return [...blocks.filter(({ line }) => line === "evpn"), ...contexts];
}

const busy = (): LineError =>
  new LineError("ERROR: another checkpoint or rollback operation is in progress");

/** A pipe inside quotes belongs to a pattern. */
const splitAtPipes = (text: string): readonly string[] =>
  text.match(/(?:'[^']*'|[^'|])+/g)?.map((one) => one.trim()) ?? [];

/** undefined = there is no such filter. */
function filtered(lines: readonly string[], filter: string): readonly string[] | undefined {
  if (filter === "") return lines;
  const [, verb, quoted, plain] =
    /^(egrep|include|exclude|section) (?:'(.*)'|(\S+))$/.exec(filter) ?? [];
  if (verb === undefined) return undefined;
  const expression = new RegExp(quoted ?? plain ?? "");
  if (verb !== "section") {
    return lines.filter((line) => expression.test(line) === (verb !== "exclude"));
  }
  let isInside = false;
  return lines.filter((line) => {
    if (!line.startsWith(" ")) isInside = expression.test(line);
    return isInside;
  });
}

/** One session at the command line. */
class Vty implements Shell {
  readonly style = ciscoStyle;
  readonly #emulator: NxosEmulator;
  #place: Place | undefined;

  constructor(emulator: NxosEmulator) {
    this.#emulator = emulator;
  }

  prompt(): string {
    const mode = this.#place?.mode;
    const text = mode === undefined ? "" : `(config${mode === "" ? "" : `-${mode}`})`;
    return `${this.#emulator.router.options.name}${text}# `;
  }

  msFor(line: string): number {
    const { observeMs, commitMs } = this.#emulator.router.options.latency;
    if (/^(?:no )?(?:checkpoint|rollback|copy)\b/.test(line)) return commitMs / 2;
    return /^(?:show|ping6?)\b/.test(line) ? observeMs / 10 : keystrokeMs;
  }

  run(line: string): Printed {
    const { router } = this.#emulator;
    this.#emulator.follow();
    if (line === "" || line.startsWith("!")) return "";
    // Under this fault the router still answers, with text that cannot be parsed.
    if (router.hasFault("unparsed") && line.startsWith("show")) return "Service not responding";
    try {
      return this.#place === undefined ? this.#exec(line) : this.#edit(line, this.#place);
    } catch (error) {
      if (error instanceof LineError) return error.message;
      // The simulated router itself refused the command.
      if (error instanceof LinksealError) return `ERROR: ${error.message}`;
      throw error;
    }
  }

  closed(): void {
    // The lines that were entered are in force, and the checkpoints stay.
    this.#place = undefined;
  }

  #exec(line: string): Printed {
    if (line === "exit") return { kind: "last" };
    const [, kind, size] = /^terminal (length|width) (\d{1,4})$/.exec(line) ?? [];
    if (kind !== undefined) return Number(size) <= terminalMax ? "" : invalidParameter;
    if (line === "configure terminal") {
      this.#place = top;
      return "Enter configuration commands, one per line. End with CNTL/Z.";
    }
    const [, no, name = ""] = /^(no )?checkpoint ([\w-]{1,80})$/.exec(line) ?? [];
    if (name !== "") {
      if (no === undefined) this.#emulator.checkpoint(name);
      else this.#emulator.forget(name);
      return no === undefined ? "...Done" : "";
    }
    const back = /^rollback running-config checkpoint (\S{1,80})(?: atomic)?$/.exec(line)?.[1];
    if (back !== undefined) return this.#emulator.rollback(back);
    if (line === "copy running-config startup-config") {
      if (this.#emulator.router.hasFault("locked")) throw busy();
      this.#emulator.save();
      return "[########################################] 100%\nCopy complete.";
    }
    if (line.startsWith("clear ")) return this.#clear(line);
    const question = /^show (.*)$/.exec(line)?.[1];
    if (question !== undefined) return this.#emulator.show(question) ?? invalidCommand;
    const [, address, instance, count] =
      /^ping6? (\S+) vrf (\S+) count (\d+) timeout \d+$/.exec(line) ?? [];
    if (address === undefined) return invalidCommand;
    const { router, model } = this.#emulator;
    return ping(router, address, Number(count), instance === (model.wiring.vrf ?? "default"));
  }

  #clear(line: string): Printed {
    const found = /^clear bgp vrf (\S+) ipv[46] unicast [0-9A-Fa-f.:]+ soft$/.exec(line);
    if (found === null) return invalidCommand;
    if (found[1] === (this.#emulator.model.wiring.vrf ?? "default")) this.#emulator.refresh();
    return "";
  }

  #edit(line: string, place: Place): Printed {
    const emulator = this.#emulator;
    if (line === "end") {
      this.#place = undefined;
      // The last line of a change.
      return emulator.router.hasFault("replyLost")
        ? lost(emulator.router, emulator.router.wall())
        : "";
    }
    if (line === "exit") {
      this.#place = parentOf(grammar.rules, place);
      return "";
    }
    // The commands of the running switch are known in every mode.
    if (/^(?:show|copy|(?:no )?checkpoint) /.test(line)) return this.#exec(line);
    const next = cloneBlocks(emulator.current);
    const isHeld = blocksAt(next, place.path).some((one) => one.line.startsWith("key-octet"));
    if (line.startsWith("key-octet-string ") && isHeld) {
      return "ERROR: an octet string cannot be overwritten, remove the key before";
    }
    const where = enter(grammar, next, place, line);
    if (where === undefined) return invalidCommand;
    emulator.take(next);
    this.#place = where;
    return "";
  }
}
