// Both ends of a link as the agent last saw them, in the form that the rules take.

import type { KeyRef } from "#hal/model.ts";
import type { AzureSettings, DesiredLink } from "../model/desired.ts";
import { type Observations, portOf } from "../model/link-view.ts";
import type { TwoEnds } from "./rules.ts";

export function endsOf(
  lookout: Omit<Observations, "failure">,
  link: DesiredLink,
  vaultBase: string | undefined,
  accepted: KeyRef | undefined,
): TwoEnds {
  const { state, peer } = lookout.view(link);
  // What the far end said before it fell silent may be long past.
  const isSilent = lookout.peerFailure(link) !== undefined;
  return {
    link,
    port: portOf(state, link.port),
    capabilities: lookout.capabilities(link.device),
    peer: isSilent ? undefined : peer,
    vaultBase,
    accepted,
  };
}

/** A simulated vault has a socket for an address: its ids tell what they begin with. */
export function vaultBaseOf(
  azure: AzureSettings,
  ids: readonly (string | undefined)[],
): string | undefined {
  if (azure.cloud !== "sim") return azure.vault.replace(/\/$/, "");
  const id = ids.find((each) => each !== undefined);
  return id === undefined ? undefined : /^https:\/\/[^/]+/.exec(id)?.[0];
}
