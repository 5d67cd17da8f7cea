// Accepts the config that waited for the end of campaigns.

import { LinksealError } from "#hal/error.ts";
import type { Log } from "#hal/world.ts";
import type { Queued } from "../store/intent/queued.ts";

export interface QueuedParts {
  readonly queued: Queued;
  readonly log: Log;
  /** True if the text is a config that is valid now. */
  readonly isValid: (text: string) => boolean;
  /** Text of the config in force; undefined = none. */
  readonly inForce: string | undefined;
  readonly accept: (text: string, who: string) => Promise<unknown>;
}

/** The config is dropped last, so that a crash leaves it waiting; it is not accepted twice. */
export async function acceptQueued(parts: QueuedParts): Promise<void> {
  const { queued, log, isValid, inForce, accept } = parts;
  const { config } = queued;
  if (config === undefined) return;
  try {
    // A campaign that has ended meanwhile may have given a link a key that it does not fit.
    if (!isValid(config.text)) {
      log.write("warn", "config.invalid", "the config that waited for its turn is not valid now");
    } else if (inForce !== config.text) await accept(config.text, config.who);
    await queued.drop();
  } catch (error) {
    // A disk that is full now may have room at the next turn.
    if (!(error instanceof LinksealError)) throw error;
    log.write("warn", error.code, error.message);
  }
}
