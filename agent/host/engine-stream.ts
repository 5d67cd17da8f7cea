// Streams to the servers of the engine: TLS from the first octet, so that nothing is read from a
// server that is not certified, or plain TCP within this host.

import { createPublicKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { streamOver } from "#drivers/transport/stream.ts";
import { LinksealError } from "#hal/error.ts";
import type { StreamChannel } from "#hal/world.ts";
import { signerOf } from "../evidence/report/sign.ts";
import { privateOctets, type UserKey, userPublicKey } from "../fleet/nkey.ts";
import type { FleetSettings } from "../model/desired.ts";
import { errnoOf } from "./folder.ts";
import { headerSecret } from "./header.ts";

const connectMsMax = 10_000;

/** Where the engine is, and who asks. */
export type EngineLogin = Pick<FleetSettings, "servers" | "ca" | "key">;

/**
 * Returns the opener of an engine's streams: each call reads the key anew and tries the next
 * server.
 */
export function openerOf(
  login: EngineLogin,
): (signal: AbortSignal) => Promise<{ readonly channel: StreamChannel; readonly key: UserKey }> {
  let turn = 0;
  return async (signal) => {
    const server = login.servers[turn % login.servers.length] ?? "";
    turn += 1;
    const key = await userKey(login.key);
    return { channel: await openServer(server, login.ca, signal), key };
  };
}

/**
 * Reads the seed of a user.
 * @throws LinksealError with `transport.authentication`
 */
async function userKey(reference: string): Promise<UserKey> {
  using line = await headerSecret(reference);
  using octets = privateOctets(line);
  if (octets === undefined) {
    throw new LinksealError("transport.authentication", "it is not the seed of a user", {
      effect: "none",
      where: reference,
      next: "linkseal hub key FILE",
    });
  }
  const signer = signerOf(octets);
  return {
    publicKey: userPublicKey(publicOctets(signer.publicKey)),
    sign: (nonce) => Buffer.from(signer.sign(nonce), "base64").toString("base64url"),
  };
}

/** The 32 octets of an Ed25519 public key in PEM. */
export function publicOctets(pem: string): Uint8Array {
  const { x = "" } = createPublicKey(pem).export({ format: "jwk" });
  return Buffer.from(x, "base64url");
}

async function openServer(
  server: string,
  ca: string | undefined,
  signal: AbortSignal,
): Promise<StreamChannel> {
  const { protocol, hostname, port } = new URL(server);
  const host = hostname.replace(/^\[|\]$/g, "");
  const where = { host, port: Number(port) };
  if (protocol === "nats:") return await opened(connectPlain(where), "connect", server, signal);
  const socket = connectTls({
    ...where,
    minVersion: "TLSv1.3",
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca: await readCa(ca) }),
  });
  return await opened(socket, "secureConnect", server, signal);
}

async function readCa(path: string): Promise<Buffer> {
  return await readFile(path).catch((error: unknown) => {
    throw unreachable(path, `the certificates cannot be read (${errnoOf(error)})`);
  });
}

function opened(
  socket: Socket,
  event: "connect" | "secureConnect",
  server: string,
  signal: AbortSignal,
): Promise<StreamChannel> {
  return new Promise((resolve, reject) => {
    const give = (error: unknown): void => {
      signal.removeEventListener("abort", aborted);
      socket.off(event, ready).destroy();
      reject(error);
    };
    const aborted = (): void => give(signal.reason);
    const ready = (): void => {
      signal.removeEventListener("abort", aborted);
      socket.setTimeout(0).off("error", failed).off("timeout", late);
      resolve(streamOver(socket, server));
    };
    const failed = (error: unknown): void => give(unreachable(server, whyNot(errnoOf(error))));
    const late = (): void => give(unreachable(server, "it does not answer"));
    // It stays, because an error that nothing listens for ends the process.
    socket.on("error", () => undefined);
    socket.once("error", failed).once(event, ready).once("timeout", late).setTimeout(connectMsMax);
    socket.setNoDelay(true);
    signal.addEventListener("abort", aborted, { once: true });
    if (signal.aborted) aborted();
  });
}

function whyNot(code: string): string {
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG") {
    return "it does not begin with TLS: its configuration needs handshake_first";
  }
  return `no protected connection (${code})`;
}

function unreachable(where: string, text: string): LinksealError {
  const next = "linkseal hub doctor, and fleet in the config";
  return new LinksealError("transport.unreachable", text, { effect: "none", where, next });
}
