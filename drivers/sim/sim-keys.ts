// The vault of a simulated site with the operator's right to write.

import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { Command } from "#hal/secret.ts";
import type { KeyStore } from "#hal/vault.ts";
import type { Dialer } from "#hal/world.ts";
import { name, property } from "../local/shape.ts";
import { askJson, type LocalLine } from "../local/wire.ts";
import { simVault } from "./sim-azure.ts";

const replyBytesMax = 64 * 1024;

/** Returns the store. Its errors are `vault.*`; its signal bounds every call. */
export function simKeyStore(dial: Dialer, address: string): KeyStore {
  const line: LocalLine = { dial, address };
  const write = async (
    path: string,
    where: string,
    body: Command,
    signal: AbortSignal,
  ): Promise<string> => {
    const asked = { method: "POST", path, body, replyBytesMax, where, effect: "unknown" } as const;
    try {
      return await askJson(line, asked, property("id", name), signal);
    } catch (error) {
      throw asVault(error, where);
    }
  };
  return {
    ...simVault(dial, address),
    put(secretName, octets, tags, signal) {
      const hole = { secret: octets, as: "HEX" } as const;
      const body = [`{"tags":${encodeJson(tags)},"value":"`, hole, '"}'];
      return write(`/vault/secrets/${encodeURIComponent(secretName)}`, secretName, body, signal);
    },
    async tag(id, tags, signal) {
      const path = /(\/secrets\/[\w-]{1,127}\/[0-9a-f]{32})$/.exec(id)?.[1] ?? "";
      await write(`/vault${path}`, id, [encodeJson({ tags })], signal);
    },
  };
}

function asVault(error: unknown, where: string): unknown {
  if (!(error instanceof LinksealError) || error.code.startsWith("vault.")) return error;
  const { effect, message } = error;
  const details = { effect, where, next: "linkseal keys check", cause: error } as const;
  return new LinksealError("vault.unreachable", message, details);
}
