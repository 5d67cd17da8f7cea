// The difference between a port as it is and as it is to be, as lines of a configuration session
// and as lines for the operator.

import type { DrainMeans, MacsecSettings } from "#hal/model.ts";
import type { Command } from "#hal/secret.ts";
import {
  type Block,
  commandsOf,
  drainsBetween,
  inModes,
  type RenderedChange,
  settingsText,
  shortOf,
} from "../platform/renderer.ts";
import { line } from "../transport/cli.ts";
import { cipherOf, type EosConfig, type Neighbour, neighboursOn } from "./config.ts";
import { defaultVrf, drainMap, isDrainMap } from "./names.ts";
import type { PortPlan } from "./plan.ts";

/**
 * Returns the edits, or a sentence that says why they cannot be written.
 * @throws LinksealError `device.rejected` if a name in the configuration is more than one word.
 */
export function renderChange(
  before: PortPlan,
  after: PortPlan,
  config: EosConfig,
): RenderedChange<Command> | string {
  const drains = renderDrains(before, after, config);
  if (typeof drains === "string") return drains;
  const blocks = [profileBlock(before, after), portBlock(before, after), ...drains.sent];
  return {
    sent: blocks.flatMap(commandsOf),
    lines: [...previewOf(before, after), ...drains.lines],
  };
}

function profileBlock(before: PortPlan, after: PortPlan): Block {
  const { profile, settings } = after;
  if (profile === undefined || settings === undefined) return inModes([]);
  const same = (ckn: string, role: string, plan: PortPlan): boolean =>
    plan.keys.some((key) => key.ckn === ckn && key.role === role);
  // A key leaves its old role before it gets another one, and all of it is one commit.
  const left = before.keys.filter(({ ckn, role }) => !same(ckn, role, after));
  const come = after.keys.filter(({ ckn, role }) => !same(ckn, role, before));
  return inModes(
    [line`mac security`, line`profile ${profile}`],
    ...settingLines(before.settings, settings),
    ...left.map(({ ckn, role }) =>
      role === "fallback" ? line`no key ${ckn} fallback` : line`no key ${ckn}`,
    ),
    ...come.flatMap(({ ckn, role, secret }): readonly Command[] => {
      if (secret === undefined) return [];
      const hole = { secret, as: "hex" } as const;
      return [
        role === "fallback" ? line`key ${ckn} 0 ${hole} fallback` : line`key ${ckn} 0 ${hole}`,
      ];
    }),
  );
}

function settingLines(
  was: MacsecSettings | undefined,
  settings: MacsecSettings,
): readonly Command[] {
  const { suite, includeSci, keyServerPriority, replayWindow, sakRekeyMs } = settings;
  const lines: Command[] = [];
  if (was?.suite !== suite) lines.push(line`cipher ${cipherOf(suite)}`);
  if (was?.keyServerPriority !== keyServerPriority) {
    lines.push(line`mka key-server priority ${keyServerPriority}`);
  }
  if (was?.sakRekeyMs !== sakRekeyMs) {
    lines.push(
      sakRekeyMs === undefined
        ? line`no mka session rekey-period`
        : line`mka session rekey-period ${sakRekeyMs / 1000}`,
    );
  }
  if ((was?.includeSci ?? false) !== includeSci) lines.push(includeSci ? line`sci` : line`no sci`);
  // The line is sent although it is the default of a profile, so that no release decides otherwise.
  if (was?.policy !== "mustSecure") lines.push(line`traffic unprotected drop`);
  if (was === undefined || was.replayWindow !== replayWindow) {
    lines.push(
      ...(replayWindow === undefined
        ? [line`replay protection disabled`]
        : [line`no replay protection disabled`, line`replay protection window ${replayWindow}`]),
    );
  }
  return lines;
}

function portBlock(before: PortPlan, after: PortPlan): Block {
  const { port, admin, profile } = after;
  const commands: Command[] = [];
  if (profile !== undefined && before.profile !== profile) {
    commands.push(line`mac security profile ${profile}`);
  }
  if (before.admin !== admin) commands.push(admin === "down" ? line`shutdown` : line`no shutdown`);
  return inModes([line`interface ${port}`], ...commands);
}

