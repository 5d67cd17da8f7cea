// The options of each verb that asks the engine of many sites, and the login that they name.

import { resolve } from "node:path";
import type { Command } from "commander";
import type { HubLogin } from "../host/hub-session.ts";
import { usage } from "./failure.ts";
import { withExample } from "./shape.ts";

/** Where the engine is, and the hub's user. */
export interface EngineOptions {
  readonly json?: true;
  readonly server: string;
  readonly ca?: string;
  readonly key: string;
}

/** Adds an example and the options of the engine. */
export function withEngineOptions(command: Command, example: string): Command {
  return withExample(command, example)
    .requiredOption("--server <url>", "tls://HOST:PORT, or nats://127.0.0.1:PORT of this host")
    .option("--ca <file>", "certificates that alone may certify the server; else the host's")
    .requiredOption("--key <file>", "the seed of a hub's user")
    .option("--json", "one JSON document on standard output");
}

/**
 * Returns the login of the options.
 * @throws LinksealError with `usage`
 */
export async function loginOf({ server, ca, key }: EngineOptions): Promise<HubLogin> {
  if (!/^(tls:\/\/[\w.[\]:-]+|nats:\/\/127\.0\.0\.1):\d{1,5}$/.test(server)) {
    const text = "--server is tls://HOST:PORT, or nats://127.0.0.1:PORT of this host";
    throw usage(text, "linkseal hub --help");
  }
  const { hubInbox } = await import("../fleet/server-accounts.ts");
  return {
    ...{ servers: [server], key: `file:${resolve(key)}`, inbox: hubInbox },
    ...(ca === undefined ? {} : { ca }),
  };
}
