// Serves what the accepted config names, at the address it names; it moves when another config is
// accepted.

import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import type { Desired } from "../model/desired.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { errnoOf } from "./folder.ts";

/**
 * Time between two attempts, in milliseconds: a port that another program uses may be free later.
 */
const againMs = 10_000;

export interface Served {
  readonly close: () => Promise<void>;
}

export interface Kept<T> {
  /** Returns what to serve; undefined = nothing. */
  readonly wanted: (serve: Desired["serve"]) => T | undefined;
  readonly open: (settings: T) => Promise<Served>;
  /** Code and first words of the log line for an address that cannot be served. */
  readonly code: string;
  readonly failed: string;
}

/** Serves until the signal aborts. A failure is logged once, and does not delay anything else. */
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
    // While the config in force is damaged, what was served stays, so that operators can see the
    // damage.
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
