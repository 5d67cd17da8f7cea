// Names the frames of a session with `linkseal peer`, as a table of cuts lists them.

import { readArguments } from "#drivers/linux/peer/protocol.ts";

const mkaVerbs = ["", "stage", "apply", "confirm", "recall", "rollback", "observe", "changes"];

interface Line {
  readonly kind: string;
  readonly id?: number;
  readonly method?: string;
  readonly path?: string;
}

/** Returns a function that names each frame: a request, or the answer to which request. */
export function frameKinds(): (way: "there" | "back", octets: Uint8Array) => string {
  const asked = new Map<number, string>();
  return (way, octets) => {
    const whole = Buffer.from(octets.buffer, octets.byteOffset, octets.length);
    const end = whole.indexOf("\n");
    const line = JSON.parse(whole.toString("utf8", 0, end)) as Line;
    if (line.kind === "hello") asked.clear();
    if (way === "back") return asked.get(line.id ?? -1) ?? line.kind;
    const kind = requestKind(line, whole.subarray(end + 1));
    if (line.id !== undefined && line.kind !== "end") asked.set(line.id, kind);
    return kind;
  };
}

function requestKind({ kind, method, path = "" }: Line, octets: Buffer): string {
  if (kind === "net") return `net ${method === "GET" ? "capabilities" : path.split("/").at(-1)}`;
  if (kind === "mka") return `mka ${mkaVerbs[octets[0] ?? 0]}`;
  if (kind !== "run") return kind;
  const argv = readArguments(Buffer.from(octets));
  if (argv.includes("configure terminal")) return "frr write";
  return argv[0] === "vtysh" ? "frr read" : (argv[0] ?? "");
}
