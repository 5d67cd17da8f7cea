// The hub's page of all sites, in a process of its own: it reads the engine, and serves what it has
// read to browsers and login codes at a socket.

import { dirname, join } from "node:path";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { Log, LogLevel } from "#hal/world.ts";
import { findAddon, refuseDumps } from "../../host/addon.ts";
import { type CredentialReader, clientOf } from "../../host/clients.ts";
import { hostClock } from "../../host/clock.ts";
import { hostEntropy } from "../../host/entropy.ts";
import { openFolder } from "../../host/folder.ts";
import type { HttpReply } from "../../host/listener.ts";
import { hostLog } from "../../host/log.ts";
import { openShownPage, type ServedPage } from "../../host/page-listener.ts";
import { serveUnix } from "../../host/unix-server.ts";
import type { PageSettings } from "../../model/desired.ts";
import { errorShape } from "../../model/error-shape.ts";
import { visible } from "../../model/text.ts";
import { FleetWatch } from "../fleet-watch.ts";
import { type HubLogin, withEngine } from "./hub-session.ts";

/** Time between two connections to an engine that fails, in milliseconds. */
const againMs = { least: 1_000, most: 30_000 } as const;
/** A connection that lasted this long was a good one, in milliseconds. */
const goodMs = 60_000;

/** What the page reads and where it is. */
export interface HubPage {
  readonly login: HubLogin;
  readonly settings: PageSettings;
  /** Path of the socket that gives login codes. */
  readonly socket: string;
  readonly level: LogLevel;
}

/**
 * Serves until the signal aborts; resolves to 1 after a defect, which was logged.
 * @throws Error of Node if the port cannot be bound, or LinksealError that says what is wrong with
 * the certificate or the folder of the socket
 */
export async function serveHubPage(hub: HubPage, stop: AbortSignal): Promise<0 | 1> {
  const log = hostLog({ level: hub.level, clock: hostClock, fd: 1, journalStream: undefined });
  const native = findAddon();
  refuseDumps(native, log);
  const defect = new AbortController();
  const broken = (error: unknown): void => {
    if (defect.signal.aborted) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : "not an error";
    log.write("error", "agent.internal", text);
    defect.abort();
  };
  const end = AbortSignal.any([stop, defect.signal]);
  const watch = new FleetWatch(hostClock);
  const shown = (): string => textOf(watch);
  const page = await openShownPage(
    {
      ...{ program: "hub", days: { link: () => undefined, tunnel: () => undefined }, broken },
      world: { entropy: hostEntropy, log },
      native,
      ...{ turn: () => undefined, opening: shown, snapshot: shown },
    },
    hub.settings,
  );
  try {
    const codes = await serveCodes(page.login, hub.socket, { native, broken });
    const where = `${page.login.url}; linkseal page code --socket ${codes.path}`;
    log.write("info", "ready", `the page of all sites is at ${where}`);
    await keepReading(hub.login, watch, log, end).catch(broken);
    await codes.close();
  } finally {
    await page.close();
  }
  return defect.signal.aborted ? 1 : 0;
}

function textOf(watch: FleetWatch): string {
  return JSON.stringify(watch.view(), (_key, value: unknown) =>
    typeof value === "string" ? visible(value) : value,
  );
}

/** Reads over one connection after the other. */
async function keepReading(
  login: HubLogin,
  watch: FleetWatch,
  log: Log,
  end: AbortSignal,
): Promise<void> {
  let [failures, logged] = [0, ""];
  while (!end.aborted) {
    const began = hostClock.now();
    try {
      await withEngine(login, (session) => watch.follow(session, end));
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const why = `${error.where}: ${error.message}`;
      watch.lost(why);
      const text = `nothing is read from the engine: ${why}; sites become silent`;
      if (text !== logged) log.write("warn", "fleet-failed", text, { next: error.next });
      logged = text;
    }
    failures = hostClock.now() - began >= goodMs ? 0 : failures + 1;
    const waitMs = Math.min(againMs.least * 2 ** Math.min(failures, 10), againMs.most);
    await hostClock.sleep(waitMs, end).catch(() => undefined);
  }
}

interface CodeParts {
  readonly native: CredentialReader | undefined;
  readonly broken: (error: unknown) => void;
}

/** Gives login codes to users who can open the socket, as an agent's view socket does. */
async function serveCodes(
  login: ServedPage["login"],
  socket: string,
  { native, broken }: CodeParts,
): Promise<{ readonly path: string; close(): Promise<void> }> {
  const folder = await openFolder(dirname(socket), "reachable");
  const path = join(folder, socket.slice(dirname(socket).length + 1));
  const none: HttpReply = { status: 404, body: encodeJson(errorShape(noRoute())) };
  const served = await serveUnix({
    ...{ path, broken, requestBytesMax: 0, refused: () => none },
    identify: (client) => clientOf(native, "view", client),
    async answer({ method, path: asked, client }) {
      if (method !== "POST" || asked !== "/v1/page/code") return none;
      const code = login.code(client?.uid ?? undefined);
      const body = { schema: "linkseal.page-code/1", url: login.url, ...code };
      return { status: 200, body: encodeJson(body) };
    },
  });
  return { path, close: () => served.close() };
}

function noRoute(): LinksealError {
  const text = "a hub's socket gives codes of its page alone";
  const next = "linkseal page code --socket PATH";
  return new LinksealError("usage", text, { effect: "none", where: "socket", next });
}
