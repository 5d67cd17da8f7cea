// Plans a change of ports, and refuses what must not be sent, for all vendors.

import type { DeviceChange, PortChange } from "#hal/device.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { Ckn, DrainMeans, KeyRef, PortName, WantedSettings } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { Work } from "./define-dialect.ts";
import { type Aggregates, aggregateWith } from "./egress.ts";

export type OnPort = Extract<PortChange, { readonly port: PortName }>;

interface Refusing {
  readonly work: Pick<Work, "device" | "capabilities">;
}

/** Returns the error `device.rejected`, with effect "none". */
export function rejected(around: Refusing, port: string, why: string): LinksealError {
  return refused(around, "device.rejected", port, why);
}

/** Returns an error for a refused change, with effect "none". */
export function refused(
  { work }: Refusing,
  code: ErrorCode,
  port: string,
  why: string,
): LinksealError {
  const text = `the change on ${port} of ${work.device} is refused, nothing was changed: ${why}`;
  const next = code === "device.unsupported" ? "linkseal driver list" : "linkseal status";
  return new LinksealError(code, text, { effect: "none", where: work.device, next });
}

/**
 * Returns the octets of a key of the change.
 * @throws LinksealError `device.rejected` or `vault.malformedKey`, with effect "none".
 */
export function secretFor(around: { readonly work: Work }, port: PortName, key: KeyRef): Secret {
  const secret = around.work.secrets.get(key.cakSecretId);
  if (secret === undefined) throw rejected(around, port, "the change contains no key");
  if (secret.byteLength === 16 || secret.byteLength === 32) return secret;
  const text = `a CAK has 16 or 32 octets, this one has ${secret.byteLength}`;
  throw refused(around, "vault.malformedKey", port, text);
}

/** Something before and after a change. */
export interface Changed<P> {
  /** The state that is configured. */
  readonly before: P;
  /** The state that is wanted. */
  readonly after: P;
}

/** The input for planning a change. */
export interface Surroundings<C> {
  /** The parsed configuration. */
  readonly config: C;
  /** The change and its secrets. */
  readonly work: Work;
  /** Ports that the router has. */
  readonly ports: ReadonlySet<PortName>;
  /** Returns the CKN of the key in use on a port. */
  principal(port: PortName): Ckn | undefined;
}

interface Planning<C extends { readonly aggregates: Aggregates }, P> extends Surroundings<C> {
  /** Returns the plan of a port as it is configured. */
  readonly planOf: (config: C, port: PortName) => P;
  /** Throws if the port must not be written. */
  readonly refuseUnread: (port: PortName) => void;
  readonly limits: SettingsLimits;
  readonly steps: OperationSteps<P>;
  readonly holdsKeys: (plan: P) => boolean;
  /** Returns the BGP neighbours behind the port. */
  readonly neighboursOn: (config: C, port: PortName) => readonly unknown[];
  /** Throws if something else prevents moving traffic; absent = nothing does. */
  readonly refuseDrain?: (operation: OperationOf<"port.drain" | "port.restore">) => void;
}

/** The operation of this kind. */
export type OperationOf<K extends OnPort["kind"]> = Extract<OnPort, { readonly kind: K }>;

/** How a vendor carries out the operations on keys; each throws `device.*` with effect "none". */
interface OperationSteps<P> {
  /** Provides the object that contains the settings; the settings themselves are set elsewhere. */
  readonly protect: (plan: P, operation: OperationOf<"macsec.protect">) => P;
  readonly addKey: (plan: P, operation: OperationOf<"macsec.addKey">) => P;
  readonly replaceKey: (plan: P, operation: OperationOf<"macsec.replaceKey">) => P;
  readonly removeKey: (plan: P, operation: OperationOf<"macsec.removeKey">) => P;
  /** Absent = the platform does not offer it. */
  readonly promoteKey?: (plan: P, operation: OperationOf<"macsec.promoteKey">) => P;
}

interface AnyPlan {
  readonly port: PortName;
  readonly settings?: unknown;
  readonly admin: "up" | "down";
  readonly drains: readonly DrainMeans[];
}

function planOperation<C extends { readonly aggregates: Aggregates }, P extends AnyPlan>(
  plan: P,
  operation: OnPort,
  planning: Planning<C, P>,
): P {
  const { steps } = planning;
  const notOffered = `${operation.kind} is not offered`;
  switch (operation.kind) {
    case "macsec.protect":
      refuseSettings(planning, operation);
      return {
        ...steps.protect(plan, operation),
        settings: { ...operation.settings, policy: "mustSecure" },
      };
    case "macsec.addKey":
      return steps.addKey(plan, operation);
    case "macsec.replaceKey":
      return steps.replaceKey(plan, operation);
    case "macsec.removeKey":
      return steps.removeKey(plan, operation);
    case "macsec.promoteKey":
      if (steps.promoteKey !== undefined) return steps.promoteKey(plan, operation);
      throw refused(planning, "device.unsupported", operation.port, notOffered);
    case "macsec.rekeySak":
      throw refused(planning, "device.unsupported", operation.port, notOffered);
    case "port.shut":
    case "port.open":
      return { ...plan, admin: operation.kind === "port.open" ? "up" : "down" };
    case "port.drain":
    case "port.restore": {
      if (planning.neighboursOn(planning.config, operation.port).length === 0) {
        throw rejected(planning, operation.port, whyNoNeighbour(planning.config, operation.port));
      }
      planning.refuseDrain?.(operation);
      return { ...plan, drains: operation.kind === "port.drain" ? [operation.means] : [] };
    }
  }
}

