// The difference between a port as it is and as it is to be, as lines for the router and as lines
// for the operator. Each line takes effect when it is entered, so the objects with a port's keys
// and settings are written before the port refers to them, and removed only after it no longer
// does.

import type { MacsecSettings } from "#hal/model.ts";
import { type Command, preview } from "#hal/secret.ts";
import {
  algorithmOf,
  chainsOf,
  differences,
  keysBetween,
  keyTexts,
  type PlannedChain,
  type PlannedKey,
} from "../platform/cisco-chains.ts";
import { drainEdits } from "../platform/cisco-drain.ts";
import {
  type Block,
  commandsOf,
  drainsBetween,
  inModes,
  type RenderedChange,
  settingsText,
} from "../platform/renderer.ts";
import { line } from "../transport/cli.ts";
import { refresh } from "./commands.ts";
import { type Neighbour, neighboursOn, type XeConfig } from "./config.ts";
import type { PortPlan, Surroundings } from "./plan.ts";

interface XeRenderedChange<T> extends RenderedChange<T> {
  /** Commands that are sent afterwards, to the running router. */
  readonly operations: readonly Command[];
}

/** Returns the edits; `enabling` is the platform's command that turns MACsec on at a port. */
export function renderChange(
  before: PortPlan,
  after: PortPlan,
  around: Pick<Surroundings, "config" | "routeMaps">,
  enabling: Command,
): XeRenderedChange<Command> {
  const { config } = around;
  const drains = renderDrains(before, after, around);
  const isShutting = before.admin === "up" && after.admin === "down";
  const isOpening = before.admin === "down" && after.admin === "up";
  const blocks: readonly Block[] = [
    atPort(after, isShutting ? [line`shutdown`] : []),
    policyBlock(before, after),
    ...chainBlocks(before, after, config),
    atPort(after, portLines(before, after, enabling)),
    inModes([], ...leftChains(before, after)),
    atPort(after, isOpening ? [line`no shutdown`] : []),
    ...drains.sent,
  ];
  return {
    sent: blocks.flatMap(commandsOf),
    operations: drains.operations,
    lines: [...differences(after.port, linesOf(before), linesOf(after)), ...drains.lines],
  };
}

const atPort = ({ port }: PortPlan, commands: readonly Command[]): Block =>
  inModes(commands.length === 0 ? [] : [line`interface ${port}`], ...commands);

function policyBlock(before: PortPlan, after: PortPlan): Block {
  const { policy, settings } = after;
  if (policy === undefined || settings === undefined) return inModes([]);
  const was = before.settings;
  const { suite, confidentialityOffset, keyServerPriority, sakRekeyMs } = settings;
  const isSame = was?.confidentialityOffset === confidentialityOffset;
  const offset = isSame ? [] : [line`confidentiality-offset ${confidentialityOffset}`];
  // An offset and extended packet numbers exclude each other at every moment.
  const isFirst = confidentialityOffset === 0;
  const commands: Command[] = isFirst ? offset : [];
  if (was?.suite !== suite) commands.push(line`macsec-cipher-suite ${suite}`);
  if (was?.keyServerPriority !== keyServerPriority) {
    commands.push(line`key-server priority ${keyServerPriority}`);
  }
  if (was?.sakRekeyMs !== sakRekeyMs) {
    commands.push(
      sakRekeyMs === undefined
        ? line`no sak-rekey interval`
        : line`sak-rekey interval ${sakRekeyMs / 1000}`,
    );
  }
  if (after.isSsciBySci && !before.isSsciBySci) commands.push(line`ssci-based-on-sci`);
  if (!isFirst) commands.push(...offset);
  return inModes([line`mka policy ${policy}`], ...commands);
}

function chainBlocks(before: PortPlan, after: PortPlan, config: XeConfig): readonly Block[] {
  const held = chainsOf(before);
  return chainsOf(after).flatMap((chain): readonly Block[] => {
    const { was, left, come } = keysBetween(held, chain);
    // A key that an interrupted change left under that name would be a second key in it.
    const isLeftover = was === undefined && config.chains.has(chain.name);
    return [
      inModes([], ...(isLeftover ? [line`no key chain ${chain.name} macsec`] : [])),
      inModes(
        [line`key chain ${chain.name} macsec`],
        ...left.map(({ word }) => line`no key ${word}`),
        ...come.flatMap(keyCommands),
      ),
    ];
  });
}

function keyCommands({ word, secret }: PlannedKey): readonly Command[] {
  if (secret === undefined) return [];
  const hole = { secret, as: "hex" } as const;
  return [
    line`key ${word}`,
    line`cryptographic-algorithm ${algorithmOf(secret)}`,
    line`key-string ${hole}`,
    line`exit`,
  ];
}

