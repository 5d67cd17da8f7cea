// Rules for the settings of strongSwan's charon that no VICI command reports: they are read from
// strongswan.conf. Pure.

import { foreignText } from "#hal/foreign-text.ts";
import type { Finding } from "../../model/finding.ts";
import { severityOf } from "../../model/severity.ts";

/** The settings of a strongswan.conf by their paths, such as `charon.retransmit_tries`. */
export type CharonSettings = ReadonlyMap<string, string>;

/** Returns the texts of the files that an `include` names; empty = there are none. */
export type IncludedTexts = (pattern: string) => readonly string[];

/** Sanity limits: real files are far smaller. */
const includesMax = 4;
const textMax = 200_000;

const blank = /(?:\s|#[^\n]*)+/y;
const include = /include[ \t]+([^\n#{}]+)/y;
const section = /([^\s={}#:]+)\s*(?::[^{}\n=]*)?\s*\{/y;
const setting = /([^\s={}#]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\n#{}]*)/y;
const rest = /[^\n]*\n?/y;

/** Reads a strongswan.conf; later values replace earlier ones, and what is unknown is skipped. */
export function readSettings(text: string, included: IncludedTexts): CharonSettings {
  const settings = new Map<string, string>();
  readInto(settings, text, [], { included, depth: 0 });
  return settings;
}

interface Reading {
  readonly included: IncludedTexts;
  readonly depth: number;
}

function readInto(
  settings: Map<string, string>,
  text: string,
  around: readonly string[],
  { included, depth }: Reading,
): void {
  const source = text.slice(0, textMax);
  const path = [...around];
  let at = 0;
  const next = (pattern: RegExp): readonly string[] | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match === null) return undefined;
    at = pattern.lastIndex;
    return match;
  };
  while (at < source.length) {
    if (next(blank) !== undefined) continue;
    if (source[at] === "}") {
      at += 1;
      if (path.length > around.length) path.pop();
      continue;
    }
    const [, pattern] = next(include) ?? [];
    if (pattern !== undefined) {
      if (depth >= includesMax) continue;
      const inner = { included, depth: depth + 1 };
      for (const one of included(pattern.trim())) readInto(settings, one, path, inner);
      continue;
    }
    const [, name] = next(section) ?? [];
    if (name !== undefined) {
      path.push(name);
      continue;
    }
    const [, key, value] = next(setting) ?? [];
    if (key !== undefined && value !== undefined) {
      settings.set([...path, key].join("."), value.trim().replace(/^"(.*)"$/s, "$1"));
      continue;
    }
    next(rest);
  }
}

/** A setting of Debian's daemon falls back to that of every charon (strongswan.conf(5)). */
function settingOf(settings: CharonSettings, key: string): string | undefined {
  return settings.get(`charon-systemd.${key}`) ?? settings.get(`charon.${key}`);
}

const isOn = (value: string): boolean => /^(?:yes|true|enabled|1)$/i.test(value);
/** `load` of a plugin may also be a number: its place in the order. */
const isLoaded = (value: string): boolean => isOn(value) || /^[1-9]\d*$/.test(value);

interface SwitchRule {
  readonly key: string;
  readonly wanted: "yes" | "no";
  /** What counts if the file does not have the key (strongSwan 6.0). */
  readonly otherwise: "yes" | "no";
  readonly code: "host-charon" | "host-aggressive-mode";
  readonly rule: string;
}

const switches: readonly SwitchRule[] = [
  {
    ...{ key: "install_routes", wanted: "no", otherwise: "yes", code: "host-charon" },
    rule: "Only linkseal-net makes routes for tunnels, and checks them",
  },
  {
    ...{ key: "plugins.kernel-netlink.install_routes_xfrmi", wanted: "no", otherwise: "no" },
    code: "host-charon",
    rule: "Only linkseal-net makes routes into the interfaces of tunnels",
  },
  {
    ...{ key: "make_before_break", wanted: "yes", otherwise: "yes", code: "host-charon" },
    rule: "A new authentication makes new SAs before the old ones end",
  },
  {
    ...{ key: "follow_redirects", wanted: "no", otherwise: "yes", code: "host-charon" },
    rule: "A tunnel ends at the gateway that the config names, and at no other one",
  },
  {
    ...{ key: "i_dont_care_about_security_and_use_aggressive_mode_psk", wanted: "no" },
    ...{ otherwise: "no", code: "host-aggressive-mode" },
    rule: "No pre-shared key is used in aggressive mode, where it can be guessed from a recording",
  },
  {
    ...{ key: "accept_unencrypted_mainmode_messages", wanted: "no" },
    ...{ otherwise: "no", code: "host-aggressive-mode" },
    rule: "No hash of a pre-shared key is taken in the clear: it can be guessed from a recording",
  },
];

/** Any connection may name a command for it, which charon runs as its own user. */
const updown = "plugins.updown.load";

/** Azure's gateways take a silent peer for dead after as many seconds, unless configured. */
const deadSecondsMax = 45;
/** `dpd` of a tunnel that does not set it. */
const dpdSeconds = 5;

/** From a probe to its second repeat, so that silence shows within 10 s of the last packet. */
const repeatSecondsMax = 3;

/** Returns the seconds for which charon repeats a message without an answer. */
export function retransmitSeconds(settings: CharonSettings): number {
  return sumOf(retransmitWaits(settings));
}

const sumOf = (waits: readonly number[]): number => waits.reduce((sum, wait) => sum + wait, 0);

/** The waits for an answer, in seconds: the first one, and that after each repeat. */
function retransmitWaits(settings: CharonSettings): readonly number[] {
  const numberOf = (key: string, otherwise: number): number => {
    const value = Number(settingOf(settings, key) ?? otherwise);
    return Number.isFinite(value) && value >= 0 ? value : otherwise;
  };
  const tries = Math.min(numberOf("retransmit_tries", 5), 100);
  const timeout = numberOf("retransmit_timeout", 4);
  const base = numberOf("retransmit_base", 1.8);
  const limit = numberOf("retransmit_limit", 0) || Number.POSITIVE_INFINITY;
  const count = Math.floor(tries) + 1;
  return Array.from({ length: count }, (_, i) => Math.min(timeout * base ** i, limit));
}

const file = "/etc/strongswan.d/linkseal.conf";

/** Returns a finding for each setting of charon that the driver does not work well with. */
export function charonFindings(settings: CharonSettings): readonly Finding[] {
  const findings: Finding[] = switches.flatMap(
    ({ key, wanted, otherwise, code, rule }): Finding[] => {
      const value = settingOf(settings, key) ?? otherwise;
      if (isOn(value) === (wanted === "yes")) return [];
      return [found(code, `charon.${key} is ${foreignText(value)}`, rule, line(key, wanted))];
    },
  );
  // A package that has the plugin brings a file that loads it; without the file it is not there.
  if (isLoaded(settingOf(settings, updown) ?? "no")) {
    const here = "charon has the plugin updown, which runs a command that a connection names";
    const rule = "Nothing that may load a connection into charon may run a command as root by that";
    const restart = "then restart charon while no tunnel carries";
    findings.push(found("host-charon", here, rule, line(updown, "no"), restart));
  }
  return [...findings, ...silenceFindings(settings)];
}

function silenceFindings(settings: CharonSettings): readonly Finding[] {
  const waits = retransmitWaits(settings);
  const write = "retransmit_tries = 4, retransmit_timeout = 0.8, retransmit_base = 2";
  const seconds = dpdSeconds + sumOf(waits);
  if (seconds > deadSecondsMax) {
    const here = `charon takes a silent gateway for dead after ${Math.round(seconds)} s`;
    const rule = `A silent gateway is noticed in ${deadSecondsMax} s, as Azure notices a router`;
    return [found("host-charon", here, rule, write)];
  }
  const untilSecond = sumOf(waits.slice(0, 2));
  if (untilSecond <= repeatSecondsMax) return [];
  const here = `charon repeats a request for the second time after ${untilSecond.toFixed(1)} s`;
  const rule = "A silent gateway shows within 10 s of its last packet, by three requests";
  return [found("host-charon", here, rule, write)];
}

/** A key of a strongswan.conf has no point in it (strongswan.conf(5)): each part is a section. */
function line(key: string, value: string): string {
  const [last = "", ...sections] = key.split(".").toReversed();
  return sections.reduce((inner, name) => `${name} { ${inner} }`, `${last} = ${value}`);
}

function found(
  code: SwitchRule["code"],
  here: string,
  rule: string,
  write: string,
  then = "swanctl --reload-settings",
): Finding {
  const severity = severityOf(code);
  const next = `write into ${file}, in its section charon: ${write}; ${then}`;
  const source = "docs/linux-charon.md";
  return { code, severity, about: "host", here, there: null, rule, source, next };
}
