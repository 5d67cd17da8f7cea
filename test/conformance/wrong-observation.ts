// Wrong devices for the cases of observing and of transactions: case by case what it must catch.

import type { Recalled, Transaction, TransactionToken } from "#hal/device.ts";
import { known, type MacsecPort, parseCkn, unknown } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import {
  altered,
  edit,
  fidget,
  moves,
  on,
  reports,
  reportsPort,
  swallow,
  type Wrong,
  type WrongTable,
} from "./wrong-kit.ts";

const otherCkn = parseCkn("ee".repeat(32));

/** Says for ever what it said when `good` first held. */
function sticky(good: (port: MacsecPort) => boolean, keep: keyof MacsecPort): Wrong {
  return {
    spoil: (device, rig) => {
      const first = new Map<string, MacsecPort>();
      return reportsPort((port) => {
        if (good(port) && !first.has(port.port)) first.set(port.port, port);
        const kept = first.get(port.port)?.[keep];
        return kept === undefined || typeof kept === "string"
          ? port
          : { ...port, [keep]: { ...kept, at: port.linkUp.at } };
      }).spoil(device, rig);
    },
  };
}

const counted = ({ frames }: MacsecPort): boolean =>
  frames.kind === "known" && frames.value.txProtected > 0n;

const everySecond = (alter: (port: MacsecPort) => MacsecPort): Wrong => ({
  spoil: (device, rig) => {
    let observations = 0;
    return reports((state) => {
      observations += 1;
      return observations % 2 === 0 ? { ...state, macsec: state.macsec.map(alter) } : state;
    }).spoil(device, rig);
  },
});

function control(
  alter: (
    value: {
      readonly wall: WallTime;
      readonly bootId: string;
      readonly configId: string;
      readonly commitPending: boolean;
    },
    now: number,
  ) => object,
): Wrong {
  return reports((state, rig) => ({
    ...state,
    control: altered(state.control, (value) => ({ ...value, ...alter(value, rig.clock.now()) })),
  }));
}

/** Recalls whatever was ever applied. */
const neverForgets: Wrong = {
  spoil: (device, rig) => {
    const applied = new Map<TransactionToken, Transaction>();
    const wrapped = moves((inner) => ({
      async apply(within, signal) {
        await inner.apply(within, signal);
        applied.set(inner.token, inner);
      },
    })).spoil(device, rig);
    const recall = async (token: TransactionToken, signal: AbortSignal): Promise<Recalled> => {
      await device.recall(token, signal);
      const transaction = applied.get(token);
      return transaction === undefined ? { kind: "absent" } : { kind: "pending", transaction };
    };
    return { ...wrapped, recall };
  },
};

/** Recalls only what this very session prepared. */
const sessionMemory: Wrong = {
  spoil: (device) => {
    const own = new Set<TransactionToken>();
    return {
      ...device,
      async prepare(change, keys, signal) {
        const inner = await device.prepare(change, keys, signal);
        own.add(inner.token);
        return inner;
      },
      async recall(token, signal) {
        const recalled = await device.recall(token, signal);
        return own.has(token) ? recalled : { kind: "absent" };
      },
    };
  },
};

/** A commit confirms the one that waits, as `commit` does on most command lines. */
const confirmsOthers: Wrong = {
  spoil: (device, rig) => {
    const waiting = new Set<Transaction>();
    return moves((inner) => ({
      async apply(within, signal) {
        for (const other of waiting) if (other.token !== inner.token) await other.confirm(signal);
        await inner.apply(within, signal);
        waiting.add(inner);
      },
    })).spoil(device, rig);
  },
};

const twiceTwice: Wrong = {
  spoil: (device, rig) => {
    const applied = new Set<TransactionToken>();
    return moves((inner) => ({
      async apply(within, signal) {
        await inner.apply(within, signal);
        if (applied.has(inner.token)) fidget(rig);
        applied.add(inner.token);
      },
    })).spoil(device, rig);
  },
};

