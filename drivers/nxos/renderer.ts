// The difference between a port as it is and as it is to be, as lines for the switch and as lines
// for the operator. Each line takes effect when it is entered, so the objects with a port's keys
// and settings are written before the port refers to them, and removed only after it no longer
// does.

import { type Command, preview } from "#hal/secret.ts";
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
import { type Neighbour, type NxConfig, neighboursOn } from "./config.ts";
import type { PortPlan, Surroundings } from "./plan.ts";

interface NxRenderedChange extends RenderedChange<Command> {
  /** Commands that are sent afterwards, to the running switch. */
  readonly operations: readonly Command[];
}

/** Returns the edits. */
export function renderChange(
  before: PortPlan,
  after: PortPlan,
  { config, routeMaps }: Pick<Surroundings, "config" | "routeMaps">,
): NxRenderedChange {
  const { port, policy, settings } = after;
  const atPort = (...commands: readonly Command[]): Block =>
    inModes(commands.length === 0 ? [] : [line`interface ${port}`], ...commands);
  const is = (was: "up" | "down", now: "up" | "down"): boolean =>
    before.admin === was && after.admin === now;
  const { ends, begins, lines } = drainsBetween(before, after, "drained");
  const drained = lines.length === 0 ? [] : neighboursOn(config, port);
  const as = config.localAs ?? "";
  const changed = settings && policyLines(before.settings, settings, rekeyLine);
  const blocks: readonly Block[] = [
    atPort(...(is("up", "down") ? [line`shutdown`] : [])),
    inModes(policy === undefined ? [] : [line`macsec policy ${policy}`], ...(changed ?? [])),
    ...chainBlocks(before, after, config),
    atPort(...attachLines(before, after, attachCommand)),
    inModes([], ...leftChains(before, after).map((name) => line`no key chain ${name} macsec`)),
    atPort(...(is("down", "up") ? [line`no shutdown`] : [])),
    ...drained.flatMap((one) =>
      drainEdits({ ends, begins }, one, { as, routeMaps }, homeOf(one, as)),
    ),
  ];
  const isPolicy = [...ends, ...begins].includes("prepend");
  const shared = new Map(drained.map((one) => [preview(refresh(one)), refresh(one)]));
  return {
    sent: blocks.flatMap(commandsOf),
    operations: isPolicy ? [...shared.values()] : [],
    lines: [...differences(port, linesOf(before), linesOf(after)), ...lines],
  };
}

const rekeyLine = (seconds: number | undefined): Command =>
  seconds === undefined ? line`no sak-expiry-time` : line`sak-expiry-time ${seconds}`;

function attachCommand(
  { name }: PlannedChain,
  fallback: PlannedChain | undefined,
  policy: string,
): Command {
  if (fallback === undefined) return line`macsec keychain ${name} policy ${policy}`;
  return line`macsec keychain ${name} policy ${policy} fallback-keychain ${fallback.name}`;
}

function chainBlocks(before: PortPlan, after: PortPlan, config: NxConfig): readonly Block[] {
  const held = chainsOf(before);
  return chainsOf(after).flatMap((chain): readonly Block[] => {
    const { was, left, come } = keysBetween(held, chain);
    // A key that an interrupted change left under that name would be a second key in it.
    const isLeftover = was === undefined && config.chains.has(chain.name);
    const own = line`key chain ${chain.name} macsec`;
    const edits = [...left.map(({ word }) => line`no key ${word}`), ...come.flatMap(keyCommands)];
    return [
      inModes([], ...(isLeftover ? [line`no key chain ${chain.name} macsec`] : [])),
      // A chain is attached that may still be empty, and it must exist.
      inModes([], ...(was === undefined || edits.length > 0 ? [own, ...edits, line`exit`] : [])),
    ];
  });
}

/** A key is taken at once when its mode is left. */
function keyCommands({ word, secret }: PlannedKey): readonly Command[] {
  if (secret === undefined) return [];
  const hole = { secret, as: "hex" } as const;
  const algorithm = algorithmOf(secret).toUpperCase().replaceAll("-", "_");
  return [
    line`key ${word}`,
    line`key-octet-string ${hole} cryptographic-algorithm ${algorithm}`,
    line`exit`,
  ];
}

const homeOf = (
  { address, vrf, families }: Neighbour,
  as: string,
): Parameters<typeof drainEdits>[3] => {
  const within = vrf === undefined ? [] : [line`vrf ${vrf}`];
  const home = [line`router bgp ${as}`, ...within, line`neighbor ${address}`];
  return {
    shut: (isShut) => inModes(home, isShut ? line`shutdown` : line`no shutdown`),
    maps: (lines) => {
      const own = lines.map(({ way, name, isGone }) =>
        isGone ? line`no route-map ${name} ${way}` : line`route-map ${name} ${way}`,
      );
      const modes = families.map((family) => line`address-family ${family} unicast`);
      return modes.map((family) => inModes([...home, family], ...own));
    },
  };
};

const linesOf = (plan: PortPlan): readonly string[] => [
  ...(plan.settings === undefined
    ? []
    : [settingsText(plan.settings, { sci: false, window: "window" })]),
  ...keyTexts(plan),
  ...(plan.admin === "down" ? ["shutdown"] : []),
];

/** Returns whether two plans of a port are alike. */
export const isSamePlan = (one: PortPlan, other: PortPlan): boolean =>
  [...linesOf(one), ...one.drains].join("\n") === [...linesOf(other), ...other.drains].join("\n");
