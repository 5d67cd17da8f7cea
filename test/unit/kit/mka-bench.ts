// Two endpoints on one fibre, for the tests of MKA and SecY.

import type { Ckn, MacsecSettings } from "#hal/model.ts";
import { parseCkn } from "#hal/model.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { Fibre } from "#sim/mka/fibre.ts";
import { type EndpointKey, type EndpointOptions, PortEndpoint } from "#sim/mka/port-endpoint.ts";

export const mustSecure: MacsecSettings = {
  suite: "gcm-aes-xpn-256",
  policy: "mustSecure",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: 64,
  sakRekeyMs: undefined,
};

/** The n-th CKN. */
export function cknOf(n: number): Ckn {
  const ckn = parseCkn(n.toString(16).padStart(64, "0"));
  if (ckn === undefined) throw new RangeError(`no CKN ${n}`);
  return ckn;
}

/** The n-th key; `bytes` differs from `n` for a CAK that does not belong to its CKN. */
export function keyOf(n: number, role: EndpointKey["role"] = "primary", bytes = n): EndpointKey {
  return { ckn: cknOf(n), cak: new Uint8Array(32).fill(bytes), role };
}

export interface Pair {
  readonly clock: SimClock;
  readonly fibre: Fibre;
  /** Has the lower SCI, so it is the key server at equal priority. */
  readonly a: PortEndpoint;
  readonly b: PortEndpoint;
  /** Runs for so many virtual seconds. */
  seconds(count: number): Promise<void>;
  /**
   * Returns the virtual seconds until the condition is true after an event; throws after two
   * minutes.
   */
  until(condition: () => boolean): Promise<number>;
}

export function pair(seed: string, options: Partial<EndpointOptions> = {}): Pair {
  const clock = new SimClock(Date.UTC(2026, 10, 24));
  const prng = new Prng(seed);
  const endpoint = (name: string, mac: string): PortEndpoint =>
    new PortEndpoint({ name, clock, prng: prng.fork(name), mac, lineBps: 100e9, ...options });
  const a = endpoint("a", "02000000000a");
  const b = endpoint("b", "02000000000b");
  const fibre = new Fibre({ clock, a, b, delayMs: 1 });
  return {
    clock,
    fibre,
    a,
    b,
    seconds: (count) => clock.runFor(count * 1000),
    until: async (condition) => {
      const start = clock.now();
      await clock.runFor(120_000, condition);
      if (!condition()) throw new Error("two virtual minutes went by in vain");
      return (clock.now() - start) / 1000;
    },
  };
}

/** Returns both ends configured alike with key 1 and 1,000 frames a second each way, secured. */
export async function secured(
  seed: string,
  options: Partial<EndpointOptions> = {},
  settings: MacsecSettings = mustSecure,
): Promise<Pair> {
  const made = pair(seed, options);
  for (const endpoint of [made.a, made.b]) {
    endpoint.configure(settings);
    endpoint.putKey(keyOf(1));
  }
  made.fibre.offer("a", 1000, 512);
  made.fibre.offer("b", 1000, 512);
  await made.until(() => made.fibre.carries());
  await made.seconds(1);
  return made;
}

/** Data frames lost so far, in both directions. */
export function lost({ fibre }: Pair): bigint {
  const { a2b, b2a } = fibre.truth();
  return a2b.lost + b2a.lost;
}

/** Data frames in clear on the wire so far, in both directions. */
export function clear({ fibre }: Pair): bigint {
  const { a2b, b2a } = fibre.truth();
  return a2b.clearOnWire + b2a.clearOnWire;
}