function portLines(before: PortPlan, after: PortPlan, enabling: Command): readonly Command[] {
  const { policy, settings, primary, fallback } = after;
  if (policy === undefined || settings === undefined) return [];
  const was = before.settings;
  const commands: Command[] = [];
  // The line is sent although it is the default of a port, so that no release decides otherwise.
  if (was?.policy !== settings.policy) commands.push(line`macsec access-control must-secure`);
  if (settings.replayWindow !== undefined && was?.replayWindow !== settings.replayWindow) {
    commands.push(line`macsec replay-protection window-size ${settings.replayWindow}`);
  }
  if ((was?.includeSci ?? true) !== settings.includeSci) {
    commands.push(settings.includeSci ? line`no macsec disable-sci` : line`macsec disable-sci`);
  }
  if (before.policy !== policy) commands.push(line`mka policy ${policy}`);
  const attaching = attachment(primary, fallback);
  const attached = attachment(before.primary, before.fallback);
  if (attaching !== undefined && (!attached || preview(attaching) !== preview(attached))) {
    commands.push(attaching);
  }
  if (was === undefined) commands.push(enabling);
  return commands;
}

function attachment(
  primary: PlannedChain | undefined,
  fallback: PlannedChain | undefined,
): Command | undefined {
  if (primary === undefined) return undefined;
  if (fallback === undefined) return line`mka pre-shared-key key-chain ${primary.name}`;
  const { name } = fallback;
  return line`mka pre-shared-key key-chain ${primary.name} fallback-key-chain ${name}`;
}

function leftChains(before: PortPlan, after: PortPlan): readonly Command[] {
  const kept = chainsOf(after);
  return chainsOf(before).flatMap(({ name }) =>
    kept.some((chain) => chain.name === name) ? [] : [line`no key chain ${name} macsec`],
  );
}

function renderDrains(
  before: PortPlan,
  after: PortPlan,
  { config, routeMaps }: Pick<Surroundings, "config" | "routeMaps">,
): XeRenderedChange<Block> {
  const { ends, begins, lines } = drainsBetween(before, after, "drained");
  const neighbours = lines.length === 0 ? [] : neighboursOn(config, after.port);
  const as = config.localAs ?? "";
  const hasPrepend = [...ends, ...begins].includes("prepend");
  return {
    sent: neighbours.flatMap((one) =>
      drainEdits({ ends, begins }, one, { as, routeMaps }, homeOf(one, as)),
    ),
    operations: hasPrepend ? refreshing(neighbours) : [],
    lines,
  };
}

/** Returns each command once: neighbours of one AS in one VRF share it. */
function refreshing(neighbours: readonly Neighbour[]): readonly Command[] {
  const commands = neighbours.map((one) => refresh(one));
  return [...new Map(commands.map((one) => [preview(one), one])).values()];
}

const homeOf = (neighbour: Neighbour, as: string): Parameters<typeof drainEdits>[3] => {
  const { address } = neighbour;
  return {
    shut: (isShut) =>
      atHome(
        neighbour,
        as,
        isShut ? line`neighbor ${address} shutdown` : line`no neighbor ${address} shutdown`,
      ),
    maps: (lines) =>
      inFamilies(
        neighbour,
        as,
        ...lines.map(({ way, name, isGone }) =>
          isGone
            ? line`no neighbor ${address} route-map ${name} ${way}`
            : line`neighbor ${address} route-map ${name} ${way}`,
        ),
      ),
  };
};

const versionOf = (address: string): string => (address.includes(":") ? "ipv6" : "ipv4");

/** Makes a block in the mode in which the neighbour itself is configured. */
function atHome({ address, vrf }: Neighbour, as: string, ...commands: Command[]): Block {
  const within = vrf === undefined ? [] : [line`address-family ${versionOf(address)} vrf ${vrf}`];
  return inModes([line`router bgp ${as}`, ...within], ...commands);
}

/** Makes a block in each mode in which the neighbour's routes are configured. */
function inFamilies(neighbour: Neighbour, as: string, ...commands: Command[]): readonly Block[] {
  const { address, vrf, families } = neighbour;
  if (vrf !== undefined) return [atHome(neighbour, as, ...commands)];
  const home = line`router bgp ${as}`;
  const within = families.length === 0 ? [] : [line`address-family ${versionOf(address)}`];
  return [inModes([home, ...within], ...commands)];
}

function linesOf(plan: PortPlan): readonly string[] {
  const { settings, admin } = plan;
  return [
    ...(settings === undefined ? [] : [shown(settings)]),
    ...keyTexts(plan),
    ...(admin === "down" ? ["shutdown"] : []),
  ];
}

const shown = (settings: MacsecSettings): string =>
  settingsText(settings, { sci: true, window: "window" });
