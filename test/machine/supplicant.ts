// Fetches a newer wpa_supplicant than this computer's Debian has: a peer that knows GCM-AES-256. It
// is never installed here; the machine unpacks it for itself.

import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { filesIn } from "./place.ts";
import { openSuite } from "./suite.ts";

const suite = "forky";
const name = "wpasupplicant";
const version = /^\s*Candidate: (2:2\.11-\S+)$/m;

/** Downloads the package; returns the version. */
export function prepareSupplicant(folder: string): string {
  const { supplicant, supplicantLabel } = filesIn(folder);
  if (existsSync(supplicant) && existsSync(supplicantLabel)) {
    return readFileSync(supplicantLabel, "utf8").trim();
  }
  const work = mkdtempSync(join(tmpdir(), "linkseal-supplicant-"));
  try {
    const newer = openSuite(suite, work);
    const found = version.exec(newer.ask("policy", name))?.[1];
    if (found === undefined) throw new Error(`the mirror has no ${name} 2.11 in ${suite}`);
    const file = newer.download(`${name}=${found}`);
    const fresh = `${supplicant}.new`;
    writeFileSync(fresh, readFileSync(file));
    renameSync(fresh, supplicant);
    writeFileSync(supplicantLabel, `${found}\n`);
    return found;
  } finally {
    rmSync(work, { recursive: true });
  }
}
