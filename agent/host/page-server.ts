// Serves the status page at the address of the accepted config: HTTP on loopback, TLS everywhere
// else.

import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer, type Server as SecureServer } from "node:https";
import { isIPv6, type Socket } from "node:net";
import type { Log, World } from "#hal/world.ts";
import type { User } from "../model/client.ts";
import type { PageSettings } from "../model/desired.ts";
import { isLoopback } from "../model/page-guard.ts";
import { Days } from "../page/day.ts";
import { Feed } from "../page/feed.ts";
import { Logins } from "../page/logins.ts";
import { pageText } from "../page/snapshot.ts";
import type { Agent } from "../runtime/agent.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { hostClock } from "./clock.ts";
import { ConnectionLimiter } from "./connection-limiter.ts";
import { keepServed, type Served } from "./kept-served.ts";
import { bindPort, closeServer, httpLimits, requestMsMax } from "./listener.ts";
import { pageFiles } from "./page-files.ts";
import { answerPage, notInClear, type PageContext } from "./page-http.ts";
import { PageSockets } from "./page-socket.ts";
import { type PagePair, pagePair } from "./page-tls.ts";

/** How often the certificate is read anew, in milliseconds. */
const renewMs = 60_000;

export interface PageParts {
  readonly agent: AgentView & Pick<Agent, "pageLogin">;
  /** Its clock is the agent's, which may be that of a simulated site. */
  readonly world: World;
  /** Called with a defect, after which nothing on the page can be trusted. */
  readonly broken: (error: unknown) => void;
}

/** Serves until the signal aborts. */
export async function servePage(parts: PageParts, end: AbortSignal): Promise<void> {
  const kept = {
    wanted: (serve: { readonly page?: PageSettings }) => serve.page,
    open: (settings: PageSettings) => openPage(parts, settings),
    code: "page-not-served",
    failed: "the page cannot be served as serve.page says",
  };
  await keepServed(parts.agent, parts.world, kept, end);
}

/**
 * Opens the page.
 * @throws Error of Node if the port cannot be bound, or LinksealError that says what is wrong with
 * the certificate
 */
export async function openPage(
  { agent, world, broken }: PageParts,
  settings: PageSettings,
): Promise<Served & { readonly port: number }> {
  const { host, tls } = settings;
  if (tls === undefined && !isLoopback(host)) throw notInClear(host);
  const files = await pageFiles();
  // Browsers and their logins use real time.
  const logins = new Logins({ clock: hostClock, entropy: world.entropy });
  const keeper = tls === undefined ? undefined : await PairKeeper.open(tls, world.log);
  const scheme = keeper === undefined ? "http" : "https";
  const cookie = `${keeper === undefined ? "" : "__Host-"}linkseal-${settings.port}`;
  const certifies = keeper === undefined ? undefined : () => keeper.pair.certifies;
  const days = new Days(agent, world.clock);
  const context: PageContext = { files, logins, scheme, cookie, certifies, days };
  const feed = new Feed({
    clock: hostClock,
    turn: () => days.turn(),
    opening: () => pageText(agent, world.clock, "withHistory"),
    snapshot: () => pageText(agent, world.clock, "newest"),
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
  const deaf = agent.events.listen((event) => {
    days.heard(event);
    feed.wake();
  });
  const running = feed.run(stop.signal).catch(broken);
  if (keeper !== undefined && "setSecureContext" in server) void keeper.run(server, stop.signal);
  const url = `${scheme}://${urlHost(host)}:${port}/`;
  const pageLogin = { url, code: (user?: User) => logins.code(user) };
  agent.pageLogin = pageLogin;
  const close = async (): Promise<void> => {
    if (agent.pageLogin === pageLogin) agent.pageLogin = undefined;
    deaf();
    stopped();
    await running;
    await closeServer(server);
  };
  return { port, close };
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
