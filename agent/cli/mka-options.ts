// The command line of `linkseal mka`, read without commander, which each process would keep in
// memory for all of its life. Help and mistakes are commander's.

import type { LogLevel } from "#hal/world.ts";

/** The values of `--log-level`. */
export const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** What the command line of an MKA process contains. */
export interface MkaCommandLine {
  /** Name of the port. */
  readonly port: string;
  /** Path of the socket; undefined = the default place. */
  readonly socket: string | undefined;
  /** Number or name of the user who may ask, in addition to the one of the process. */
  readonly client: string | undefined;
  /** Reference of the key that encrypts the saved keys; undefined = none are saved. */
  readonly keyCache: string | undefined;
  /** The least level that is logged. */
  readonly level: LogLevel;
}

const names: readonly string[] = ["--socket", "--client", "--key-cache", "--log-level"];

/**
 * Reads a port and `--NAME VALUE`, each at most once; undefined = there is something else, which
 * commander reads or refuses.
 */
export function mkaOptions(argv: readonly string[]): MkaCommandLine | undefined {
  const found = new Map<string, string>();
  const words = argv[Symbol.iterator]();
  for (const word of words) {
    const name = names.includes(word) ? word : "port";
    const value = name === "port" ? word : words.next().value;
    if (value === undefined || value.startsWith("-") || found.has(name)) return undefined;
    found.set(name, value);
  }
  const port = found.get("port");
  const asked = found.get("--log-level") ?? "info";
  const level = logLevels.find((known) => known === asked);
  if (port === undefined || level === undefined) return undefined;
  const [socket, client] = [found.get("--socket"), found.get("--client")];
  return { port, socket, client, keyCache: found.get("--key-cache"), level };
}
