// Which Unix sockets of this host are believed: a socket that another user has made would get keys,
// and could answer in the place of a service.

import { lstat, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { LinksealError } from "#hal/error.ts";

/** The users that the units of linkseal run as. */
const services = /^linkseal(?:-net|-mka)?:[^:]*:(\d+):/gm;

/**
 * Refuses a socket that root, this user or a service of linkseal did not make. Only they may own
 * its folder. Where others may write to the folder, only they may own the socket too; elsewhere it
 * may belong to the user that strongSwan's charon runs as.
 * @throws LinksealError `transport.unreachable`, with effect "none"
 */
export async function refuseForeign(path: string): Promise<void> {
  const owners = await ownersOf(path);
  const isOwn = (uid: number): boolean => uid === 0 || uid === process.geteuid?.();
  const others = owners.filter((uid) => !isOwn(uid));
  if (others.length === 0) return;
  const users = await serviceUsers();
  const foreign = others.find((uid) => !users.has(uid));
  if (foreign === undefined) return;
  const whose = `is of uid ${foreign}: neither root, this user nor linkseal`;
  const text = `the socket or its folder ${whose}; nothing was sent to it`;
  throw new LinksealError("transport.unreachable", text, {
    effect: "none",
    where: path,
    next: `ls -ld ${dirname(path)} ${path}`,
  });
}

async function ownersOf(path: string): Promise<readonly number[]> {
  try {
    const folder = await stat(dirname(path));
    const isShared = (folder.mode & 0o022) !== 0;
    return isShared ? [folder.uid, (await lstat(path)).uid] : [folder.uid];
  } catch {
    // There is none, or this user may not open it: connecting to it fails too.
    return [];
  }
}

async function serviceUsers(): Promise<ReadonlySet<number>> {
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  return new Set([...users.matchAll(services)].map(([, uid]) => Number(uid)));
}
