// Connections of a hub's commands to the engine, and what they read of this host.

import { generateKeyPairSync } from "node:crypto";
import { open } from "node:fs/promises";
import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import { type NatsSession, withSession } from "../../fleet/nats-session.ts";
import { seedLine, userPublicKey } from "../../fleet/nkey.ts";
import { hostClock } from "../../host/clock.ts";
import { hostDialer } from "../../host/dialer.ts";
import { type EngineLogin, openerOf } from "../../host/engine-stream.ts";
import { hostEntropy } from "../../host/entropy.ts";
import { errnoOf } from "../../host/folder.ts";

const monitorMsMax = 10_000;

/** Who asks the engine, and the prefix of the subjects on which replies arrive. */
export interface HubLogin extends EngineLogin {
  /** Prefix of those subjects. */
  readonly inbox: string;
}

/**
 * Runs `f` on a connection to the engine.
 * @throws LinksealError
 */
export async function withEngine<T>(
  { inbox, ...login }: HubLogin,
  f: (session: NatsSession) => Promise<T>,
): Promise<T> {
  const { channel, key } = await openerOf(login)(new AbortController().signal);
  const world: Pick<World, "clock" | "entropy"> = { clock: hostClock, entropy: hostEntropy };
  const parts = { world, inbox, name: "linkseal hub", key };
  return await withSession(parts, channel, login.servers[0] ?? "", f);
}

/**
 * Writes the seed of a new user to a file that must not exist, mode 0600; resolves to the public
 * key.
 * @throws LinksealError with `usage`
 */
export async function writeUserKey(path: string): Promise<string> {
  const pair = generateKeyPairSync("ed25519");
  const { x = "" } = pair.publicKey.export({ format: "jwk" });
  const der = pair.privateKey.export({ format: "der", type: "pkcs8" });
  const line = seedLine(der.subarray(-32));
  der.fill(0);
  try {
    await using file = await open(path, "wx", 0o600);
    await file.write(line);
    await file.sync();
  } catch (error) {
    const text = `${path} cannot be made (${errnoOf(error)})`;
    throw new LinksealError("usage", text, {
      ...{ effect: "none", where: path, next: "linkseal hub key --help" },
    });
  } finally {
    line.fill(0);
  }
  return userPublicKey(Buffer.from(x, "base64url"));
}

/**
 * Returns the server's description of itself, from its monitoring port on this host.
 * @throws LinksealError
 */
export async function readVarz(monitor: string, replyBytesMax: number): Promise<Uint8Array> {
  const request = { to: monitor, method: "GET", path: "/varz", replyBytesMax } as const;
  const reply = await hostDialer.http(request, AbortSignal.timeout(monitorMsMax));
  return reply.body;
}
