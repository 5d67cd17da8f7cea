// How keys are named where people read of them: by CKN, never by value.

/** Returns a CKN as `deadbeef…0001`, which is enough to distinguish two keys. */
export function shortCkn(ckn: string): string {
  return ckn.length <= 16 ? ckn : `${ckn.slice(0, 8)}…${ckn.slice(-4)}`;
}

/** CKNs of the accepted key of a link and of the one that MKA uses; null = none, not known. */
export interface LinkKeys {
  readonly ckn: string | null;
  readonly keyInUse: string | null;
}

/**
 * Returns one CKN while key in use and accepted key are the same, and otherwise both: `AAAA in use,
 * BBBB accepted`. The text `accepted`, such as an age, follows the accepted key. undefined = there
 * is no key.
 */
export function keysText({ ckn, keyInUse }: LinkKeys, accepted = ""): string | undefined {
  if (ckn === null) {
    return keyInUse === null ? undefined : `${shortCkn(keyInUse)} in use, none accepted`;
  }
  if (ckn === keyInUse) return `${shortCkn(ckn)}${accepted}`;
  const used = keyInUse === null ? "in use not known" : `${shortCkn(keyInUse)} in use`;
  return `${used}, ${shortCkn(ckn)} accepted${accepted}`;
}
