// The units: what a death, a stop and a boot of a process must not do is said there.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const folder = join(import.meta.dirname, "../../systemd");
const mka = "linkseal-mka@.service";

function linesOf(unit: string): readonly string[] {
  return readFileSync(join(folder, unit), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

describe("linkseal-mka@.service", () => {
  const lines = linesOf(mka);

  it.each([
    ["its successor is the same member", "FileDescriptorStoreMax=2"],
    ["and gets the memory after a restart too", "FileDescriptorStorePreserve=restart"],
    ["within the peer's patience", "RestartSec=100ms"],
    ["nobody but it speaks for it", "NotifyAccess=main"],
    ["no core file is written", "LimitCORE=0"],
    ["the socket of another port outlives it", "RuntimeDirectoryPreserve=yes"],
    ["it can do two things", "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW"],
    ["it reaches no network", "RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_PACKET"],
  ])("%s: %s", (_why, line) => {
    expect(lines).toContain(line);
  });

  it("does nothing to a port when it is stopped", () => {
    expect(lines.filter((line) => /^Exec(Stop|Reload|StartPre)/.test(line))).toEqual([]);
    expect(lines.filter((line) => line.startsWith("BindsTo") || line.startsWith("PartOf"))).toEqual(
      [],
    );
  });

  // Where there is no systemd the text alone is held.
  it("is understood by systemd, where there is one", () => {
    if (spawnSync("systemd-analyze", ["--version"]).error !== undefined) return;
    const place = mkdtempSync(join(tmpdir(), "linkseal-units-"));
    try {
      const text = readFileSync(join(folder, mka), "utf8");
      // Users and the program come with the package.
      const here = text
        .replaceAll("/usr/bin/linkseal", process.execPath)
        .replace(/^(User|Group)=.*$/gm, "");
      writeFileSync(join(place, mka), here);
      const said = execFileSync(
        "systemd-analyze",
        ["verify", "--man=no", join(place, mka.replace("@", "@eth1"))],
        { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
      );
      expect(said).toBe("");
    } finally {
      rmSync(place, { recursive: true });
    }
  });
});
