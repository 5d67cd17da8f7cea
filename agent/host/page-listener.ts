// Serves a page to browsers: HTTP on loopback, TLS everywhere else, with logins, and a feed of
// snapshots. The page is the agent's or the hub's.

import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer, type Server as SecureServer } from "node:https";
import { isIPv6, type Socket } from "node:net";
import { ownTurns } from "#drivers/transport/turn.ts";
import type { Log, World } from "#hal/world.ts";
import type { User } from "../model/client.ts";
import type { PageSettings } from "../model/desired.ts";
import { isLoopback } from "../model/page-guard.ts";
import { Feed, type FeedParts } from "../page/feed.ts";
import { Logins } from "../page/logins.ts";
import { hostClock } from "./clock.ts";
import { ConnectionLimiter } from "./connection-limiter.ts";
import type { Served } from "./kept-served.ts";
import {
  bindPort,
  closeServer,
  httpLimits,
  limitUnread,
  type ReceiveLimiter,
  requestMsMax,
} from "./listener.ts";
import { type PageProgram, pageFiles } from "./page-files.ts";
import { answerPage, notInClear, type PageContext } from "./page-http.ts";
import { PageSockets } from "./page-socket.ts";
import { type PagePair, pagePair } from "./page-tls.ts";
import { UntakenReplies } from "./untaken-replies.ts";

/** How often the certificate is read anew, in milliseconds. */
const renewMs = 60_000;

/** What a page shows, and what it needs of this process. */
export interface ShownPage extends Pick<FeedParts, "turn" | "opening" | "snapshot"> {
  readonly program: PageProgram;
  readonly days: PageContext["days"];
  readonly world: Pick<World, "entropy" | "log">;
  /** undefined = there is no addon, and a turn of the event loop may take longer. */
  readonly native: ReceiveLimiter | undefined;
  /** Called with a defect, after which nothing on the page can be trusted. */
  readonly broken: (error: unknown) => void;
}

export interface ServedPage extends Served {
  readonly port: number;
  /** Where it is, and codes that open it. */
  readonly login: { readonly url: string; readonly code: Logins["code"] };
  /** Reports that something has happened which viewers should see now. */
  readonly wake: () => void;
}

/**
 * Opens a page.
 * @throws Error of Node if the port cannot be bound, or LinksealError that says what is wrong with
 * the certificate
 */
export async function openShownPage(
  { program, days, world, native, broken, ...shown }: ShownPage,
  settings: PageSettings,
): Promise<ServedPage> {
  const { host, tls } = settings;
  if (tls === undefined && !isLoopback(host)) throw notInClear(host);
  const files = await pageFiles(program);
  // Browsers and their logins use real time.
  const logins = new Logins({ clock: hostClock, entropy: world.entropy });
  const keeper = tls === undefined ? undefined : await PairKeeper.open(tls, world.log);
  const scheme = keeper === undefined ? "http" : "https";
  const cookie = `${keeper === undefined ? "" : "__Host-"}linkseal-${settings.port}`;
  const certifies = keeper === undefined ? undefined : () => keeper.pair.certifies;
  const context: PageContext = {
    ...{ files, logins, scheme, cookie, certifies, days },
    ...{ turn: ownTurns(), untaken: new UntakenReplies() },
  };
  const feed = new Feed({
    ...shown,
    clock: hostClock,
    dropped: (why) => world.log.write("info", "page-viewer-dropped", why),
  });
  const sockets = new PageSockets(context, feed, broken);
  const server = serverFor(context, sockets, keeper, broken);
  const stop = new AbortController();
  const stopped = (): void => {
    stop.abort();
    sockets.close();
  };
  const port = await bindPort(server, settings).catch((error: unknown) => {
    stopped();
    throw error;
  });
  if (native !== undefined) limitUnread(server, native);
  const running = feed.run(stop.signal).catch(broken);
  if (keeper !== undefined && "setSecureContext" in server) void keeper.run(server, stop.signal);
  const url = `${scheme}://${urlHost(host)}:${port}/`;
  const close = async (): Promise<void> => {
    stopped();
    await running;
    await closeServer(server);
  };
  const login = { url, code: (user?: User) => logins.code(user) };
  return { port, login, wake: () => feed.wake(), close };
}

function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

function serverFor(
  context: PageContext,
  sockets: PageSockets,
  keeper: PairKeeper | undefined,
  broken: (error: unknown) => void,
): Server | SecureServer {
  const limiter = new ConnectionLimiter(true);
  /** The TCP socket below each TLS socket, because the limiter counts TCP sockets. */
  const below = new WeakMap<Socket, Socket>();
  const counted = (socket: Socket): Socket => below.get(socket) ?? socket;
  const listener: RequestListener = (request, response) => {
    limiter.serve(counted(request.socket));
    answerPage(context, request, response).catch((error: unknown) => {
      const isGone = request.destroyed || response.destroyed;
      response.destroy();
      if (!isGone) broken(error);
    });
  };
  const server =
    keeper === undefined
      ? createServer(httpLimits, listener)
      : createSecureServer({ ...httpLimits, ...contextOf(keeper.pair) }, listener);
  server.maxRequestsPerSocket = 1;
  const raw = new Map<string, Socket>();
  server.on("connection", (socket: Socket) => {
    const name = nameOf(socket);
    raw.set(name, socket);
    socket.once("close", () => raw.delete(name));
    socket.on("error", () => socket.destroy());
    limiter.enter(socket);
  });
  server.on("secureConnection", (socket: Socket) => {
    const own = raw.get(nameOf(socket));
    if (own !== undefined) below.set(socket, own);
  });
  server.on("upgrade", (request, socket, head) => {
    if (sockets.upgrade(request, socket, head)) limiter.leave(counted(request.socket));
  });
  return server;
}

/** Names a connection to one port of ours: no two open ones have the same name. */
function nameOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function contextOf({ certificate, key }: PagePair) {
  const minVersion = "TLSv1.2";
  return { cert: certificate, key, minVersion, handshakeTimeout: requestMsMax } as const;
}

/** The certificate in use; one that was exchanged on disk is used without a restart. */
class PairKeeper {
  readonly #references: NonNullable<PageSettings["tls"]>;
  readonly #log: Log;
  pair: PagePair;

  private constructor(references: NonNullable<PageSettings["tls"]>, log: Log, pair: PagePair) {
    this.#references = references;
    this.#log = log;
    this.pair = pair;
  }

  static async open(references: NonNullable<PageSettings["tls"]>, log: Log): Promise<PairKeeper> {
    return new PairKeeper(references, log, await pagePair(references, hostClock.wall()));
  }

  async run(server: SecureServer, end: AbortSignal): Promise<void> {
    for (let logged = ""; !end.aborted; ) {
      await hostClock.sleep(renewMs, end).catch(() => undefined);
      try {
        const next = await pagePair(this.#references, hostClock.wall());
        const isNew = next.certificate !== this.pair.certificate || next.key !== this.pair.key;
        if (isNew && !end.aborted) server.setSecureContext(contextOf(next));
        this.pair = next;
        logged = "";
      } catch (error) {
        // The old certificate stays in use; a browser checks its date.
        const text = error instanceof Error ? error.message : "it cannot be read";
        if (text !== logged) this.#log.write("warn", "page-certificate", text);
        logged = text;
      }
    }
  }
}
