// Asks the agent, which knows the config, for the steps of a code about one of its names.

import type { FilledStep } from "../explain/steps.ts";
import type { Session } from "./session.ts";

/**
 * Returns the steps, in order.
 * @throws LinksealError if no agent answers
 */
export async function stepsAbout(
  session: Session,
  code: string,
  name: string,
): Promise<readonly FilledStep[]> {
  const path = `/v1/steps?code=${encodeURIComponent(code)}&about=${encodeURIComponent(name)}`;
  return (await session.view<{ readonly steps: readonly FilledStep[] }>(path)).steps;
}