const dead: Wrong = {
  spoil: (device) => ({ ...device, recall: async () => ({ kind: "absent" }) }),
};

export const wrongObservations: WrongTable = {
  "observe: changes nothing": [
    reports((state, rig) => {
      fidget(rig);
      return state;
    }),
  ],
  "observe: two in a row are equal": [
    everySecond((port) => ({ ...port, linkUp: altered(port.linkUp, (up) => !up) })),
    everySecond((port) => ({ ...port, keys: unknown("queryFailed", port.keys.at) })),
  ],
  "observe: reads at the time of the call": [
    reports((state) => ({ ...state, at: (state.at - 5_000) as typeof state.at })),
    reportsPort((port) => ({
      ...port,
      frames: { ...port.frames, at: 0 as typeof port.frames.at },
    })),
  ],
  "observe: every reading is known or says why not": [
    reportsPort((port) => ({ ...port, linkUp: altered(port.linkUp, () => undefined as never) })),
    reportsPort((port) => ({ ...port, rate: unknown("tired" as never, port.rate.at) })),
  ],
  "observe: names every port once": [
    reports((state) => ({ ...state, macsec: state.macsec.slice(0, 1) })),
    reports((state) => ({ ...state, macsec: [...state.macsec, ...state.macsec] })),
  ],
  "observe: reports the state of a protected port": [
    reportsPort((port) => ({
      ...port,
      session: altered(port.session, (session) => ({ ...session, principalCkn: otherCkn })),
    })),
    reportsPort((port) => ({ ...port, liveSuite: altered(port.liveSuite, () => "gcm-aes-128") })),
    reportsPort((port) => ({ ...port, keys: altered(port.keys, () => []) })),
  ],
  "observe: a lost peer is reported": [
    sticky(({ session }) => session.kind === "known" && session.value.livePeers > 0, "session"),
    sticky(({ session }) => session.kind === "known", "session"),
  ],
  "observe: a reply that makes no sense is unknown": [
    reportsPort((port) =>
      port.linkUp.kind === "known" ? port : { ...port, linkUp: known(false, port.linkUp.at) },
    ),
    reports((state) =>
      state.control.kind === "known"
        ? state
        : { ...state, control: unknown("queryFailed", state.at) },
    ),
  ],
  "counters: absent is never zero": [
    on(
      "surviving fallback",
      reportsPort((port) => ({
        ...port,
        frames: altered(port.frames, (frames) => ({ ...frames, nextPn: 0n })),
      })),
    ),
    on("surviving none", zeroFrames()),
    reportsPort((port) => ({
      ...port,
      frames: altered(port.frames, (frames) => ({ ...frames, nextPn: undefined })),
    })),
  ],
  "counters: follow the wire": [sticky(counted, "frames")],
  "counters: MKPDUs are not clear data": [
    reportsPort((port) => {
      const { mkpdus } = port;
      const more = mkpdus.kind === "known" ? mkpdus.value.received : 0n;
      const frames = altered(port.frames, (value) => ({
        ...value,
        rxClear: (value.rxClear ?? 0n) + more,
      }));
      return { ...port, frames };
    }),
  ],
  "control: the configuration id changes with a change and only then": [
    control(() => ({ configId: "1" })),
    control((_value, now) => ({ configId: String(now) })),
  ],
  "control: the device's own clock is reported": [control(() => ({ wall: 0 }))],
  "control: a pending commit is reported, whichever session made it": [
    control(() => ({ commitPending: false })),
    control(() => ({ commitPending: true })),
  ],
  "control: a boot is reported": [control(() => ({ bootId: "1" }))],
  "control: a boot ends a pending commit": [neverForgets],
  "driver: a device offers no more than its driver": [
    {
      spoil: (device) => ({
        ...device,
        capabilities: {
          ...device.capabilities,
          commit: { kind: "confirmed", confirmedBy: "anySession", stepMs: 1, maxMs: 9e9 },
        },
      }),
    },
  ],
};

