// Decides which users may ask a process of this host, by the number of the user.

import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import type { Native } from "#drivers/transport/native.ts";
import { LinksealError } from "#hal/error.ts";
import type { Log } from "#hal/world.ts";

/**
 * Returns the numbers of the users who may ask. `client`: number or name of a user, in addition to
 * the one that this process runs as.
 * @throws LinksealError with `usage` if there is no such user
 */
export async function usersWhoMayAsk(client: string | undefined): Promise<ReadonlySet<number>> {
  const own = process.geteuid?.() ?? 0;
  if (client === undefined) return new Set([own]);
  if (/^\d{1,10}$/.test(client)) return new Set([own, Number(client)]);
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n");
  const [, , uid] = lines.find((line) => line.startsWith(`${client}:`))?.split(":") ?? [];
  if (uid !== undefined) return new Set([own, Number(uid)]);
  throw new LinksealError("usage", `there is no user ${client}`, {
    effect: "none",
    where: "--client",
    next: "name the user that the agent runs as",
  });
}

/**
 * True if the kernel says that the client's user may ask; checked before an octet is read, and a
 * refusal is logged.
 */
export function mayAsk(
  native: Pick<Native, "peerCredentials">,
  users: ReadonlySet<number>,
  socket: Socket,
  log: Log,
): boolean {
  const uid = userOf(native, socket);
  if (uid !== undefined && users.has(uid)) return true;
  log.write(
    "warn",
    "client-refused",
    uid === undefined ? "the client is gone" : `uid ${uid} may not ask`,
  );
  return false;
}

/** Returns the number of the client's user; undefined = the client is gone. */
export function userOf(
  native: Pick<Native, "peerCredentials">,
  socket: Socket,
): number | undefined {
  // Node has no public access to the descriptor. A closed connection has none, or one without
  // another end.
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } };
  const descriptor = handle?.fd ?? -1;
  if (descriptor < 0) return undefined;
  try {
    return native.peerCredentials(descriptor).uid;
  } catch {
    return undefined;
  }
}
