// Wrong devices for what is not offered: they do not refuse it, or refuse it too late.

import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { errs } from "./wrong-change.ts";
import { moves, type Wrong } from "./wrong-kit.ts";

const second = "key: a second one leaves the first in use";

export const wrongRefusals: readonly (Required<Wrong> & { readonly fails: string })[] = [
  {
    // Asks the device first, and it is the device that refuses.
    fails: second,
    profile: "surviving none",
    spoil: (device) => ({
      ...device,
      async prepare(change, keys, signal) {
        await device.observe(signal);
        return await device.prepare(change, keys, signal);
      },
    }),
  },
  {
    // Fetches the key for a change that it will not make.
    fails: second,
    profile: "surviving none",
    spoil: (device) => ({
      ...device,
      async prepare(change, keys, signal) {
        for (const part of change) {
          if (!("key" in part)) continue;
          const secret = await keys({ kind: "cak", key: part.key });
          secret[Symbol.dispose]();
        }
        return await device.prepare(change, keys, signal);
      },
    }),
  },
  {
    // Refuses by the code of a device that examined the change.
    fails: second,
    profile: "surviving none",
    spoil: errs(() => ({ code: "device.rejected" })).spoil,
  },
  {
    // Takes a time to revert and arms nothing.
    fails: "confirm: makes the change stay",
    profile: "immediate keychain",
    spoil: moves((inner) => ({ apply: (_within, signal) => inner.apply("final", signal) })).spoil,
  },
  {
    // Has a probe that its capabilities do not know.
    fails: "probe: a link that carries nothing does not answer",
    profile: "MACsec alone",
    spoil: (device) => ({
      ...device,
      probe: async (_port, count) => ({ sent: count, answered: 0 }),
    }),
  },
  {
    // Leaves out what it cannot do, and reports the rest as done.
    fails: "tunnel: removed is gone",
    profile: "MACsec alone",
    spoil: (device) => ({
      ...device,
      async prepare(change, keys, signal) {
        try {
          return await device.prepare(change, keys, signal);
        } catch (error) {
          if (!(error instanceof LinksealError)) throw error;
          return await device.prepare([], async () => Secret.take("no", new Uint8Array()), signal);
        }
      },
    }),
  },
];
