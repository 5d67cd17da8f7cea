// Both ends of a link as the agent last observed them, in the form that the rules take.

import type { KeyRef } from "#hal/model.ts";
import type { AzureSettings, DesiredLink } from "../model/desired.ts";
import { type Observations, portOf } from "../model/link-snapshot.ts";
import type { TwoEnds } from "./rules.ts";

/** Returns both ends of a link; a far end that no longer answers counts as unreadable. */
export function endsOf(
  deviceCache: Omit<Observations, "failure">,
  link: DesiredLink,
  vaultBase: string | undefined,
  accepted: KeyRef | undefined,
): TwoEnds {
  const { state, peer } = deviceCache.snapshot(link);
  // The last state of a far end that stopped answering may be long outdated.
  const isSilent = deviceCache.peerFailure(link) !== undefined;
  return {
    link,
    port: portOf(state, link.port),
    capabilities: deviceCache.capabilities(link.device),
    peer: isSilent ? undefined : peer,
    vaultBase,
    accepted,
  };
}

/**
 * Returns the common prefix of secret ids. A simulated vault's address is a socket, so its prefix
 * is taken from one of `ids`.
 */
export function vaultBaseOf(
  azure: AzureSettings,
  ids: readonly (string | undefined)[],
): string | undefined {
  if (azure.cloud !== "sim") return azure.vault.replace(/\/$/, "");
  const id = ids.find((each) => each !== undefined);
  return id === undefined ? undefined : /^https:\/\/[^/]+/.exec(id)?.[0];
}

/**
 * Returns the id of a secret whose newest version is not known: the word `newest` names it. The
 * address of a simulated vault is not known either: the word `VAULT` names it.
 */
export function newestSecretId(azure: AzureSettings, name: string): string {
  const base = vaultBaseOf(azure, []) ?? "https://VAULT";
  return `${base}/secrets/${name}/newest`;
}
