// The real Dialer: HTTP exchanges, this host's routes, its name service and its programs.

import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { isIP, isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { fillCommand } from "#drivers/index.ts";
import { runProgram } from "#drivers/transport/exec.ts";
import { askFramed } from "#drivers/transport/framed.ts";
import type { Shells } from "#drivers/transport/shell.ts";
import type { SnmpAgents } from "#drivers/transport/snmp.ts";
import { openStream } from "#drivers/transport/stream.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { Dialer } from "#hal/world.ts";
import { exchange } from "./exchange.ts";
import { snmpMaterial } from "./snmp.ts";
import { sshMaterial } from "./ssh.ts";

/** Everything outside of this process, through this host. */
export const hostDialer: Dialer = {
  http: (request, signal) => exchange(request, signal, fillCommand),
  exec: runProgram,
  framed: askFramed,
  stream: openStream,
  channel: async (to, kind, signal) => await (await loadShells()).channel(to, kind, signal),
  snmp: async (to, question, signal) => await (await loadAgents()).ask(to, question, signal),
  async routeTo(address, signal) {
    signal.throwIfAborted();
    if (!isIPv4(address)) return undefined;
    if (isOwnAddress(address)) return "lo";
    const table = await readFile("/proc/net/route", "latin1").catch(() => "");
    return portTo(address, table);
  },
  async resolve(host, signal) {
    signal.throwIfAborted();
    if (isIP(host) !== 0) return [host];
    try {
      const found = await Promise.race([lookup(host, { all: true }), aborted(signal)]);
      return found.map(({ address }) => address);
    } catch (error) {
      signal.throwIfAborted();
      throw failed("transport.unreachable", `${host} has no address`, "none", host, error);
    }
  },
};

let shells: Promise<Shells> | undefined;

// The SSH library is loaded by the first login, because most processes never log in.
function loadShells(): Promise<Shells> {
  shells ??= import("#drivers/transport/shell.ts").then((loaded) => new loaded.Shells(sshMaterial));
  return shells;
}

/**
 * Runs `use` and closes the SSH connections that stay open for a next session, so that a command
 * can end at once: their keepalives would hold it for two minutes.
 */
export async function closingConnections<T>(use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } finally {
    await (await shells)?.[Symbol.asyncDispose]();
    shells = undefined;
  }
}

let agents: Promise<SnmpAgents> | undefined;

function loadAgents(): Promise<SnmpAgents> {
  agents ??= import("#drivers/transport/snmp.ts").then(
    (loaded) => new loaded.SnmpAgents(snmpMaterial),
  );
  return agents;
}

function failed(
  code: ErrorCode,
  text: string,
  effect: "none" | "unknown",
  where: string,
  cause: unknown,
): LinksealError {
  return new LinksealError(code, text, { effect, where, next: "linkseal status", cause });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function isOwnAddress(address: string): boolean {
  if (address.startsWith("127.")) return true;
  return Object.values(networkInterfaces()).some((own) =>
    own?.some((item) => item.address === address),
  );
}

const routeUp = 0x1;
const routeReject = 0x200;

/**
 * Returns the port of the longest matching prefix in a table as /proc/net/route prints it;
 * undefined = no route, or one that rejects. The table only has the main IPv4 routes: other tables
 * and IPv6 stay unknown.
 */
export function portTo(address: string, table: string): string | undefined {
  // The kernel prints addresses in the byte order of memory; x64 and arm64 are both little-endian.
  const target = address.split(".").reduceRight((sum, octet) => sum * 256 + Number(octet), 0);
  const fits = table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([port, destination, , flags, , , metric, mask]) =>
      port === undefined || mask === undefined || metric === undefined
        ? []
        : {
            port,
            destination: Number.parseInt(destination ?? "", 16),
            flags: Number.parseInt(flags ?? "", 16),
            metric: Number(metric),
            mask: Number.parseInt(mask, 16),
          },
    )
    .filter((row) => (row.flags & routeUp) !== 0)
    .filter((row) => ((target ^ row.destination) & row.mask) === 0)
    .sort((a, b) => bitsOf(b.mask) - bitsOf(a.mask) || a.metric - b.metric);
  const best = fits[0];
  return best === undefined || (best.flags & routeReject) !== 0 ? undefined : best.port;
}

function bitsOf(mask: number): number {
  let bits = 0;
  for (let rest = mask; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  return bits;
}
