// The process that speaks SNMPv2c, and does nothing else: one request on standard input, one reply
// on standard output. Its library may fail on what it reads; no code of the agent is in this
// process.

import type { RemoteInfo } from "node:dgram";
import snmp, { type VarBind } from "snmp-native";

interface Query {
  readonly host: string;
  readonly family: "udp4" | "udp6";
  readonly port: number;
  readonly community: string;
  readonly roots: readonly string[];
  readonly leaves: readonly string[];
  readonly valuesMax: number;
  readonly timeouts: readonly number[];
}

const unprivilegedId = 65_534;
/** Characters of the names and values below one root. */
const replyLengthMax = 4 * 1024 * 1024;
/** Types of the library that mean "no such value". */
const absent: ReadonlySet<number> = new Set([0x05, 0x80, 0x81, 0x82]);
const kinds: ReadonlyMap<number, "signed" | "unsigned" | "octets"> = new Map([
  [0x02, "signed"],
  [0x04, "octets"],
  [0x41, "unsigned"],
  [0x42, "unsigned"],
  [0x43, "unsigned"],
  [0x46, "unsigned"],
]);

type Row = readonly [oid: string, kind: string, value: string];

function answer(result: { readonly values: readonly Row[] } | { readonly fault: string }): void {
  process.stdout.write(JSON.stringify(result), () => process.exit(0));
}

/** Drops the rights of an administrator before anything from outside is read. */
function becomeNobody(): void {
  if (process.geteuid?.() !== 0) return;
  process.setgroups?.([]);
  process.setgid?.(unprivilegedId);
  process.setuid?.(unprivilegedId);
}

async function readQuery(): Promise<Query> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as Query;
}

function openSession({ host, family, port, community, timeouts }: Query) {
  const session = new snmp.Session({ host, family, port, community, timeouts });
  const { socket } = session;
  const [heard] = socket.listeners("message");
  socket.removeAllListeners("message");
  socket.on("message", (message: Buffer, from: RemoteInfo) => {
    if (from.address === host && from.port === port) heard?.call(socket, message, from);
  });
  // A datagram that cannot be read counts as lost on the wire.
  session.on("error", () => undefined);
  return session;
}

type Session = ReturnType<typeof openSession>;
type Ask = (answered: (error: Error | null, varbindsOf?: readonly VarBind[]) => void) => void;

function varbindsOf(ask: Ask): Promise<readonly VarBind[]> {
  return new Promise((resolve, reject) => {
    ask((error, values) => (error === null ? resolve(values ?? []) : reject(error)));
  });
}

const numbersOf = (oid: string): readonly number[] => oid.split(".").map(Number);

function isAfter(oid: readonly number[], before: readonly number[]): boolean {
  const at = oid.findIndex((part, index) => part !== before[index]);
  return at >= 0 && (oid[at] ?? 0) > (before[at] ?? -1);
}

/** Returns texts, because a value of the library keeps the whole datagram in memory. */
async function walk(session: Session, root: readonly number[], max: number) {
  const found: Row[] = [];
  let length = 0;
  for (let at = root; found.length <= max && length <= replyLengthMax; ) {
    const [one] = await varbindsOf((answered) => session.getNext({ oid: [...at] }, answered));
    if (one === undefined || absent.has(one.type)) return found;
    if (root.some((part, index) => part !== one.oid[index])) return found;
    if (!isAfter(one.oid, at)) throw new Error("unparsed");
    at = one.oid;
    const row = rowOf(one);
    length += row.join().length;
    found.push(row);
  }
  throw new Error("tooMany");
}

function rowOf({ oid, type, valueRaw }: VarBind): Row {
  const name = oid.join(".");
  const bits = 8 * valueRaw.length;
  const hex = valueRaw.toString("hex");
  const unsigned = hex === "" ? 0n : BigInt(`0x${hex}`);
  switch (kinds.get(type)) {
    case "signed":
      return [name, "number", BigInt.asIntN(bits, unsigned).toString()];
    case "unsigned":
      return [name, "number", BigInt.asUintN(64, unsigned).toString()];
    case "octets":
      return [name, "octets", hex];
    case undefined:
      throw new Error("unparsed");
  }
}

async function read(): Promise<readonly Row[]> {
  const asked = await readQuery();
  const session = openSession(asked);
  const rows: Row[] = [];
  const keep = (one: VarBind): void => {
    if (!absent.has(one.type)) rows.push(rowOf(one));
  };
  if (asked.leaves.length > 0) {
    const oids = asked.leaves.map(numbersOf);
    const values = await varbindsOf((answered) =>
      session.getAll({ oids, abortOnError: true }, answered),
    );
    for (const one of values) if (asked.leaves.includes(one.oid.join("."))) keep(one);
  }
  for (const root of asked.roots) {
    const max = asked.valuesMax - rows.length;
    rows.push(...(await walk(session, numbersOf(root), max)));
  }
  return rows;
}

becomeNobody();
process.on("uncaughtException", () => answer({ fault: "unparsed" }));
try {
  answer({ values: await read() });
} catch (error) {
  const result = error instanceof Error ? error.message : "";
  const fault = result === "Timeout" ? "timeout" : result === "tooMany" ? result : "unparsed";
  answer({ fault });
}
