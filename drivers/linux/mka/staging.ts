// Computes what a change of a port's keys and settings would do with the present state, or why it
// cannot be made. A port has at most two keys, and once it has one it never has fewer.

import type { ErrorCode } from "#hal/error.ts";
import type { Ckn } from "#hal/model.ts";
import type { KaySettings } from "./kay-types.ts";
import type { CaKeys } from "./keys.ts";

/** Settings of the KaY alone; the others are those of the SecY. */
export type OwnSettings = Pick<KaySettings, "keyServerPriority" | "sakRekeyMs" | "delayProtection">;

export type MkaOperation<K> =
  | { readonly kind: "add" | "replace"; readonly ckn: Ckn; readonly key: K }
  | { readonly kind: "remove"; readonly ckn: Ckn }
  | { readonly kind: "rekey" }
  | { readonly kind: "configure"; readonly settings: OwnSettings };

/** The operation after its CAK was wiped. */
export type StagedOperation = MkaOperation<CaKeys>;

export interface PortState {
  /** The port's keys, oldest first. */
  readonly keys: readonly PortKey[];
  readonly principal: Ckn | undefined;
  readonly keyServer: "self" | "peer" | "none";
  readonly settings: OwnSettings;
}

interface PortKey {
  readonly ckn: Ckn;
  readonly ick: CaKeys["ick"];
}

/** One step of a change; its undo names keys by CKN and settings by their former value. */
export type Deed =
  | { readonly kind: "add"; readonly ckn: Ckn; readonly key: CaKeys }
  | { readonly kind: "remove"; readonly ckn: Ckn }
  | { readonly kind: "rekey" }
  | { readonly kind: "configure"; readonly settings: OwnSettings; readonly former: OwnSettings };

interface StagingRefusal {
  readonly code: ErrorCode;
  readonly text: string;
}

/** The steps of the change, in order; an empty list: all of it is in effect already. */
export type Outcome =
  | { readonly kind: "deeds"; readonly deeds: readonly Deed[] }
  | { readonly kind: "refused"; readonly refusal: StagingRefusal };

const keysMax = 2;

const refusals = {
  cknInUse: { code: "device.rejected", text: "another CAK is here under this CKN" },
  keyTooMany: { code: "device.rejected", text: "there are two CAKs already" },
  keyInUse: { code: "device.rejected", text: "the CAK in use cannot be removed" },
  lastKey: { code: "device.rejected", text: "the last CAK cannot be removed" },
  notKeyServer: { code: "device.unsupported", text: "the other end makes the SAKs of this link" },
} as const satisfies Record<string, StagingRefusal>;

export function outcomeOf(operations: readonly StagedOperation[], from: PortState): Outcome {
  const deeds: Deed[] = [];
  let state = from;
  for (const operation of operations) {
    const taken = take(operation, state);
    if (typeof taken === "string") return { kind: "refused", refusal: refusals[taken] };
    deeds.push(...taken);
    state = taken.reduce(after, state);
  }
  return { kind: "deeds", deeds };
}

function take(
  operation: StagedOperation,
  state: PortState,
): readonly Deed[] | keyof typeof refusals {
  switch (operation.kind) {
    case "add":
      return takeAdd(operation, state);
    case "replace":
      return takeReplace(operation, state);
    case "remove":
      return takeRemove(operation.ckn, state);
    case "rekey":
      return state.keyServer === "self" ? [operation] : "notKeyServer";
    case "configure": {
      const { settings } = operation;
      const former = state.settings;
      return isSame(settings, former) ? [] : [{ kind: "configure", settings, former }];
    }
  }
}

// The order of fields depends on which process made them.
function isSame(one: OwnSettings, other: OwnSettings): boolean {
  return (
    one.keyServerPriority === other.keyServerPriority &&
    one.sakRekeyMs === other.sakRekeyMs &&
    one.delayProtection === other.delayProtection
  );
}

type KeyOperation = Extract<StagedOperation, { readonly kind: "add" | "replace" }>;

function takeAdd({ ckn, key }: KeyOperation, { keys }: PortState) {
  const held = keys.find((one) => one.ckn === ckn);
  if (held !== undefined) return held.ick.equals(key.ick) ? [] : "cknInUse";
  return keys.length < keysMax ? [{ kind: "add", ckn, key } as const] : "keyTooMany";
}

function takeReplace({ ckn, key }: KeyOperation, { keys }: PortState) {
  const held = keys.find((one) => one.ckn === ckn);
  if (held !== undefined && !held.ick.equals(key.ick)) return "cknInUse";
  const rest = keys.filter((one) => one !== held);
  return [
    ...(held === undefined ? [{ kind: "add", ckn, key } as const] : []),
    ...rest.map((one) => ({ kind: "remove", ckn: one.ckn }) as const),
  ];
}

function takeRemove(ckn: Ckn, { keys, principal }: PortState) {
  if (!keys.some((one) => one.ckn === ckn)) return [];
  if (keys.length === 1) return "lastKey";
  return principal === ckn ? "keyInUse" : [{ kind: "remove", ckn } as const];
}

function after(state: PortState, deed: Deed): PortState {
  const { keys, principal } = state;
  switch (deed.kind) {
    case "add":
      return { ...state, keys: [...keys, { ckn: deed.ckn, ick: deed.key.ick }] };
    case "remove": {
      const rest = keys.filter(({ ckn }) => ckn !== deed.ckn);
      return { ...state, keys: rest, principal: principal === deed.ckn ? undefined : principal };
    }
    case "rekey":
      return state;
    case "configure":
      return { ...state, settings: deed.settings };
  }
}

/** Formats a step for people; a key shows by its name alone. */
export function lineOf(deed: Deed): string {
  switch (deed.kind) {
    case "add":
      return `+ CAK ${deed.ckn} [secret cak]`;
    case "remove":
      return `- CAK ${deed.ckn}`;
    case "rekey":
      return "+ a fresh SAK";
    case "configure":
      return `+ ${settingsText(deed.settings)} (before: ${settingsText(deed.former)})`;
  }
}

function settingsText({ keyServerPriority, sakRekeyMs, delayProtection }: OwnSettings): string {
  const rekey = sakRekeyMs === undefined ? "by packet number only" : `every ${sakRekeyMs / 1000} s`;
  const delay = `delay protection ${delayProtection}`;
  return `key server priority ${keyServerPriority}, SAK rekey ${rekey}, ${delay}`;
}
