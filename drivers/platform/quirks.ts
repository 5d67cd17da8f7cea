// What differs from platform to platform and release to release: rows, each with its source.

export interface Quirk<W extends string> {
  /** Of the model or the platform, as the router names it. */
  readonly platform: RegExp;
  /** First release that has it. */
  readonly from: string;
  readonly what: W;
  readonly source: string;
}

type Release = readonly number[];

/** `releaseOf` gives undefined = the release is not understood, and `unknown` is taken for it. */
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

/** Of numbers with dots between them. */
export const dotted = (version: string): Release => version.split(".").map(Number);

/** Of the groups of a pattern; one that is absent counts as 0. */
export const matched =
  (pattern: RegExp) =>
  (version: string): Release | undefined =>
    pattern
      .exec(version)
      ?.slice(1, 4)
      .map((part) => Number(part ?? 0));
