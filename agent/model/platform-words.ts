// The platform that an operator means by the name of a vendor, a model or an operating system.

/** A word without blanks and hyphens, and the driver it means. */
const rows: readonly (readonly [driver: string, words: RegExp])[] = [
  ["junos", /^(?:juniper|junos|v?mx\d*$|mx\d|ptx|acx|qfx|ex\d|v?srx|vjunos)/],
  ["iosxr", /^(?:(?:cisco)?(?:ios)?xr|cisco$|ncs|asr9\d|asr9k|crs|8[0268]\d\d)/],
  ["iosxe", /^(?:(?:cisco)?(?:ios)?xe|cisco$|(?:cisco)?ios$|cat|isr|csr|asr1|c8\d|c9\d)/],
  ["eos", /^(?:arista|eos|dcs|[cv]eos)/],
  ["linux", /^(?:linux|frr|debian|ubuntu|rhel|redhat|thishost|localhost|host$|local$)/],
];

/** Returns the names of the drivers that a word may mean; empty = none is known. */
export function driversMeant(word: string): readonly string[] {
  if (word.length > 40) return [];
  const plain = word.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  return rows.filter(([, words]) => words.test(plain)).map(([driver]) => driver);
}
