// The tunnels to the two instances of one gateway. Their connection has one key in Azure for both,
// so that a key which the agent gives changes for both or for neither.

import type { DesiredTunnel } from "./desired.ts";

/**
 * Returns the tunnels that get a newer key together with this one, in the order of the config and
 * with this one among them. One that no key of the agent's reaches is alone.
 */
export function sharersOf(
  tunnels: readonly DesiredTunnel[],
  one: DesiredTunnel,
): readonly [DesiredTunnel, ...DesiredTunnel[]] {
  const connection = givenThrough(one);
  if (connection === undefined) return [one];
  const [first, ...others] = tunnels.filter((each) => givenThrough(each) === connection);
  return first === undefined ? [one] : [first, ...others];
}

/** The connection through which the agent gives the key; Azure writes one id in several cases. */
function givenThrough({ auth, azureConnection }: DesiredTunnel): string | undefined {
  const isAgents = auth.kind === "psk" && auth.farEnd === "agent";
  return isAgents ? azureConnection?.toLowerCase() : undefined;
}
