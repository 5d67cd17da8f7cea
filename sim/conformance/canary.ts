// Finds a whole key in printed text, in the forms in which routers and drivers print one.

/** Returns the form in which one of the texts contains one of the keys; undefined = none does. */
export function sightOf(keys: readonly Uint8Array[], texts: readonly string[]): string | undefined {
  for (const key of keys) {
    const bytes = Buffer.from(key);
    const hex = bytes.toString("hex");
    const forms: readonly (readonly [string, string])[] = [
      ["raw octets", bytes.toString("latin1")],
      ["hex", hex],
      ["upper-case hex", hex.toUpperCase()],
      ["base64", bytes.toString("base64").replace(/=+$/, "")],
      ["base64 of hex", Buffer.from(hex).toString("base64").replace(/=+$/, "")],
      ["decimal octets", [...key].join(",")],
    ];
    const found = forms.find(([, form]) => texts.some((text) => text.includes(form)));
    if (found !== undefined) return found[0];
  }
  return undefined;
}
