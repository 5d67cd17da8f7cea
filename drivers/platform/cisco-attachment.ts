// MACsec that one line attaches to an interface, with a policy that has all settings, as IOS XR and
// NX-OS configure it.

import type { DeviceChange } from "#hal/device.ts";
import type { DrainMeans, MacsecSettings, PortName } from "#hal/model.ts";
import type { Command } from "#hal/secret.ts";
import { line } from "../transport/cli.ts";
import type { Block } from "./block.ts";
import { chainOf, chainsOf, freeChain, type PlannedChain } from "./cisco-chains.ts";
import { type CiscoConfig, restOf } from "./cisco-config.ts";
import { type CiscoPlan, type CiscoSurroundings, planChains } from "./cisco-plan.ts";
import type { Changed, OnPort, SettingsLimits } from "./port-change.ts";
import { suiteOf, wholeOf } from "./text.ts";

/** What is attached to an interface. */
export interface Attachment {
  /** Name of the key chain. */
  readonly chain: string;
  /** Name of the fallback key chain; undefined = none. */
  readonly fallback: string | undefined;
  /** Name of the policy. */
  readonly policy: string;
}

/** What of an interface is needed here. */
interface Attached {
  readonly isShut: boolean;
  /** `unread` = MACsec is attached in a way that is not understood. */
  readonly macsec: Attachment | "unread" | undefined;
}

type Config = CiscoConfig<MacsecSettings, Attached>;

/** A port as it is configured or shall be. */
export interface AttachedPlan extends CiscoPlan {
  /** undefined = MACsec is off. */
  readonly settings: MacsecSettings | undefined;
}

function attachmentOn({ interfaces }: Config, port: PortName): Attachment | undefined {
  const macsec = interfaces.get(port)?.macsec;
  return macsec === "unread" ? undefined : macsec;
}

/** What a platform provides for its plans. */
interface AttachedPlatform<C, A> {
  /** Returns the name of our objects for a port; undefined = it would be too long. */
  readonly ownName: (port: PortName) => string | undefined;
  readonly neighboursOn: (config: C, port: PortName) => readonly unknown[];
  readonly drainsOf: (config: C, port: PortName) => readonly DrainMeans[];
  readonly limits: SettingsLimits;
  readonly refuseDrain: (operation: OnPort, around: A) => void;
  /** Returns true if something else keeps what is configured on a port from being in force. */
  readonly isOff: (config: C, port: PortName) => boolean;
}

/** Returns the functions that plan a change of ports. */
export function attachedPlanning<C extends Config & CiscoConfig, A extends CiscoSurroundings<C>>(
  platform: AttachedPlatform<C, A>,
) {
  const { ownName, neighboursOn, drainsOf, limits, refuseDrain, isOff } = platform;
  /** Returns the plan of a port as it is configured. */
  function planOf(config: C, port: PortName): AttachedPlan {
    const macsec = attachmentOn(config, port);
    return {
      port,
      admin: config.interfaces.get(port)?.isShut === true ? "down" : "up",
      policy: macsec?.policy,
      settings: macsec && config.policies.get(macsec.policy),
      primary: chainOf(config, macsec?.chain),
      fallback: chainOf(config, macsec?.fallback),
      drains: drainsOf(config, port),
    };
  }
  /** Returns true if what is attached to the port is not understood, or not in force. */
  function isUnread(config: C, port: PortName): boolean {
    const macsec = config.interfaces.get(port)?.macsec;
    if (macsec === undefined) return false;
    if (macsec === "unread" || config.policies.get(macsec.policy) === undefined) return true;
    const chains = [macsec.chain, ...(macsec.fallback === undefined ? [] : [macsec.fallback])];
    return chains.some((name) => config.chains.get(name) === undefined) || isOff(config, port);
  }
  const namesOn = (config: C, port: PortName) => {
    const attached = attachmentOn(config, port);
    return [attached?.policy, attached?.chain, attached?.fallback];
  };
  /** Provides the policy of a port. */
  const protect = (plan: AttachedPlan, _settings: unknown, own: () => string): AttachedPlan => ({
    ...plan,
    policy: plan.policy ?? own(),
    // A policy reaches a port only together with a key chain, which may still be empty.
    primary: plan.primary ?? { name: freeChain(plan, own()), keys: [] },
  });
  /**
   * Returns each port of the change as it is and as it is to be.
   * @throws LinksealError `device.*`, with effect "none".
   */
  const planChange = (change: DeviceChange, around: A): readonly Changed<AttachedPlan>[] =>
    planChains<C, AttachedPlan>(change, around, {
      ...{ planOf, isUnread, namesOn, limits, protect, ownName, neighboursOn },
      refuseDrain: (operation) => refuseDrain(operation, around),
    });
  return { planOf, isUnread, protect, planChange };
}

