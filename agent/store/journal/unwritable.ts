// Errors of a disk that accepts no write: the cause, and what the operator can do.

import { LinksealError } from "#hal/error.ts";

interface Hindrance {
  readonly why: string;
  readonly next: string;
}

const usual: Hindrance = {
  why: "its disk takes no write",
  next: "check the disk of the state folder (dmesg), then linkseal status",
};

/** Causes by the name of errno(3). */
const hindrances: Readonly<Record<string, Hindrance>> = {
  ENOSPC: {
    why: "no space is left on its disk",
    next: "free space in the state folder, then linkseal status",
  },
  EDQUOT: {
    why: "the quota of its disk is used up",
    next: "free space in the state folder, or raise its quota, then linkseal status",
  },
  EROFS: {
    why: "its file system is read-only",
    next: "mount the state folder read-write (mount -o remount,rw), then linkseal status",
  },
};

/** Makes the error `journal.full` with effect "none"; `cause` is the error of the file system. */
export function unwritable(where: string, what: string, cause: unknown): LinksealError {
  const errno = errnoOf(cause);
  const errnoText = errno === undefined ? "" : ` (${errno})`;
  const text = `${what} cannot be written${errnoText}; nothing was changed`;
  const { next } = hindranceOf(cause) ?? usual;
  return new LinksealError("journal.full", text, { effect: "none", where, next, cause });
}

/**
 * Returns why a write failed, for the end of a sentence, and what helps; undefined = not an error
 * of the file system.
 */
export function hindranceOf(error: unknown): Hindrance | undefined {
  const errno = errnoOf(error);
  if (errno === undefined) return undefined;
  return Object.hasOwn(hindrances, errno)
    ? hindrances[errno]
    : { ...usual, why: `${usual.why}: ${errno}` };
}

/** Returns the errno name of the error, or of an error that caused it. */
function errnoOf(error: unknown): string | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    const code: unknown = "code" in each ? each.code : undefined;
    if (typeof code === "string" && /^E[A-Z0-9]{2,15}$/.test(code)) return code;
  }
  return undefined;
}
