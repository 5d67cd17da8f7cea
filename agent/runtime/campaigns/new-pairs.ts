// Whether the vault gives the new pairs of a campaign: each value is read and wiped.

import { LinksealError } from "#hal/error.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Campaign, CampaignLink, Facts } from "../../model/campaign.ts";
import type { CauseOf } from "../../model/reason.ts";
import { readCak, readCkn } from "../polling/vault.ts";

/**
 * Returns the facts with what the vault says. It is asked last before a link is drained, for the
 * new pair of every link that is left: where it refuses one, traffic would move away for nothing.
 */
export async function withVault<T extends Omit<Facts, "freshSak">>(
  vault: KeyVault,
  campaign: Campaign,
  facts: T,
  signal: AbortSignal,
): Promise<T> {
  const { port, far, unmetPrecondition } = facts;
  const isDue = campaign.state === "gated" && unmetPrecondition === undefined;
  const isUntouched = port?.keys === "old" && port.drain === "off" && far === "old";
  const bringsKey = campaign.kind !== "change" && campaign.goal === "forward";
  if (!isDue || !isUntouched || !bringsKey || campaign.told) return facts;
  const refusal = await unreadableKey(vault, campaign, signal);
  return refusal === undefined ? facts : { ...facts, unmetPrecondition: refusal };
}

/** Returns the first new pair that cannot be read, and why; undefined = all can. */
async function unreadableKey(
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
