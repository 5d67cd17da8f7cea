// The configurations under which the machine is explored.

import type { Config } from "./campaign-world.ts";

const keychain: Config = {
  name: "rotate, keychain, agent, afterProof",
  kind: "rotate",
  overlap: "keychain",
  promotes: false,
  farEnd: "agent",
  retire: "afterProof",
  urgency: "planned",
  either: false,
  shutsFirst: false,
  asksSaks: false,
};

const named = (name: string, over: Partial<Config>): Config => ({ ...keychain, name, ...over });
const manual = { farEnd: "manual" } as const;
const soak = { retire: "afterSoak" } as const;
const fallback = { overlap: "fallback", promotes: true } as const;
/** An earlier version began it and would have promoted; the router is not asked to any more. */
const stays = { overlap: "fallback", promotes: false } as const;
const none = { overlap: "breakBeforeMake" } as const;
const enrol = { kind: "enrol", overlap: "breakBeforeMake" } as const;
const change = { kind: "change", overlap: "breakBeforeMake" } as const;

/** A hub gives and withholds the permit at any time. */
const permitted: readonly Config[] = [
  named("rotate, keychain, permits", {}),
  named("rotate, fallback, manual, afterSoak, permits", { ...fallback, ...manual, ...soak }),
  named("rotate, none, manual, permits", { ...none, ...manual }),
  named("rotate, none, shut first, permits", { ...none, shutsFirst: true }),
  named("enrol, agent, permits", { ...enrol, goesOn: true }),
  named("change, router alone, permits", { ...change, either: true }),
].map((config) => ({ ...config, permits: true }));

/** A router that takes settings in several steps; half of them fit one far end, or none. */
const halves: readonly Config[] = [
  named("change, half fits old", { ...change, half: "old" }),
  named("change, half fits new", { ...change, half: "new" }),
  named("change, manual, half fits neither", { ...change, ...manual, half: "neither" }),
  named("change, router alone, half", { ...change, either: true, half: "old" }),
];

export const configs: readonly Config[] = [
  keychain,
  named("rotate, keychain, agent, afterSoak", soak),
  named("rotate, keychain, manual, afterProof", { ...manual, goesOn: true }),
  named("rotate, keychain, manual, afterSoak", { ...manual, ...soak }),
  named("rotate, fallback, agent, afterProof", fallback),
  named("rotate, fallback, agent, afterSoak", { ...fallback, ...soak, goesOn: true }),
  named("rotate, fallback, manual, afterProof", { ...fallback, ...manual }),
  named("rotate, fallback that stays, agent, afterProof", stays),
  named("rotate, fallback that stays, manual, afterSoak", { ...stays, ...manual, ...soak }),
  named("rotate, none, agent", { ...none, goesOn: true }),
  named("rotate, none, manual", { ...none, ...manual }),
  named("enrol, agent", enrol),
  named("enrol, manual", { ...enrol, ...manual }),
  named("change, agent", change),
  named("change, manual", { ...change, ...manual, goesOn: true }),
  named("change, router alone", { ...change, either: true }),
  ...halves,
  named("rotate, keychain, shut first", { shutsFirst: true, goesOn: true }),
  named("rotate, fallback, shut first", { ...fallback, shutsFirst: true }),
  named("rotate, none, shut first", { ...none, shutsFirst: true }),
  named("rotate, keychain, emergency", { urgency: "emergency" }),
  named("rotate, none, emergency", { ...none, urgency: "emergency" }),
  named("rotate, keychain, later SAKs", { asksSaks: true, goesOn: true }),
  named("rotate, keychain, manual, afterSoak, later SAKs", { ...manual, ...soak, asksSaks: true }),
  named("rotate, fallback, later SAKs", { ...fallback, asksSaks: true }),
  named("rotate, keychain, emergency, later SAKs", { urgency: "emergency", asksSaks: true }),
  ...permitted,
];

/** @throws RangeError if there is no such configuration. */
export function configNamed(name: string): Config {
  const found = configs.find((config) => config.name === name);
  if (found === undefined) throw new RangeError(`no configuration is called ${name}`);
  return found;
}
