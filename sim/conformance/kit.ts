// Helpers of the conformance cases: what must be true, what must be refused, and the usual
// preparations.

import type {
  Capabilities,
  DeviceChange,
  PortChange,
  RekeyWhat,
  Transaction,
} from "#hal/device.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type {
  CipherSuite,
  DeviceState,
  DrainMeans,
  KeyRef,
  MacsecPort,
  PortName,
  Reading,
  WantedSettings,
} from "#hal/model.ts";
import type { DeviceBench, DeviceTruth, PortTruth, Trouble } from "./bench.ts";

/** One sentence: what the device did and should not have done. */
export class ConformanceFailure extends Error {}

/** What a case needs, and what a device without it must refuse before anything is sent. */
export interface Need {
  readonly needs: (capabilities: Capabilities) => boolean;
  /** Prepares and returns the call that must be refused; `absent` = there is no such method. */
  readonly attempt: (bench: DeviceBench) => Promise<"absent" | (() => Promise<unknown>)>;
}

export interface DeviceCase extends Need {
  readonly name: string;
  /** The promise, the clause or the experience behind it. */
  readonly why: string;
  /** Faults that the bench must be able to cause. */
  readonly troubles?: readonly Trouble[];
  readonly run: (bench: DeviceBench) => Promise<void>;
}

export const never = new AbortController().signal;

export function must(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new ConformanceFailure(sentence);
}

/**
 * Returns the refusal; a call that resolves, or rejects with anything but a LinksealError, fails
 * the case.
 */
export async function refusal(answer: Promise<unknown>, what: string): Promise<LinksealError> {
  try {
    await answer;
  } catch (error) {
    if (error instanceof LinksealError) return error;
    throw new ConformanceFailure(`${what} ended in an error without a code: ${String(error)}`);
  }
  throw new ConformanceFailure(`${what} was reported as done`);
}

export function mustBe(error: LinksealError, codes: readonly ErrorCode[], what: string): void {
  must(codes.includes(error.code), `${what} is ${error.code} and not ${codes.join(" or ")}`);
  must(error.effect === "none", `${what} claims the effect "${error.effect}"`);
}

/** Returns text that is equal for equal values, whatever the order of properties. */
export function canonical(value: unknown): string {
  const sorted = (inner: unknown): unknown => {
    if (Array.isArray(inner)) return inner.map(sorted);
    if (typeof inner !== "object" || inner === null) return inner;
    const entries = Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
  };
  return encodeJson(sorted(value));
}

export function observe(bench: DeviceBench): Promise<DeviceState> {
  return bench.device.observe(never);
}

export function portIn(state: DeviceState, port: PortName): MacsecPort {
  const found = state.macsec.find((one) => one.port === port);
  must(found !== undefined, `the observation does not report ${port}`);
  return found;
}

export function reported<T>(reading: Reading<T>, what: string): T {
  must(reading.kind === "known", `the observation does not report ${what}`);
  return reading.value;
}

export async function observePort(bench: DeviceBench, port: PortName): Promise<MacsecPort> {
  return portIn(await observe(bench), port);
}

export function truthOf(bench: DeviceBench, port: PortName): PortTruth {
  const found = bench.truth().ports.find((one) => one.port === port);
  if (found === undefined) throw new RangeError(`the bench has no port ${port}`);
  return found;
}

/** Returns the part of the actual state that a commit can change. */
export function running({ ports, tunnels }: DeviceTruth): string {
  const config = ports.map(({ port, keys, settings, admin, drain }) => ({
    port,
    keys,
    settings,
    admin,
    drain,
  }));
  return canonical({ config, tunnels: tunnels.map(({ name }) => name) });
}

export function prepare(bench: DeviceBench, change: DeviceChange): Promise<Transaction> {
  return bench.device.prepare(change, bench.keys, never);
}

export async function commit(bench: DeviceBench, ...change: PortChange[]): Promise<void> {
  const transaction = await prepare(bench, change);
  await transaction.apply("final", never);
}

/** Prepares and commits a change that must be refused, and returns the refusal. */
export function refusedChange(
  bench: DeviceBench,
  what: string,
  ...change: PortChange[]
): Promise<LinksealError> {
  return refusal(commit(bench, ...change), what);
}

export function suiteOf(bench: DeviceBench): CipherSuite {
  const suites = bench.device.capabilities.macsec?.suites ?? [];
  return suites.find((suite) => suite.endsWith("256")) ?? suites[0] ?? "gcm-aes-xpn-256";
}

export function wanted(bench: DeviceBench): WantedSettings {
  return {
    suite: suiteOf(bench),
    includeSci: true,
    confidentialityOffset: 0,
    keyServerPriority: 16,
    replayWindow: 64,
    sakRekeyMs: undefined,
  };
}

export function cakOctets(suite: CipherSuite): 16 | 32 {
  return suite.endsWith("128") ? 16 : 32;
}

