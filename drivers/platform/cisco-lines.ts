// The lines of a port on a Cisco router: its policy, its key chains, and its own about MACsec.

import type { WantedPort } from "#hal/device.ts";
import type { PortName } from "#hal/model.ts";
import type { Command, Secret } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import type { Block } from "./block.ts";
import { type ChainPlan, chainsOf, freeChain, type PlannedChain } from "./cisco-chains.ts";
import type { CiscoConfig } from "./cisco-config.ts";
import type { CiscoPlan } from "./cisco-plan.ts";
import { lifetimeOf } from "./cisco-text.ts";
import { headsIn, keyInPlace, type PortLines, settingsOf } from "./port-lines.ts";
import { textsOf } from "./renderer.ts";

/** The functions and data that a platform provides. */
interface ChainLines<C, P> {
  /** The configuration as it was read. */
  readonly config: C;
  /** The lines that it was read from. */
  readonly blocks: readonly Block[];
  /** Returns the plan of a port as it is configured. */
  readonly planOf: (config: C, port: PortName) => P;
  /** Sets the policy in a plan; `own` returns the name of our objects for the port. */
  readonly protect: (plan: P, settings: WantedPort["settings"], own: () => string) => P;
  /** Returns the name of our policy and chains for the port; undefined = it would be too long. */
  readonly ownName: (port: PortName) => string | undefined;
  /** Start of a new key; undefined = it is always valid. */
  readonly begins: WallTime | undefined;
  /** Returns the commands that lead from one plan to the other. */
  readonly render: (before: P, after: P) => readonly Command[];
}

/** Lines of an interface that are the driver's. */
const ofPort = /^(?:macsec|mka)\b|^shutdown$/;

/** A line that turns MACsec off at all ports; NX-OS alone has it. */
const offAtAll = "macsec shutdown";

/** Returns the configured lines of a port, and those that the driver would write for it. */
export function chainLines<C extends CiscoConfig, P extends CiscoPlan>(
  wanted: WantedPort,
  platform: ChainLines<C, P>,
): PortLines {
  const { config, blocks, planOf, protect, ownName, begins, render } = platform;
  const { port, settings, ckn, drain } = wanted;
  const own = ownName(port) ?? "";
  const before = planOf(config, port);
  const none = { interfaces: new Map(), policies: new Map(), chains: new Map(), neighbours: [] };
  const nothing = planOf({ ...config, ...none }, port);
  using secret = keyInPlace(wanted);
  const fresh = { ckn, word: ckn, startsAt: begins, endsAt: undefined, secret };
  const all: P = {
    ...protect(before, settings, () => own),
    ...{ settings: settingsOf(wanted), admin: "up", drains: [] },
  };
  const after = withKeyAlone(all, { chain: { name: freeName(all, own), keys: [fresh] } }, ckn);
  const ways = drain === undefined ? [] : [drain];
  const names = [before.policy, ...chainsOf(before).map(({ name }) => name)];
  const ours = new Set([...names, own, `${own}-a`, `${own}-b`]);
  const isOurs = ({ line }: Block): boolean =>
    line === offAtAll || line.split(" ").some((word) => ours.has(word));
  const interfaces = blocks.filter(({ line }) => line === `interface ${port}`);
  return {
    port,
    configured: [
      { at: "", lines: blocks.filter((one) => isOurs(one) && !interfaces.includes(one)) },
      {
        at: `interface ${port}`,
        lines: interfaces.flatMap((one) => one.children.filter(({ line }) => ofPort.test(line))),
      },
    ],
    whole: textsOf(render(nothing, withSecret(after, secret))),
    due: textsOf(render(before, { ...after, drains: before.drains })),
    drain: textsOf(render({ ...nothing, drains: before.drains }, { ...nothing, drains: ways })),
    heads: headsIn(blocks),
    normal,
  };
}

/** A key whose chain has none, or none that is understood, is put there. */
const freeName = (plan: ChainPlan, own: string): string =>
  plan.primary?.keys.length === 0 ? plan.primary.name : freeChain(plan, own);

/** Leaves the chain with the key, and in it that key alone; `chain` if no chain has it. */
function withKeyAlone<P extends ChainPlan>(
  plan: P,
  { chain }: { readonly chain: PlannedChain },
  ckn: string,
): P {
  const found = chainsOf(plan).find(({ keys }) => keys.some((key) => key.ckn === ckn));
  const kept = found && { ...found, keys: found.keys.filter((key) => key.ckn === ckn) };
  // A key stays in a fallback chain where the primary one has no key.
  if (kept !== undefined && found === plan.fallback && plan.primary?.keys.length === 0) {
    return { ...plan, fallback: kept };
  }
  return { ...plan, primary: kept ?? chain, fallback: undefined };
}

/** Keys that have a secret are written. */
function withSecret<P extends ChainPlan>(plan: P, secret: Secret): P {
  const { primary, fallback } = plan;
  const written = (chain: PlannedChain | undefined): PlannedChain | undefined =>
    chain && { ...chain, keys: chain.keys.map((key) => ({ ...key, secret })) };
  return { ...plan, primary: written(primary), fallback: written(fallback) };
}

/** Two forms of a lifetime are equal if both times are. */
function normal(line: string): string {
  const [, text] = /^lifetime (?:local )?(.+)$/.exec(line) ?? [];
  const life = text === undefined ? undefined : lifetimeOf(text);
  return life === undefined ? line : `lifetime ${life.startsAt ?? ""} ${life.endsAt ?? ""}`;
}
