// A connection to the engine for one command of a hub.

import { hostname, userInfo } from "node:os";
import { LinksealError } from "#hal/error.ts";
import type { HubEngine, Lack, Outage } from "../../fleet/engine.ts";
import { lackText } from "../../fleet/lack-text.ts";
import { NatsEngine } from "../../fleet/nats-engine.ts";
import type { Act } from "../../fleet/wave.ts";
import { hostClock } from "../../host/clock.ts";
import { openerOf } from "../../host/engine-stream.ts";
import { hostEntropy } from "../../host/entropy.ts";
import type { HubLogin } from "./hub-session.ts";

/**
 * Runs `f` on a connection to the engine.
 * @throws LinksealError `transport.unreachable` if there is none, and what `f` throws
 */
export async function withHubEngine<T>(
  { inbox, ...login }: HubLogin,
  f: (engine: HubEngine, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const end = new AbortController();
  let lack: Lack | undefined;
  const first = Promise.withResolvers<Outage | undefined>();
  const engine = new NatsEngine({
    world: { clock: hostClock, entropy: hostEntropy },
    ...{ inbox, name: "linkseal fleet", open: openerOf(login) },
    lacking: (found) => {
      lack ??= found;
    },
    changed: (state) => first.resolve(state.kind === "connected" ? undefined : state),
  });
  const run = engine.run(end.signal);
  try {
    const outage = await first.promise;
    if (outage === undefined) {
      return await f(engine, end.signal).catch((error: unknown) => {
        throw lack === undefined ? error : withLack(error, lack);
      });
    }
    throw new LinksealError("transport.unreachable", outage.why, {
      ...{ effect: "none", where: login.servers[0] ?? "", next: outage.next },
    });
  } finally {
    end.abort();
    await run;
  }
}

/** Completes the error of an act that the engine did not carry out by what the engine lacks. */
function withLack(error: unknown, lack: Lack): unknown {
  if (!(error instanceof LinksealError)) return error;
  const { code, effect, where } = error;
  if (code !== "transport.closed" && code !== "transport.authentication") return error;
  const { why, next } = lackText(lack);
  return new LinksealError(code, `${error.message}: ${why}`, { effect, where, next });
}

/** Returns who acts now, for records: the user and this host. */
export function actNow(): Act {
  const by = `${userName()}@${hostname()}`.replace(/[^\w.@-]/g, "_").slice(0, 200);
  return { at: hostClock.wall(), by };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // The user has no entry in /etc/passwd.
    return `uid ${process.geteuid?.() ?? ""}`;
  }
}
