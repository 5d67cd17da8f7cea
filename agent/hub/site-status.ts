// The status that a site has published, as a hub reads it: hostile until it is parsed here, because
// its writer may be a site that was broken into.

import {
  absent,
  count,
  type Decoder,
  documentIn,
  each,
  line,
  list,
  object,
  oneOf,
  orNull,
  that,
} from "#hal/decoder.ts";
import { verdictOrder, worstOf } from "../model/health.ts";
import type { SiteStatus } from "../telemetry/fleet/status-document.ts";

/** As long as an agent's longest status: each of its lists has 50 entries at most. */
const limits = { octets: 64 * 1024, values: 3_000 } as const;
const entriesMax = 50;
const codesMax = 8;

/** What a hub keeps of a status. */
export type ReadStatus = Omit<SiteStatus, "schema">;

const text = line(300);
const whole = count(Number.MAX_SAFE_INTEGER);

/** A moment as ISO text; it may be any moment. */
const time = that(
  (value): value is string =>
    typeof value === "string" &&
    /^\d{4}-\d\d-\d\dT[\d:.]{8,18}Z$/.test(value) &&
    !Number.isNaN(Date.parse(value)),
);

/** The first entries of a list, and the number of all of them: at least as many as are there. */
function cut<T>(
  entry: Decoder<T>,
): Decoder<{ readonly all: number; readonly first: readonly T[] }> {
  const decode = object<{ all: number; first: readonly T[] }>({
    all: whole,
    first: list(entry, entriesMax),
  });
  return (value, what) => {
    const { all, first } = decode(value, what);
    return { all: Math.max(all, first.length), first };
  };
}

const status = object<ReadStatus>({
  site: line(63),
  host: line(64),
  at: time,
  version: line(64),
  config: orNull(object({ number: whole, sha256: line(64) })),
  verdict: oneOf(verdictOrder),
  verdicts: object(each(verdictOrder, absent(whole))),
  wrong: cut(object({ about: text, verdict: oneOf(verdictOrder), codes: list(text, codesMax) })),
  campaigns: cut(object({ group: text, kind: line(32), state: line(32), since: time })),
  keys: cut(object({ about: text, ckn: line(64), ageDays: whole })),
  warnings: cut(object({ code: line(64), about: text, severity: line(16) })),
  audit: object({ newest: whole, published: whole, lost: whole }),
});

/**
 * Returns what a status says; undefined = it is none. Its verdict is the worst that any part of it
 * names, so that a status which contradicts itself is not believed where it is good.
 */
export function parseSiteStatus(octets: Uint8Array): ReadStatus | undefined {
  const read = documentIn("linkseal.siteStatus/1", octets, limits, status);
  if (read === undefined) return undefined;
  const { verdict, verdicts, wrong } = read;
  const counted = verdictOrder.filter((each) => (verdicts[each] ?? 0) > 0);
  const named = wrong.first.map((each) => each.verdict);
  return { ...read, verdict: worstOf([verdict, ...counted, ...named]) };
}
