// A link whose accepted settings are not what the intent wants: what a `change` makes of it.

import { equalSettings } from "../health/verify.ts";
import type { CampaignLink } from "../model/campaign.ts";
import type { DesiredLink } from "../model/desired.ts";
import type { Binding } from "../store/journal/memory.ts";

/** A link with the key that it runs on. */
export interface BoundLink {
  /** The link as the intent wants it. */
  readonly link: DesiredLink;
  /** The key and settings that it runs on. */
  readonly binding: Binding;
}

/**
 * Returns the link as its next key must fit it: by the settings that both ends have, and by those
 * of the intent only while it runs on no key.
 */
export function forNextKey(link: DesiredLink, binding: Binding | undefined): DesiredLink {
  return binding === undefined ? link : { ...link, settings: binding.settings };
}

/** Returns true if the intent wants the settings with which both ends were accepted. */
export function sameSettings({ link, binding }: BoundLink): boolean {
  return equalSettings(link.settings, binding.settings);
}

/**
 * Returns the link of a `change` campaign: it keeps its key and gets the settings of the intent.
 */
export function changeOf({ link, binding }: BoundLink): CampaignLink {
  const { name, device, port, settings } = link;
  const { key, created, generation } = binding;
  return {
    ...{ name, device, port, created, generation },
    old: { key, settings: binding.settings },
    new: { key, settings },
    overlap: "breakBeforeMake",
    outcome: undefined,
  };
}
