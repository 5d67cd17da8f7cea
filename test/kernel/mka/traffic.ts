// Traffic between the two networks of a wire.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** How many of so many pings were answered. */
export async function ping(network: string, to: string, count = 5): Promise<number> {
  const argv = ["netns", "exec", network, "ping", "-c", `${count}`, "-i", "0.1", "-W", "10", to];
  const { stdout } = await promisify(execFile)("ip", argv).catch(
    (error: unknown) => error as { stdout: string },
  );
  return Number(/(\d+) received/.exec(stdout)?.[1] ?? "0");
}
