// Calls the native addon at random, in a process of its own: FILE SEED CALLS. Its last line is what
// became of them, in JSON. A fault of memory ends the process.

import { closeSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { Prng } from "#sim/base/prng.ts";

type Call = (...values: readonly unknown[]) => unknown;

const [file = "", seed = "", count = "0"] = process.argv.slice(2);
const addon = createRequire(import.meta.url)(file) as Readonly<Record<string, Call>>;
const prng = new Prng(seed);
const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

/** Handles and descriptors that calls returned, so that others get them too. */
const sockets: unknown[] = [];
const descriptors: number[] = [];

function octets(): Uint8Array {
  const lengths = [0, 1, 3, 4, 15, 16, 17, 20, 64, 1_000, 65_536, 65_537];
  const room = new Uint8Array(prng.pick(lengths));
  for (let at = 0; at < Math.min(room.length, 80); at += 1) room[at] = prng.between(0, 255);
  if (room.length >= 16 && prng.chance(0.5)) {
    // The length that a netlink message claims.
    const claimed = [room.length, 0, 15, 16, 17, room.length + 4, 0xffff_ffff];
    new DataView(room.buffer).setUint32(0, prng.pick(claimed), true);
  }
  return room;
}

const oddValues: readonly (() => unknown)[] = [
  ...[undefined, null, true, -1, 0, 1, 15, 2 ** 32 - 1, 2 ** 32, -(2 ** 31), 1.5].map(
    (value) => () => value,
  ),
  ...[Number.NaN, Number.POSITIVE_INFINITY, 1e300, "", "a\0b", "@x", 10n].map(
    (value) => () => value,
  ),
  ...["p".repeat(107), "p".repeat(108), `/${"p".repeat(200)}`, "\u{1f600}"].map(
    (value) => () => value,
  ),
  ...[{}, [], [1, 2], [-1, 1e9], { length: 5 }].map((value) => () => value),
  () => Symbol("x"),
  () => () => undefined,
  () => Array.from({ length: 300 }, () => 0),
  () => new Proxy({}, {}),
  () => new Uint16Array(3),
  () => new DataView(new ArrayBuffer(4)),
  () => new Uint8Array(new SharedArrayBuffer(16)),
  () => Buffer.alloc(10).subarray(3, 5),
  () => sockets[0],
  octets,
];

const odd = (): unknown => prng.pick(oddValues)();
const socket = (): unknown => (sockets.length === 0 ? undefined : prng.pick(sockets));
const descriptor = (): number => prng.pick([0, 1, 2, 30, -1, ...descriptors]);
const nothing = (): void => undefined;
const missing = (): string => `@linkseal-none-${prng.uint32()}`;

/** Arguments of the kind that each function takes. */
const fitting: Readonly<Record<string, () => unknown[]>> = {
  openNetlink: () => [
    prng.pick([0, 2, 4, 6, 9, 12, 15, 16]),
    prng.pick([0, 4_096, 65_536, 1 << 20]),
    nothing,
  ],
  joinGroup: () => [socket(), prng.pick([0, 1, 2, 31, 32, 33, 0xffff_ffff])],
  openFrames: () => [prng.pick([0, 1, 2, 99]), prng.pick([0x888e, 0, 65_535]), octets(), nothing],
  openClearCount: () => [prng.pick([0, 1, 2])],
  takeClearCount: () => [descriptor()],
  receive: () => [socket(), octets()],
  send: () => [socket(), octets()],
  close: () => [socket()],
  peerCredentials: () => [descriptor()],
  limitReceive: () => [descriptor(), prng.pick([0, 1, 4_096, 2 ** 31])],
  notify: () => [
    prng.pick([missing(), ""]),
    "x".repeat(prng.between(0, 3_000)),
    prng.pick([[], [0], [0, 1, 2], [-1], Array.from({ length: 300 }, () => 0)]),
  ],
  openMemory: () => [
    prng.pick(["m", "", "x".repeat(249), "x".repeat(250), "a/b"]),
    prng.pick([0, 1, 4_096, 1 << 20]),
  ],
  checkMemory: () => [descriptor()],
  refuseDumps: () => [],
  enterNamespace: () => ["/nonexistent"],
  listenNotices: () => [missing()],
  // It would wait for a message at the standard streams, which are sockets here.
  takeNotice: () => [prng.pick([-1, 99, ...descriptors])],
};

function argumentsOf(name: string): unknown[] {
  const values = fitting[name]?.();
  if (values === undefined) throw new RangeError(`the addon has ${name}, which is not called here`);
  switch (prng.between(0, 3)) {
    case 0:
      return values;
    case 1:
      return values.map((value) => (prng.chance(0.3) ? odd() : value));
    case 2:
      return values.slice(0, -1);
    default:
      return [...values, odd()];
  }
}

/** A listener waits for a notice: it gets one at once. */
function noticed(listener: number, address: unknown): void {
  const sent = prng.pick([[], [0], [0, 1, 2]]);
  try {
    addon["notify"]?.(address, "x".repeat(prng.between(1, 3_000)), sent);
    const taken = addon["takeNotice"]?.(listener) as { readonly descriptors: readonly number[] };
    for (const one of taken.descriptors) closeSync(one);
  } finally {
    closeSync(listener);
  }
}

/** Keeps what a call opened, or closes it. */
function keep(name: string, value: unknown, [first]: readonly unknown[]): void {
  if (name === "openNetlink" || name === "openFrames") {
    if (sockets.length < 12) sockets.push(value);
    else addon["close"]?.(value);
  } else if (name === "listenNotices") noticed(Number(value), first);
  else if (/^(?:openMemory|openClearCount)$/.test(name)) {
    if (descriptors.length < 8) descriptors.push(Number(value));
    else closeSync(Number(value));
  }
}

/** A handle stays valid to pass after it was closed. */
function closeOne(): void {
  const [one] = sockets.splice(prng.between(0, sockets.length - 1), 1);
  if (one === undefined) return;
  addon["close"]?.(one);
  addon["close"]?.(one);
  try {
    addon["receive"]?.(one, new Uint8Array(10));
  } catch {
    // It says that the socket is closed.
  }
}

console.log(`LINKSEAL_SEED=${seed}`);
const before = openDescriptors();
const tried = { calls: 0, returned: 0, refused: 0 };
for (const names = Object.keys(addon); tried.calls < Number(count); tried.calls += 1) {
  const name = prng.pick(names);
  const values = argumentsOf(name);
  try {
    keep(name, addon[name]?.(...values), values);
    tried.returned += 1;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    tried.refused += 1;
  }
  if (prng.chance(0.005)) closeOne();
}
for (const one of sockets) addon["close"]?.(one);
for (const one of descriptors) closeSync(one);
// Handles close in the next turns of the loop.
setTimeout(() => {
  const functions = Object.keys(addon).length;
  console.log(JSON.stringify({ ...tried, functions, left: openDescriptors() - before }));
  process.exit(0);
}, 300);
