// Applies the operations of a change to a port's plan and refuses those that EOS must not get; EOS
// itself would let the key in use be deleted.

import type { DeviceChange } from "#hal/device.ts";
import type { Ckn, DrainMeans, KeyRef, MacsecSettings, PortName } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import {
  type Surroundings as AnySurroundings,
  type Changed,
  type OperationOf,
  planPorts,
  refuseRemoval,
  rejected,
  type SettingsLimits,
  secretFor,
} from "../platform/port-change.ts";
import { drainsBy } from "../platform/router-observation.ts";
import { type EosConfig, neighboursOn } from "./config.ts";
import { isDrainMap, ownProfile } from "./names.ts";

/** A port as it is configured, or as it is to be. */
export interface PortPlan {
  readonly port: PortName;
  readonly admin: "up" | "down";
  readonly profile: string | undefined;
  readonly settings: MacsecSettings | undefined;
  readonly keys: readonly PlannedKey[];
  readonly drains: readonly DrainMeans[];
}

interface PlannedKey {
  readonly ckn: Ckn;
  readonly role: "primary" | "fallback";
  /** Present if the key is new or gets another role. */
  readonly secret?: Secret;
}

export type Surroundings = AnySurroundings<EosConfig>;

const limits: SettingsLimits = {
  replayWindowMax: 0xffff_ffff,
  sakRekeySeconds: { min: 30, max: 100_000 },
  why: ({ confidentialityOffset }) =>
    confidentialityOffset === 0 ? undefined : "EOS has no confidentiality offset but 0",
};

export function planOf(config: EosConfig, port: PortName): PortPlan {
  const name = config.bindings.get(port);
  const profile = name === undefined ? undefined : config.profiles.get(name);
  return {
    port,
    admin: config.shut.has(port) ? "down" : "up",
    profile: name,
    settings: profile?.settings,
    keys: profile?.keys ?? [],
    drains: drainsOf(config, port),
  };
}

export function drainsOf(config: EosConfig, port: PortName): readonly DrainMeans[] {
  return drainsBy(neighboursOn(config, port), {
    prepend: ({ maps }) => isDrainMap(maps.out),
    peeringShutdown: ({ isShut }) => isShut,
  });
}

/**
 * Returns each port of the change as it is and as it is to be.
 * @throws LinksealError `device.*`, with effect "none".
 */
export function planChange(
  change: DeviceChange,
  around: Surroundings,
): readonly Changed<PortPlan>[] {
  const plans = planPorts<EosConfig, PortPlan>(change, {
    ...around,
    ...{ planOf, neighboursOn, limits },
    refuseUnread: (port) => refuseUnread(around, port),
    steps: {
      protect,
      addKey: (plan, operation) => addKey(plan, operation, around),
      promoteKey: (plan, operation) => promoteKey(plan, operation, around),
      replaceKey: (plan, { key }) => replaceKey(plan, key, around),
      removeKey: (plan, { ckn }) => removeKey(plan, ckn, around),
    },
    holdsKeys: ({ keys }) => keys.length > 0,
  });
  for (const { before, after } of plans) refuseSilentRoles(before, after, around);
  return plans;
}

/** Provides the profile of a port. */
export function protect(plan: PortPlan): PortPlan {
  return { ...plan, profile: plan.profile ?? ownProfile(plan.port) };
}

function refuseSilentRoles(before: PortPlan, after: PortPlan, around: Surroundings): void {
  for (const { ckn, role, secret } of after.keys) {
    const was = before.keys.find((key) => key.ckn === ckn);
    if (was?.role === role || secret !== undefined) continue;
    throw rejected(
      around,
      after.port,
      "a key gets another role, and the change does not contain it",
    );
  }
}

// Configuration that is not understood must not be overwritten.
function refuseUnread(around: Surroundings, port: PortName): void {
  const { profiles, bindings } = around.config;
  const name = bindings.get(port);
  if (name === undefined) return;
  if (profiles.get(name) === undefined) {
    throw rejected(around, port, "what is configured there is not understood");
  }
  for (const [other, bound] of bindings) {
    if (other === port || bound !== name) continue;
    throw rejected(around, port, `${other} shares its MACsec profile`);
  }
}

function addKey(
  plan: PortPlan,
  { port, key, role }: OperationOf<"macsec.addKey">,
  around: Surroundings,
): PortPlan {
  const there = plan.keys.find(({ ckn }) => ckn === key.ckn);
  if (there?.role === role) return plan;
  if (there !== undefined) throw rejected(around, port, "the key is there in its other role");
  if (plan.keys.length > 1) throw rejected(around, port, "the port already has two keys");
  if (plan.keys.some((one) => one.role === role)) {
    throw rejected(around, port, `the port has another ${role} key`);
  }
  if (role === "fallback" && plan.keys.length === 0) {
    throw rejected(around, port, "a fallback key needs a primary key beside it");
  }
  const secret = secretFor(around, port, key);
  return { ...plan, keys: [...plan.keys, { ckn: key.ckn, role, secret }] };
}

/** Both keys get another role, and EOS accepts a role only together with its key. */
function promoteKey(
  plan: PortPlan,
  { port, ckn, keys = [] }: OperationOf<"macsec.promoteKey">,
  around: Surroundings,
): PortPlan {
  const wanted = plan.keys.find((key) => key.ckn === ckn);
  if (wanted === undefined) throw rejected(around, port, "the key to promote is not there");
  if (wanted.role === "primary") return plan;
  return {
    ...plan,
    keys: plan.keys.map((key): PlannedKey => {
      const ref = keys.find((one) => one.ckn === key.ckn);
      const secret = ref === undefined ? {} : { secret: secretFor(around, port, ref) };
      return { ckn: key.ckn, role: key.ckn === ckn ? "primary" : "fallback", ...secret };
    }),
  };
}

function replaceKey(plan: PortPlan, key: KeyRef, around: Surroundings): PortPlan {
  if (plan.keys.length > 1) throw rejected(around, plan.port, "the port has two keys");
  if (plan.keys.some(({ ckn }) => ckn === key.ckn)) return plan;
  const secret = secretFor(around, plan.port, key);
  return { ...plan, keys: [{ ckn: key.ckn, role: "primary", secret }] };
}

function removeKey(plan: PortPlan, ckn: Ckn, around: Surroundings): PortPlan {
  const rest = plan.keys.filter((key) => key.ckn !== ckn);
  if (rest.length === plan.keys.length) return plan;
  refuseRemoval(plan, rest.length === 0, ckn, around);
  if (!rest.some(({ role }) => role === "primary")) {
    throw rejected(around, plan.port, "no primary key would be left; promote the fallback first");
  }
  return { ...plan, keys: rest };
}
