// Whether the vault gives the new pairs of a campaign: each value is read and wiped.

import { LinksealError } from "#hal/error.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Campaign, CampaignLink } from "../../model/campaign.ts";
import type { CauseOf } from "../../model/reason.ts";
import { readCak, readCkn } from "../polling/vault.ts";

/** Returns the first new pair that cannot be read, and why; undefined = all can. */
export async function unreadableKey(
  vault: KeyVault,
  { group, links, at }: Campaign,
  signal: AbortSignal,
): Promise<CauseOf<"vault.refuses"> | undefined> {
  for (const link of links.slice(at)) {
    try {
      await readPair(vault, link, signal);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const { code, message: text } = error;
      return { code: "vault.refuses", link: `${group}/${link.name}`, error: code, text };
    }
  }
  return undefined;
}

async function readPair(
  vault: KeyVault,
  { new: { key } }: CampaignLink,
  signal: AbortSignal,
): Promise<void> {
  const { cakSecretId: where, cknSecretId, ckn } = key;
  using _cak = await readCak(vault, where, signal);
  if ((await readCkn(vault, cknSecretId, signal)) === ckn) return;
  const details = { effect: "none", where: cknSecretId, next: "linkseal keys check" } as const;
  throw new LinksealError("vault.unpaired", "the CKN is not the one that its CAK names", details);
}
