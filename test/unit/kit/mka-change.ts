// A change with one operation, as a client makes it.

import type { MkaClient } from "#drivers/linux/mka/client.ts";
import type { AskedPart } from "#drivers/linux/mka/protocol.ts";

export interface Step {
  readonly token: string;
  readonly within: number | "final";
}

export async function change(
  client: MkaClient,
  part: AskedPart,
  { token, within }: Step,
  signal: AbortSignal,
): Promise<void> {
  await client.stage(token, 0, part, signal);
  await client.apply(token, within, signal);
}
