// A change with one operation, as a client makes it.

import type { MkaClient } from "#drivers/linux/mka/client.ts";
import type { RequestedOperation } from "#drivers/linux/mka/protocol.ts";

export interface Step {
  readonly token: string;
  readonly within: number | "final";
}

export async function change(
  client: MkaClient,
  operation: RequestedOperation,
  { token, within }: Step,
  signal: AbortSignal,
): Promise<void> {
  await client.stage(token, 0, operation, signal);
  await client.apply(token, within, signal);
}
