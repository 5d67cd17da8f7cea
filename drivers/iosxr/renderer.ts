// The difference between a port as it is and as it is to be, as lines for the router and as lines
// for the operator.

import type { DrainMeans, MacsecSettings } from "#hal/model.ts";
import type { Command } from "#hal/secret.ts";
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
  const leaves = leavesBetween(was, settings);
  if (leaves.length === 0) return { sent: [], lines: [] };
  const removed = was === undefined ? [] : [`- ${port} ${shown(was)}`];
  return {
    sent: [root, line`macsec-policy ${policy}`, ...leaves],
    lines: [...removed, `+ ${port} ${shown(settings)}`],
  };
}

function leavesBetween(was: MacsecSettings | undefined, is: MacsecSettings): readonly Command[] {
  const leaves: Command[] = [];
  const { suite, confidentialityOffset, keyServerPriority, replayWindow, sakRekeyMs } = is;
  if (was?.suite !== suite) leaves.push(line`cipher-suite ${suite.toUpperCase()}`);
  if (was?.confidentialityOffset !== confidentialityOffset) {
    leaves.push(line`conf-offset ${`CONF-OFFSET-${confidentialityOffset}`}`);
  }
  if (was?.policy !== is.policy) leaves.push(line`security-policy must-secure`);
  if (was?.keyServerPriority !== keyServerPriority) {
    leaves.push(line`key-server-priority ${keyServerPriority}`);
  }
  if (replayWindow !== undefined && was?.replayWindow !== replayWindow) {
    leaves.push(line`window-size ${replayWindow}`);
  }
  if (was?.sakRekeyMs !== sakRekeyMs) {
    leaves.push(
      sakRekeyMs === undefined
        ? line`no sak-rekey-interval`
        : line`sak-rekey-interval seconds ${sakRekeyMs / 1000}`,
    );
  }
  return leaves;
}

function renderKeys(before: PortPlan, after: PortPlan): RenderedChange {
  const { port, policy, primary, fallback } = after;
  const held = chainsOf(before);
  const kept = chainsOf(after);
  const chains = kept.flatMap((chain) => chainCommands(chain, held));
  const attach = attachment(after);
  const attaches = attach !== undefined && attach !== attachment(before);
  const commands = [
    ...chains,
    ...(attaches && primary !== undefined && policy !== undefined
      ? [root, line`interface ${port}`, attachCommand(primary, fallback, policy)]
      : []),
    ...held.flatMap((chain) =>
      kept.some(({ name }) => name === chain.name) ? [] : [root, line`no key chain ${chain.name}`],
    ),
  ];
  return { sent: commands, lines: differences(port, keyTexts(before), keyTexts(after)) };
}

const attachment = ({ primary, fallback, policy }: PortPlan): string | undefined =>
  primary && `${primary.name} ${fallback?.name ?? ""} ${policy ?? ""}`;

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
