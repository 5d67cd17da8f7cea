// A suite whose CAK has another size than the key that a link runs on: no campaign changes key and
// suite together, so a config that asks for it is refused. Pure.

import type { CipherSuite } from "#hal/model.ts";
import { type Complaint, type Config, complaintsOf, type Finding } from "../config/index.ts";
import { cakOctets } from "../model/cak-octets.ts";
import { type Desired, type DesiredLink, linkId } from "../model/desired.ts";
import { type Memory, named } from "../store/journal/memory.ts";

/** Why a link cannot get the suite that a config wants, and what to do instead. */
export interface KeySizeGap {
  /** One sentence that names the link and both sizes. */
  readonly text: string;
  /** The setting that fits the key, as the config spells it. */
  readonly write: string;
  /** The next safe act. */
  readonly next: string;
}

/** Compares the wanted suite with the one of the key that both ends hold; undefined = it fits. */
export function keySizeGap(link: DesiredLink, held: CipherSuite): KeySizeGap | undefined {
  const wanted = link.settings.suite;
  if (cakOctets[wanted] === cakOctets[held]) return undefined;
  const id = linkId(link);
  const write = `suite: ${held}`;
  return {
    text:
      `${wanted} takes a CAK of ${cakOctets[wanted]} octets, and the router and the far end ` +
      `of ${id} hold one of ${cakOctets[held]}: no campaign changes both`,
    write,
    next: `write ${write} for ${id} into the config, then linkseal apply FILE`,
  };
}

/**
 * Complaints about links whose wanted suite does not fit the key that they run on, so that the
 * config is refused instead of accepted without effect.
 */
export function keySizeComplaints(
  { groups }: Pick<Desired, "groups">,
  bindings: Memory["bindings"],
  { text, file }: { readonly text: string; readonly file: string },
): readonly Complaint[] {
  const gaps = new Map<string, KeySizeGap>();
  for (const link of groups.flatMap((group) => group.links)) {
    const held = named(bindings, linkId(link))?.settings.suite;
    const gap = held === undefined ? undefined : keySizeGap(link, held);
    if (gap !== undefined) gaps.set(linkId(link), gap);
  }
  // A large text is read a second time only where there is something to say about it.
  return gaps.size === 0 ? [] : complaintsOf((config) => gapsIn(config, gaps), text, file);
}

function* gapsIn(config: Config, gaps: ReadonlyMap<string, KeySizeGap>): Generator<Finding> {
  for (const [i, group] of config.groups.entries()) {
    for (const [j, link] of group.links.entries()) {
      const gap = gaps.get(`${group.name}/${link.name}`);
      if (gap === undefined) continue;
      const path = ["groups", i, "links", j, "macsec", "suite"];
      yield { path, what: "does not fit the key in use", why: gap.text, write: gap.write };
    }
  }
}
