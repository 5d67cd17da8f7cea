// The users at the other ends of the local sockets of a process: which of them may ask, and who
// asked.

import { readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import type { Credentials, Native } from "#drivers/transport/native.ts";
import { LinksealError } from "#hal/error.ts";
import type { Log } from "#hal/world.ts";
import { type Client, unknownClient } from "../model/client.ts";
import { descriptorOf } from "./listener.ts";

/** The part of the addon that reads credentials. */
export type CredentialReader = Pick<Native, "peerCredentials">;

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
  native: CredentialReader,
  users: ReadonlySet<number>,
  socket: Socket,
  log: Log,
): boolean {
  const uid = credentialsOf(native, socket)?.uid;
  if (uid !== undefined && users.has(uid)) return true;
  log.write(
    "warn",
    "client-refused",
    uid === undefined ? "the client is gone" : `uid ${uid} may not ask`,
  );
  return false;
}

/**
 * Returns who connected to a socket of the agent. It is called before an octet is read: by then
 * almost no process has ended, so that its number is not another's.
 */
export function clientOf(
  native: CredentialReader | undefined,
  role: Client["socket"],
  socket: Socket,
): Client {
  const found = native === undefined ? undefined : credentialsOf(native, socket);
  if (found === undefined) return unknownClient(role);
  const { uid, gid, pid } = found;
  const subuidOf = subuidOwner(uid);
  const client = { socket: role, uid, gid, pid, loginUid: loginUidOf(found) };
  return subuidOf === undefined ? client : { ...client, subuidOf };
}

// A closed connection has no descriptor, or one without another end.
function credentialsOf(native: CredentialReader, socket: Socket): Credentials | undefined {
  const descriptor = descriptorOf(socket);
  if (descriptor === undefined) return undefined;
  try {
    return native.peerCredentials(descriptor);
  } catch {
    return undefined;
  }
}

/** The kernel's number for "no login set it". */
const unsetUid = 0xffff_ffff;

/**
 * Returns the login uid of a process; null = /proc does not show it (`ProtectProc=` hides other
 * users' processes), no login set it, or the number belongs to a process of another user by now.
 * `folder`: where /proc is.
 */
export function loginUidOf(
  { pid, uid }: Pick<Credentials, "pid" | "uid">,
  folder = "/proc",
): number | null {
  try {
    const path = `${folder}/${pid}`;
    if (statSync(path).uid !== uid) return null;
    const text = readFileSync(`${path}/loginuid`, "latin1").trim();
    const found = /^\d{1,10}$/.test(text) ? Number(text) : unsetUid;
    return found === unsetUid ? null : found;
  } catch {
    return null;
  }
}

/** Longer lists are not read: each client would wait for it. */
const subuidBytesMax = 1 << 20;

/**
 * Returns the user, by name or number, to whom a list of subuid(5) gives a uid: in a user namespace
 * a process of that user may run as it, and keeps the groups that open a socket. undefined = the
 * list does not have it, or cannot be read.
 */
export function subuidOwner(uid: number, file = "/etc/subuid"): string | undefined {
  try {
    if (statSync(file).size > subuidBytesMax) return undefined;
    for (const line of readFileSync(file, "latin1").split("\n")) {
      const [, owner, from, count] = /^([\w.@$\\-]{1,64}):(\d{1,10}):(\d{1,10})$/.exec(line) ?? [];
      if (uid >= Number(from) && uid < Number(from) + Number(count)) return owner;
    }
  } catch {
    // A host without user namespaces has no such list.
  }
  return undefined;
}
