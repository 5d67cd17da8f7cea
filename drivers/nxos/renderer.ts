// The difference between a port as it is and as it is to be, as lines for the switch and as lines
// for the operator.

import type { MacsecSettings } from "#hal/model.ts";
import type { Command } from "#hal/secret.ts";
import { attachLines, policyLines } from "../platform/cisco-attachment.ts";
import { looseChains } from "../platform/cisco-chains.ts";
import { renderAtOnce, textsOfPlan } from "../platform/cisco-direct.ts";
import type { Home, RouteMaps } from "../platform/cisco-drain.ts";
import { inModes, settingsText } from "../platform/renderer.ts";
import { line } from "../transport/cli.ts";
import { type Neighbour, type NxConfig, neighboursOn } from "./config.ts";
import { ownName } from "./names.ts";
import type { PortPlan } from "./plan.ts";

/** Returns the edits. */
export function renderChange(
  before: PortPlan,
  after: PortPlan,
  around: { readonly config: NxConfig; readonly routeMaps: RouteMaps },
) {
  return renderAtOnce(before, after, around, {
    ...{ key, neighboursOn, homeOf, shown },
    looseChains: (config, port) =>
      looseChains(
        ownName(port),
        config,
        [...config.interfaces.values()].map(({ macsec }) =>
          macsec === "unread" ? macsec : [macsec?.chain, macsec?.fallback],
        ),
      ),
    policy(was, { policy, settings }) {
      const changed = settings && policyLines(was.settings, settings, rekeyLine);
      const mode = policy === undefined ? [] : [line`macsec policy ${policy}`];
      return inModes(mode, ...(changed ?? []));
    },
    macsec: (was, is) =>
      attachLines(was, is, ({ name }, fallback, policy) =>
        fallback === undefined
          ? line`macsec keychain ${name} policy ${policy}`
          : line`macsec keychain ${name} policy ${policy} fallback-keychain ${fallback.name}`,
      ),
  });
}

const rekeyLine = (seconds: number | undefined): Command =>
  seconds === undefined ? line`no sak-expiry-time` : line`sak-expiry-time ${seconds}`;

type Key = Parameters<typeof renderAtOnce>[3]["key"];

/** A key is taken at once when its mode is left. */
const key: Key = (word, hole, algorithm) => {
  const own = algorithm.toUpperCase().replaceAll("-", "_");
  return [
    line`key ${word}`,
    line`key-octet-string ${hole} cryptographic-algorithm ${own}`,
    line`exit`,
  ];
};

const homeOf = ({ address, vrf, families }: Neighbour, as: string): Home => {
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

const shown = (settings: MacsecSettings): string =>
  settingsText(settings, { sci: false, window: "window" });

/** Returns a text that is equal for plans of a port that are alike. */
export const textOf = (plan: PortPlan): string =>
  [...textsOfPlan(plan, shown), ...plan.drains].join("\n");
