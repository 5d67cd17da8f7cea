// Readings as plain values.

type Plain =
  | string
  | number
  | boolean
  | null
  | readonly Plain[]
  | { readonly [key: string]: Plain };

/** Returns a value without absent fields, as JSON would write it. */
export function present(value: unknown): Plain {
  return JSON.parse(
    JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? Number(part) : part)),
  ) as Plain;
}

/** Returns the numbers of attributes that no table names, at any depth. */
export function unnamedIn(value: unknown): number[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    key === "unnamed" ? (part as number[]) : unnamedIn(part),
  );
}
