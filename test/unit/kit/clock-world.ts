// A World that has only a clock, and the calls that a test adds.

import type { Dialer, World } from "#hal/world.ts";

interface Given {
  readonly clock: World["clock"];
  readonly dial?: Partial<Dialer>;
  readonly entropy?: World["entropy"];
  readonly log?: World["log"];
  /** Makes the error with which every other call rejects. */
  readonly refusal?: () => Error;
}

export function clockWorld({ clock, dial, entropy, log, refusal }: Given): World {
  const refuse = (): Promise<never> =>
    Promise.reject(refusal?.() ?? new Error("there is nothing but a clock"));
  return {
    clock,
    dial: {
      http: refuse,
      routeTo: refuse,
      resolve: refuse,
      exec: refuse,
      framed: refuse,
      stream: refuse,
      channel: refuse,
      snmp: refuse,
      ...dial,
    },
    disk: { read: refuse, list: refuse, append: refuse, replace: refuse },
    entropy: entropy ?? { bytes: (length) => new Uint8Array(length) },
    log: log ?? { write: () => undefined },
  };
}
