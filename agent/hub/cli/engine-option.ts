// The options by which a hub's verb finds the engine of many sites.

import { resolve } from "node:path";
import type { Command } from "commander";
import { usage } from "../../cli/failure.ts";
import { withExample } from "../../cli/shape.ts";

/** Where the engine is, and as whom to ask it. */
export interface EngineOptions {
  readonly json?: true;
  readonly server: string;
  readonly ca?: string;
  readonly key: string;
}

/** Completes a verb that asks the engine with its example and these options. */
export function withEngineOptions(command: Command, example: string): Command {
  return asHub(command, example).option("--json", "one JSON document on standard output");
}

/** The same for a service, which has no result. */
export function asHub(command: Command, example: string): Command {
  return withExample(command, example)
    .requiredOption("--server <url>", "tls://HOST:PORT, or nats://127.0.0.1:PORT of this host")
    .option("--ca <file>", "certificates that alone may certify the server; else the host's")
    .requiredOption("--key <file>", "the seed of a hub's user");
}

/**
 * Returns how to sign in as a hub.
 * @throws LinksealError with `usage` for an address that is none
 */
export async function loginOf({ server, ca, key }: EngineOptions) {
  if (!/^(tls:\/\/[\w.[\]:-]+|nats:\/\/127\.0\.0\.1):\d{1,5}$/.test(server)) {
    throw usage(
      "--server is tls://HOST:PORT, or nats://127.0.0.1:PORT of this host",
      "linkseal hub --help",
    );
  }
  const { hubInbox } = await import("../server-accounts.ts");
  return {
    ...{ servers: [server], key: `file:${resolve(key)}`, inbox: hubInbox },
    ...(ca === undefined ? {} : { ca }),
  };
}
