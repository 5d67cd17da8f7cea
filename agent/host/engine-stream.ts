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
    const text = `the certificates cannot be read (${errnoOf(error)})`;
    throw unreachable(path, { text, next: "let this process's user read them" });
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
    const failed = (error: unknown): void =>
      give(unreachable(server, whyNot(server, errnoOf(error))));
    const late = (): void => give(unreachable(server, silent));
    // It stays, because an error that nothing listens for ends the process.
    socket.on("error", () => undefined);
    socket.once("error", failed).once(event, ready).once("timeout", late).setTimeout(connectMsMax);
    socket.setNoDelay(true);
    signal.addEventListener("abort", aborted, { once: true });
    if (signal.aborted) aborted();
  });
}

interface Cause {
  readonly text: string;
  readonly next: string;
}

const certificate = "/etc/nats/server-cert.pem, then systemctl restart nats-server";
const silent: Cause = {
  text: "it does not answer",
  next: "look at the path: systemctl status nats-server on its host, and a firewall between",
};
const inClear: Cause = {
  text: "it does not begin with TLS: its configuration needs handshake_first",
  next: "linkseal hub config writes it; then systemctl restart nats-server",
};
const expired: Cause = {
  text: "its certificate has expired, by this host's clock",
  next: `renew ${certificate}`,
};
const early: Cause = {
  text: "its certificate is not valid yet, by this host's clock",
  next: "look at both clocks: timedatectl",
};
const uncertified: Cause = {
  text: "its certificate is of no authority that is trusted here",
  next: "name the authority's certificates: fleet.ca in a site's config, --ca at a hub",
};
const causes: Readonly<Record<string, Cause>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: inClear,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: inClear,
  CERT_HAS_EXPIRED: expired,
  CERT_NOT_YET_VALID: early,
  DEPTH_ZERO_SELF_SIGNED_CERT: uncertified,
  SELF_SIGNED_CERT_IN_CHAIN: uncertified,
  UNABLE_TO_GET_ISSUER_CERT: uncertified,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: uncertified,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: uncertified,
  CERT_SIGNATURE_FAILURE: uncertified,
  ECONNREFUSED: {
    text: "nothing listens there",
    next: "systemctl status nats-server, on its host",
  },
  ENOTFOUND: { text: "its name is not known here", next: "resolvectl query, with its name" },
};

function whyNot(server: string, code: string): Cause {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const text = `its certificate does not name ${new URL(server).hostname} (${code})`;
    return { text, next: `connect by a name of the certificate, or renew ${certificate}` };
  }
  const { text, next } = causes[code] ?? { ...silent, text: "no protected connection" };
  return { text: `${text} (${code})`, next };
}

function unreachable(where: string, { text, next }: Cause): LinksealError {
  return new LinksealError("transport.unreachable", text, { effect: "none", where, next });
}