export function freshKey(bench: DeviceBench): KeyRef {
  return bench.newKey({ cakOctets: cakOctets(suiteOf(bench)), cknOctets: 32 });
}

export const addKey = (
  port: PortName,
  key: KeyRef,
  role: "primary" | "fallback" = "primary",
): PortChange => ({ kind: "macsec.addKey", port, key, role });

/** Returns the operation that adds a second key on this device. */
export function addSecond(bench: DeviceBench, port: PortName, key: KeyRef): PortChange {
  const overlap = bench.device.capabilities.macsec?.overlap;
  return addKey(port, key, overlap === "fallback" ? "fallback" : "primary");
}

/**
 * Returns an operation that this device can carry out and that no other operation of the cases
 * made.
 */
export function anyChange(bench: DeviceBench): PortChange {
  const { macsec, ipsec } = bench.device.capabilities;
  const [port] = bench.ports;
  if (macsec !== undefined) return { kind: "macsec.protect", port, settings: wanted(bench) };
  if (ipsec !== undefined) return { kind: "ipsec.putTunnel", tunnel: bench.tunnel };
  return { kind: "port.shut", port };
}

/** Polls the actual state; fails with a sentence that says what did not happen. */
export async function until(bench: DeviceBench, what: string, holds: () => boolean): Promise<void> {
  for (let second = 0; second < 120; second += 1) {
    if (holds()) return;
    await bench.wait(1_000);
  }
  throw new ConformanceFailure(`${what} did not come within two minutes`);
}

/** Gives both ends of the port a key and waits until the link carries traffic under it. */
export async function secure(
  bench: DeviceBench,
  port: PortName,
  key: KeyRef = freshKey(bench),
): Promise<KeyRef> {
  bench.giveFarEnd(port, key, suiteOf(bench));
  const settings = wanted(bench);
  await commit(bench, { kind: "macsec.protect", port, settings }, addKey(port, key));
  await until(bench, `the protected link on ${port}`, () => {
    const { principal, carries, bgpUp } = truthOf(bench, port);
    return principal === key.ckn && carries && bgpUp;
  });
  return key;
}

export function always(): Need {
  return {
    needs: () => true,
    attempt: async () => {
      throw new ConformanceFailure("every device must be able to do this");
    },
  };
}

function needing(needs: Need["needs"], change: (bench: DeviceBench) => PortChange): Need {
  return {
    needs,
    attempt: async (bench) => {
      const part = change(bench);
      return () => commit(bench, part);
    },
  };
}

export const macsec = needing(
  (capabilities) => capabilities.macsec !== undefined,
  (bench) => ({ kind: "macsec.protect", port: bench.ports[0], settings: wanted(bench) }),
);

export const overlap = needing(
  (capabilities) => capabilities.macsec !== undefined && capabilities.macsec.overlap !== "none",
  (bench) => addKey(bench.ports[0], freshKey(bench), "fallback"),
);

export const freshSak = needing(
  (capabilities) => capabilities.macsec?.freshSak === true,
  (bench) => ({ kind: "macsec.rekeySak", port: bench.ports[0] }),
);

export const fallback = needing(
  (capabilities) => capabilities.macsec?.overlap === "fallback",
  (bench) => ({ kind: "macsec.promoteKey", port: bench.ports[0], ckn: freshKey(bench).ckn }),
);

export const ipsec = needing(
  (capabilities) => capabilities.ipsec?.keying.includes("ike") === true,
  (bench) => ({ kind: "ipsec.putTunnel", tunnel: bench.tunnel }),
);

export function rekey(what: RekeyWhat): Need {
  return needing(
    (capabilities) => capabilities.ipsec?.rekeys.includes(what) === true,
    (bench) => ({ kind: "ipsec.rekey", name: bench.tunnel.name, what }),
  );
}

export function drain(means: DrainMeans): Need {
  return needing(
    (capabilities) => capabilities.drain?.means.includes(means) === true,
    (bench) => ({ kind: "port.drain", port: bench.ports[0], means }),
  );
}

export const probe: Need = {
  needs: (capabilities) => capabilities.probe === true,
  attempt: async ({ device, ports }) =>
    device.probe === undefined ? "absent" : async () => device.probe?.(ports[0], 1, never),
};

/** The device reverts by itself. */
export const timer: Need = {
  needs: (capabilities) => capabilities.commit.kind !== "immediate",
  attempt: async (bench) => {
    const transaction = await prepare(bench, [anyChange(bench)]);
    return () => transaction.apply(revertMs, never);
  },
};

export const revertMs = 60_000;

/** Returns the granularity of the device's timer, which may lengthen the requested wait. */
export function stepMs({ commit: mode }: Capabilities): number {
  return mode.kind === "confirmed" ? mode.stepMs : 0;
}
