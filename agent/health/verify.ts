// Compares a change with a later observation: a commit is trusted only if a second reading shows
// it, never because of the reply.

import type { DeviceChange, PortChange } from "#hal/device.ts";
import {
  type DeviceState,
  type MacsecSettings,
  type PortName,
  strongValue,
  type Transforms,
  type WantedSettings,
} from "#hal/model.ts";
import { gapOf, type Sight, seenIf, seenUnless } from "../model/claims.ts";
import { portOf } from "../model/link-snapshot.ts";
import { sameTransforms } from "./tunnel.ts";

/** Returns one sentence for each leaf that is not as the change wanted it; empty = as wanted. */
export function verify(change: DeviceChange, state: DeviceState): readonly string[] {
  return change.flatMap((part) => verifyPart(part, state));
}

function verifyPart(part: PortChange, state: DeviceState): readonly string[] {
  switch (part.kind) {
    case "macsec.protect":
      return settingsGaps(part.settings, configured(state, part.port)).map(
        (gap) => `${part.port}: ${gap.leaf} is ${gap.observed} and not ${gap.wanted}`,
      );
    case "macsec.addKey":
    case "macsec.replaceKey":
      return holds(state, part.port, part.key.ckn, part.kind === "macsec.replaceKey");
    case "macsec.promoteKey":
      return roleOf(state, part.port, part.ckn) === "primary"
        ? []
        : [`${part.port}: the key ${part.ckn} is not the primary one`];
    case "macsec.removeKey":
      return removed(state, part.port, part.ckn);
    case "ipsec.block":
      return part.blocks.flatMap(({ prefix, ports }) => [
        ...blockGaps(state, [prefix]),
        ...backingGaps(state, [prefix], ports),
      ]);
    case "ipsec.putTunnel":
      return [
        ...tunnelGaps(state, part.tunnel.name, part.tunnel.transforms),
        ...interfaceGaps(state, part.tunnel.name),
        ...backingGaps(state, part.tunnel.remotePrefixes, part.tunnel.backs ?? []),
      ];
    case "ipsec.removeTunnel":
      return state.ipsec.some((tunnel) => tunnel.name === part.name)
        ? [`the tunnel ${part.name} is still there`]
        : [];
    case "port.drain":
    case "port.restore":
      return drainGaps(state, part.port, part.kind === "port.drain");
    case "port.shut":
    case "port.open":
    case "macsec.rekeySak":
    case "ipsec.rekey":
      // The configuration does not show these operations; health watches their consequences.
      return [];
  }
}

function configured(state: DeviceState, port: string): MacsecSettings | undefined {
  const settings = portOf(state, port)?.settings;
  return settings === undefined ? undefined : strongValue(settings);
}

function roleOf(state: DeviceState, port: string, ckn: string): string | undefined {
  const keys = portOf(state, port)?.keys;
  if (keys === undefined) return undefined;
  return strongValue(keys)?.find((slot) => slot.ckn === ckn)?.role;
}

function removed(state: DeviceState, port: string, ckn: string): readonly string[] {
  const keys = portOf(state, port)?.keys;
  const slots = keys === undefined ? undefined : strongValue(keys);
  const isGone = slots?.every((slot) => slot.ckn !== ckn) === true;
  const why = slots === undefined ? "the keys cannot be read" : `the key ${ckn} is still there`;
  const absent = (): Sight<string> => seenIf(isGone, `${port}: ${why}`);
  const gap = gapOf<"key-removed", string>("key-removed", { absent });
  return gap === undefined ? [] : [gap];
}

function holds(state: DeviceState, port: string, ckn: string, alone: boolean): readonly string[] {
  const keys = portOf(state, port)?.keys;
  const slots = keys === undefined ? undefined : strongValue(keys);
  if (slots === undefined) return [`${port}: the keys cannot be read`];
  if (!slots.some((slot) => slot.ckn === ckn)) return [`${port}: the key ${ckn} is not there`];
  return alone && slots.length > 1 ? [`${port}: another key exists beside ${ckn}`] : [];
}

