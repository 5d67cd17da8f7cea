// A router with IOS XE as its command line answers: no candidate, each line in force as it is
// entered, and a timer that restores a copy of the earlier configuration; written from Cisco's
// documents and from output that was published.

import { LinksealError } from "#hal/error.ts";
import type { Router } from "../router/router.ts";
import type { Session as RouterSession } from "../router/router-commit.ts";
import type { RouterModel } from "../site/site-plan.ts";
import { ping } from "./cisco-answers.ts";
import { plainLayout, printedByXe } from "./cisco-layout.ts";
import { answerTo } from "./cli-answers.ts";
import { draftOf, Emulator } from "./emulator.ts";
import { lost } from "./exchange.ts";
import { moment, questions, rollbackTimer, type XeEmulator } from "./iosxe-answers.ts";
import { blocksAfter, configFrom, firstBlocks, LineError } from "./iosxe-config.ts";
import type { XeModel } from "./iosxe-tree.ts";
import { grammar, printBlocks } from "./iosxe-tree.ts";
import { type Block, cloneBlocks, enter, type Place, parentOf, top } from "./line-tree.ts";
import type { EmulatorSession, Wire } from "./netconf.ts";
import { hasIpsec } from "./router-facts.ts";
import { iosxeForm, type SnmpObject, snmpObjects } from "./snmp.ts";
import { ciscoStyle, type Printed, type Shell, serveTerminal } from "./terminal.ts";

const minuteMs = 60_000;
const minutesMax = 120;

/** A router with a fallback key; its timer does not belong to a session. */
export const iosxeModel: RouterModel = {
  capabilities: {
    commit: {
      kind: "confirmed",
      confirmedBy: "anySession",
      stepMs: minuteMs,
      maxMs: minutesMax * minuteMs,
    },
    macsec: {
      suites: ["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"],
      overlap: "fallback",
      counters: "perSa",
      hitless: [],
      always: ["replayWindow"],
    },
    ipsec: { keying: ["ike"], authentication: ["psk"], atomicReplace: false, rekeys: [] },
    drain: { means: ["prepend", "peeringShutdown"], settleMs: 4_000 },
    probe: true,
  },
  commitMs: 2_000,
  portName: "TenGigabitEthernet0/0/0",
};

const recent: XeModel = {
  platform: "C8500-12X4QC",
  version: "17.15.01a",
  hasArchive: true,
  isRecent: true,
  wiring: {},
};
const keystrokeMs = 4;
/** The most lines and columns of a terminal. */
const terminalMax = 512;
const invalid = "                ^\n% Invalid input detected at '^' marker.";
/** True for a command that the release or kind of router lacks. */
function isUnknown(line: string, { platform, isRecent }: XeModel, router: Router): boolean {
  if (/^(?:no )?(?:crypto|tunnel (?:mode ipsec|protection)) /.test(line)) return !hasIpsec(router);
  const isSwitch = platform.startsWith("C9");
  if (/\bfallback-key-chain\b/.test(line)) return !isRecent;
  if (/^(?:no )?macsec disable-sci$/.test(line)) return isSwitch || !isRecent;
  if (line === "ssci-based-on-sci") return !isSwitch && !isRecent;
  return line === (isSwitch ? "macsec" : "macsec network-link");
}

const nonePending = "%No Rollback Confirmed Change pending";

interface Armed {
  readonly token: Parameters<Router["commits"]["recall"]>[0];
  readonly at: number;
  readonly minutes: number;
  readonly before: readonly Block[];
}

/** One router with its configuration, which all of its sessions share. */
export class IosxeEmulator extends Emulator<readonly Block[]> implements XeEmulator {
  readonly model: XeModel;
  readonly #session: RouterSession;
  /** The configuration at the last exchange of routes with all neighbours. */
  #spoken: readonly Block[];
  #armed: Armed | undefined;
  #changedAt: number | undefined;

  constructor(router: Router, model: XeModel = recent) {
    super(router, firstBlocks(router, model), blocksAfter);
    this.bootFromSaved();
    this.model = model;
    this.#session = router.openSession();
    this.#spoken = this.current;
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
    return snmpObjects(this.router, this.bootedAt, iosxeForm);
  }

  /** True while a timer waits that reverts a change. */
  get isArmed(): boolean {
    return this.#armed !== undefined;
  }

