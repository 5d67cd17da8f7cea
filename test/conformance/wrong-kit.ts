// Parts of wrong devices: a right one, wrapped so that it does one thing as no device should.

import type {
  Device,
  DeviceChange,
  KeyResolver,
  PortChange,
  Transaction,
  TransactionToken,
} from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, known, type MacsecPort, type Reading } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { MutableConfig, PortConfig } from "#sim/router/router-config.ts";
import { ports, type Rig } from "./rig.ts";

/** A device that one case must fail. */
export interface Wrong {
  /** The profile it shows on; `everything` if not said. */
  readonly profile?: string;
  readonly spoil: (device: Device, rig: Rig) => Device;
}

export type WrongTable = Readonly<Record<string, readonly Wrong[]>>;

export const on = (profile: string, wrong: Wrong): Wrong => ({ ...wrong, profile });

/** Observations tell something else. */
export function reports(alter: (state: DeviceState, rig: Rig) => DeviceState): Wrong {
  return {
    spoil: (device, rig) => ({
      ...device,
      observe: async (signal) => alter(await device.observe(signal), rig),
    }),
  };
}

/** The same for every port. */
export function reportsPort(alter: (port: MacsecPort, rig: Rig) => MacsecPort): Wrong {
  return reports((state, rig) => ({
    ...state,
    macsec: state.macsec.map((port) => alter(port, rig)),
  }));
}

/** A known reading with another value; an unknown one stays. */
export function altered<T>(reading: Reading<T>, alter: (value: T) => T): Reading<T> {
  return reading.kind === "known" ? known(alter(reading.value), reading.at) : reading;
}

type Moves = Partial<Pick<Transaction, "preview" | "apply" | "confirm" | "rollback">>;

/** Transactions move otherwise. */
export function moves(
  alter: (inner: Transaction, rig: Rig, change: DeviceChange | undefined) => Moves,
): Wrong {
  return {
    spoil: (device, rig) => ({
      ...device,
      async prepare(change, keys, signal) {
        const inner = await device.prepare(change, keys, signal);
        return { ...inner, ...alter(inner, rig, change) };
      },
      async recall(token, signal) {
        const recalled = await device.recall(token, signal);
        if (recalled.kind !== "pending") return recalled;
        const { transaction } = recalled;
        return {
          ...recalled,
          transaction: { ...transaction, ...alter(transaction, rig, undefined) },
        };
      },
    }),
  };
}

/** Another change is sent than was asked for. */
export function sends(alter: (change: DeviceChange) => DeviceChange): Wrong {
  return {
    spoil: (device) => ({
      ...device,
      prepare: (change, keys, signal) => device.prepare(alter(change), keys, signal),
    }),
  };
}

export const sendsPart = (alter: (part: PortChange) => PortChange): Wrong =>
  sends((change) => change.map(alter));

export const drops = (...kinds: PortChange["kind"][]): Wrong =>
  sends((change) => change.filter((part) => !kinds.includes(part.kind)));

/** Something else happens after an operation of this kind was applied. */
export function afterPart(kind: PortChange["kind"], act: (rig: Rig) => void): Wrong {
  return moves((inner, rig, change) => ({
    async apply(within, signal) {
      await inner.apply(within, signal);
      if (change?.some((part) => part.kind === kind) === true) act(rig);
    },
  }));
}

/** What the device refuses is done all the same, by hand. */
export function forces(kind: PortChange["kind"], act: (rig: Rig, part: PortChange) => void): Wrong {
  return {
    spoil: (device, rig) => ({
      ...device,
      async prepare(change, keys, signal) {
        try {
          return await device.prepare(change, keys, signal);
        } catch (error) {
          const part = change.find((one) => one.kind === kind);
          if (part === undefined || !(error instanceof LinksealError)) throw error;
          return made(() => act(rig, part));
        }
      },
    }),
  };
}

function made(act: () => void): Transaction {
  return {
    token: "made-up" as TransactionToken,
    preview: "",
    apply: async () => act(),
    confirm: async () => undefined,
    rollback: async () => undefined,
  };
}

/** Keys arrive otherwise than they were fetched. */
export function keyed(alter: (octets: Uint8Array) => Uint8Array): Wrong {
  return resolves((keys) => async (ref) => {
    using secret = await keys(ref);
    return Secret.take("cak", alter(secret.use((octets) => Uint8Array.from(octets))));
  });
}

export function resolves(alter: (keys: KeyResolver) => KeyResolver): Wrong {
  return {
    spoil: (device) => ({
      ...device,
      prepare: (change, keys, signal) => device.prepare(change, alter(keys), signal),
    }),
  };
}

/** The error is swallowed: the call looks done. */
export async function swallow(call: Promise<void>): Promise<void> {
  await call.catch((error: unknown) => {
    if (!(error instanceof LinksealError)) throw error;
  });
}

export function edit(rig: Rig, change: (port: PortConfig, config: MutableConfig) => void): void {
  rig.router.manualEdit((config) => {
    const port = config.ports.get(ports[0]);
    if (port !== undefined) change(port, config);
  });
}

export const loosen = (rig: Rig): void =>
  edit(rig, (port) => {
    if (port.macsec !== undefined) port.macsec = { ...port.macsec, policy: "shouldSecure" };
  });

export const flap =
  (index: 0 | 1) =>
  (rig: Rig): void => {
    rig.links[index].edge.restartKay();
  };

/** A small change that was not requested. */
export function fidget(rig: Rig): void {
  edit(rig, (port) => {
    port.drain = port.drain === undefined ? "prepend" : undefined;
  });
}

export function recreateTunnels(rig: Rig): void {
  let kept: MutableConfig["tunnels"] = new Map();
  edit(rig, (_port, config) => {
    kept = new Map(config.tunnels);
    config.tunnels.clear();
  });
  edit(rig, (_port, config) => {
    for (const [name, tunnel] of kept) config.tunnels.set(name, tunnel);
  });
}
