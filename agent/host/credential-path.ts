// Where a credential of this host is: a file, or what the service manager passes to the unit.

import { access } from "node:fs/promises";
import { join } from "node:path";
import type { LinksealError } from "#hal/error.ts";
import { credentialCommands } from "../model/credential-text.ts";
import { errnoOf } from "./folder.ts";

/**
 * Returns the path of `credential:NAME` or `file:PATH`.
 * @throws the error that `refuse` makes, if the unit does not pass a credential of that name;
 * `next` = the commands that give it one
 */
export async function credentialPath(
  reference: string,
  refuse: (text: string, next: string) => LinksealError,
): Promise<string> {
  if (reference.startsWith("file:")) return reference.slice("file:".length);
  const name = reference.slice("credential:".length);
  const { CREDENTIALS_DIRECTORY: folder } = process.env;
  const next = credentialCommands(name).join(" && ");
  if (folder === undefined) {
    throw refuse("the unit passes no credentials (LoadCredentialEncrypted=)", next);
  }
  const path = join(folder, name);
  await access(path).catch((error: unknown) => {
    if (errnoOf(error) !== "ENOENT") return;
    throw refuse("the unit does not pass this credential (LoadCredentialEncrypted=)", next);
  });
  return path;
}
