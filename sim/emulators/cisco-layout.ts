// The optional parts of the answers of Cisco's routers: what a release, a configuration of the
// terminal, or the moment adds to them or leaves out.

import type { Prng } from "../base/prng.ts";
import { dated, stamp } from "./cisco-answers.ts";

/** How one router prints its answers. */
export interface CiscoLayout {
  /** `exec prompt timestamp` is configured: load and time precede the answer to each `show`. */
  readonly isStamped: boolean;
  /** How a message of the log stands inside each answer, as on a line that monitors the log. */
  readonly log: "none" | "timed" | "numbered" | "uptime" | "bare";
  /** How the first line of `show version` names the release of IOS XE. */
  readonly release: "number" | "special";
  /** `show version` has the time of the last boot. */
  readonly hasBootTime: boolean;
  /** Interfaces have the words that switches print behind their states. */
  readonly hasReasons: boolean;
  /** NTP is not synchronised: a period precedes the time of IOS XE. */
  readonly isFreeRunning: boolean;
  /** A key that does not fit into its column has a row of its own; an unused path a code more. */
  readonly codes: "plain" | "rib";
  /** Lifetimes of SAs are in hours and minutes. */
  readonly hasHours: boolean;
  /** IOS XR prints the status of an MKA session as a line without a column, after its node. */
  readonly hasNodes: boolean;
  /** IOS XR copies its configuration as text at a commit, and asks before it does. */
  readonly asksAtCommit: boolean;
  /** IOS XE fills a key name that is shorter than 64 digits with zeros. */
  readonly padsNames: boolean;
}

/** The shortest form of everything. */
export const plainLayout: CiscoLayout = {
  isStamped: false,
  log: "none",
  release: "number",
  hasBootTime: true,
  hasReasons: false,
  isFreeRunning: false,
  codes: "plain",
  hasHours: false,
  hasNodes: false,
  asksAtCommit: false,
  padsNames: false,
};

/** Draws a layout; the same stream gives the same one. */
export function drawLayout(prng: Prng): CiscoLayout {
  return {
    isStamped: prng.chance(0.5),
    log: prng.pick(["none", "timed", "numbered", "uptime", "bare"] as const),
    release: prng.pick(["number", "special"] as const),
    hasBootTime: prng.chance(0.5),
    hasReasons: prng.chance(0.5),
    isFreeRunning: prng.chance(0.5),
    codes: prng.pick(["plain", "rib"] as const),
    hasHours: prng.chance(0.5),
    hasNodes: prng.chance(0.5),
    asksAtCommit: prng.chance(0.5),
    padsNames: prng.chance(0.5),
  };
}

/** Returns an answer with a message of the log in its middle. */
function withMessage(answer: string, message: string | undefined): string {
  if (message === undefined) return answer;
  if (answer === "") return message;
  const rows = answer.split("\n");
  return rows.toSpliced(Math.ceil(rows.length / 2), 0, message).join("\n");
}

/** Returns an answer of IOS XE to `show` as its terminal prints it. */
export function printedByXe(answer: string, wall: number, layout: CiscoLayout): string {
  const [, month = "", date = "", time = "", zone = ""] = stamp(wall).split(/ +/);
  const text = "%SYS-5-CONFIG_I: Configured from console by operator on vty1 (192.0.2.9)";
  const messages = {
    none: undefined,
    timed: `*${month} ${date.padStart(2, " ")} ${time} ${zone}: ${text}`,
    numbered: `000123: ${month} ${date.padStart(2, " ")} ${time}: ${text}`,
    uptime: `5w5d: ${text}`,
    bare: text,
  };
  const shown = withMessage(answer, messages[layout.log]);
  if (!layout.isStamped) return shown;
  const [day = "", , , , year = ""] = dated(wall).split(/ +/);
  return [
    "Load for five secs: 2%/0%; one minute: 5%; five minutes: 4%",
    `Time source is NTP, ${time} ${zone} ${day} ${month} ${date} ${year}`,
    "",
    shown,
  ].join("\n");
}

/** Returns an answer of IOS XR to `show` as its terminal prints it. */
export function printedByXr(answer: string, wall: number, layout: CiscoLayout): string {
  if (layout.log === "none") return answer;
  const [, month = "", date = "", time = "", zone = ""] = stamp(wall).split(/ +/);
  const node = layout.log === "numbered" ? "LC/0/0/CPU0" : "RP/0/RP0/CPU0";
  const text = "mka[1163]: %L2-MKA-6-KEY_ROLLED : MKA session has a new key";
  return withMessage(answer, `${node}:${month} ${date.padStart(2, " ")} ${time} ${zone}: ${text}`);
}
