// Drops the texts of old configs that neither a link, a tunnel nor a campaign needs.

import { LinksealError } from "#hal/error.ts";
import type { Log } from "#hal/world.ts";
import type { IntentStore } from "../store/intent/intent.ts";
import { intentsInUse, type Memory } from "../store/journal/memory.ts";

/** Drops them after a config was accepted; a disk that fails now is asked again after the next. */
export async function dropOldTexts(intents: IntentStore, memory: Memory, log: Log): Promise<void> {
  try {
    await intents.dropOld(intentsInUse(memory));
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    log.write("warn", error.code, error.message);
  }
}
