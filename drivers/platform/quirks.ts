// Differences between platforms and releases: rows, each with its source.

/** One difference. */
export interface Quirk<W extends string> {
  /** The model or platform that has it, as the router prints its name. */
  readonly platform: RegExp;
  /** First release that has it. */
  readonly from: string;
  /** The difference that it makes. */
  readonly what: W;
  /** The document or bug report that says so. */
  readonly source: string;
}

type Release = readonly number[];

/**
 * Returns a function that looks up a difference. `releaseOf` returns undefined for a release that
 * is not understood, and the result is then `unknown`.
 */
export function quirksIn<W extends string>(
  quirks: readonly Quirk<W>[],
  releaseOf: (version: string) => Release | undefined,
  unknown: boolean,
): (platform: string, version: string, what: W) => boolean {
  const isSince = (version: string, from: string): boolean => {
    const [is, first] = [releaseOf(version), releaseOf(from)];
    return is === undefined || first === undefined ? unknown : compare(is, first) >= 0;
  };
  return (platform, version, what) =>
    quirks.some(
      (row) => row.what === what && row.platform.test(platform) && isSince(version, row.from),
    );
}

function compare(is: Release, first: Release): number {
  const at = is.findIndex((part, index) => part !== (first[index] ?? 0));
  return at < 0 ? 0 : (is[at] ?? 0) - (first[at] ?? 0);
}

/** Reads numbers with dots between them. */
export const dotted = (version: string): Release => version.split(".").map(Number);

/** Reads the groups of a pattern as numbers; an absent group counts as 0. */
export const matched =
  (pattern: RegExp) =>
  (version: string): Release | undefined =>
    pattern
      .exec(version)
      ?.slice(1, 4)
      .map((part) => Number(part ?? 0));
