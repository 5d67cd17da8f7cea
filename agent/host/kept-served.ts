// What the accepted config wants served, at its place; moved along when another one is accepted.

import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import type { Desired } from "../model/desired.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { errnoOf } from "./folder.ts";

/** A port that somebody else has may be free later. */
const againMs = 10_000;

export interface Served {
  readonly close: () => Promise<void>;
}

export interface Kept<T> {
  /** undefined = nothing is served. */
  readonly wanted: (serve: Desired["serve"]) => T | undefined;
  readonly open: (settings: T) => Promise<Served>;
  /** Code and beginning of what is logged where it cannot be served. */
  readonly code: string;
  readonly failed: string;
}

/** Serves until the signal aborts; one that cannot be served is told, and keeps nobody waiting. */
export async function keepServed<T>(
  agent: AgentView,
  world: Pick<World, "clock" | "log">,
  { wanted, open, code, failed }: Kept<T>,
  end: AbortSignal,
): Promise<void> {
  let wake = new AbortController();
  const deaf = agent.events.listen((event) => {
    if (event.code === "intent-accepted") wake.abort();
  });
  let served: (Served & { readonly settings: T }) | undefined;
  let failure = "";
  while (!end.aborted) {
    wake = new AbortController();
    const { intent, intentDamage } = agent;
    // While a config in force is damaged, whoever watches must go on seeing just that.
    const next =
      intentDamage !== undefined
        ? served?.settings
        : intent === undefined
          ? undefined
          : wanted(intent.desired.serve);
    if (served !== undefined && !isSame(served.settings, next)) {
      await served.close();
      served = undefined;
    }
    if (next !== undefined && served === undefined) {
      try {
        served = { ...(await open(next)), settings: next };
        failure = "";
      } catch (error) {
        const why = `${failed}: ${whyNot(error)}`;
        if (why !== failure) world.log.write("warn", code, why, { again: true });
        failure = why;
      }
    }
    await world.clock
      .sleep(againMs, AbortSignal.any([wake.signal, end]))
      // A new config and the end both wake it.
      .catch(() => undefined);
  }
  deaf();
  await served?.close();
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function whyNot(error: unknown): string {
  return error instanceof LinksealError ? error.message : errnoOf(error);
}
