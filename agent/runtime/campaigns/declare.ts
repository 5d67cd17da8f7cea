// Which keys an emergency declares compromised. The one place that says so.

import { LinksealError } from "#hal/error.ts";
import type { KeyRef } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { Campaign } from "../../model/campaign.ts";
import { type DesiredGroup, linkId } from "../../model/desired.ts";
import { isoTime } from "../../model/iso-time.ts";
import { type CompromisedKey, type Memory, named } from "../../store/journal/memory.ts";

/**
 * An emergency declares the accepted key of every link that its command names, as it begins; also
 * where the vault has no newer key yet. A command for a whole group that goes on with an emergency
 * which is not finished leaves out a link that has left its declared key since: its new key is not
 * in doubt.
 */
export function declaredBy(
  memory: Memory,
  group: DesiredGroup,
  campaign: Campaign,
  { links: asked, by }: { readonly links: readonly string[] | undefined; readonly by: string },
  since: WallTime,
): readonly CompromisedKey[] {
  if (campaign.urgency !== "emergency" || campaign.kind !== "rotate") return [];
  const isWhole = asked === undefined || group.links.every(({ name }) => asked.includes(name));
  return group.links.flatMap((link) => {
    const id = linkId(link);
    const binding = named(memory.bindings, id);
    if (binding === undefined || !(isWhole || asked?.includes(link.name))) return [];
    const { ckn, cakSecretId } = binding.key;
    const known = named(memory.compromised, cakSecretId);
    if (known !== undefined && known.gone === undefined) return [];
    const isReplaced = campaign.links.some(({ name }) => name === link.name);
    if (isWhole && !isReplaced && hasLeft(memory, group.name, binding.since)) return [];
    return [{ link: id, ckn, cakSecretId, since, by }];
  });
}

/** A key that is younger than an emergency of its group which is not finished came with it. */
function hasLeft({ compromised }: Memory, group: string, since: WallTime): boolean {
  return Object.values(compromised).some(
    (key) => key.gone === undefined && key.link.startsWith(`${group}/`) && key.since <= since,
  );
}

/**
 * Refuses to bring a key into use that was declared compromised.
 * @throws LinksealError `vault.compromisedKey`
 */
export function refuseCompromised({ compromised }: Memory, keys: readonly KeyRef[]): void {
  for (const { cakSecretId, ckn } of keys) {
    const known = Object.values(compromised).find(
      (key) => key.cakSecretId === cakSecretId || key.ckn === ckn,
    );
    if (known === undefined) continue;
    const text = `the key was declared compromised at ${isoTime(known.since)} (${known.by})`;
    const next = `linkseal keys generate ${known.link}`;
    const details = { effect: "none", where: cakSecretId, next } as const;
    throw new LinksealError("vault.compromisedKey", text, details);
  }
}
