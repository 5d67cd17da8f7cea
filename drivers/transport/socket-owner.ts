// Which Unix sockets of this host are believed: a socket that another user has made would get keys,
// and could answer in the place of a service. The quick `status` path loads this module.

import { lstatSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { LinksealError } from "#hal/error.ts";

/** The users that the units of linkseal run as. */
const services = /^linkseal(?:-net|-mka)?:[^:]*:(\d+):/gm;

/**
 * Returns the number of the user who makes a socket foreign: root, this user or a service of
 * linkseal did not make it. Only they may own its folder. Where others may write to the folder,
 * only they may own the socket too; elsewhere it may belong to the user that strongSwan's charon
 * runs as. undefined = the socket is believed. `own`: number of this process's effective user.
 */
export function foreignOwner(path: string, own = process.geteuid?.()): number | undefined {
  const others = ownersOf(path).filter((uid) => uid !== 0 && uid !== own);
  if (others.length === 0) return undefined;
  const users = serviceUsers();
  return others.find((uid) => !users.has(uid));
}

/**
 * Refuses a socket that has a foreign owner.
 * @throws LinksealError `transport.unreachable`, with effect "none"
 */
export function refuseForeign(path: string): void {
  const foreign = foreignOwner(path);
  if (foreign === undefined) return;
  const whose = `is of uid ${foreign}: neither root, this user nor linkseal`;
  const text = `the socket or its folder ${whose}; nothing was sent to it`;
  throw new LinksealError("transport.unreachable", text, {
    effect: "none",
    where: path,
    next: `ls -ld ${dirname(path)} ${path}`,
  });
}

function ownersOf(path: string): readonly number[] {
  try {
    const folder = statSync(dirname(path));
    const isShared = (folder.mode & 0o022) !== 0;
    return isShared ? [folder.uid, lstatSync(path).uid] : [folder.uid];
  } catch {
    // There is none, or this user may not open it: connecting to it fails too.
    return [];
  }
}

function serviceUsers(): ReadonlySet<number> {
  try {
    const users = readFileSync("/etc/passwd", "utf8");
    return new Set([...users.matchAll(services)].map(([, uid]) => Number(uid)));
  } catch {
    return new Set();
  }
}