  /** Follows changes of the router that were made otherwise, and the revert of its own timer. */
  follow(): void {
    if (this.hasRebooted()) {
      this.#changedAt = undefined;
      this.#spoken = this.current;
    }
    if (this.#armed !== undefined && !this.router.commits.armed()) {
      // The timer's copy has replaced everything that was entered since.
      this.restore(this.#armed.before);
      this.#armed = undefined;
    }
    if (this.followRunning() === "changed") this.#changedAt = this.router.wall();
  }

  /**
   * Keeps a copy of the configuration, and starts the timer.
   * @throws LineError
   */
  arm(minutes: number): void {
    if (!this.model.hasArchive) {
      throw new LineError("%Turn config archive on before using Rollback Confirmed Change");
    }
    if (this.#armed !== undefined || this.router.hasFault("foreignCommit")) {
      throw new LineError("%Rollback Confirmed Change is already pending");
    }
    const { commits } = this.router;
    const before = this.current;
    const prepared = commits.prepareDraft(this.#session, this.#draftOf(before));
    commits.commit(prepared.token, minutes * minuteMs);
    this.#armed = { token: prepared.token, at: this.router.wall(), minutes, before };
    this.settle(before);
  }

  /**
   * Restarts the timer.
   * @throws LineError if none runs
   */
  rearm(minutes: number): void {
    if (this.#armed === undefined) throw new LineError(nonePending);
    this.router.commits.rearm(this.#armed.token, minutes * minuteMs);
    this.#armed = { ...this.#armed, at: this.router.wall(), minutes };
  }

  /**
   * Stops the timer; the configuration stays.
   * @throws LineError if none runs
   */
  confirm(): void {
    if (this.#armed === undefined) throw new LineError(nonePending);
    this.router.commits.confirm(this.#session, this.#armed.token);
    this.#armed = undefined;
  }

  /**
   * Restores the copy at once.
   * @throws LineError if no timer runs
   */
  revert(): void {
    if (this.#armed === undefined) throw new LineError(nonePending);
    this.router.commits.rollback(this.#armed.token);
    this.follow();
  }

  /**
   * Puts an entered line in force at once.
   * @throws LineError before anything has changed
   */
  take(blocks: readonly Block[]): void {
    const { commits } = this.router;
    const draft = this.#draftOf(blocks);
    if (this.#armed !== undefined) commits.amend(this.#armed.token, draft);
    else commits.commit(commits.prepareDraft(this.#session, draft).token, "final");
    this.settle(blocks);
    this.#changedAt = this.router.wall();
  }

  /** Exchanges routes again, with the route maps that are configured now. */
  refresh(): void {
    this.#spoken = this.current;
    this.take(this.current);
  }

  #draftOf(blocks: readonly Block[]) {
    return draftOf(() => configFrom(blocks, this.#spoken, this.router, this.model.wiring));
  }

  /** Returns the answer to a `show` command; undefined if there is no such command. */
  show(question: string): string | undefined {
    const [what = "", filter] = question.split(/ \| (.*)/);
    return what === "running-config" ? this.#running(filter) : answerTo(questions, this, what);
  }

  /** Returns the answer about the timer that reverts a change. */
  timer(): string {
    if (this.router.hasFault("foreignCommit")) {
      return rollbackTimer({ at: this.router.wall(), minutes: 10 });
    }
    return this.#armed === undefined ? nonePending : rollbackTimer(this.#armed);
  }

  #running(filter: string | undefined): string {
    const head =
      this.#changedAt === undefined
        ? "! No configuration change since last restart"
        : `! Last configuration change at ${moment(this.#changedAt)} by linkseal`;
    const lines = ["!", head, "!", "version 17.15", "!", ...printBlocks(this.current), "!", "end"];
    if (filter === undefined) return lines.join("\n");
    const [, verb = "", pattern = ""] = /^(include|section) (.*)$/.exec(filter) ?? [];
    const expression = expressionOf(pattern);
    if (expression === undefined) return "% Failed to compile regular expression";
    if (verb === "include") return lines.filter((line) => expression.test(line)).join("\n");
    let isInside = false;
    return lines
      .filter((line) => {
        if (!/^[ ]/.test(line)) isInside = expression.test(line);
        return isInside;
      })
      .join("\n");
  }
}

/** Compiles a client's regular expression; undefined if it is invalid. */
function expressionOf(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern);
  } catch {
    return undefined;
  }
}

/** One session at the command line. */
class Vty implements Shell {
  readonly style = ciscoStyle;
  readonly #emulator: IosxeEmulator;
  #place: Place | undefined;

  constructor(emulator: IosxeEmulator) {
    this.#emulator = emulator;
  }

  prompt(): string {
    const place = this.#place;
    return `${this.#emulator.router.options.name}${place === undefined ? "" : modeText(place)}#`;
  }

  msFor(line: string): number {
    const { observeMs, commitMs } = this.#emulator.router.options.latency;
    if (/^configure (?:confirm|revert|terminal revert)\b/.test(line)) return commitMs / 2;
    return /^(?:show|ping|write)\b/.test(line) ? observeMs / 10 : keystrokeMs;
  }

  run(line: string): Printed {
    const { router } = this.#emulator;
    this.#emulator.follow();
    if (line === "" || line.startsWith("!")) return "";
    // Under this fault the router still answers, with text that cannot be parsed.
    if (router.hasFault("unparsed") && line.startsWith("show")) return "Unable to get data";
    try {
      return this.#place === undefined ? this.#exec(line) : this.#edit(line, this.#place);
    } catch (error) {
      if (error instanceof LineError) return error.message;
      // The simulated router itself refused the command.
      if (error instanceof LinksealError) return `% Command rejected: ${error.message}`;
      throw error;
    }
  }

  closed(): void {
    // The lines that were entered are in force, and the timer runs on.
    this.#place = undefined;
  }

  #exec(line: string): Printed {
    if (line === "exit") return { kind: "last" };
    if (line === "enable") return "";
    const size = /^terminal (?:length|width) (\d{1,4})$/.exec(line)?.[1];
    if (size !== undefined) return Number(size) <= terminalMax ? "" : invalid;
    if (/^configure\b/.test(line)) return this.#configure(line);
    if (line === "write memory") {
      this.#emulator.save();
      return "Building configuration...\n[OK]";
    }
    if (line.startsWith("clear ")) return this.#clear(line);
    const question = /^show (.*)$/.exec(line)?.[1];
    if (question !== undefined) return this.#show(question);
    const [, vrf, address, count] =
      /^ping (?:vrf (\S+) )?(\S+) repeat (\d+)(?: timeout \d+)?$/.exec(line) ?? [];
    if (address === undefined) return invalid;
    const { router, model } = this.#emulator;
    return ping(router, address, Number(count), vrf === model.wiring.vrf);
  }

  /** In a VRF the command takes the AS of neighbours, and refuses an address. */
  #clear(line: string): Printed {
    const inVrf = /^clear ip bgp vrf (\S+) ipv[46] unicast (\d+) soft$/.exec(line);
    const isPlain = /^clear (?:ip bgp|bgp ipv6 unicast) [0-9A-Fa-f.:]+ soft$/.test(line);
    if (inVrf === null && !isPlain) return invalid;
    const { vrf } = this.#emulator.model.wiring;
    const isOurs = inVrf === null ? vrf === undefined : inVrf[1] === vrf && inVrf[2] === "12076";
    if (isOurs) this.#emulator.refresh();
    return "";
  }

  #show(question: string): string {
    const { router, model } = this.#emulator;
    const answer = this.#emulator.show(question);
    if (answer === undefined) return invalid;
    return printedByXe(answer, router.wall(), model.layout ?? plainLayout);
  }

  #configure(line: string): Printed {
    const emulator = this.#emulator;
    const [, verb, minutes] =
      /^configure (terminal|confirm|revert now|(?:terminal )?revert timer (\d{1,3}))$/.exec(line) ??
      [];
    const wait = Number(minutes ?? 1);
    if (verb === undefined || wait < 1 || wait > minutesMax) return invalid;
    const isEdit = verb.startsWith("terminal");
    if (isEdit && emulator.router.hasFault("locked")) {
      return (
        "Configuration mode locked exclusively by user 'operator' process '3' from terminal '0'." +
        " Please try later."
      );
    }
    if (isEdit) {
      const backup = "Rollback Confirmed Change: Backing up current running config to bootflash:";
      if (minutes !== undefined) emulator.arm(wait);
      this.#place = top;
      const hello = "Enter configuration commands, one per line.  End with CNTL/Z.";
      return minutes === undefined ? hello : `${backup}archive-1\n\n${hello}`;
    }
    if (verb === "confirm") emulator.confirm();
    else if (verb === "revert now") emulator.revert();
    else emulator.rearm(wait);
    if (emulator.router.hasFault("replyLost")) return lost(emulator.router, emulator.router.wall());
    return verb === "revert now" ? "Total number of passes: 1\nRollback Done" : "";
  }

  #edit(line: string, place: Place): Printed {
    const emulator = this.#emulator;
    if (line === "end") {
      this.#place = undefined;
      // Without a timer, this is the last command of a change.
      return emulator.router.hasFault("replyLost") && !emulator.isArmed
        ? lost(emulator.router, emulator.router.wall())
        : "";
    }
    if (line === "exit" || line === "exit-address-family") {
      this.#place = parentOf(grammar.rules, place);
      return "";
    }
    if (line.startsWith("do ")) return this.#exec(line.slice(3));
    if (isUnknown(line, emulator.model, emulator.router)) return invalid;
    const next = cloneBlocks(emulator.current);
    const where = enter(grammar, next, place, line);
    if (where === undefined) return invalid;
    emulator.take(next);
    this.#place = where;
    if (line.startsWith("no interface Tunnel")) {
      return (
        "% Not all config may be removed and may reappear after reactivating the " +
        "logical-interface/sub-interfaces"
      );
    }
    const isNew = line.startsWith("crypto ikev2 profile ");
    return isNew ? "IKEv2 profile MUST have:\n   1. A local and a remote method." : "";
  }
}

/** Some modes are printed without `config`. */
function modeText({ mode }: Place): string {
  if (/^(?:cfg-|ipsec-)/.test(mode)) return `(${mode})`;
  return `(config${mode === "" ? "" : `-${mode}`})`;
}
