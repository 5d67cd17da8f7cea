// A head of the audit log as text: what another log stores of a record, and how it is found there.

/** One record of an audit log, as another log stores it. */
export interface Head {
  /** Id of the host whose audit log it is. */
  readonly host: string;
  /** Number of the record. */
  readonly seq: number;
  /** When it was written, in UTC with milliseconds. */
  readonly at: string;
  /** Its MAC, in hexadecimal. */
  readonly hash: string;
}

/** Writes a head as one line without a line feed. */
export function headText({ host, seq, at, hash }: Head): string {
  return `linkseal-head host=${host} record=${seq} at=${at} mac=${hash}`;
}

const members = [
  /linkseal-head host=([\w.-]{1,64})/,
  /record=(\d{1,15})/,
  /at=(\d{4}-\d\d-\d\dT[\d:.]{12}Z)/,
  /mac=([0-9a-f]{64})(?![0-9a-f])/,
];
const form = new RegExp(members.map(({ source }) => source).join(" "), "g");

/** Finds the heads in the text of any log; each is listed once. */
export function headsIn(text: string): readonly Head[] {
  const heads = new Map<string, Head>();
  for (const [whole, host = "", seq, at = "", hash = ""] of text.matchAll(form)) {
    if (!Number.isNaN(Date.parse(at))) heads.set(whole, { host, seq: Number(seq), at, hash });
  }
  return [...heads.values()];
}
