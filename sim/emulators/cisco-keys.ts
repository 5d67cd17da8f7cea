// Key chains of Cisco's routers: when a key is valid, which key is used, and how a chain is written
// for a port that was not changed through the command line.

import type { PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { EndpointKey } from "../mka/port-endpoint.ts";
import type { PortConfig } from "../router/router-config.ts";
import { type Block, putBlock } from "./line-tree.ts";

interface Life {
  readonly start: number;
  readonly end: number;
}

export const always: Life = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY };

/**
 * Parses `BEGIN infinite`, `BEGIN duration SECONDS` or `BEGIN END`; undefined if it is none of
 * them.
 */
export function lifeOf(text: string, monthOf: (word: string) => number): Life | undefined {
  const found = /^(\S+ \w+ \d+ \d+) (?:(infinite)|duration (\d+)|(.*))$/.exec(text);
  if (found === null) return undefined;
  const [, from = "", forever, seconds, until = ""] = found;
  const moment = (date: string): number => {
    const [time = "", month = "", day = "", year = ""] = date.split(" ");
    const [hour = 0, minute = 0, second = 0] = time.split(":").map(Number);
    return Date.UTC(Number(year), monthOf(month), Number(day), hour, minute, second);
  };
  const start = moment(from);
  if (forever !== undefined) return { ...always, start };
  return { start, end: seconds === undefined ? moment(until) : start + Number(seconds) * 1000 };
}

/** Prints `18:00:00 MONTH DAY 2026`, with the platform's names of months and width of a day. */
export function momentText(at: number, months: readonly string[], dayWidth: number): string {
  const date = new Date(Math.floor(at / 1000) * 1000);
  const time = date.toISOString().slice(11, 19);
  const day = String(date.getUTCDate()).padStart(dayWidth, "0");
  return `${time} ${months[date.getUTCMonth()] ?? ""} ${day} ${date.getUTCFullYear()}`;
}

type ChainKey = Pick<EndpointKey, "ckn" | "cak"> & Life;

/** Returns the first of the keys that are valid now, in the given order, and all future keys. */
export function keysInForce(
  keys: readonly ChainKey[],
  role: "primary" | "fallback",
  wall: number,
  order: (a: ChainKey, b: ChainKey) => number = () => 0,
): readonly EndpointKey[] {
  const valid = keys.filter(({ start, end }) => start <= wall && wall < end);
  const used = valid.toSorted(order).slice(0, 1);
  const coming = keys.filter(({ start }) => start > wall);
  return [
    ...used.map(({ ckn, cak }): EndpointKey => ({ ckn, cak, role })),
    ...coming.map(({ ckn, cak, start }): EndpointKey => {
      return { ckn, cak, role: "scheduled", startsAt: start as WallTime };
    }),
  ];
}

export const octetsOf = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits, "hex"));

/** Returns the CMAC algorithm that fits the length of a key. */
export const algorithmOf = ({ cak }: EndpointKey): string =>
  cak.length === 16 ? "aes-128-cmac" : "aes-256-cmac";

/** Returns the name of a policy or chain that the emulator writes for a port. */
export const handName = (port: PortName): string =>
  `hand-${port.replace(/^\D+/, "").replaceAll("/", "-")}`;

/** Writes a chain for each role that has keys; returns the words that attach them to the port. */
export function writeChains(
  root: Block[],
  port: PortName,
  { keys }: PortConfig,
  word: string,
  chainOf: (name: string, keys: readonly EndpointKey[]) => Block,
): readonly string[] {
  return (["primary", "fallback"] as const).flatMap((role) => {
    const own = keys.filter((key) => (key.role === "fallback") === (role === "fallback"));
    if (own.length === 0) return [];
    const name = `${handName(port)}-${role}`;
    putBlock(root, chainOf(name, own));
    return [`${role === "primary" ? "" : "fallback-"}${word} ${name}`];
  });
}

type Protection = Pick<PortConfig, "macsec" | "keys">;

/** True if a configuration gives a port the keys and settings that run there. */
export function isConfigured(
  read: Protection,
  runs: Protection,
  roleOf: (role: EndpointKey["role"]) => string,
): boolean {
  const text = ({ keys }: Protection): string =>
    keys.map(({ ckn, role }) => `${ckn} ${roleOf(role)}`).join();
  return text(read) === text(runs) && JSON.stringify(read.macsec) === JSON.stringify(runs.macsec);
}
