// The signature of a release, verified with the commands of the page for operators.

import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { signRelease } from "../../.ci/package/release.ts";

const root = join(import.meta.dirname, "../..");
const origin = {
  version: "1.2.3",
  commit: "0123456789abcdef0123456789abcdef01234567",
  epochSeconds: 1_700_000_000,
  lockSha256: "ab".repeat(32),
};
const deb = "linkseal_1.2.3_amd64.deb";
const [list, signature, signers] = ["SHA256SUMS", "SHA256SUMS.sig", "release-signers"] as const;

/** The commands under "Verify a release", as the page prints them. */
function documented(): string {
  const page = readFileSync(join(root, "docs", "install.md"), "utf8");
  const [, section = ""] = page.split("\n### Verify a release\n");
  const [, commands] = /```sh\n([^`]*)```/.exec(section) ?? [];
  if (commands === undefined) throw new Error("docs/install.md does not say how to verify");
  return commands;
}

let folder = "";
let out = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-release-"));
  out = join(folder, "out");
  mkdirSync(out);
  writeFileSync(join(folder, deb), "a package");
  writeFileSync(join(folder, "sbom.cdx.json"), "{}");
});
afterEach(() => rmSync(folder, { recursive: true }));

function newKey(name: string): string {
  const path = join(folder, name);
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "a throw-away", "-f", path]);
  return path;
}

function sign(key: string): void {
  const files = [deb, "sbom.cdx.json"].map((name) => join(folder, name));
  writeFileSync(join(out, signers), signRelease({ origin, files, key, out }));
}

const verify = (): { readonly status: number | null; readonly stdout: string } =>
  spawnSync("sh", ["-ec", documented()], { cwd: out, encoding: "utf8" });

describe("a signed release", () => {
  it("the documented commands verify a release, and its origin is in what was signed", () => {
    sign(newKey("key"));
    const { status, stdout } = verify();
    expect(stdout).toContain('Good "linkseal-release" signature');
    expect(stdout).toContain(`${deb}: OK`);
    expect(status).toBe(0);
    expect(readFileSync(join(out, list), "utf8")).toContain(`# commit ${origin.commit}\n`);
  });

  it("a file that was not downloaded is not missed, and one that was is checked", () => {
    sign(newKey("key"));
    rmSync(join(out, "sbom.cdx.json"));
    expect(verify()).toMatchObject({ status: 0 });
  });

  it("a release signed twice has the later signature", () => {
    sign(newKey("key"));
    writeFileSync(join(folder, deb), "a later package");
    sign(join(folder, "key"));
    expect(verify()).toMatchObject({ status: 0 });
  });

  const changes: readonly (readonly [string, () => void])[] = [
    ["a package with one octet more", () => appendFileSync(join(out, deb), "x")],
    ["a list with another hash", () => replaceInList(/^[0-9a-f]{8}/m, "00000000")],
    ["a list with another origin", () => replaceInList("commit 0123", "commit 3210")],
    ["no signature", () => rmSync(join(out, signature))],
    ["the signature of another list", () => copyFileSync(join(out, list), join(out, signature))],
  ];
  it.each(changes)("a release is refused with %s", (_what, change) => {
    sign(newKey("key"));
    change();
    expect(verify().status).not.toBe(0);
  });

  it("a release is refused if another key signed it, or this key for another purpose", () => {
    sign(newKey("key"));
    const trusted = readFileSync(join(out, signers), "utf8");
    sign(newKey("other"));
    writeFileSync(join(out, signers), trusted);
    expect(verify().status).not.toBe(0);
    sign(join(folder, "key"));
    expect(verify().status).toBe(0);
    rmSync(join(out, signature));
    const argv = ["-q", "-Y", "sign", "-f", join(folder, "key"), "-n", "git", join(out, list)];
    execFileSync("ssh-keygen", argv, { stdio: "ignore" });
    expect(verify().status).not.toBe(0);
  });

  it("names that a list cannot hold are not signed", () => {
    const key = newKey("key");
    for (const name of ["-rf", "a b", "a\nb"]) {
      writeFileSync(join(folder, name), "");
      const files = [join(folder, name)];
      expect(() => signRelease({ origin, files, key, out }), name).toThrow("is not a name");
    }
    const twice = [join(folder, deb), join(folder, deb)];
    expect(() => signRelease({ origin, files: twice, key, out })).toThrow("no two of one name");
  });
});

function replaceInList(from: RegExp | string, to: string): void {
  const path = join(out, list);
  writeFileSync(path, readFileSync(path, "utf8").replace(from, to));
}
