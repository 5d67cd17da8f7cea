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
}

/** Returns a client of whom only the socket is known. */
export function unknownClient(socket: Client["socket"]): Client {
  return { socket, uid: null, gid: null, pid: null, loginUid: null };
}

/** Returns the client as one phrase, for records and for people. */
export function clientText({ socket, uid, gid, pid, loginUid }: Client): string {
  if (uid === null) return `${socket} socket: user unknown`;
  const parts = [
    `uid ${uid}`,
    ...(gid === null ? [] : [`gid ${gid}`]),
    pid === null ? "several processes" : `pid ${pid}`,
    `login uid ${loginUid ?? "unknown"}`,
  ];
  return `${socket} socket: ${parts.join(", ")}`;
}
