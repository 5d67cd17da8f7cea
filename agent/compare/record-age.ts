// Whether the journal is older than the links: which signs tell whose work both ends show. The one
// table for it. Pure.

import { type KeyRef, strongValue } from "#hal/model.ts";
import { shortCkn } from "../model/ckn-text.ts";
import { linkId } from "../model/desired.ts";
import { type LinkSnapshot, portOf } from "../model/link-snapshot.ts";

/** What is seen of a link whose two ends have left the key of the journal. */
export interface AgeSigns {
  /** Records that the audit log knows and the journal lacked at the start. */
  readonly missing: number;
  /** This process has never seen an end of the link with the key of the journal. */
  readonly isFromStart: boolean;
  /** The far end names a version of the secret that the link's key is of. */
  readonly isOurVault: boolean;
}

/**
 * `restored`: our own later work, on a journal that is older; `cannotTell`: that, or another
 * agent's or a person's while no process of ours ran; `another`: another agent's or a person's
 * beside this process; `otherOwner`: a key of another secret.
 */
export type AgeOrigin = "restored" | "cannotTell" | "another" | "otherOwner";

/** The first row that fits says whose work it is. */
const rows: readonly (readonly [fits: (signs: AgeSigns) => boolean, origin: AgeOrigin])[] = [
  [({ isOurVault }) => !isOurVault, "otherOwner"],
  [({ isFromStart }) => !isFromStart, "another"],
  [({ missing }) => missing > 0, "restored"],
  [() => true, "cannotTell"],
];

/** Returns whose work both ends show, as far as the signs tell. */
export function originOf(signs: AgeSigns): AgeOrigin {
  return rows.find(([fits]) => fits(signs))?.[1] ?? "cannotTell";
}

/**
 * Whether the ends of a link are seen with a key: `left` = neither has it, whatever key they have
 * now; `kept` = one of them has it; undefined = it is not seen.
 */
export function endsWith(
  { link, state, peer }: LinkSnapshot,
  key: Pick<KeyRef, "ckn" | "cakSecretId">,
): "kept" | "left" | undefined {
  const principal = strongValue(portOf(state, link.port)?.session)?.principalCkn;
  const far = peer?.pointsAt?.cakSecretId;
  if (principal === key.ckn || far === key.cakSecretId) return "kept";
  return principal === undefined || far === undefined ? undefined : "left";
}

/** Says that the state is older than a link; undefined = the signs do not show that. */
function olderText(
  { link, state, peer }: LinkSnapshot,
  key: KeyRef,
  signs: AgeSigns,
): string | undefined {
  const origin = originOf(signs);
  if (origin === "another" || origin === "otherOwner") return undefined;
  const used = strongValue(portOf(state, link.port)?.session)?.principalCkn ?? "";
  const version = peer?.pointsAt?.cakSecretId.split("/").at(-1) ?? "";
  const ends = `both ends use the key ${shortCkn(used)} (CAK version ${version})`;
  const record = `and the journal has ${shortCkn(key.ckn)}`;
  const why =
    origin === "restored"
      ? `an old copy was put back: the audit log knows ${signs.missing} records that it lacks`
      : "an old copy was put back, or both ends were changed while no agent ran here";
  return `the state is older than ${linkId(link)}: ${ends}, ${record}; ${why}`;
}

/** The name of a secret without its version. */
const secretOf = (id: string): string => id.slice(0, id.lastIndexOf("/"));

/** What this process has seen of the keys that its journal began with. */
export class RecordAge {
  /** The key of the journal when a link was looked at first, and whether an end had it since. */
  readonly #seen = new Map<string, { readonly ckn: string; readonly isKept: boolean }>();

  /** Returns what the signs of a link say; undefined = its journal is not known to be older. */
  older(snapshot: LinkSnapshot, key: KeyRef, missing: number): string | undefined {
    const id = linkId(snapshot.link);
    const ends = endsWith(snapshot, key);
    const before = this.#seen.get(id) ?? { ckn: key.ckn, isKept: false };
    const isKept = before.isKept || before.ckn !== key.ckn || ends === "kept";
    this.#seen.set(id, { ckn: before.ckn, isKept });
    if (ends !== "left") return undefined;
    const isOurVault = isSameSecret(snapshot, key);
    return olderText(snapshot, key, { missing, isFromStart: !isKept, isOurVault });
  }
}

function isSameSecret({ peer }: LinkSnapshot, { cakSecretId }: KeyRef): boolean {
  const far = peer?.pointsAt?.cakSecretId;
  return far !== undefined && secretOf(far) === secretOf(cakSecretId);
}
