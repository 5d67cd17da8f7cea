// How a CKN is written where people read it.

/** `deadbeef…0001`: enough of a CKN to tell two keys apart. */
export function shortCkn(ckn: string): string {
  return ckn.length <= 16 ? ckn : `${ckn.slice(0, 8)}…${ckn.slice(-4)}`;
}
