// Tools inside the machine: networks, programs in them, and waits by polling.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { hasNamespaces, loadNative, type TestNative } from "#drivers/transport/native.ts";
import type { Answer } from "#hal/netlink.ts";

const file = join(import.meta.dirname, "..", "..", "dist", "native", "linkseal-test.node");

function loadTestNative(): TestNative {
  const loaded = loadNative(file);
  if (!hasNamespaces(loaded)) throw new Error("the addon is not the test build");
  return loaded;
}

export const native = loadTestNative();
export const netlinkFamilies = { route: 0, xfrm: 6, filter: 12, generic: 16 } as const;

export const soon = (): AbortSignal => AbortSignal.timeout(60_000);

export function ip(...argv: string[]): string {
  return execFileSync("ip", argv, { encoding: "utf8", maxBuffer: 64_000_000 });
}

/** Runs commands of `ip`, all of them in one process. */
export function ipBatch(lines: readonly string[], ...options: string[]): void {
  execFileSync("ip", [...options, "-batch", "-"], { input: lines.join("\n") });
}

export function ipJson<T>(...argv: string[]): T {
  return JSON.parse(ip("-j", "-d", ...argv)) as T;
}

const home = `home-${process.pid}`;
const open: string[] = [];
let count = 0;

/** Adds a network, which `leaveNetworks` removes. */
export function addNetwork(): string {
  // The first network gets a name too: a thread that has left it has no other way back.
  if (count === 0) ip("netns", "attach", home, String(process.pid));
  count += 1;
  const name = `test-${process.pid}-${count}`;
  ip("netns", "add", name);
  ip("-n", name, "link", "set", "lo", "up");
  open.push(name);
  return name;
}

/**
 * Moves this thread into a network: everything that it opens and runs from now on belongs to that
 * network.
 */
export function enterNetwork(name: string): void {
  native.enterNamespace(`/run/netns/${name}`);
}

export function leaveNetworks(): void {
  if (open.length > 0) enterNetwork(home);
  for (const name of open.splice(0)) ip("netns", "delete", name);
}

/** Returns the values of a complete answer. */
export function found<T>(answer: Answer<T>): readonly T[] {
  if (answer.kind === "answered") return answer.found;
  throw new Error(`refused: ${answer.refusal.name} ${answer.refusal.text ?? ""}`);
}

const firstRestMs = 20;
const lastRestMs = 400;

/**
 * Polls until `look` returns a value, less often the longer it takes. In a machine where programs
 * take no virtual time, a poll each 20 ms is fifty programs for each second of waiting.
 */
export async function until<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  withinMs = 60_000,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (let restMs = firstRestMs; ; restMs = Math.min(restMs * 1.25, lastRestMs)) {
    const observed = await probe();
    if (observed !== undefined) return observed;
    if (performance.now() > end) throw new Error(`the condition was not met in ${withinMs} ms`);
    await rest(restMs);
  }
}
