// Settings that a later version will have: a config that uses them is refused, with what they wait
// for.

import type { Path } from "./complaint.ts";

interface Later {
  /** Path of the setting, with indices as `[]`. */
  readonly path: string;
  /** Values of an existing key that are not available; absent = the key itself is not. */
  readonly values?: readonly string[];
  readonly waitsFor: string;
}

/** One row for each setting that is known and does not work yet. */
export const laterSettings: readonly Later[] = [
  { path: "devices[].transport", waitsFor: "drivers with more than one transport" },
  { path: "groups[].links[].eapol", waitsFor: "drivers with that setting" },
  { path: "groups[].links[].probe", waitsFor: "probes with a target of their own" },
  { path: "groups[].drain", values: ["adminDown"], waitsFor: "drains that shut the port" },
];

/**
 * Explains a key that belongs elsewhere: `keyCache` is an option of the process that encrypts the
 * cache.
 */
export function elsewhere(
  path: Path,
): { readonly why: string; readonly write: string } | undefined {
  if (textOf(path) !== ".devices[].keyCache") return undefined;
  return {
    why: "the keys of a port are sealed by its own process, linkseal-mka@PORT.service",
    write: "remove it; linkseal mka PORT --key-cache KEY keeps them over a boot",
  };
}

/** Returns the path with indices as `[]`. */
function textOf(path: Path): string {
  return path.map((step) => (typeof step === "number" ? "[]" : `.${step}`)).join("");
}

/**
 * Returns the row for a key that the schema does not know, or for a value that it does not accept.
 */
export function laterSetting(path: Path, value: unknown): Later | undefined {
  const text = textOf(path);
  return laterSettings.find(
    (row) =>
      `.${row.path}` === text &&
      (row.values === undefined || row.values.some((known) => known === value)),
  );
}
