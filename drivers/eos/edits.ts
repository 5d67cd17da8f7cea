// The difference between a port as it is and as it is to be: as lines of a configuration session,
// and as lines for a person.

import type { DrainMeans, MacsecSettings } from "#hal/model.ts";
import type { Command } from "#hal/secret.ts";
import { cipherOf, type EosConfig, type Neighbour, neighboursOn } from "./config.ts";
import { drainMap, isDrainMap } from "./names.ts";
import type { PortPlan } from "./plan.ts";

export interface Edits {
  /** In this order; each leaves the mode in which it began. */
  readonly commands: readonly Command[];
  readonly lines: readonly string[];
}

/** Lines inside modes; without one where nothing differs. */
interface Block {
  readonly modes: readonly string[];
  readonly commands: readonly Command[];
}

/** What a name of the device may consist of, so that a line stays one line of these words. */
const plainPattern = /^[\w ./:@+,=-]*$/;

/** A sentence = why it cannot be written. */
export function editsBetween(
  before: PortPlan,
  after: PortPlan,
  config: EosConfig,
): Edits | string {
  const drains = drainEdits(before, after, config);
  if (typeof drains === "string") return drains;
  const blocks = [profileBlock(before, after), portBlock(before, after), ...drains.blocks];
  const commands = blocks.flatMap(commandsOf);
  const isPlain = commands.every((command) =>
    command.every((part) => typeof part !== "string" || plainPattern.test(part)),
  );
  if (!isPlain) return "a name in its configuration is not written in plain letters";
  return { commands, lines: [...previewOf(before, after), ...drains.lines] };
}

function commandsOf({ modes, commands }: Block): readonly Command[] {
  if (commands.length === 0) return [];
  return [...modes.map((mode) => [mode]), ...commands, ...modes.map(() => ["exit"])];
}

function profileBlock(before: PortPlan, after: PortPlan): Block {
  const { profile, settings } = after;
  if (profile === undefined || settings === undefined) return { modes: [], commands: [] };
  const same = (ckn: string, role: string, plan: PortPlan): boolean =>
    plan.keys.some((key) => key.ckn === ckn && key.role === role);
  // A key leaves its old role before it gets another one, and all of it is one commit.
  const left = before.keys.filter(({ ckn, role }) => !same(ckn, role, after));
  const come = after.keys.filter(({ ckn, role }) => !same(ckn, role, before));
  return {
    modes: ["mac security", `profile ${profile}`],
    commands: [
      ...settingLines(before.settings, settings).map((line) => [line]),
      ...left.map(({ ckn, role }) => [`no key ${ckn}${role === "fallback" ? " fallback" : ""}`]),
      ...come.map(({ ckn, role, secret }): Command => {
        const hole = secret === undefined ? [] : [{ secret, as: "hex" } as const];
        return [`key ${ckn} 0 `, ...hole, ...(role === "fallback" ? [" fallback"] : [])];
      }),
    ],
  };
}

function settingLines(
  was: MacsecSettings | undefined,
  settings: MacsecSettings,
): readonly string[] {
  const { suite, includeSci, keyServerPriority, replayWindow, sakRekeyMs } = settings;
  const lines: string[] = [];
  if (was?.suite !== suite) lines.push(`cipher ${cipherOf(suite)}`);
  if (was?.keyServerPriority !== keyServerPriority) {
    lines.push(`mka key-server priority ${keyServerPriority}`);
  }
  if (was?.sakRekeyMs !== sakRekeyMs) {
    lines.push(
      sakRekeyMs === undefined
        ? "no mka session rekey-period"
        : `mka session rekey-period ${sakRekeyMs / 1000}`,
    );
  }
  if ((was?.includeSci ?? false) !== includeSci) lines.push(includeSci ? "sci" : "no sci");
  // Said even though it is what a profile begins with: no release may decide otherwise.
  if (was?.policy !== "mustSecure") lines.push("traffic unprotected drop");
  if (was === undefined || was.replayWindow !== replayWindow) {
    lines.push(
      ...(replayWindow === undefined
        ? ["replay protection disabled"]
        : ["no replay protection disabled", `replay protection window ${replayWindow}`]),
    );
  }
  return lines;
}

function portBlock(before: PortPlan, after: PortPlan): Block {
  const { port, admin, profile } = after;
  const commands: Command[] = [];
  if (profile !== undefined && before.profile !== profile) {
    commands.push([`mac security profile ${profile}`]);
  }
  if (before.admin !== admin) commands.push([admin === "down" ? "shutdown" : "no shutdown"]);
  return { modes: [`interface ${port}`], commands };
}

