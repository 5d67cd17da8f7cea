// Key chains of Cisco's routers: when a key is valid, which of them is used, and how a chain is
// written for a port that was changed by another way than its command line.

import type { PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { StationKey } from "../mka/station.ts";
import type { PortConfig } from "../router/router-config.ts";
import { type Block, putBlock } from "./line-tree.ts";

interface Life {
  readonly start: number;
  readonly end: number;
}

export const always: Life = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY };

/** `BEGIN infinite`, `BEGIN duration SECONDS` or `BEGIN END`; undefined = none of them. */
export function lifeOf(text: string, monthOf: (word: string) => number): Life | undefined {
  const found = /^(\S+ \w+ \d+ \d+) (?:(infinite)|duration (\d+)|(.*))$/.exec(text);
  if (found === null) return undefined;
  const [, from = "", forever, seconds, until = ""] = found;
  const moment = (said: string): number => {
    const [time = "", month = "", day = "", year = ""] = said.split(" ");
    const [hour = 0, minute = 0, second = 0] = time.split(":").map(Number);
    return Date.UTC(Number(year), monthOf(month), Number(day), hour, minute, second);
  };
  const start = moment(from);
  if (forever !== undefined) return { ...always, start };
  return { start, end: seconds === undefined ? moment(until) : start + Number(seconds) * 1000 };
}

/** `18:00:00 MONTH DAY 2026`, by the names of the months and the width of a day. */
export function momentText(at: number, months: readonly string[], dayWidth: number): string {
  const date = new Date(Math.floor(at / 1000) * 1000);
  const time = date.toISOString().slice(11, 19);
  const day = String(date.getUTCDate()).padStart(dayWidth, "0");
  return `${time} ${months[date.getUTCMonth()] ?? ""} ${day} ${date.getUTCFullYear()}`;
}

type ChainKey = Pick<StationKey, "ckn" | "cak"> & Life;

/** Of the keys that are valid now the first, by an order, and all that are to come. */
export function keysInForce(
  keys: readonly ChainKey[],
  role: "primary" | "fallback",
  wall: number,
  order: (a: ChainKey, b: ChainKey) => number = () => 0,
): readonly StationKey[] {
  const valid = keys.filter(({ start, end }) => start <= wall && wall < end);
  const used = valid.toSorted(order).slice(0, 1);
  const coming = keys.filter(({ start }) => start > wall);
  return [
    ...used.map(({ ckn, cak }): StationKey => ({ ckn, cak, role })),
    ...coming.map(({ ckn, cak, start }): StationKey => {
      return { ckn, cak, role: "scheduled", startsAt: start as WallTime };
    }),
  ];
}

export const octetsOf = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits, "hex"));

/** Of the CMAC that a key of that length goes with. */
export const algorithmOf = ({ cak }: StationKey): string =>
  cak.length === 16 ? "aes-128-cmac" : "aes-256-cmac";

/** What a policy or a chain is called that is written for a port. */
export const handName = (port: PortName): string =>
  `hand-${port.replace(/^\D+/, "").replaceAll("/", "-")}`;

/** Writes a chain for each role that has keys; returns the words that attach them to the port. */
export function writeChains(
  root: Block[],
  port: PortName,
  { keys }: PortConfig,
  word: string,
  chainOf: (name: string, keys: readonly StationKey[]) => Block,
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

/** Whether a configuration says of a port what runs there. */
export function isConfigured(
  read: Protection,
  runs: Protection,
  roleOf: (role: StationKey["role"]) => string,
): boolean {
  const text = ({ keys }: Protection): string =>
    keys.map(({ ckn, role }) => `${ckn} ${roleOf(role)}`).join();
  return text(read) === text(runs) && JSON.stringify(read.macsec) === JSON.stringify(runs.macsec);
}
