// Inside the machine: networks that end with their test, programs in them, and waits by polling.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterEach } from "vitest";
import { hasNamespaces, loadNative, type TestNative } from "#drivers/transport/native.ts";
import type { Answer } from "#hal/netlink.ts";

const file = join(import.meta.dirname, "..", "..", "dist", "native", "linkseal-test.node");

function loadTestNative(): TestNative {
  const loaded = loadNative(file);
  if (!hasNamespaces(loaded)) throw new Error("the addon is not the test build");
  return loaded;
}

export const native = loadTestNative();

export const soon = (): AbortSignal => AbortSignal.timeout(60_000);

export function ip(...argv: string[]): string {
  return execFileSync("ip", argv, { encoding: "utf8", maxBuffer: 64_000_000 });
}

export function ipJson<T>(...argv: string[]): T {
  return JSON.parse(ip("-j", "-d", ...argv)) as T;
}

let count = 0;
const open: string[] = [];

afterEach(() => {
  native.enterNamespace(`/run/netns/${homeName()}`);
  for (const name of open.splice(0)) ip("netns", "delete", name);
});

let named = false;

// The first network gets a name too, because a thread that left it has no other way back.
function homeName(): string {
  if (!named) ip("netns", "attach", `home-${process.pid}`, String(process.pid));
  named = true;
  return `home-${process.pid}`;
}

/** A new network, to which this thread and its programs belong until the end of the test. */
export function enterFreshNetwork(): string {
  homeName();
  count += 1;
  const name = `test-${process.pid}-${count}`;
  ip("netns", "add", name);
  open.push(name);
  native.enterNamespace(`/run/netns/${name}`);
  ip("link", "set", "lo", "up");
  return name;
}

/** What an answered question found. */
export function found<T>(answer: Answer<T>): readonly T[] {
  if (answer.kind === "answered") return answer.found;
  throw new Error(`refused: ${answer.refusal.name} ${answer.refusal.text ?? ""}`);
}

/** Polls until `look` finds something. */
export async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const end = performance.now() + 60_000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > end) throw new Error("it did not come about in 60 s");
    await rest(20);
  }
}