interface DrainEdits {
  readonly blocks: readonly Block[];
  readonly lines: readonly string[];
}

function drainEdits(before: PortPlan, after: PortPlan, config: EosConfig): DrainEdits | string {
  const { as } = config;
  const ends = before.drains.filter((means) => !after.drains.includes(means));
  const begins = after.drains.filter((means) => !before.drains.includes(means));
  const blocks: Block[] = [];
  for (const neighbour of neighboursOn(config, after.port)) {
    if (as === undefined) return "BGP is not configured";
    if (neighbour.isElsewhere && [...ends, ...begins].includes("prepend")) {
      return `the route maps of ${neighbour.address} stand in an address family`;
    }
    for (const means of ends) blocks.push(...endOf(means, neighbour, as, config));
    for (const means of begins) {
      const begun = beginningOf(means, neighbour, as);
      if (typeof begun === "string") return begun;
      blocks.push(...begun);
    }
  }
  return {
    blocks,
    lines: [
      ...ends.map((means) => `- ${after.port} drain by ${means}`),
      ...begins.map((means) => `+ ${after.port} drain by ${means}`),
    ],
  };
}

const inBgp = ({ vrf }: Neighbour, as: string, ...lines: readonly string[]): Block => ({
  modes: [`router bgp ${as}`, ...(vrf === "default" ? [] : [`vrf ${vrf}`])],
  commands: lines.map((line) => [line]),
});

/** Its own AS, three times, and a local preference below the usual one. */
const prepends = 3;
const lowPreference = 50;

function beginningOf(means: DrainMeans, neighbour: Neighbour, as: string): readonly Block[] | string {
  const { address, maps, inherited } = neighbour;
  switch (means) {
    case "peeringShutdown":
      return [inBgp(neighbour, as, `neighbor ${address} shutdown`)];
    case "gracefulShutdown":
      return "a graceful shutdown is not offered";
    case "prepend": {
      if (!/^\d{1,10}$/.test(as)) return "the AS of BGP is not understood";
      const path = Array.from({ length: prepends }, () => as).join(" ");
      const [out, into] = [drainMap("out", address), drainMap("in", address)];
      // What the operator lets pass is decided as before: by the map that this one calls.
      return [
        mapBlock(out, maps.out ?? inherited.out, `set as-path prepend ${path}`),
        mapBlock(into, maps.in ?? inherited.in, `set local-preference ${lowPreference}`),
        inBgp(
          neighbour,
          as,
          `neighbor ${address} route-map ${out} out`,
          `neighbor ${address} route-map ${into} in`,
        ),
      ];
    }
  }
}

function mapBlock(name: string, calls: string | undefined, set: string): Block {
  const called = calls === undefined ? [] : [[`sub-route-map ${calls}`]];
  return { modes: [`route-map ${name} permit 10`], commands: [...called, [set]] };
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
      return [inBgp(neighbour, as, `no neighbor ${address} shutdown`)];
    case "gracefulShutdown":
      return [];
    case "prepend": {
      const drained = (["out", "in"] as const).filter((way) => isDrainMap(maps[way]));
      const back = drained.map((way) => {
        const calls = config.routeMaps.get(maps[way] ?? "")?.calls;
        // The map of its peer group comes back by itself.
        return calls === undefined || calls === inherited[way]
          ? `no neighbor ${address} route-map ${maps[way]} ${way}`
          : `neighbor ${address} route-map ${calls} ${way}`;
      });
      const gone = drained.map((way): Command => [`no route-map ${maps[way]}`]);
      return [inBgp(neighbour, as, ...back), { modes: [], commands: gone }];
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

function shown(settings: MacsecSettings): string {
  const { suite, policy, includeSci, confidentialityOffset, keyServerPriority } = settings;
  const replay = settings.replayWindow === undefined ? "off" : String(settings.replayWindow);
  const rekey = settings.sakRekeyMs === undefined ? "by packet number" : `${settings.sakRekeyMs}ms`;
  return (
    `macsec ${policy === "mustSecure" ? "must-secure" : "should-secure"} ${suite} ` +
    `sci ${includeSci ? "on" : "off"} offset ${confidentialityOffset} ` +
    `priority ${keyServerPriority} replay ${replay} rekey ${rekey}`
  );
}

const shortOf = (ckn: string): string =>
  ckn.length <= 12 ? ckn : `${ckn.slice(0, 4)}…${ckn.slice(-4)}`;
