// Settings that the product will have: refused with what they wait for, never accepted in silence.

import type { Path } from "./complaint.ts";

interface Later {
  /** Indices are written `[]`. */
  readonly path: string;
  /** Only these values of an existing key; absent: the key itself. */
  readonly values?: readonly string[];
  readonly waitsFor: string;
}

/** One row for each setting that is known and does not work yet. */
export const laterSettings: readonly Later[] = [
  { path: "devices[].transport", waitsFor: "drivers with more than one transport" },
  { path: "devices[].vrf", waitsFor: "BGP in routing instances" },
  { path: "groups[].links[].eapol", waitsFor: "drivers with that setting" },
  { path: "groups[].links[].probe", waitsFor: "probes with a target of their own" },
  { path: "groups[].links[].lag", waitsFor: "links in an aggregate" },
  { path: "groups[].drain", values: ["adminDown"], waitsFor: "drains that shut the port" },
];

/** What is said elsewhere: `keyCache` belongs to the process that seals it. */
export function elsewhere(
  path: Path,
): { readonly why: string; readonly write: string } | undefined {
  if (textOf(path) !== ".devices[].keyCache") return undefined;
  return {
    why: "the keys of a port are sealed by its own process, linkseal-mka@PORT.service",
    write: "remove it; linkseal mka PORT --key-cache KEY keeps them over a boot",
  };
}

/** Indices as `[]`. */
function textOf(path: Path): string {
  return path.map((step) => (typeof step === "number" ? "[]" : `.${step}`)).join("");
}

/** The row for a key that the schema does not know, or for a value that it does not take. */
export function laterSetting(path: Path, value: unknown): Later | undefined {
  const text = textOf(path);
  return laterSettings.find(
    (row) =>
      `.${row.path}` === text &&
      (row.values === undefined || row.values.some((known) => known === value)),
  );
}
