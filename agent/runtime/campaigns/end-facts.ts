// Reads both ends of a link, its siblings and the vault for the next step of an operator.

import { type Ckn, type KeyRef, strongValue } from "#hal/model.ts";
import type { EndFacts } from "../../compare/end-step.ts";
import { vaultBaseOf } from "../../compare/ends.ts";
import { type DesiredGroup, type DesiredLink, linkId } from "../../model/desired.ts";
import { portOf } from "../../model/link-snapshot.ts";
import { named } from "../../store/journal/memory.ts";
import { isUsable, pairedCkn, pairOf, readCkn } from "../polling/vault.ts";
import type { BeginParts } from "./begin.ts";
import type { ManualDrains } from "./manual-drain.ts";

interface Place {
  readonly group: DesiredGroup;
  readonly link: DesiredLink;
  readonly drains: ManualDrains;
}

/**
 * Reads all that the next step depends on; an end that does not answer is undefined.
 * @throws LinksealError `vault.*` if the vault does not tell which pair an end has
 */
export async function endFacts(
  parts: BeginParts,
  { group, link, drains }: Place,
  signal: AbortSignal,
): Promise<EndFacts> {
  const { deviceCache, memory } = parts;
  // A sibling whose far end is not read does not count as carrying.
  for (const each of group.links.filter((one) => one !== link)) {
    await deviceCache.observePeer(each, signal);
  }
  const peer = await deviceCache.observePeer(link, signal);
  const { snapshots, siblings } = await drains.observe(link, signal);
  const state = snapshots.get(link.name)?.state;
  const accepted = named(memory().bindings, linkId(link))?.key;
  const port = portOf(state, link.port);
  const ckns = ((port && strongValue(port.keys)) ?? []).map(({ ckn }) => ckn);
  const pair = await namedPair(parts, link, peer?.pointsAt, accepted, signal);
  const isHeld = pair !== undefined && ckns.includes(pair.ckn);
  return {
    snapshot: { link, state, peer, probe: undefined },
    ...{ link, accepted, siblings, drains: group.drain !== "none", named: pair },
    held: isHeld ? pair : await heldPair(parts, { link, accepted, ckns }, signal),
  };
}

/** Returns the pair that the far end names, with the CKN that its version has in the vault. */
async function namedPair(
  { vault, desired }: BeginParts,
  link: DesiredLink,
  ids: Omit<KeyRef, "ckn"> | undefined,
  accepted: KeyRef | undefined,
  signal: AbortSignal,
): Promise<KeyRef | undefined> {
  if (ids === undefined) return undefined;
  const { cakSecretId, cknSecretId } = ids;
  if (cakSecretId === accepted?.cakSecretId && cknSecretId === accepted.cknSecretId) {
    return accepted;
  }
  const base = vaultBaseOf(desired.azure, [accepted?.cakSecretId]);
  const secrets = [link.key.cak, link.key.ckn];
  const own = [cakSecretId, cknSecretId].every((id, index) =>
    id.startsWith(`${base ?? /^https:\/\/[^/]+/.exec(id)?.[0]}/secrets/${secrets[index]}/`),
  );
  // Whatever another vault or secret holds, it is not this link's.
  if (!own) return undefined;
  const versions = await vault.versions(link.key.cak, signal);
  const version = versions.find(({ id }) => id === cakSecretId);
  if (version === undefined) return undefined;
  const ckn = await readCkn(vault, cknSecretId, signal);
  const tagged = pairedCkn(version);
  if (ckn === undefined || (tagged !== undefined && tagged !== ckn)) return undefined;
  return { ckn, cakSecretId, cknSecretId };
}

/** Returns the accepted pair if the router holds it, else the first other one of the vault. */
async function heldPair(
  { vault, world }: BeginParts,
  { link, accepted, ckns }: Pick<EndFacts, "link" | "accepted"> & { readonly ckns: readonly Ckn[] },
  signal: AbortSignal,
): Promise<KeyRef | undefined> {
  const now = world.clock.wall();
  if (accepted !== undefined && ckns.includes(accepted.ckn)) {
    const secret = /\/secrets\/([^/]+)\//.exec(accepted.cakSecretId)?.[1] ?? link.key.cak;
    const versions = await vault.versions(secret, signal);
    const version = versions.find(({ id }) => id === accepted.cakSecretId);
    if (version !== undefined && isUsable(version, now)) return accepted;
  }
  for (const ckn of ckns) {
    const pair = await pairOf(vault, link, ckn, now, signal);
    if (pair !== undefined) return pair;
  }
  return undefined;
}
