// Folders that other users cannot change: owner, mode and every parent are checked before use.

import { constants } from "node:fs";
import { lstat, mkdir, open, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { LinksealError } from "#hal/error.ts";

/**
 * Access that a folder may allow: `private` = only this user (0700); `reachable` = others may pass
 * through (to sockets), but not write.
 */
export type FolderAccess = "private" | "reachable";

/**
 * Creates what is missing with mode 0700 and returns the real path.
 * @throws LinksealError with `usage` if the folder is not safe
 */
export async function openFolder(path: string, access: FolderAccess): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw unsafe(path, `cannot be created (${errnoOf(error)})`, "create it for this user");
  });
  const stat = await lstat(path);
  if (!stat.isDirectory()) throw unsafe(path, "is not a folder", `remove ${path}`);
  if (stat.uid !== ownUid()) {
    throw unsafe(path, `belongs to uid ${stat.uid}, not to ${ownUid()}`, "choose another folder");
  }
  const forbidden = access === "private" ? 0o077 : 0o022;
  if ((stat.mode & forbidden) !== 0) {
    throw unsafe(path, "is open to other users", `chmod 700 ${path}`);
  }
  const real = await realpath(path);
  await checkParents(real);
  return real;
}

// A user who can write to a parent can put another folder in our folder's place; the sticky bit
// prevents just that.
async function checkParents(path: string): Promise<void> {
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    const stat = await lstat(parent);
    if ((stat.mode & 0o022) !== 0 && (stat.mode & 0o1000) === 0) {
      throw unsafe(path, `is under ${parent}, which others can write`, "choose another folder");
    }
    if (stat.uid !== 0 && stat.uid !== ownUid()) {
      throw unsafe(path, `is under ${parent}, owned by uid ${stat.uid}`, "choose another folder");
    }
    if (parent === dirname(parent)) return;
  }
}

/** Makes names that were created, renamed or removed in the folder durable. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await folder.sync();
}

/** Returns the errno name of a failed system call, for a message. */
export function errnoOf(error: unknown): string {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "no errno";
}

export function ownUid(): number {
  return process.geteuid?.() ?? 0;
}

export function unsafe(path: string, text: string, next: string): LinksealError {
  return new LinksealError("usage", `${path} ${text}`, { effect: "none", where: path, next });
}
