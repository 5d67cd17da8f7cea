// SNMPv2c, for a device that offers nothing better. Its library runs in a process of its own, which
// gets the community on standard input and replies in one form.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { LinksealError } from "#hal/error.ts";
import { parseJson } from "#hal/json.ts";
import type { SnmpQuery, SnmpValue } from "#hal/world.ts";
import { runProgram } from "./exec.ts";

export interface LegacyQuery extends SnmpQuery {
  /** An address, because the process uses no name service. */
  readonly host: string;
  readonly family: "udp4" | "udp6";
  readonly port: number;
  readonly community: Buffer;
  readonly timeouts: readonly number[];
}

const heapMegabytes = 48;
const textMax = 4_096;
/** A list of three values, and what divides it from the next. */
const valuesOfRow = 4;

// Path beside the sources, or in the bundle.
const script = ["./snmp-legacy-child.ts", "./snmp-legacy-child.js"]
  .map((name) => fileURLToPath(new URL(name, import.meta.url)))
  .find((path) => existsSync(path));
const root = fileURLToPath(
  new URL(script?.endsWith(".ts") === true ? "../.." : "..", import.meta.url),
);

/** Lets the process read its own program, and neither write nor start anything. */
function argvOf(): readonly string[] {
  return [
    process.execPath,
    `--max-old-space-size=${heapMegabytes}`,
    "--disallow-code-generation-from-strings",
    "--no-warnings",
    "--permission",
    `--allow-fs-read=${root}/*`,
    script ?? "",
  ];
}

/**
 * Reads values in the other process. An abort kills it.
 * @throws LinksealError `transport.*` or `device.unparsed`, with effect "none".
 */
export async function askLegacy(
  device: string,
  { community, ...query }: LegacyQuery,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, SnmpValue>> {
  const text = community.toString("utf8");
  const asked = Buffer.from(JSON.stringify({ ...query, community: text }));
  try {
    const { status, stdout } = await runProgram(argvOf(), asked, signal);
    // Its heap was too small for the reply, or it was killed from outside.
    if (status !== 0) throw failed("transport.closed", "its reader ended", device);
    return readReply(stdout, query.valuesMax, device);
  } finally {
    asked.fill(0);
  }
}

const faults: ReadonlyMap<unknown, readonly ["transport.timeout" | "transport.closed", string]> =
  new Map([
    ["timeout", ["transport.timeout", "its SNMP agent does not answer"]],
    ["tooMany", ["transport.closed", "it reports more values than are wanted"]],
  ]);

/** Reads the only form that is accepted; exported for the tests of other forms. */
export function readReply(
  reply: Uint8Array,
  valuesMax: number,
  device: string,
): ReadonlyMap<string, SnmpValue> {
  const unparsed = (): LinksealError =>
    failed("device.unparsed", "its SNMP agent's answer is not understood", device);
  const parsed = jsonOf(reply, valuesMax);
  if (typeof parsed !== "object" || parsed === null) throw unparsed();
  if ("fault" in parsed) {
    const known = faults.get(parsed.fault);
    throw known === undefined ? unparsed() : failed(known[0], known[1], device);
  }
  const rows: unknown = "values" in parsed ? parsed.values : undefined;
  if (!Array.isArray(rows) || rows.length > valuesMax) throw unparsed();
  const values = new Map<string, SnmpValue>();
  for (const row of rows) {
    const [oid, value] = rowOf(row) ?? [];
    if (oid === undefined || value === undefined) throw unparsed();
    values.set(oid, value);
  }
  return values;
}

function jsonOf(reply: Uint8Array, rowsMax: number): unknown {
  try {
    const limits = { values: valuesOfRow * (rowsMax + 1) };
    return parseJson(new TextDecoder().decode(reply), limits);
  } catch {
    return undefined;
  }
}

function rowOf(row: unknown): readonly [string, SnmpValue] | undefined {
  if (!Array.isArray(row) || row.length !== 3) return undefined;
  const [oid, kind, text]: readonly unknown[] = row;
  if (typeof oid !== "string" || typeof text !== "string" || text.length > textMax)
    return undefined;
  if (!/^\d{1,10}(\.\d{1,10}){1,127}$/.test(oid)) return undefined;
  if (kind === "number" && /^-?\d{1,20}$/.test(text)) {
    return [oid, { kind, value: BigInt(text) }];
  }
  if (kind === "octets" && /^([0-9a-f]{2})*$/.test(text)) {
    return [oid, { kind, value: Uint8Array.from(Buffer.from(text, "hex")) }];
  }
  return undefined;
}

function failed(
  code: "transport.timeout" | "transport.closed" | "device.unparsed",
  text: string,
  where: string,
): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next: "linkseal doctor" });
}
