// The client of a local socket, as the kernel reports it: who asked, in an audit record.

/** The process at the other end of a socket when it connected. Values are null where not known. */
export interface Client {
  /** The socket that it used. */
  readonly socket: "view" | "admin";
  /** Its effective user; null = there is no native addon, or many users asked. */
  readonly uid: number | null;
  /** Its effective group. */
  readonly gid: number | null;
  /** Its number when it connected; null also = several processes asked. */
  readonly pid: number | null;
  /** The user who logged in, whichever user the process runs as; null also = no login set it. */
  readonly loginUid: number | null;
  /**
   * The user, by name or number, to whom /etc/subuid gives `uid` for user namespaces; absent = the
   * list does not have it.
   */
  readonly subuidOf?: string;
}

/** A user whose requests, codes or viewers a limit counts; undefined = the kernel was not asked. */
export type User = number | string | undefined;

/** Returns the user as limits count users: with all subordinate uids, a user is one. */
export function userOf({ uid, subuidOf }: Client): User {
  return subuidOf ?? uid ?? undefined;
}

/** Returns a client of whom only the socket is known. */
export function unknownClient(socket: Client["socket"]): Client {
  return { socket, uid: null, gid: null, pid: null, loginUid: null };
}

/** Returns the client as one phrase, for records and for people. */
export function clientText({ socket, uid, gid, pid, loginUid, subuidOf }: Client): string {
  if (uid === null) return `${socket} socket: user unknown`;
  const parts = [
    subuidOf === undefined ? `uid ${uid}` : `uid ${uid} (a subordinate uid of ${subuidOf})`,
    ...(gid === null ? [] : [`gid ${gid}`]),
    pid === null ? "several processes" : `pid ${pid}`,
    `login uid ${loginUid ?? "unknown"}`,
  ];
  return `${socket} socket: ${parts.join(", ")}`;
}
