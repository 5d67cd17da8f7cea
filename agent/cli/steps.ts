// Asks the agent, which knows the config, for the steps of a code about one of its names; without
// an agent they are filled in from the accepted config in the state folder.

import { LinksealError } from "#hal/error.ts";
import { sceneOf } from "../explain/scene.ts";
import { type FilledStep, filledSteps } from "../explain/steps.ts";
import { visible } from "../model/text.ts";
import { accepted, type Found, patienceMs, withoutAgent } from "./night.ts";
import type { Session } from "./session.ts";

/**
 * Returns the steps, in order. Where no agent answers it notes the place of their names; the
 * commands are missing if there is no such place either.
 * @throws LinksealError if the agent refuses
 */
export async function stepsAbout(
  session: Pick<Session, "view" | "note">,
  code: string,
  name: string,
  find: () => Promise<Found> = accepted,
): Promise<readonly FilledStep[]> {
  const path = `/v1/steps?code=${encodeURIComponent(code)}&about=${encodeURIComponent(name)}`;
  const served = await session
    .view<{ readonly steps: readonly FilledStep[] }>(path, patienceMs)
    .catch(withoutAgent);
  if (served !== undefined) return served.steps;
  try {
    const { desired, from } = await find();
    session.note(visible(`No agent answers: the names are from ${from}.`));
    return filledSteps(code, sceneOf(desired, name));
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    session.note(visible(`No names and commands: ${error.message}. Try: ${error.next}`));
    return filledSteps(code, { kind: "none" });
  }
}
