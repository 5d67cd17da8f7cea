// The check of the setup by the agent: the identity that counts is its own.

import type { WallTime } from "#hal/world.ts";
import { type Complaint, parseConfig } from "../../config/index.ts";
import type { Agent } from "../../runtime/agent.ts";
import { type AzureCheck, checkAzure } from "./check.ts";
import { simulatedSite } from "./setup.ts";

/**
 * Checks the setup of a config that need not be accepted. An abort leaves nothing behind.
 * @throws LinksealError with `usage` for a simulated site
 */
export async function azureCheck(
  agent: Pick<Agent, "azureReader" | "vaultReader">,
  { text, file }: { readonly text: string; readonly file: string },
  now: WallTime,
  signal: AbortSignal,
): Promise<AzureCheck | { readonly complaints: readonly Complaint[] }> {
  const parsed = parseConfig(text, file, now);
  if (parsed.kind === "refused") return { complaints: parsed.complaints };
  const { desired } = parsed;
  const document = agent.azureReader(desired);
  if (document === undefined) throw simulatedSite();
  return await checkAzure(desired, { document, vault: agent.vaultReader(desired) }, signal);
}
