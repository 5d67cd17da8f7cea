// The MKA processes of this host's ports, one each, as the driver asks them and reads them into the
// ports that the kernel told.

import { withDeadline } from "#hal/deadline.ts";
import { LinksealError } from "#hal/error.ts";
import { known, type MacsecPort, type PortName, unknown } from "#hal/model.ts";
import type { Instant, World } from "#hal/world.ts";
import { MkaClient, type MkaLook } from "../mka/client.ts";
import { replyBytesMax } from "../mka/protocol.ts";

const systemNet = "/run/linkseal-net/net.sock";
const systemMka = "/run/linkseal-mka";
const answerMsMax = 10_000;
/** Longer than the longest wait for a change that it is asked for. */
const waitMsMax = 30_000;

/** Where the MKA processes answer of the host whose linkseal-net answers there (`unix:PATH`). */
export function mkaFolder(netAddress: string): string {
  const path = netAddress.replace(/^unix:/, "");
  return path === systemNet ? systemMka : path.replace(/[^/]*$/, "mka");
}

/** `away`: nobody answers; `failed`: somebody does, and it is not known what he means. */
export type Seen =
  | { readonly kind: "told"; readonly look: MkaLook; readonly at: Instant }
  | { readonly kind: "away" | "failed"; readonly at: Instant };

export class Participants {
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

  async look(port: PortName, signal: AbortSignal): Promise<Seen> {
    const at = this.#world.clock.now();
    try {
      return { kind: "told", look: await this.at(port).observe(signal), at };
    } catch (error) {
      if (!(error instanceof LinksealError) || signal.aborted) throw error;
      return { kind: error.code === "transport.unreachable" ? "away" : "failed", at };
    }
  }

  /** How often something changed so far; undefined = it does not answer now. */
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

/** The port as kernel and participant tell it together. */
export function withParticipant(port: MacsecPort, seen: Seen): MacsecPort {
  const { settings, frames, failOpen } = port;
  // Without a SecY there is nothing that a participant could know.
  if (settings.kind === "known" && settings.value === undefined) return port;
  const { at } = seen;
  if (seen.kind !== "told" || seen.look.kind === "waiting") {
    const blind = unknown("queryFailed", at);
    return { ...port, settings: blind, keys: blind, session: blind, mkpdus: blind };
  }
  const { look } = seen;
  const policy = failOpen?.kind === "known" && failOpen.value.length > 0 && "shouldSecure";
  const told = { ...look.settings, policy: policy || "mustSecure" } as const;
  const clear = frames.kind === "known" && { ...frames.value, rxClear: look.clear };
  return {
    ...port,
    settings: failOpen?.kind === "unknown" ? failOpen : known(told, at),
    // Of two keys neither is the primary one: whichever the far end has is used.
    keys: known(
      look.keys.map((key) => ({ ...key, role: "primary" }) as const),
      at,
    ),
    ...(look.keyLoss === undefined ? {} : { keyLoss: known(look.keyLoss, at) }),
    session: known(look.session, at),
    mkpdus: known(look.mkpdus, at),
    frames: frames.kind === "known" && clear ? { ...frames, value: clear } : frames,
    ...(look.troubles.length === 0
      ? {}
      : {
          troubles: known(
            look.troubles.map(({ text }) => text),
            at,
          ),
        }),
  };
}
