// The difference between a port as it is and as it is to be, as lines for the router and as lines
// for the operator.

import type { DrainMeans, MacsecSettings } from "#hal/model.ts";
import type { Command } from "#hal/secret.ts";
import { attachLines, leftChains, policyLines } from "../platform/cisco-attachment.ts";
import {
  algorithmOf,
  chainsOf,
  differences,
  keysBetween,
  keyTexts,
  type PlannedChain,
  type PlannedKey,
} from "../platform/cisco-chains.ts";
import {
  drainsBetween,
  joined,
  type RenderedChange as RenderedOf,
  settingsText,
} from "../platform/renderer.ts";
import { line } from "../transport/cli.ts";
import { neighboursOn, type XrConfig } from "./config.ts";
import { momentText } from "./names.ts";
import { maintenanceLines, type PortPlan } from "./plan.ts";

/** Edits that are entered from the top of the configuration. */
type RenderedChange = RenderedOf<Command>;

const root = line`root`;

export function renderChange(before: PortPlan, after: PortPlan, config: XrConfig): RenderedChange {
  return joined([
    renderPolicy(before, after),
    renderKeys(before, after),
    renderAdmin(before, after),
    renderDrains(before, after, config),
  ]);
}

function renderPolicy(before: PortPlan, after: PortPlan): RenderedChange {
  const { policy, settings, port } = after;
  if (policy === undefined || settings === undefined) return { sent: [], lines: [] };
  const was = before.settings;
  const leaves = policyLines(was, settings, rekeyLine);
  if (leaves.length === 0) return { sent: [], lines: [] };
  const removed = was === undefined ? [] : [`- ${port} ${shown(was)}`];
  return {
    sent: [root, line`macsec-policy ${policy}`, ...leaves],
    lines: [...removed, `+ ${port} ${shown(settings)}`],
  };
}

const rekeyLine = (seconds: number | undefined): Command =>
  seconds === undefined ? line`no sak-rekey-interval` : line`sak-rekey-interval seconds ${seconds}`;

function renderKeys(before: PortPlan, after: PortPlan): RenderedChange {
  const { port } = after;
  const held = chainsOf(before);
  const commands = [
    ...chainsOf(after).flatMap((chain) => chainCommands(chain, held)),
    ...attachLines(before, after, attachCommand).flatMap((attaching) => [
      root,
      line`interface ${port}`,
      attaching,
    ]),
    ...leftChains(before, after).flatMap((name) => [root, line`no key chain ${name}`]),
  ];
  return { sent: commands, lines: differences(port, keyTexts(before), keyTexts(after)) };
}

function attachCommand(
  primary: PlannedChain,
  fallback: PlannedChain | undefined,
  policy: string,
): Command {
  if (fallback === undefined) return line`macsec psk-keychain ${primary.name} policy ${policy}`;
  const { name } = fallback;
  return line`macsec psk-keychain ${primary.name} fallback-psk-keychain ${name} policy ${policy}`;
}

function chainCommands(chain: PlannedChain, held: readonly PlannedChain[]): readonly Command[] {
  const { was, left, come } = keysBetween(held, chain);
  if (was !== undefined && left.length === 0 && come.length === 0) return [];
  const gone = left.map(({ word }) => line`no key ${word}`);
  return [
    root,
    line`key chain ${chain.name}`,
    // The times of a chain are in the router's zone unless the chain names one. That line also
    // keeps a chain without keys in the configuration.
    ...(was === undefined || chain.keys.length === 0 ? [line`timezone gmt`] : []),
    line`macsec`,
    ...gone,
    ...come.flatMap(keyCommands),
  ];
}

function keyCommands({ word, secret, startsAt }: PlannedKey): readonly Command[] {
  if (secret === undefined || startsAt === undefined) return [];
  const [time = "", month = "", day = "", year = ""] = momentText(startsAt).split(" ");
  const hole = { secret, as: "hex" } as const;
  return [
    line`key ${word}`,
    line`key-string ${hole} cryptographic-algorithm ${algorithmOf(secret)}`,
    line`lifetime ${time} ${month} ${day} ${year} infinite`,
  ];
}

function renderAdmin({ admin: was }: PortPlan, { admin, port }: PortPlan): RenderedChange {
  if (was === admin) return { sent: [], lines: [] };
  const leaf = admin === "down" ? line`shutdown` : line`no shutdown`;
  return {
    sent: [root, line`interface ${port}`, leaf],
    lines: [admin === "down" ? `+ ${port} shutdown` : `- ${port} shutdown`],
  };
}

function renderDrains(before: PortPlan, after: PortPlan, config: XrConfig): RenderedChange {
  const { port } = after;
  const { ends, begins, lines } = drainsBetween(before, after, "drained");
  if (lines.length === 0) return { sent: [], lines };
  const steps = [...ends.flatMap(restoreSteps), ...begins.flatMap(drainSteps)];
  const commands = neighboursOn(config, port).flatMap(({ address, vrf }) => [
    root,
    line`router bgp ${config.localAs ?? ""}`,
    ...(vrf === undefined ? [] : [line`vrf ${vrf}`]),
    line`neighbor ${address}`,
    ...steps,
  ]);
  return { sent: commands, lines };
}

function drainSteps(means: DrainMeans): readonly Command[] {
  if (means === "peeringShutdown") return [line`shutdown`];
  return [
    line`graceful-maintenance`,
    ...maintenanceLines.map((text): Command => [text]),
    line`exit`,
  ];
}

function restoreSteps(means: DrainMeans): readonly Command[] {
  return [means === "peeringShutdown" ? line`no shutdown` : line`no graceful-maintenance`];
}

const shown = (settings: MacsecSettings): string =>
  settingsText(settings, { sci: false, window: "window" });
