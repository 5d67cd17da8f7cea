// Cisco's platforms without a candidate: each line takes effect when it is entered. So the objects
// with a port's keys and settings are written before the port refers to them, and removed only
// after it no longer does.

import type { MacsecSettings, PortName } from "#hal/model.ts";
import type { Command, SecretHole } from "#hal/secret.ts";
import { type Cli, line } from "../transport/cli.ts";
import { leftChains } from "./cisco-attachment.ts";
import { algorithmOf, chainsOf, differences, keysBetween, keyTexts } from "./cisco-chains.ts";
import type { CiscoConfig } from "./cisco-config.ts";
import { drainEdits, type Home, type MappedNeighbour, type RouteMaps } from "./cisco-drain.ts";
import type { CiscoPlan } from "./cisco-plan.ts";
import type { Session, Work } from "./define-dialect.ts";
import {
  type Block,
  commandsOf,
  drainsBetween,
  inModes,
  linesOf,
  type RenderedChange,
} from "./renderer.ts";

/** A session in which what is staged is stored until the commit. */
export class StagingSession<R> implements Session {
  /** Its command line. */
  readonly cli: Cli;
  /** What was staged; undefined = nothing. */
  staged: R | undefined;

  constructor(cli: Cli) {
    this.cli = cli;
  }

  /** As its command line. */
  get where(): string {
    return this.cli.where;
  }

  /** As its command line. */
  get isOver(): boolean {
    return this.cli.isOver;
  }

  /** Leaves the mode of the configuration, if the session is in it. */
  async leave(signal: AbortSignal): Promise<void> {
    if (this.cli.mode.startsWith("(")) await this.cli.run([line`end`], "unknown", signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cli[Symbol.asyncDispose]();
  }
}

/** Returns the steps of a change up to its commit; `render` makes what is sent. */
export function stagingBy<S extends StagingSession<R>, R extends RenderedChange<Command>>(
  render: (session: S, work: Work, signal: AbortSignal) => Promise<R>,
) {
  return {
    async stage(session: S, work: Work, signal: AbortSignal): Promise<readonly string[]> {
      session.staged = await render(session, work, signal);
      return linesOf(session.staged);
    },
    async check(): Promise<void> {
      // Without a candidate each line is checked when it is entered.
    },
  };
}

/** A port as it is configured or shall be. */
type Plan = CiscoPlan & { readonly settings: MacsecSettings | undefined };

/** What was read before the change. */
interface Around<C> {
  readonly config: C;
  readonly routeMaps: RouteMaps;
}

/** The words of a platform. */
interface Words<C, N, P> {
  /** Returns the edits of the policy. */
  readonly policy: (before: P, after: P) => Block;
  /** Returns the lines of a key in its chain; `algorithm` is Cisco's name of it. */
  readonly key: (word: string, hole: SecretHole, algorithm: string) => readonly Command[];
  /** Returns chains of ours that no interface has: a change that was cut off left their keys. */
  readonly looseChains: (config: C, port: PortName) => readonly string[];
  /** Returns the lines of the port about MACsec. */
  readonly macsec: (before: P, after: P) => readonly Command[];
  readonly neighboursOn: (config: C, port: PortName) => readonly N[];
  readonly homeOf: (one: N, as: string) => Home;
  /** Returns the line that shows settings. */
  readonly shown: (settings: MacsecSettings) => string;
}

/** Returns the edits that make one plan of a port out of the other. */
export function renderAtOnce<C extends CiscoConfig, N extends MappedNeighbour, P extends Plan>(
  before: P,
  after: P,
  { config, routeMaps }: Around<C>,
  words: Words<C, N, P>,
): RenderedChange<Command> {
  const { port } = after;
  const atPort = (commands: readonly Command[]): Block =>
    inModes(commands.length === 0 ? [] : [line`interface ${port}`], ...commands);
  const isTurned = before.admin !== after.admin;
  const { ends, begins, lines } = drainsBetween(before, after, "drained");
  const drained = lines.length === 0 ? [] : words.neighboursOn(config, port);
  const as = config.localAs ?? "";
  const kept = chainsOf(after).map(({ name }) => name);
  const loose = words.looseChains(config, port).filter((name) => !kept.includes(name));
  const gone = [...leftChains(before, after), ...loose];
  const blocks: readonly Block[] = [
    atPort(isTurned && after.admin === "down" ? [line`shutdown`] : []),
    words.policy(before, after),
    ...chainBlocks(before, after, config, words.key),
    atPort(words.macsec(before, after)),
    inModes([], ...gone.map((name) => line`no key chain ${name} macsec`)),
    atPort(isTurned && after.admin === "up" ? [line`no shutdown`] : []),
    ...drained.flatMap((one) =>
      drainEdits({ ends, begins }, one, { as, routeMaps }, words.homeOf(one, as)),
    ),
  ];
  const { shown } = words;
  return {
    sent: blocks.flatMap(commandsOf),
    lines: [...differences(port, textsOfPlan(before, shown), textsOfPlan(after, shown)), ...lines],
  };
}

function chainBlocks(
  before: Plan,
  after: Plan,
  config: Pick<CiscoConfig, "chains">,
  key: Words<never, never, never>["key"],
): readonly Block[] {
  const held = chainsOf(before);
  return chainsOf(after).flatMap((chain): readonly Block[] => {
    const { was, left, come } = keysBetween(held, chain);
    // A key that an interrupted change left under that name would be a second key in it.
    const isLeftover = was === undefined && config.chains.has(chain.name);
    const own = line`key chain ${chain.name} macsec`;
    const keys = come.flatMap(({ word, secret }) =>
      secret === undefined ? [] : key(word, { secret, as: "hex" }, algorithmOf(secret)),
    );
    const edits = [...left.map(({ word }) => line`no key ${word}`), ...keys];
    return [
      inModes([], ...(isLeftover ? [line`no key chain ${chain.name} macsec`] : [])),
      // A chain is attached that may still be empty, and it must exist.
      inModes([], ...(was === undefined || edits.length > 0 ? [own, ...edits, line`exit`] : [])),
    ];
  });
}

/** Returns the lines for the operator of a port, without its drains. */
export function textsOfPlan(
  plan: Plan,
  shown: (settings: MacsecSettings) => string,
): readonly string[] {
  return [
    ...(plan.settings === undefined ? [] : [shown(plan.settings)]),
    ...keyTexts(plan),
    ...(plan.admin === "down" ? ["shutdown"] : []),
  ];
}