function zeroFrames(): Wrong {
  const none = 0n;
  const frames = {
    txProtected: none,
    txClear: none,
    txTooLong: none,
    rxOk: none,
    rxClear: none,
    rxBadTag: none,
    rxNotValid: none,
    rxLate: none,
    rxNoSci: none,
    rxUnknownSci: none,
    rxNotUsingSa: none,
    rxUnusedSa: none,
    nextPn: none,
  };
  return reportsPort((port) => ({ ...port, frames: known(frames, port.frames.at) }));
}

export const wrongCommits: WrongTable = {
  "prepare: leaves the running device untouched": [
    {
      spoil: (device) => ({
        ...device,
        async prepare(change, keys, signal) {
          const inner = await device.prepare(change, keys, signal);
          await inner.apply("final", signal);
          return inner;
        },
      }),
    },
  ],
  "prepare: shows what would change": [
    moves(() => ({ preview: "" })),
    moves(() => ({ preview: "et-0/0/0: something" })),
  ],
  "preview: shows what would be sent, and touches nothing": [
    { spoil: (device) => ({ ...device, preview: async () => [] }) },
    {
      spoil: (device, rig) => ({
        ...device,
        async preview() {
          edit(rig, (port) => {
            port.admin = "down";
          });
          return ["shutdown"];
        },
      }),
    },
  ],
  "apply: final stays and arms nothing": [
    moves((inner) => ({
      apply: (within, signal) => inner.apply(within === "final" ? 60_000 : within, signal),
    })),
    moves((inner, rig) => ({
      async apply(within, signal) {
        await inner.apply(within, signal);
        rig.clock.after(90_000, () =>
          edit(rig, (port) => {
            port.macsec = undefined;
          }),
        );
      },
    })),
  ],
  "apply: twice is once": [twiceTwice],
  "apply: reverts in time without a confirm": [
    moves((inner) => ({
      apply: (within, signal) => inner.apply(within === "final" ? within : within * 3, signal),
    })),
    moves((inner) => ({
      apply: (within, signal) => inner.apply(within === "final" ? within : within / 3, signal),
    })),
    moves((inner) => ({ apply: (_within, signal) => inner.apply("final", signal) })),
  ],
  "apply: a time beyond the device's reach is refused": [
    moves((inner) => ({
      apply: (within, signal) =>
        inner.apply(within === "final" ? within : Math.min(within, 3_600_000), signal),
    })),
  ],
  "confirm: makes the change stay": [moves(() => ({ confirm: async () => undefined }))],
  "confirm: too late is an ordinary error": [
    moves((inner) => ({ confirm: (signal) => swallow(inner.confirm(signal)) })),
  ],
  "confirm: from a second process as the capabilities say": [
    sessionMemory,
    on("session-bound keychain", sessionMemory),
  ],
  "session: its end leaves the commit to its timer": [
    {
      spoil: (device, rig) => ({
        ...device,
        [Symbol.asyncDispose]: async () => rig.router.commits.reboot(),
      }),
    },
    on("session-bound keychain", {
      spoil: (device, rig) => ({
        ...device,
        [Symbol.asyncDispose]: async () => rig.router.commits.forget(),
      }),
    }),
  ],
  "rollback: undoes a pending change": [
    moves((inner) => ({ rollback: (signal) => inner.confirm(signal) })),
    moves(() => ({ rollback: async () => undefined })),
  ],
  "rollback: drops what was only prepared": [moves(() => ({ rollback: async () => undefined }))],
  "rollback: never undoes a final change": [
    moves((inner, rig) => ({
      async rollback(signal) {
        await inner.rollback(signal).catch(() =>
          edit(rig, (port) => {
            port.macsec = undefined;
          }),
        );
      },
    })),
  ],
  "recall: pending and absent": [dead, neverForgets],
  "commit: one waits, the next one must": [confirmsOthers],
};
