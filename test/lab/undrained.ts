// The outage of a link that carries traffic while it is rotated on a real kernel, and its causes.

import { setTimeout as rest } from "node:timers/promises";
import { startLinkTraffic } from "../kernel/host/router.ts";
import { keyOf, wire } from "../kernel/mka/station.ts";
import { Supplicant } from "../kernel/mka/supplicant.ts";
import { type Lab, links } from "./lab.ts";

/** The outage of a link that was not drained. */
interface Dark {
  readonly link: string;
  readonly darkMs: number;
  /** The part of it after the far end's new key was there. */
  readonly oursMs: number;
}

/**
 * Sets `drain: none` in the config from here on; `offered` runs after the new keys are made and
 * before they are used.
 */
export async function rotateUndrained(
  lab: Lab,
  offered: () => Promise<void> = async () => undefined,
): Promise<readonly Dark[]> {
  await lab.configure("none");
  const stop = await startLinkTraffic(lab.pair);
  await rest(2000);
  await lab.offerKeys();
  await offered();
  const begunAt = Date.now();
  const why = await lab.rotate();
  if (why !== undefined) throw new Error(`not rotated: ${why}`);
  const allCounters = await stop();
  return links.map(({ name }, index) => {
    const both = allCounters.slice(2 * index, 2 * index + 2);
    const from = Math.min(...both.map(({ silence }) => silence.from));
    const until = Math.max(...both.map(({ silence }) => silence.until));
    const ready = lab.farChanges.find(({ atMs, link }) => atMs >= begunAt && link === name);
    if (ready === undefined) throw new Error(`the far end of ${name} was given no key`);
    if (ready.atMs < from || ready.atMs > until) throw new Error(`${name} was dark another time`);
    const [darkMs, oursMs] = [until - from, until - ready.atMs].map(Math.round);
    return { link: name, darkMs: darkMs ?? 0, oursMs: oursMs ?? 0 };
  });
}

/**
 * Measures the time from a start of both ends by hand, at one moment, until both report that they
 * are secured.
 */
export async function betweenSupplicants(): Promise<number> {
  const [left, right] = wire();
  const key = keyOf("c0ffee", 32);
  const begun = performance.now();
  const common = { version: "2.11", key, suite: "gcm-aes-256" } as const;
  using a = new Supplicant({ ...common, network: left, priority: 16 });
  using b = new Supplicant({ ...common, network: right, priority: 32 });
  while (!(a.isSecured && b.isSecured)) await rest(100);
  return Math.round(performance.now() - begun);
}