/** A MACsec setting that differs from the wanted one. */
export interface SettingsGap {
  readonly leaf: keyof MacsecSettings;
  readonly wanted: string;
  readonly observed: string;
}

/** Compares setting by setting; `undefined` observed = MACsec not configured or not readable. */
export function settingsGaps(
  wanted: WantedSettings,
  observed: MacsecSettings | undefined,
): readonly SettingsGap[] {
  if (observed === undefined) return [{ leaf: "policy", wanted: "mustSecure", observed: "absent" }];
  const all: MacsecSettings = { ...wanted, policy: "mustSecure" };
  const leaves = Object.keys(all) as (keyof MacsecSettings)[];
  return leaves
    .filter((leaf) => all[leaf] !== observed[leaf])
    .map((leaf) => ({
      leaf,
      wanted: String(all[leaf] ?? "off"),
      observed: String(observed[leaf] ?? "off"),
    }));
}

/** Returns true if both ask for the same MACsec settings. */
export function equalSettings(one: WantedSettings, other: WantedSettings): boolean {
  return settingsGaps(one, { ...other, policy: "mustSecure" }).length === 0;
}

function tunnelGaps(state: DeviceState, name: string, wanted: Transforms): readonly string[] {
  const tunnel = state.ipsec.find((entry) => entry.name === name);
  if (tunnel === undefined) return [`the tunnel ${name} is not configured`];
  const sas = strongValue(tunnel.sas) ?? [];
  return sas.some((sa) => !sameTransforms(sa.transforms, wanted))
    ? [`the tunnel ${name} negotiated other transforms than wanted`]
    : [];
}

/** Gaps between the device's routes and the tunnel, if the device reports them. */
function interfaceGaps({ ipsec }: DeviceState, name: string): readonly string[] {
  return (ipsec.find((entry) => entry.name === name)?.gaps ?? []).map(({ text }) => text);
}

/**
 * The prefixes that should be blocked outside of tunnels and are not; empty if the device has no
 * such blocks.
 */
export function blockGaps(
  { blocked }: DeviceState,
  prefixes: readonly string[],
): readonly string[] {
  const value = blocked === undefined ? [] : strongValue(blocked);
  if (value === undefined) return ["what is blocked outside of tunnels cannot be read"];
  return prefixes.flatMap((prefix) => {
    const gap = `${prefix} is not blocked outside of tunnels`;
    const listed = (): Sight<string> => seenUnless(value.includes(prefix) ? undefined : gap);
    return gapOf<"block-in-place", string>("block-in-place", { listed }) ?? [];
  });
}

/**
 * Prefixes whose exempt ports (those whose MACsec may carry them) differ from the wanted ones,
 * whether or not the SecYs exist.
 */
function backingGaps(
  { backed }: DeviceState,
  prefixes: readonly string[],
  ports: readonly PortName[],
): readonly string[] {
  const wanted = ports.toSorted().join(", ");
  const value = backed === undefined ? [] : strongValue(backed);
  if (value === undefined) return ["what may ride under MACsec cannot be read"];
  return prefixes.flatMap((prefix) => {
    const observed =
      value
        .find((one) => one.prefix === prefix)
        ?.ports.toSorted()
        .join(", ") ?? "";
    if (observed === wanted) return [];
    return [
      `${prefix} may ride under the MACsec of ${observed || "no port"}, not ${wanted || "none"}`,
    ];
  });
}

function drainGaps(state: DeviceState, port: string, on: boolean): readonly string[] {
  const drains = strongValue(state.routing)?.drains;
  if (drains === undefined) return [`${port}: the drain state cannot be read`];
  return drains.some((entry) => entry.port === port) === on
    ? []
    : [`${port}: it is ${on ? "not drained" : "still drained"}`];
}
