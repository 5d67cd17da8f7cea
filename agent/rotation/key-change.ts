// What an effect of a campaign asks of a router: which key joins, leads or leaves, and what takes
// the place of what.

import type { DeviceChange, PortChange } from "#hal/device.ts";
import type { KeyRef, PortName } from "#hal/model.ts";
import { type Campaign, entryOf, type PortFacts } from "../model/campaign.ts";
import type { DesiredLink } from "../model/desired.ts";

/** A link under way, and its port as the step was decided on. */
interface Changing {
  readonly link: DesiredLink;
  readonly campaign: Campaign;
  readonly port: PortFacts | undefined;
}

/** The direction of a change: to the new key and settings, or back to the old ones. */
export type Direction = "forward" | "back";
/** The actions that change keys and leave the port's settings as they are. */
export type KeyAction = "stage" | "add" | "promote" | "removeOld" | "removeNew";

/**
 * Returns a text that is equal for changes that bring a link of a campaign to the same key and
 * settings.
 */
export function purposeOf(direction: Direction, campaign: Campaign): string {
  const { name, old, new: wanted } = entryOf(campaign);
  const { key, settings } = direction === "back" ? (old ?? wanted) : wanted;
  return JSON.stringify([direction, campaign.kind, name, key, settings]);
}

/** Returns the direction of an effect. */
export const directionOf = (back: boolean): Direction => (back ? "back" : "forward");

/**
 * Returns the change of keys on the router; where the new key was made the primary one, the old one
 * becomes that again before the new one goes.
 */
export function keyChange(action: KeyAction, { link, campaign, port }: Changing): DeviceChange {
  const entry = entryOf(campaign);
  const at = link.port;
  const key = entry.new.key;
  const old = entry.old?.key;
  const role = entry.overlap === "fallback" ? "fallback" : "primary";
  switch (action) {
    case "stage":
    case "add":
      return [{ kind: "macsec.addKey", port: at, key, role }];
    case "promote":
      return [promotion(at, key, old === undefined ? [key] : [key, old])];
    case "removeOld":
      return old === undefined ? [] : [{ kind: "macsec.removeKey", port: at, ckn: old.ckn }];
    case "removeNew": {
      const back: readonly PortChange[] =
        port?.promotion === "done" && old !== undefined ? [promotion(at, old, [old])] : [];
      return [...back, { kind: "macsec.removeKey", port: at, ckn: key.ckn }];
    }
  }
}

function promotion(port: PortName, { ckn }: KeyRef, keys: readonly KeyRef[]): PortChange {
  return { kind: "macsec.promoteKey", port, ckn, keys };
}

/** Returns what a break-before-make change makes of the router once the far end has moved. */
export function replacementOf(
  direction: Direction,
  { port }: DesiredLink,
  campaign: Campaign,
): DeviceChange {
  const { old, new: wanted } = entryOf(campaign);
  const goal = direction === "back" ? (old ?? wanted) : wanted;
  if (campaign.kind === "change")
    return [{ kind: "macsec.protect", port, settings: goal.settings }];
  if (campaign.kind === "rotate") return [{ kind: "macsec.replaceKey", port, key: goal.key }];
  return [
    { kind: "macsec.protect", port, settings: goal.settings },
    { kind: "macsec.addKey", port, key: goal.key, role: "primary" },
  ];
}
