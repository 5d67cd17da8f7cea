// The difference between a port as it is and as it is to be, as lines for the router and as lines
// for the operator.

import type { MacsecSettings } from "#hal/model.ts";
import type { Command } from "#hal/secret.ts";
import { attachLines } from "../platform/cisco-attachment.ts";
import { looseChains } from "../platform/cisco-chains.ts";
import { renderAtOnce } from "../platform/cisco-direct.ts";
import type { Home } from "../platform/cisco-drain.ts";
import { type Block, inModes, settingsText } from "../platform/renderer.ts";
import { line } from "../transport/cli.ts";
import { type Neighbour, neighboursOn } from "./config.ts";
import { ownName } from "./names.ts";
import type { PortPlan, Surroundings } from "./plan.ts";

/** Returns the edits; `enabling` is the platform's command that turns MACsec on at a port. */
export function renderChange(
  before: PortPlan,
  after: PortPlan,
  around: Pick<Surroundings, "config" | "routeMaps">,
  enabling: Command,
) {
  return renderAtOnce(before, after, around, {
    ...{ policy, key, neighboursOn, homeOf, shown },
    looseChains: (config, port) =>
      looseChains(
        ownName(port),
        config,
        [...config.interfaces.values()].map(({ macsec: { isUnread, chain, fallback } }) =>
          isUnread ? "unread" : [chain, fallback],
        ),
      ),
    macsec: (was, is) => portLines(was, is, enabling),
  });
}

function policy(before: PortPlan, after: PortPlan): Block {
  const { settings } = after;
  if (after.policy === undefined || settings === undefined) return inModes([]);
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
  return inModes([line`mka policy ${after.policy}`], ...commands);
}

const key: Parameters<typeof renderAtOnce>[3]["key"] = (word, hole, algorithm) => [
  line`key ${word}`,
  line`cryptographic-algorithm ${algorithm}`,
  line`key-string ${hole}`,
  line`exit`,
];

function portLines(before: PortPlan, after: PortPlan, enabling: Command): readonly Command[] {
  const { settings } = after;
  if (after.policy === undefined || settings === undefined) return [];
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
  if (before.policy !== after.policy) commands.push(line`mka policy ${after.policy}`);
  // The policy has a line of its own.
  const attached = { ...before, policy: after.policy };
  const attaching = attachLines(attached, after, ({ name }, fallback) =>
    fallback === undefined
      ? line`mka pre-shared-key key-chain ${name}`
      : line`mka pre-shared-key key-chain ${name} fallback-key-chain ${fallback.name}`,
  );
  commands.push(...attaching);
  if (was === undefined) commands.push(enabling);
  return commands;
}

const homeOf = (neighbour: Neighbour, as: string): Home => {
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

const shown = (settings: MacsecSettings): string =>
  settingsText(settings, { sci: true, window: "window" });
