// Who may ask a process of this host, by the number of his user.

import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { LinksealError } from "#hal/error.ts";

/** `client`: number or name of a user, beside the one that this process runs as. */
export async function usersWhoMayAsk(client: string | undefined): Promise<ReadonlySet<number>> {
  const own = process.geteuid?.() ?? 0;
  if (client === undefined) return new Set([own]);
  if (/^\d{1,10}$/.test(client)) return new Set([own, Number(client)]);
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n");
  const [, , uid] = lines.find((line) => line.startsWith(`${client}:`))?.split(":") ?? [];
  if (uid !== undefined) return new Set([own, Number(uid)]);
  throw new LinksealError("usage", `there is no user ${client}`, {
    effect: "none",
    where: "--client",
    next: "name the user that the agent runs as",
  });
}

/** Node shows the descriptor of a socket nowhere else; -1 where it is gone already. */
export function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } };
  return handle?.fd ?? -1;
}
