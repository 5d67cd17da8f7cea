// A small abstract world for the real machine of tunnel keys: one or two tunnels of a unit, their
// gateway, the writes on their way to it, and what the process knows.

import type { TunnelChange, TunnelFacts, TunnelSight } from "#agent/model/tunnel-change.ts";

export type Version = "old" | "new";

export interface TunnelConfig {
  readonly name: string;
  readonly tunnels: 1 | 2;
  readonly kind: "psk" | "certificate";
  readonly farEnd: TunnelFacts["farEnd"];
  /** The config may leave the gateway to a person from some moment on. */
  readonly mayLeave?: true;
  /** The first tunnel's instance keeps the old key, whatever its gateway is given. */
  readonly isDeaf: boolean;
}

/** One tunnel. */
export interface End {
  router: Version;
  /** `silent`: the SAs are gone and nothing says why; `refused`: the gateway says that it is. */
  sas: "up" | "silent" | "refused";
  /** Nothing passes between router and gateway. */
  isCut: boolean;
  isDrained: boolean;
  /** The journal says that it was led away for the change. */
  isRecorded: boolean;
}

/** What one run of the agent has seen. */
export interface Run {
  given: TunnelFacts["given"];
  ours: TunnelFacts["ours"];
  isGivenBack: boolean;
  isTakenBack: boolean;
  isSet: boolean;
  /** The first step is a person's. */
  asked: TunnelFacts["asked"];
  begins: boolean;
  failed: "vault" | "transport" | "other" | undefined;
  proofs: TunnelSight["proof"][];
  traffic: ("unasked" | "asked away" | "given back")[];
  /** The order of the tunnels, fixed by the first that authenticates. */
  order: readonly number[] | undefined;
}

/** Everything that may differ between two moments. */
export interface World {
  state: TunnelChange["state"] | "done";
  alone: TunnelChange["alone"];
  gateway: Version;
  farEnd: TunnelFacts["farEnd"];
  /** A write whose answer was lost, and that may still take effect. */
  flying: Version | undefined;
  /** The process does not know that no write is on its way. */
  mayLand: boolean;
  /** A person wrote to the gateway: what it has is not the agent's doing. */
  byHand: boolean;
  /** The vault does not offer the newer version any more. */
  isWithdrawn: boolean;
  isGateClosed: boolean;
  ends: End[];
  run: Run | undefined;
  faults: number;
  words: number;
}

export function start(config: TunnelConfig, faults: number, words: number): World {
  const end = (): End => ({
    ...{ router: "old" as const, sas: "up" as const, isCut: false },
    ...{ isDrained: false, isRecorded: false },
  });
  return {
    ...{ state: "waiting", alone: undefined, gateway: "old", flying: undefined },
    farEnd: config.farEnd,
    ...{ mayLand: config.farEnd === "agent", byHand: false, isWithdrawn: false },
    ...{ isGateClosed: false, ends: Array.from({ length: config.tunnels }, end) },
    ...{ run: undefined, faults, words },
  };
}

export const nameOf = (index: number): string => `t${index}`;

/** The version that the instance of this tunnel accepts. */
export function acceptedBy(world: World, { isDeaf }: TunnelConfig, index: number): Version {
  return isDeaf && index === 0 ? "old" : world.gateway;
}

export function newRun({ state, ends }: World, asked: TunnelFacts["asked"]): Run {
  const isUntouched = state === "waiting" || state === "held";
  return {
    given: isUntouched ? "no" : "maybe",
    ours: isUntouched ? "inUse" : "unsure",
    ...{ isGivenBack: false, isTakenBack: false, isSet: false, asked, begins: true },
    failed: undefined,
    proofs: ends.map(() => "none"),
    traffic: ends.map(() => "unasked"),
    order: undefined,
  };
}

function sight({ isDrained, isRecorded, sas }: End, run: Run, index: number): TunnelSight {
  const asked = run.traffic[index] ?? "unasked";
  const isAway =
    asked === "unasked" ? isRecorded && isDrained : asked === "asked away" && isRecorded;
  return {
    ...{ name: nameOf(index), isRefused: sas === "refused", proof: run.proofs[index] ?? "none" },
    traffic: isAway ? "away" : asked === "unasked" ? "unasked" : "here",
  };
}

/** The order in which the tunnels authenticate. */
export function orderOf({ ends }: World, run: Run): readonly number[] {
  const rank = (end: End | undefined): number => {
    if (end?.sas !== "up") return 0;
    return end.isRecorded ? 1 : 2;
  };
  return run.order ?? [...ends.keys()].toSorted((a, b) => rank(ends[a]) - rank(ends[b]));
}

/** What the machine is shown. */
export function factsOf(world: World, run: Run, { kind }: TunnelConfig): TunnelFacts {
  const isClosed = world.isGateClosed && run.begins && run.asked === "policy";
  const { failed } = run;
  const cause = { code: "recorded", text: "f" } as const;
  return {
    ...{ kind, farEnd: world.farEnd, asked: run.begins ? run.asked : "policy" },
    unmet: isClosed ? { code: "tunnel.notUp" } : undefined,
    tunnels: orderOf(world, run).map((at) => sight(world.ends[at] as End, run, at)),
    ...{ given: run.given, isTakenBack: run.isTakenBack, ours: run.ours },
    ...{ isGivenBack: run.isGivenBack, mayLand: world.mayLand && world.farEnd === "agent" },
    ...(failed !== undefined && { failed: { cause, kind: failed } }),
  };
}
