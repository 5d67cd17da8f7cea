// The files of a release with their hashes, and the signature of that list. OpenSSH makes and
// verifies it, which is on almost every host.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/** What the list states about the origin of the files. */
interface Origin {
  readonly version: string;
  /** Full id of the commit that was built. */
  readonly commit: string;
  /** SOURCE_DATE_EPOCH of the build. */
  readonly epochSeconds: number;
  /** SHA-256 of package-lock.json, which names each dependency with its hash. */
  readonly lockSha256: string;
}

export interface Release {
  readonly origin: Origin;
  /** Paths of the files; their names must differ. */
  readonly files: readonly string[];
  /** Path of the private key, or of a public key whose private half an agent or a token has. */
  readonly key: string;
  /** The folder that gets the files, their list and its signature. */
  readonly out: string;
}

export const listName = "SHA256SUMS";
/** The name under which a verifier knows the signer, and the purpose that the signature is for. */
const signer = "linkseal-release";

export function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** Returns the list as sha256sum(1) reads it, which skips lines that begin with "#". */
function listOf({ version, commit, epochSeconds, lockSha256 }: Origin, files: readonly string[]) {
  const head = [
    `linkseal ${version}`,
    `commit ${commit}`,
    `SOURCE_DATE_EPOCH ${epochSeconds}`,
    `package-lock.json ${lockSha256}`,
  ];
  const lines = files.map((path) => `${sha256Of(path)}  ${basename(path)}`).sort();
  return `${[...head.map((line) => `# ${line}`), ...lines].join("\n")}\n`;
}

/**
 * Writes the files, their list and the signature to a folder; returns the line that a verifier
 * needs in the file of signers. ssh-keygen itself asks for a pass phrase or a touch.
 * @throws Error for names that a list cannot hold, or if the key cannot sign
 */
export function signRelease({ origin, files, key, out }: Release): string {
  const names = files.map((path) => basename(path));
  const strange = names.find((name) => !/^[A-Za-z0-9][\w.+~-]*$/.test(name));
  if (strange !== undefined) throw new Error(`${strange} is not a name for a release`);
  if (names.length === 0 || new Set(names).size < names.length)
    throw new Error("a release has files, and no two of one name");
  for (const path of files) {
    const copy = join(out, basename(path));
    if (path !== copy) copyFileSync(path, copy);
  }
  const list = join(out, listName);
  writeFileSync(list, listOf(origin, files));
  // ssh-keygen asks before it replaces a signature.
  rmSync(`${list}.sig`, { force: true });
  execFileSync("ssh-keygen", ["-q", "-Y", "sign", "-f", key, "-n", signer, list], {
    stdio: ["inherit", "ignore", "inherit"],
  });
  const [type = "", octets = ""] = readFileSync(publicOf(key), "utf8").split(" ");
  return `${signer} namespaces="${signer}" ${type} ${octets.trim()}\n`;
}

const publicOf = (key: string): string => (key.endsWith(".pub") ? key : `${key}.pub`);
