// Where a credential of this host is: a file, or what the service manager passes to the unit.

import { access, lstat } from "node:fs/promises";
import { dirname, join } from "node:path";
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

/** What `lstat` tells of a file's access. */
export interface FileAccess {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/**
 * True for a file that the service manager passes to this unit as systemd 250 and later do: it is
 * root's, and an entry of its ACL lets the unit's user read it. Its mode is 0440 then, because the
 * bits of the group show the mask of the ACL and no right of a group.
 */
export async function isPassedByAcl(
  path: string,
  { uid, gid, mode }: FileAccess,
): Promise<boolean> {
  const { CREDENTIALS_DIRECTORY: folder } = process.env;
  if (folder === undefined || dirname(path) !== folder) return false;
  if (uid !== 0 || gid !== 0 || (mode & 0o7777) !== 0o440) return false;
  const holder = await lstat(folder).catch(() => undefined);
  return holder?.isDirectory() === true && holder.uid === 0 && (holder.mode & 0o027) === 0;
}
