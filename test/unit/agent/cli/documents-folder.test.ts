// A folder of exported documents: which files are read, and what is wrong with the others.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readDocuments } from "#agent/cli/documents-folder.ts";
import { judgeDocuments } from "#agent/evidence/scorecard/scorecard.ts";
import { resource, rowIn } from "../../kit/scorecard-kit.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-documents-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, content: string | Uint8Array): void =>
  writeFileSync(join(folder, name), content);
const network = (name: string): string =>
  JSON.stringify(
    resource("Microsoft.Network/virtualNetworks", name, {
      encryption: { enabled: true, enforcement: "AllowUnencrypted" },
      virtualNetworkPeerings: [],
    }),
  );
const card = async () => judgeDocuments(await readDocuments(folder), "2026-11-28T00:00:00Z");

it("each file named *.json is read, with a byte order mark too", async () => {
  put("a.json", `\ufeff${network("one")}`);
  put("B.JSON", Buffer.from(`\ufeff${network("two")}`, "utf16le"));
  put("notes.txt", "{");
  symlinkSync(join(folder, "a.json"), join(folder, "c.json"));
  mkdirSync(join(folder, "below"));
  put("below/d.json", "{");
  const { documents, ...rest } = await card();
  expect(documents).toEqual({ files: 3, resources: 3, others: 0, refused: [] });
  const row = rowIn({ documents, ...rest }, "vnet-encryption");
  expect(row.evidence.split("; ").map((text) => text.split(" ")[0])).toEqual(["two", "one"]);
});

it("a file that cannot be used is named, and the others are judged", async () => {
  put("good.json", network("one"));
  put("latin.json", Buffer.from([0x22, 0xe9, 0x22]));
  put("text.json", "not JSON");
  mkdirSync(join(folder, "folder.json"));
  symlinkSync(join(folder, "nowhere"), join(folder, "link.json"));
  execFileSync("mkfifo", [join(folder, "pipe.json")]);
  const { documents, counts } = await card();
  expect(counts.proven).toBe(1);
  expect(documents).toEqual({
    ...{ files: 6, resources: 1, others: 0 },
    refused: [
      { file: "folder.json", why: "it is not a file" },
      { file: "latin.json", why: "it is not text in UTF-8 or UTF-16" },
      { file: "link.json", why: "it cannot be read (ENOENT)" },
      { file: "pipe.json", why: "it is not a file" },
      { file: "text.json", why: "it is not JSON, or too long or too deep" },
    ],
  });
});

it("a folder without documents, and one that does not exist, are refused", async () => {
  put("notes.txt", "");
  const usage = (text: string) =>
    expect.objectContaining({ code: "usage", effect: "none", message: text });
  await expect(readDocuments(folder)).rejects.toEqual(
    usage(`${folder} contains no file named *.json`),
  );
  await expect(readDocuments(join(folder, "no"))).rejects.toEqual(
    usage(`${join(folder, "no")} cannot be read (ENOENT)`),
  );
});
