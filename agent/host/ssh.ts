// What an SSH login needs from this host: the private key, known hosts, and the socket of an
// ssh-agent.

import { lstat, readFile } from "node:fs/promises";
import type { SshMaterial } from "#drivers/transport/shell.ts";
import { LinksealError } from "#hal/error.ts";
import { credentialPath } from "./credential-path.ts";
import { secretFault } from "./credentials.ts";
import { errnoOf, ownUid } from "./folder.ts";

const keyBytesMax = 64 * 1024;
const knownHostsBytesMax = 16 * 1024 * 1024;

export const sshMaterial: SshMaterial = {
  key: async (reference) => {
    const path = await credentialPath(reference, (text, next) => unusable(reference, text, next));
    return await readOwn(path, keyBytesMax, 0o077);
  },
  // A user who may write the file decides which hosts are trusted.
  knownHosts: async (path) => (await readOwn(path, knownHostsBytesMax, 0o022)).toString("utf8"),
  agentSocket: () => process.env["SSH_AUTH_SOCK"],
};

/** Returns the host key that a router presents at a TCP port; no login is attempted. */
export async function shownHostKey(address: string, port: number): Promise<string> {
  const { shownKey } = await import("#drivers/transport/shell.ts");
  return await shownKey(address, port);
}

async function readOwn(path: string, bytesMax: number, forbidden: number): Promise<Buffer> {
  const failed = (error: unknown): never => {
    throw unusable(path, `the file cannot be read (${errnoOf(error)})`);
  };
  const stat = await lstat(path).catch(failed);
  const fault = await secretFault(path, stat, { bytesMax, owners: [0, ownUid()], forbidden });
  if (fault !== undefined) throw unusable(path, `the file is not used: ${fault}`);
  return await readFile(path).catch(failed);
}

function unusable(
  where: string,
  text: string,
  next = "correct it, then linkseal doctor",
): LinksealError {
  return new LinksealError("transport.authentication", text, { effect: "none", where, next });
}
