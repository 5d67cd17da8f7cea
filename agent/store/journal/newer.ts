// A journal that a newer version wrote: what it does not say to this one may be that a link is
// taken, so this version does not go on from it.

import { LinksealError } from "#hal/error.ts";
import { lossKind } from "./chain.ts";
import { emptyMemory, type Memory } from "./memory.ts";
import { isKnownKind, recollect } from "./stored.ts";

interface Stored {
  readonly kind: string;
  readonly memory?: unknown;
}

const shownMax = 8;

/**
 * Refuses a journal with kinds of records, or parts of a snapshot, that this version does not have.
 * @throws LinksealError with `journal.newer` and effect "none", which lists what is taken
 */
export function refuseNewer(entries: readonly Stored[]): void {
  const strange = new Set(entries.flatMap(strangeIn));
  if (strange.size === 0) return;
  const taken = takenIn(recollect(entries));
  const what = [...strange].slice(0, shownMax).join(", ");
  const text = `the journal has what this version does not know (${what}): a newer one wrote it`;
  const left =
    taken.length === 0
      ? ""
      : `; ${taken
          .slice(0, shownMax)
          .map(({ text: each }) => each)
          .join("; ")}`;
  const [first] = taken;
  const back = first === undefined ? "" : `, then ${first.next}`;
  throw new LinksealError("journal.newer", `${text}${left}`, {
    ...{ effect: "none", where: "journal" },
    next: `install the newer version again${back}`,
  });
}

function strangeIn({ kind, memory }: Stored): readonly string[] {
  if (kind !== lossKind && !isKnownKind(kind)) return [kind];
  if (typeof memory !== "object" || memory === null) return [];
  return Object.keys(memory).filter((section) => !Object.hasOwn(emptyMemory, section));
}

/** What linkseal has taken, by the records that this version knows, and how it is given back. */
function takenIn({
  campaigns,
  drains,
}: Memory): readonly { readonly text: string; readonly next: string }[] {
  const open = Object.values(campaigns).filter(({ state }) => state !== "done");
  return [
    ...open.map(({ group, kind, state }) => ({
      text: `a campaign (${kind}) of ${group} is ${state}`,
      next: `linkseal rotation show ${group}`,
    })),
    ...Object.keys(drains).map((about) => ({
      text: `${about} is drained by hand`,
      next: `linkseal undrain ${about}`,
    })),
  ];
}
