// A document of Azure's management API, as those who only read it know it.

/** Resolves to JSON; throws LinksealError, and nothing was changed. */
export type ReadDocument = (
  path: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<unknown>;
