// What every driver must do, as plain cases for a test runner, a lab, or the command line.

import { inspect } from "node:util";
import type { Device, KeyResolver, Transaction } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { DeviceBench, PeerBench, VaultBench } from "./bench.ts";
import { commitCases } from "./commit.ts";
import type { PeerCase, VaultCase } from "./far.ts";
import { keyCases } from "./key.ts";
import { ConformanceFailure, type DeviceCase, must, mustBe, refusal } from "./kit.ts";
import { observationCases } from "./observation.ts";
import { portCases } from "./port.ts";
import { trafficCases } from "./traffic.ts";
import { troubleCases } from "./trouble.ts";
import { tunnelCases } from "./tunnel.ts";
import { Untried } from "./untried.ts";

export { peerCases, vaultCases } from "./far.ts";
export { Untried } from "./untried.ts";

/** All cases for the driver of a device. */
export const deviceCases: readonly DeviceCase[] = [
  ...observationCases,
  ...commitCases,
  ...keyCases,
  ...portCases,
  ...trafficCases,
  ...tunnelCases,
  ...troubleCases,
];

/** The result of a case. */
export type Verdict =
  /** The case ran and passed. */
  | { readonly kind: "ok" }
  /** The device does not offer it, and refused it as required. */
  | { readonly kind: "refused" }
  /** The bench cannot cause the fault that the case needs. */
  | { readonly kind: "untried"; readonly lacks: string }
  | { readonly kind: "failed"; readonly text: string };

/** Runs one case on a bench of its own; any error of a driver becomes a verdict. */
export async function runDeviceCase(one: DeviceCase, bench: DeviceBench): Promise<Verdict> {
  const lacks = one.troubles?.find((trouble) => !bench.troubles.has(trouble));
  if (lacks !== undefined) return { kind: "untried", lacks };
  const heard: DeviceBench = {
    ...bench,
    device: hear(bench.device, bench.say),
    second: async () => hear(await bench.second(), bench.say),
  };
  return await verdict(async () => {
    if (!one.needs(bench.device.capabilities)) return await refuses(one, heard);
    await one.run(heard);
    return { kind: "ok" };
  });
}

export async function runPeerCase(one: PeerCase, bench: PeerBench): Promise<Verdict> {
  const lacks = one.troubles?.find((trouble) => !bench.troubles.has(trouble));
  if (lacks !== undefined) return { kind: "untried", lacks };
  return await verdict(async () => {
    await one.run(bench);
    return { kind: "ok" };
  });
}

export async function runVaultCase(one: VaultCase, bench: VaultBench): Promise<Verdict> {
  const lacks = one.troubles?.find((trouble) => !bench.troubles.has(trouble));
  if (lacks !== undefined) return { kind: "untried", lacks };
  return await verdict(async () => {
    await one.run(bench);
    return { kind: "ok" };
  });
}

async function verdict(run: () => Promise<Verdict>): Promise<Verdict> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof Untried) return { kind: "untried", lacks: error.lacks };
    if (error instanceof ConformanceFailure) return { kind: "failed", text: error.message };
    const code = error instanceof LinksealError ? `${error.code}: ` : "";
    const text = error instanceof Error ? error.message : String(error);
    return { kind: "failed", text: `an unexpected error: ${code}${text}` };
  }
}

/**
 * Checks that a device refuses what it does not offer by the right code, before anything is sent to
 * it or to the vault.
 */
async function refuses(one: DeviceCase, bench: DeviceBench): Promise<Verdict> {
  let fetched = 0;
  const keys: KeyResolver = (ref) => {
    fetched += 1;
    return bench.keys(ref);
  };
  const attempt = await one.attempt({ ...bench, keys });
  if (attempt === "absent") return { kind: "refused" };
  const before = bench.truth().effects;
  const sent = bench.exchanges();
  fetched = 0;
  const what = "what the device does not offer";
  mustBe(await refusal(attempt(), what), ["device.unsupported"], what);
  must(bench.exchanges() === sent, `${what} was sent to it before it was refused`);
  must(fetched === 0, `the key for ${what} was fetched before it was refused`);
  must(bench.truth().effects === before, `${what} had an effect`);
  return { kind: "refused" };
}

/** Returns the same device, with everything that it prints recorded. */
function hear(device: Device, say: (text: string) => void): Device {
  const errors = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer;
    } catch (error) {
      say(inspect(error, { depth: 9 }));
      throw error;
    }
  };
  const transaction = (inner: Transaction): Transaction => {
    say(inner.preview);
    return {
      token: inner.token,
      preview: inner.preview,
      apply: (within, signal) => errors(inner.apply(within, signal)),
      confirm: (signal) => errors(inner.confirm(signal)),
      rollback: (signal) => errors(inner.rollback(signal)),
    };
  };
  const listened: Device = {
    id: device.id,
    capabilities: device.capabilities,
    async observe(signal) {
      const state = await errors(device.observe(signal));
      say(encodeJson(state));
      return state;
    },
    prepare: async (change, keys, signal) =>
      transaction(await errors(device.prepare(change, keys, signal))),
    async recall(token, signal) {
      const recalled = await errors(device.recall(token, signal));
      if (recalled.kind !== "pending") return recalled;
      return { kind: "pending", transaction: transaction(recalled.transaction) };
    },
    routesTo: (address, signal) => errors(device.routesTo(address, signal)),
    [Symbol.asyncDispose]: () => device[Symbol.asyncDispose](),
  };
  const [probe, preview] = [device.probe?.bind(device), device.preview?.bind(device)];
  const probed: Device =
    probe === undefined
      ? listened
      : { ...listened, probe: (port, count, signal) => errors(probe(port, count, signal)) };
  if (preview === undefined) return probed;
  return {
    ...probed,
    async preview(change, keys, signal) {
      const lines = await errors(preview(change, keys, signal));
      say(lines.join("\n"));
      return lines;
    },
  };
}
