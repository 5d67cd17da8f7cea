// The vault of a simulated site with the right to write keys, or to mark them.

import { name, property } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { Command } from "#hal/secret.ts";
import type { KeyMarker, KeyStore } from "#hal/vault.ts";
import type { Dialer } from "#hal/world.ts";
import { askJson, type LocalLine } from "../local/wire.ts";
import { simVault } from "./sim-azure.ts";

const replyBytesMax = 64 * 1024;

/** Returns the store. Its errors are `vault.*`; its signal bounds every call. */
export function simKeyStore(dial: Dialer, address: string): KeyStore {
  return {
    ...simVault(dial, address),
    ...simMarker(dial, address),
    put(secretName, octets, tags, signal) {
      const hole = { secret: octets, as: "HEX" } as const;
      const body = [`{"tags":${encodeJson(tags)},"value":"`, hole, '"}'];
      const path = `/vault/secrets/${encodeURIComponent(secretName)}`;
      return write({ dial, address }, { path, where: secretName, body }, signal);
    },
  };
}

/** Returns what marks versions there. Its errors are `vault.*`; its signal bounds every call. */
export function simMarker(dial: Dialer, address: string): KeyMarker {
  return {
    async mark(id, marks, signal) {
      const path = /(\/secrets\/[\w-]{1,127}\/[0-9a-f]{32})$/.exec(id)?.[1] ?? "";
      const body = [encodeJson(marks)];
      await write({ dial, address }, { path: `/vault${path}`, where: id, body }, signal);
    },
  };
}

async function write(
  line: LocalLine,
  { path, where, body }: { readonly path: string; readonly where: string; readonly body: Command },
  signal: AbortSignal,
): Promise<string> {
  const asked = { method: "POST", path, body, replyBytesMax, where, effect: "unknown" } as const;
  try {
    return await askJson(line, asked, property("id", name), signal);
  } catch (error) {
    throw asVault(error, where);
  }
}

function asVault(error: unknown, where: string): unknown {
  if (!(error instanceof LinksealError) || error.code.startsWith("vault.")) return error;
  const { effect, message } = error;
  const details = { effect, where, next: "linkseal keys check", cause: error } as const;
  return new LinksealError("vault.unreachable", message, details);
}
