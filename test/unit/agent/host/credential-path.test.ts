// A credential that the unit does not pass: the error's next step is the drop-in.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { credentialPath } from "#agent/host/credential-path.ts";
import { secretFault } from "#agent/host/credentials.ts";
import { LinksealError } from "#hal/error.ts";

const folder = mkdtempSync(join(tmpdir(), "linkseal-credential-"));
const name = "CREDENTIALS_DIRECTORY";
const before = process.env[name];
afterEach(() => {
  if (before === undefined) delete process.env[name];
  else process.env[name] = before;
});

const refuse = (text: string, next: string): LinksealError =>
  new LinksealError("vault.denied", text, { effect: "none", where: "here", next });

const refusalOf = async (reference: string): Promise<LinksealError> =>
  await credentialPath(reference, refuse).then(
    (path) => {
      throw new Error(`it was found at ${path}`);
    },
    (error: LinksealError) => error,
  );

describe("a credential of the unit", () => {
  it.each([
    ["no unit", undefined],
    ["a unit without this one", folder],
  ])("%s: next names the file, the drop-in and systemctl", async (_what, directory) => {
    if (directory === undefined) delete process.env[name];
    else process.env[name] = directory;
    const { message, next } = await refusalOf("credential:edge-a");
    expect(message).toContain("LoadCredentialEncrypted=");
    expect(next.split(" && ")).toEqual([
      "systemd-creds encrypt --name=edge-a '<FILE-WITH-THE-SECRET>' " +
        "/etc/credstore.encrypted/edge-a",
      "mkdir -p /etc/systemd/system/linkseal.service.d",
      "printf '[Service]\\nLoadCredentialEncrypted=edge-a\\n' " +
        ">/etc/systemd/system/linkseal.service.d/edge-a.conf",
      "systemctl daemon-reload",
      "systemctl restart linkseal",
    ]);
  });

  it("a credential that the unit passes is found, and a file needs no unit", async () => {
    process.env[name] = folder;
    writeFileSync(join(folder, "edge-b"), "x");
    expect(await credentialPath("credential:edge-b", refuse)).toBe(join(folder, "edge-b"));
    delete process.env[name];
    expect(await credentialPath("file:/etc/x", refuse)).toBe("/etc/x");
    rmSync(folder, { recursive: true });
  });
});

describe("systemd passes a credential as root's, mode 0440 with an ACL, and it was refused", () => {
  const rule = { bytesMax: 100, owners: [0, 991], forbidden: 0o077 };
  const passed = {
    ...{ uid: 0, gid: 0, mode: 0o100440, size: 58 },
    isFile: () => true,
    isSymbolicLink: () => false,
  };
  // The home of root is root's alone everywhere, as the folder of credentials is.
  it.each([
    ["the credential", "/root", "/root/hub-key", {}, undefined],
    [
      "one of an older systemd, which has no ACL",
      "/root",
      "/root/k",
      { mode: 0o100400 },
      undefined,
    ],
    ["a file beside it that a group may write", "/root", "/root/k", { mode: 0o100460 }, "460"],
    ["one that all may read", "/root", "/root/k", { mode: 0o100444 }, "444"],
    ["one that its owner may write", "/root", "/root/k", { mode: 0o100640 }, "640"],
    ["one of another group", "/root", "/root/k", { gid: 991 }, "440"],
    ["one of the unit's user", "/root", "/root/k", { uid: 991, gid: 991 }, "440"],
    ["one below the folder", "/root", "/root/sub/k", {}, "440"],
    ["one elsewhere", "/root", "/etc/k", {}, "440"],
    ["one in a folder that all may enter", "/usr", "/usr/k", {}, "440"],
    ["one in a folder that is none", "/root/absent", "/root/absent/k", {}, "440"],
    ["one without a unit", undefined, "/root/k", {}, "440"],
  ])("%s", async (_what, folder, path, more, mode) => {
    if (folder === undefined) delete process.env[name];
    else process.env[name] = folder;
    const why = mode && `other users may access it (mode ${mode})`;
    expect(await secretFault(path, { ...passed, ...more }, rule)).toBe(why);
  });
});