/** Returns the ports that have MACsec in the configuration. */
export function portsWithMacsec(
  { interfaces }: Config,
  isPort: (name: string) => name is PortName,
): readonly PortName[] {
  return [...interfaces].flatMap(([name, { macsec }]) =>
    macsec !== undefined && isPort(name) ? [name] : [],
  );
}

/**
 * Reads a policy; undefined = a line is not understood. `windowDefault`: the replay window without
 * a line, `rekeyMs`: how often a SAK is renewed, as the platform writes it.
 */
export function policyIn(
  block: Block,
  windowDefault: number,
  rekeyMs: number | undefined | "unread",
): MacsecSettings | undefined {
  const suite = suiteOf(restOf(block, "cipher-suite") ?? "GCM-AES-XPN-256");
  const offset = wholeOf((restOf(block, "conf-offset") ?? "0").replace(/^CONF-OFFSET-/, ""));
  const priority = wholeOf(restOf(block, "key-server-priority") ?? "16");
  const window = wholeOf(restOf(block, "window-size") ?? String(windowDefault));
  if (suite === undefined || priority === undefined || window === undefined) return undefined;
  if (offset !== 0 && offset !== 30 && offset !== 50) return undefined;
  if (rekeyMs === "unread") return undefined;
  return {
    suite,
    // Releases differ in what they do without the line.
    policy: restOf(block, "security-policy") === "must-secure" ? "mustSecure" : "shouldSecure",
    includeSci: true,
    confidentialityOffset: offset,
    keyServerPriority: priority,
    replayWindow: window,
    sakRekeyMs: rekeyMs,
  };
}

/** Returns the lines that make one policy out of another; `rekey` writes how often SAKs change. */
export function policyLines(
  was: MacsecSettings | undefined,
  is: MacsecSettings,
  rekey: (seconds: number | undefined) => Command,
): readonly Command[] {
  const lines: Command[] = [];
  const { suite, confidentialityOffset, keyServerPriority, replayWindow, sakRekeyMs } = is;
  if (was?.suite !== suite) lines.push(line`cipher-suite ${suite.toUpperCase()}`);
  if (was?.confidentialityOffset !== confidentialityOffset) {
    lines.push(line`conf-offset ${`CONF-OFFSET-${confidentialityOffset}`}`);
  }
  if (was?.policy !== is.policy) lines.push(line`security-policy must-secure`);
  if (was?.keyServerPriority !== keyServerPriority) {
    lines.push(line`key-server-priority ${keyServerPriority}`);
  }
  if (replayWindow !== undefined && was?.replayWindow !== replayWindow) {
    lines.push(line`window-size ${replayWindow}`);
  }
  if (was?.sakRekeyMs !== sakRekeyMs) {
    lines.push(rekey(sakRekeyMs === undefined ? undefined : sakRekeyMs / 1000));
  }
  return lines;
}

type Attaching = Pick<AttachedPlan, "primary" | "fallback" | "policy">;

const attachmentText = ({ primary, fallback, policy }: Attaching): string | undefined =>
  primary && `${primary.name} ${fallback?.name ?? ""} ${policy ?? ""}`;

/** Returns the line that attaches other chains or another policy; none = they stay. */
export function attachLines(
  before: Attaching,
  after: Attaching,
  words: (primary: PlannedChain, fallback: PlannedChain | undefined, policy: string) => Command,
): readonly Command[] {
  const { primary, fallback, policy } = after;
  if (primary === undefined || policy === undefined) return [];
  if (attachmentText(before) === attachmentText(after)) return [];
  return [words(primary, fallback, policy)];
}

/** Returns the names of chains that are no longer attached. */
export function leftChains(before: Attaching, after: Attaching): readonly string[] {
  const kept = chainsOf(after);
  return chainsOf(before).flatMap(({ name }) =>
    kept.some((chain) => chain.name === name) ? [] : [name],
  );
}