function whyNoNeighbour(
  { aggregates }: { readonly aggregates: Aggregates },
  port: PortName,
): string {
  const { name = "", members = [] } = aggregateWith(aggregates, port) ?? {};
  return members.length > 1
    ? `${name} has ${members.length} members, and only a link that has none beside it is drained`
    : "BGP has no neighbour over it, so no traffic can leave";
}

/**
 * Returns each port of the change as it is and as it is to be.
 * @throws LinksealError `device.*`, with effect "none".
 */
export function planPorts<C extends { readonly aggregates: Aggregates }, P extends AnyPlan>(
  change: DeviceChange,
  planning: Planning<C, P>,
): readonly Changed<P>[] {
  const standing = (port: PortName): P => planning.planOf(planning.config, port);
  const plans = new Map<PortName, P>();
  for (const operation of change) {
    if (!("port" in operation)) {
      throw refused(planning, "device.unsupported", operation.kind, "it is not known");
    }
    const { port } = operation;
    if (!planning.ports.has(port)) throw rejected(planning, port, "there is no such port");
    planning.refuseUnread(port);
    plans.set(port, planOperation(plans.get(port) ?? standing(port), operation, planning));
  }
  return [...plans.values()].map((after) => {
    if (planning.holdsKeys(after) && after.settings === undefined) {
      throw rejected(planning, after.port, "the port would have a key but no MACsec settings");
    }
    return { before: standing(after.port), after };
  });
}

/**
 * Refuses to remove the only key of a port or the one in use.
 * @throws LinksealError `device.rejected`, with effect "none".
 */
export function refuseRemoval(
  { port, admin }: Pick<AnyPlan, "port" | "admin">,
  isOnly: boolean,
  ckn: Ckn,
  around: Pick<Surroundings<unknown>, "work" | "principal">,
): void {
  if (isOnly) throw rejected(around, port, "it is the only key of the port");
  // A port that is shut uses none of its keys.
  if (admin === "up" && around.principal(port) === ckn) {
    throw rejected(around, port, "the key is the principal one, in use now");
  }
}

/**
 * Refuses a key if the port cannot have one more than `held`.
 * @throws LinksealError `device.*`, with effect "none".
 */
export function refuseThird(port: PortName, held: number, around: Refusing): void {
  if (held > 0 && around.work.capabilities.macsec?.overlap === "none") {
    throw refused(around, "device.unsupported", port, "the port can have only one key");
  }
  if (held > 1) throw rejected(around, port, "the port already has two keys");
}

/** The settings that a platform accepts. */
export interface SettingsLimits {
  /** The largest replay window, in frames. */
  readonly replayWindowMax: number;
  /** The range of the SAK rekey interval, in seconds. */
  readonly sakRekeySeconds: { readonly min: number; readonly max: number };
  /** Returns why it does not accept the settings at all; undefined or absent = it does. */
  readonly why?: (settings: WantedSettings) => string | undefined;
}

/**
 * Throws `device.*`, effect "none", for settings that the router would not accept or would change.
 */
function refuseSettings(
  planning: Pick<Planning<never, never>, "work" | "limits">,
  { port, settings }: OperationOf<"macsec.protect">,
): void {
  const { replayWindowMax, sakRekeySeconds, why } = planning.limits;
  const { min, max } = sakRekeySeconds;
  const { suite, confidentialityOffset, replayWindow, sakRekeyMs } = settings;
  const own = why?.(settings);
  if (own !== undefined) throw rejected(planning, port, own);
  if (planning.work.capabilities.macsec?.suites.includes(suite) !== true) {
    throw refused(planning, "device.unsupported", port, `${suite} is not offered`);
  }
  // IEEE 802.1AE-2018, 10.7.25: extended packet numbers have no other.
  if (suite.includes("xpn") && confidentialityOffset !== 0) {
    throw rejected(planning, port, `${suite} allows confidentiality offset 0 only`);
  }
  if (replayWindow !== undefined && replayWindow > replayWindowMax) {
    throw rejected(planning, port, `a replay window has at most ${replayWindowMax} frames`);
  }
  if (sakRekeyMs === undefined) return;
  const rekeySeconds = sakRekeyMs / 1_000;
  if (rekeySeconds >= min && rekeySeconds <= max && rekeySeconds % 1 === 0) return;
  throw rejected(planning, port, `a SAK is renewed after ${min} to ${max} s`);
}
