// A credential that the unit does not pass: the error's next step is the drop-in.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { credentialPath } from "#agent/host/credential-path.ts";
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
