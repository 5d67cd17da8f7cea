// Readings as plain values.

type Plain =
  | string
  | number
  | boolean
  | null
  | readonly Plain[]
  | { readonly [key: string]: Plain };

/** A value without what is not there, as JSON would write it. */
export function present(value: unknown): Plain {
  return JSON.parse(
    JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? Number(part) : part)),
  ) as Plain;
}

/** Numbers of attributes that no table names, wherever they stand. */
export function unnamedIn(value: unknown): number[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    key === "unnamed" ? (part as number[]) : unnamedIn(part),
  );
}
