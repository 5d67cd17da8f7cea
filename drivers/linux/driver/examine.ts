// What another host reports of itself to `doctor`: the login, the clock, and what does not answer.

import type { Device, HostReport } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type PortName, strongValue } from "#hal/model.ts";
import type { Target } from "#hal/target.ts";
import type { World } from "#hal/world.ts";
import type { HostDialer } from "../peer/peer-dialer.ts";
import type { Frr } from "../routing/frr.ts";
import type { MkaClients } from "./mka-clients.ts";

interface Examined {
  readonly target: Pick<Target, "charon">;
  /** The clock is this host's, the dialer the other one's. */
  readonly world: Pick<World, "clock" | "dial">;
  readonly kernel: Pick<Device, "observe">;
  readonly mkaClients: Pick<MkaClients, "observe">;
  readonly frr: Frr | undefined;
  readonly hello: HostDialer["hello"];
}

/**
 * Asks the host; it changes nothing.
 * @throws LinksealError `transport.*` or `device.*`, with effect "none", if linkseal-net is away.
 */
export async function examineHost(
  host: Examined,
  ports: readonly PortName[],
  signal: AbortSignal,
): Promise<HostReport> {
  const { version, forced, keys } = await host.hello(signal);
  const clock = await clockOf(host, signal);
  const silent = [
    ...(await silentPorts(host, ports, signal)),
    ...(await silentPrograms(host, signal)),
  ];
  return { version, forced, keys, clock, silent };
}

/** The other clock was read between our two readings, nothing is known of when. */
async function clockOf(
  { world: { clock }, kernel }: Examined,
  signal: AbortSignal,
): Promise<HostReport["clock"]> {
  const before = clock.wall();
  const { control } = await kernel.observe(signal);
  const after = clock.wall();
  const wall = strongValue(control)?.wall;
  if (wall === undefined || after < before) return undefined;
  return { aheadMs: wall - (before + after) / 2, errorMs: (after - before) / 2 };
}

async function silentPorts(
  { mkaClients }: Examined,
  ports: readonly PortName[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const silent: string[] = [];
  for (const port of ports) {
    const { kind } = await mkaClients.observe(port, signal);
    if (kind !== "observed") silent.push(`linkseal-mka@${port}`);
  }
  return silent;
}

async function silentPrograms(
  { frr, target: { charon }, world: { dial } }: Examined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const shows = async (): Promise<void> => {
    const argv = [...(frr?.shell ?? []), "-c", "show route-map json"];
    const reply = await frr?.exec(argv, new Uint8Array(), signal);
    if (reply?.status !== 0) throw away;
  };
  const opens = async (path: string): Promise<void> => {
    (await dial.stream(path, signal))[Symbol.dispose]();
  };
  return [
    ...((await answers(shows, signal)) ? [] : ["frr"]),
    ...(charon === undefined || (await answers(() => opens(charon), signal)) ? [] : ["charon"]),
  ];
}

const away = new LinksealError("transport.unreachable", "it does not answer", {
  ...{ effect: "none", where: "vtysh", next: "systemctl status frr" },
});

async function answers(ask: () => Promise<void>, signal: AbortSignal): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch (error) {
    if (!(error instanceof LinksealError) || signal.aborted) throw error;
    return false;
  }
}