function renderDrains(
  before: PortPlan,
  after: PortPlan,
  config: EosConfig,
): RenderedChange<Block> | string {
  const { as } = config;
  const { ends, begins, lines } = drainsBetween(before, after, "drain");
  const blocks: Block[] = [];
  for (const neighbour of neighboursOn(config, after.port)) {
    if (as === undefined) return "BGP is not configured";
    if (neighbour.isElsewhere && [...ends, ...begins].includes("prepend")) {
      return `the route maps of ${neighbour.address} are in an address family`;
    }
    for (const means of ends) blocks.push(...endOf(means, neighbour, as, config));
    for (const means of begins) {
      const begun = beginningOf(means, neighbour, as);
      if (typeof begun === "string") return begun;
      blocks.push(...begun);
    }
  }
  return { sent: blocks, lines };
}

function inBgp({ vrf }: Neighbour, as: string, ...commands: readonly Command[]): Block {
  const within = vrf === defaultVrf ? [] : [line`vrf ${vrf}`];
  return inModes([line`router bgp ${as}`, ...within], ...commands);
}

const lowPreference = 50;

function beginningOf(
  means: DrainMeans,
  neighbour: Neighbour,
  as: string,
): readonly Block[] | string {
  const { address, maps, inherited } = neighbour;
  switch (means) {
    case "peeringShutdown":
      return [inBgp(neighbour, as, line`neighbor ${address} shutdown`)];
    case "gracefulShutdown":
      return "a graceful shutdown is not offered";
    case "prepend": {
      const [out, into] = [drainMap("out", neighbour), drainMap("in", neighbour)];
      // The route map prepends the router's own AS three times and sets a local preference below
      // the usual one. It calls the operator's route map, which decides as before what may pass.
      return [
        mapBlock(out, maps.out ?? inherited.out, line`set as-path prepend ${as} ${as} ${as}`),
        mapBlock(into, maps.in ?? inherited.in, line`set local-preference ${lowPreference}`),
        inBgp(
          neighbour,
          as,
          line`neighbor ${address} route-map ${out} out`,
          line`neighbor ${address} route-map ${into} in`,
        ),
      ];
    }
  }
}

function mapBlock(name: string, calls: string | undefined, set: Command): Block {
  const called = calls === undefined ? [] : [line`sub-route-map ${calls}`];
  return inModes([line`route-map ${name} permit 10`], ...called, set);
}

function endOf(
  means: DrainMeans,
  neighbour: Neighbour,
  as: string,
  config: EosConfig,
): readonly Block[] {
  const { address, maps, inherited } = neighbour;
  switch (means) {
    case "peeringShutdown":
      return [inBgp(neighbour, as, line`no neighbor ${address} shutdown`)];
    case "gracefulShutdown":
      return [];
    case "prepend": {
      const drained = (["out", "in"] as const).flatMap((way) => {
        const name = maps[way];
        return name !== undefined && isDrainMap(name) ? [{ way, name }] : [];
      });
      const back = drained.map(({ way, name }) => {
        const calls = config.routeMaps.get(name)?.calls;
        // The route map of the peer group applies again by itself.
        return calls === undefined || calls === inherited[way]
          ? line`no neighbor ${address} route-map ${name} ${way}`
          : line`neighbor ${address} route-map ${calls} ${way}`;
      });
      const gone = drained.map(({ name }) => line`no route-map ${name}`);
      return [inBgp(neighbour, as, ...back), inModes([], ...gone)];
    }
  }
}

function previewOf(before: PortPlan, after: PortPlan): readonly string[] {
  const { port, settings, admin } = after;
  const [was, is] = [before.settings, settings].map((one) => one && shown(one));
  const role = (plan: PortPlan, ckn: string): string | undefined =>
    plan.keys.find((key) => key.ckn === ckn)?.role;
  const left = before.keys.filter(({ ckn }) => role(after, ckn) !== role(before, ckn));
  const come = after.keys.filter(({ ckn }) => role(after, ckn) !== role(before, ckn));
  return [
    ...(was === is || was === undefined ? [] : [`- ${port} ${was}`]),
    ...(was === is || is === undefined ? [] : [`+ ${port} ${is}`]),
    ...left.map(({ ckn, role: own }) => `- ${port} ${own} key ${shortOf(ckn)}`),
    ...come.map(({ ckn, role: own, secret }) => {
      return `+ ${port} ${own} key ${shortOf(ckn)} ${secret?.toJSON() ?? ""}`.trimEnd();
    }),
    ...(before.admin === admin
      ? []
      : [`- ${port} admin ${before.admin}`, `+ ${port} admin ${admin}`]),
  ];
}

const shown = (settings: MacsecSettings): string =>
  settingsText(settings, { sci: true, window: "replay" });
