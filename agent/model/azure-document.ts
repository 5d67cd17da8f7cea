// A document of Azure's management API, as those who only read it know it.

/** Resolves to JSON; throws LinksealError, and nothing was changed. */
export type ReadDocument = (
  path: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<unknown>;

/** One page of a list of the management API. */
export interface DocumentPage {
  /** The path of the page. */
  readonly path: string;
  /** Its query. */
  readonly query: Readonly<Record<string, string>>;
}

/**
 * Returns the page that a `nextLink` names; undefined = it names none. Only path and query are
 * taken: the host stays the management API of the config.
 */
export function nextPage(link: unknown): DocumentPage | undefined {
  if (typeof link !== "string" || !URL.canParse(link)) return undefined;
  const { pathname, searchParams } = new URL(link);
  return { path: pathname, query: Object.fromEntries(searchParams) };
}
