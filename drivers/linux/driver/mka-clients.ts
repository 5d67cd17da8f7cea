// The MKA processes of this host, one for each port: how the driver queries them and merges their
// answers into the ports that the kernel reported.

import { withDeadline } from "#hal/deadline.ts";
import { LinksealError } from "#hal/error.ts";
import { known, type MacsecPort, type PortName, unknown } from "#hal/model.ts";
import type { Instant, World } from "#hal/world.ts";
import { MkaClient, type MkaObservation } from "../mka/client.ts";
import { replyBytesMax } from "../mka/protocol.ts";

/** The socket of the unit of linkseal-net. */
export const systemNet = "/run/linkseal-net/net.sock";
const systemMka = "/run/linkseal-mka";
const answerMsMax = 10_000;
/** A process that hangs leaves time for the kernel and charon, which are of the same look. */
const observeMsMax = 3_000;
/** Longer than the longest wait for a change that the process is asked for. */
const waitMsMax = 30_000;

/**
 * Returns the folder of the MKA sockets that belong to this address of linkseal-net (`unix:PATH`).
 */
export function mkaFolder(netAddress: string): string {
  const path = netAddress.replace(/^unix:/, "");
  return path === systemNet ? systemMka : path.replace(/[^/]*$/, "mka");
}

/**
 * The answer of one MKA process. `away`: no process answers; `failed`: its answer is an error or is
 * not understood.
 */
export type MkaResult =
  | { readonly kind: "observed"; readonly observation: MkaObservation; readonly at: Instant }
  | { readonly kind: "away" | "failed"; readonly at: Instant };

export class MkaClients {
  readonly #world: World;
  readonly #folder: string;
  readonly #clients = new Map<PortName, MkaClient>();

  constructor(world: World, netAddress: string) {
    this.#world = world;
    this.#folder = mkaFolder(netAddress);
  }

  at(port: PortName): MkaClient {
    const client = this.#clients.get(port) ?? this.#client(port);
    this.#clients.set(port, client);
    return client;
  }

  #client(port: PortName): MkaClient {
    const path = `${this.#folder}/${port}.sock`;
    const { clock, dial } = this.#world;
    return new MkaClient(async (octets, { effect, waitMs }, signal) => {
      const deadline = { ms: answerMsMax + waitMs, where: port, effect };
      try {
        return await withDeadline(clock, deadline, signal, (bounded) =>
          dial.framed({ path, octets, replyBytesMax, effect }, bounded),
        );
      } catch (error) {
        if (!(error instanceof LinksealError) || signal.aborted) throw error;
        throw lost(error, port);
      }
    }, port);
  }

  async observe(port: PortName, signal: AbortSignal): Promise<MkaResult> {
    const { clock } = this.#world;
    const at = clock.now();
    const limit = { ms: observeMsMax, where: port, effect: "none" } as const;
    try {
      const observation = await withDeadline(clock, limit, signal, (bounded) =>
        this.at(port).observe(bounded),
      );
      return { kind: "observed", observation, at };
    } catch (error) {
      if (!(error instanceof LinksealError) || signal.aborted) throw error;
      return { kind: error.code === "transport.unreachable" ? "away" : "failed", at };
    }
  }

  /**
   * Returns how many changes happened so far, at the latest after `waitMsMax`; undefined = the
   * process does not answer now.
   */
  async changes(port: PortName, after: number, signal: AbortSignal): Promise<number | undefined> {
    try {
      return await this.at(port).changes(Math.max(0, after), after < 0 ? 0 : waitMsMax, signal);
    } catch (error) {
      if (!(error instanceof LinksealError) && !signal.aborted) throw error;
      return undefined;
    }
  }
}

function lost({ code, effect, message }: LinksealError, port: PortName): LinksealError {
  const text = `the MKA process of ${port} does not answer: ${message}`;
  const next = `systemctl status linkseal-mka@${port}`;
  return new LinksealError(code, text, { effect, where: port, next });
}

/** Merges the kernel's and the MKA process's readings of a port. */
export function withParticipant(port: MacsecPort, observed: MkaResult): MacsecPort {
  const { settings, frames, failOpen } = port;
  // A port without a SecY has nothing that an MKA process could know.
  if (settings.kind === "known" && settings.value === undefined) return port;
  const { at } = observed;
  if (observed.kind !== "observed" || observed.observation.kind === "waiting") {
    const blind = unknown("queryFailed", at);
    return { ...port, settings: blind, keys: blind, session: blind, mkpdus: blind };
  }
  const { observation } = observed;
  const policy = failOpen?.kind === "known" && failOpen.value.length > 0 && "shouldSecure";
  const reported = { ...observation.settings, policy: policy || "mustSecure" } as const;
  const clear = frames.kind === "known" && { ...frames.value, rxClear: observation.clear };
  return {
    ...port,
    settings: failOpen?.kind === "unknown" ? failOpen : known(reported, at),
    // Neither of two keys is the primary one: the key that the far end has is used.
    keys: known(
      observation.keys.map((key) => ({ ...key, role: "primary" }) as const),
      at,
    ),
    ...(observation.keyLoss === undefined ? {} : { keyLoss: known(observation.keyLoss, at) }),
    session: known(observation.session, at),
    mkpdus: known(observation.mkpdus, at),
    frames: frames.kind === "known" && clear ? { ...frames, value: clear } : frames,
    ...(observation.secyChanges === undefined
      ? {}
      : { secyChanges: known(observation.secyChanges, at) }),
    ...(observation.troubles.length === 0
      ? {}
      : {
          troubles: known(
            observation.troubles.map(({ text }) => text),
            at,
          ),
        }),
  };
}
