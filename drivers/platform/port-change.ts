// What a change of ports comes to, and what is refused before anything is sent, for all vendors.

import type { DeviceChange, PortChange } from "#hal/device.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { Ckn, DrainMeans, KeyRef, PortName, WantedSettings } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { Work } from "./define-dialect.ts";

export type OnPort = Extract<PortChange, { readonly port: PortName }>;

interface Refusing {
  readonly work: Pick<Work, "device" | "capabilities">;
}

/** `device.rejected`, effect "none". */
export function rejected(around: Refusing, port: string, why: string): LinksealError {
  return refused(around, "device.rejected", port, why);
}

/** Effect "none". */
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

/** The octets of a key of the change. Throws `device.rejected` or `vault.malformedKey`. */
export function secretFor(around: { readonly work: Work }, port: PortName, key: KeyRef): Secret {
  const secret = around.work.secrets.get(key.cakSecretId);
  if (secret === undefined) throw rejected(around, port, "the change brings no key");
  if (secret.byteLength === 16 || secret.byteLength === 32) return secret;
  const text = `a CAK has 16 or 32 octets, this one has ${secret.byteLength}`;
  throw refused(around, "vault.malformedKey", port, text);
}

export interface Changed<P> {
  readonly before: P;
  readonly after: P;
}

/** What a change is planned in. */
export interface Surroundings<C> {
  readonly config: C;
  readonly work: Work;
  /** Ports that the router has. */
  readonly ports: ReadonlySet<PortName>;
  /** The key in use on a port now. */
  principal(port: PortName): Ckn | undefined;
}

interface Planning<C, P> extends Surroundings<C> {
  /** As the port is configured. */
  readonly planOf: (config: C, port: PortName) => P;
  /** Throws what keeps the port from being written. */
  readonly refuseUnread: (port: PortName) => void;
  readonly limits: SettingsLimits;
  readonly steps: PartSteps<P>;
  readonly holdsKeys: (plan: P) => boolean;
  /** Of BGP, over the port. */
  readonly neighboursOn: (config: C, port: PortName) => readonly unknown[];
  /** Throws what else keeps traffic from being moved; absent = nothing does. */
  readonly refuseDrain?: (part: PartOf<"port.drain" | "port.restore">) => void;
}

export type PartOf<K extends OnPort["kind"]> = Extract<OnPort, { readonly kind: K }>;

/** What a vendor makes of the parts that are about keys; each throws `device.*`, effect "none". */
interface PartSteps<P> {
  /** What holds the settings, which are set without it. */
  readonly protect: (plan: P, part: PartOf<"macsec.protect">) => P;
  readonly addKey: (plan: P, part: PartOf<"macsec.addKey">) => P;
  readonly replaceKey: (plan: P, part: PartOf<"macsec.replaceKey">) => P;
  readonly removeKey: (plan: P, part: PartOf<"macsec.removeKey">) => P;
  /** Absent = the platform does not offer it. */
  readonly promoteKey?: (plan: P, part: PartOf<"macsec.promoteKey">) => P;
}

interface AnyPlan {
  readonly port: PortName;
  readonly settings?: unknown;
  readonly admin: "up" | "down";
  readonly drains: readonly DrainMeans[];
}

function planPart<C, P extends AnyPlan>(plan: P, part: OnPort, planning: Planning<C, P>): P {
  const { steps } = planning;
  const notOffered = `${part.kind} is not offered`;
  switch (part.kind) {
    case "macsec.protect":
      refuseSettings(planning, part);
      return { ...steps.protect(plan, part), settings: { ...part.settings, policy: "mustSecure" } };
    case "macsec.addKey":
      return steps.addKey(plan, part);
    case "macsec.replaceKey":
      return steps.replaceKey(plan, part);
    case "macsec.removeKey":
      return steps.removeKey(plan, part);
    case "macsec.promoteKey":
      if (steps.promoteKey !== undefined) return steps.promoteKey(plan, part);
      throw refused(planning, "device.unsupported", part.port, notOffered);
    case "macsec.rekeySak":
      throw refused(planning, "device.unsupported", part.port, notOffered);
    case "port.shut":
    case "port.open":
      return { ...plan, admin: part.kind === "port.open" ? "up" : "down" };
    case "port.drain":
    case "port.restore": {
      if (planning.neighboursOn(planning.config, part.port).length === 0) {
        throw rejected(
          planning,
          part.port,
          "BGP has no neighbour over it, so no traffic can leave",
        );
      }
      planning.refuseDrain?.(part);
      return { ...plan, drains: part.kind === "port.drain" ? [part.means] : [] };
    }
  }
}

/** Each port of the change as it is and as it is to be. Throws `device.*` with effect "none". */
export function planPorts<C, P extends AnyPlan>(
  change: DeviceChange,
  planning: Planning<C, P>,
): readonly Changed<P>[] {
  const standing = (port: PortName): P => planning.planOf(planning.config, port);
  const plans = new Map<PortName, P>();
  for (const part of change) {
    if (!("port" in part)) {
      throw refused(planning, "device.unsupported", part.kind, "it is not known");
    }
    const { port } = part;
    if (!planning.ports.has(port)) throw rejected(planning, port, "there is no such port");
    planning.refuseUnread(port);
    plans.set(port, planPart(plans.get(port) ?? standing(port), part, planning));
  }
  return [...plans.values()].map((after) => {
    if (planning.holdsKeys(after) && after.settings === undefined) {
      throw rejected(planning, after.port, "the port would hold a key but no MACsec settings");
    }
    return { before: standing(after.port), after };
  });
}

/** Throws where it is the only key of the port, or the one in use. */
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

/** Throws where the port cannot hold one key more than `held`. */
export function refuseThird(port: PortName, held: number, around: Refusing): void {
  if (held > 0 && around.work.capabilities.macsec?.overlap === "none") {
    throw refused(around, "device.unsupported", port, "the port holds one key only");
  }
  if (held > 1) throw rejected(around, port, "the port already holds two keys");
}

/** What a platform takes of settings. */
export interface SettingsLimits {
  readonly replayWindowMax: number;
  readonly sakRekeySeconds: { readonly min: number; readonly max: number };
  /** Why it does not take them at all; absent = it does. */
  readonly why?: (settings: WantedSettings) => string | undefined;
}

/** Throws `device.*`, effect "none", for settings that the router would take otherwise or not. */
function refuseSettings(
  planning: Pick<Planning<never, never>, "work" | "limits">,
  { port, settings }: PartOf<"macsec.protect">,
): void {
  const { replayWindowMax, sakRekeySeconds, why } = planning.limits;
  const { min, max } = sakRekeySeconds;
  const { suite, confidentialityOffset, replayWindow, sakRekeyMs } = settings;
  const own = why?.(settings);
  if (own !== undefined) throw rejected(planning, port, own);
  if (planning.work.capabilities.macsec?.suites.includes(suite) !== true) {
    throw refused(planning, "device.unsupported", port, `${suite} is not offered`);
  }
  // IEEE 802.1AE-2018, 10.7.25: extended packet numbers know no other.
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
