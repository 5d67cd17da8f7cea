// Signs a text by ssh-keygen, which knows agents, pass phrases and security keys.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { LinksealError } from "#hal/error.ts";
import { signatureLengthMax } from "../../fleet/ssh-signature.ts";
import { errnoOf } from "../../host/folder.ts";

/**
 * Returns the signature of a text in OpenSSH's format. `key`: file of a private key, or of a public
 * key whose private half ssh-agent has. ssh-keygen asks on the terminal for what it needs.
 * @throws LinksealError with `usage`
 */
export async function signWithSsh(key: string, namespace: string, text: string): Promise<string> {
  const words = ["-q", "-Y", "sign", "-n", namespace, "-f", resolve(key)];
  const child = spawn("ssh-keygen", words, { stdio: ["pipe", "pipe", "inherit"] });
  const failed = (why: string): LinksealError =>
    new LinksealError("usage", `ssh-keygen has made no signature: ${why}`, {
      ...{ effect: "none", where: key, next: "ssh-keygen -lf KEY, or ssh-add -l" },
    });
  let signature = "";
  child.stdout.on("data", (octets: Buffer) => {
    if (signature.length <= signatureLengthMax) signature += octets.toString("latin1");
  });
  // A program that does not read its input may end before it was written.
  child.stdin.on("error", () => undefined).end(text);
  const [status] = (await once(child, "close").catch((error: unknown) => {
    throw failed(`it cannot be run (${errnoOf(error)})`);
  })) as [number | null];
  if (status !== 0) throw failed(`it ended with ${status ?? "a signal"}`);
  return signature;
}
