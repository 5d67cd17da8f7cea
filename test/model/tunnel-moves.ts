// What the agent's effects do to the abstract world, with each way in which they may go wrong.

import type { TunnelAction } from "#agent/model/tunnel-change.ts";
import {
  acceptedBy,
  orderOf,
  type Run,
  type TunnelConfig,
  type Version,
  type World,
} from "./tunnel-world.ts";

/** `half`: the first tunnel alone changes; `late`: the answer is lost, the effect comes later. */
export const lucks = ["well", "refused", "vault", "lost", "late", "half"] as const;
export type Luck = (typeof lucks)[number];

const possible: Readonly<Record<TunnelAction, readonly Luck[]>> = {
  give: ["well", "refused", "vault", "lost", "late"],
  giveBack: ["well", "refused", "vault", "lost", "late"],
  take: ["well", "refused", "vault", "lost", "half"],
  putBack: ["well", "refused", "vault", "lost", "half"],
  drain: ["well", "refused", "lost"],
  undrain: ["well", "refused", "lost"],
};

export const canHave = (action: TunnelAction, luck: Luck): boolean =>
  possible[action].includes(luck);

/** Runs an effect, and returns the promise that it breaks by being run here. */
export function act(
  world: World,
  run: Run,
  config: TunnelConfig,
  what: { readonly action: TunnelAction; readonly index: number; readonly luck: Luck },
): string | undefined {
  const { action, index, luck } = what;
  run.failed = undefined;
  switch (action) {
    case "give":
    case "giveBack":
      return write(world, run, { version: action === "give" ? "new" : "old", luck });
    case "drain":
      run.order = orderOf(world, run);
      return drain(world, run, index, luck);
    case "undrain": {
      const end = world.ends[index];
      run.traffic[index] = "given back";
      if (end === undefined || luck === "refused") return undefined;
      end.isDrained = false;
      if (luck === "well") end.isRecorded = false;
      return undefined;
    }
    case "putBack":
      if (set(world, run, "old", luck)) run.ours = "inUse";
      return undefined;
    case "take":
      return take(world, run, config, { index, luck });
  }
}

function write(
  world: World,
  run: Run,
  { version, luck: wanted }: { readonly version: Version; readonly luck: Luck },
): string | undefined {
  const isBack = version === "old";
  const luck = world.isWithdrawn && !isBack ? "vault" : wanted;
  if (luck === "vault" || luck === "refused") {
    run.failed = luck === "vault" ? "vault" : "other";
    run.isTakenBack = luck === "vault" && !isBack && run.given !== "no" && world.isWithdrawn;
    return undefined;
  }
  if (world.farEnd !== "agent") return "the agent writes to a gateway that is a person's";
  if (isBack && world.ends.some(({ router }) => router !== "old")) {
    return "the gateway gets the old key back before the router has it";
  }
  if (isBack && world.alone !== undefined) {
    return "a gateway that the agent gave nothing gets the old key";
  }
  if (luck === "well") {
    world.gateway = version;
    world.byHand = false;
    if (isBack) run.isGivenBack = true;
    else run.given = "yes";
    return undefined;
  }
  run.failed = "other";
  if (!isBack) run.given = "maybe";
  world.mayLand = true;
  if (luck === "lost") world.gateway = version;
  else world.flying = version;
  return undefined;
}

function drain(world: World, run: Run, index: number, luck: Luck): string | undefined {
  run.traffic[index] = "asked away";
  const others = world.ends.filter((_, other) => other !== index);
  const end = world.ends[index];
  if (end === undefined || end.isDrained || end.sas !== "up") return undefined;
  const mayLeave = others.some(({ sas, isDrained }) => sas === "up" && !isDrained);
  if (!mayLeave || others.some(({ isDrained, isRecorded }) => isDrained || isRecorded)) {
    return undefined;
  }
  end.isRecorded = true;
  if (luck !== "refused") end.isDrained = true;
  return undefined;
}

/** Sets a version on the routers; returns false if it is not known to be on all of them. */
function set(world: World, run: Run, version: Version, wanted: Luck): boolean {
  const luck = world.isWithdrawn && version === "new" ? "vault" : wanted;
  if (luck === "vault" || luck === "refused") {
    run.failed = luck === "vault" ? "vault" : "transport";
    return false;
  }
  const changed = luck === "half" ? world.ends.slice(0, 1) : world.ends;
  for (const end of changed) end.router = version;
  if (luck === "well") return true;
  run.failed = "transport";
  return false;
}

function take(
  world: World,
  run: Run,
  config: TunnelConfig,
  { index, luck }: { readonly index: number; readonly luck: Luck },
): string | undefined {
  const end = world.ends[index];
  if (end === undefined) return "a tunnel authenticates that is none of the unit";
  const isAsked = run.traffic[index] !== "unasked" || end.isDrained;
  if (end.sas === "up" && !isAsked) return "it authenticates before its traffic was asked away";
  if (world.ends.some((other, at) => at !== index && other.isDrained && other.isRecorded)) {
    const isTried = run.traffic.some((asked, at) => at !== index && asked === "given back");
    if (!isTried) return "it authenticates while the other tunnel is led away";
  }
  if (luck !== "vault" && !(world.isWithdrawn && !run.isSet)) run.ours = "unsure";
  if (!run.isSet && !set(world, run, "new", luck)) return undefined;
  run.isSet = true;
  const wasUp = end.sas === "up";
  const isSame = acceptedBy(world, config, index) === end.router;
  if (!end.isCut && isSame) {
    end.sas = "up";
    run.proofs[index] = "proven";
  } else if (!wasUp && end.isCut) {
    run.proofs[index] = "silent";
  } else {
    run.failed = "other";
  }
  return undefined;
}
