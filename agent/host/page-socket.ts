// Browsers that show the page: WebSockets that only receive, each with at most one snapshot under
// way.

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { type Feed, type FeedEnd, feedEnds, type Viewer } from "../page/feed.ts";
import { halvesOf, isCalledRight, isFromPage, type PageContext } from "./page-http.ts";

/** Longest message in bytes: the page sends nothing after its request. */
const messageBytesMax = 128;
/**
 * Time between pings, in milliseconds; a client that has not answered by the next one is cut off.
 */
const pingMs = 20_000;
/**
 * Time from our close frame to the end of the connection, in milliseconds, whatever the other side
 * does.
 */
const closeMs = 2_000;
const subprotocol = "linkseal.page.1";
const halfPrefix = "half.";

export class PageSockets {
  readonly #context: PageContext;
  readonly #feed: Feed;
  readonly #broken: (error: unknown) => void;
  readonly #sockets = new Set<WebSocket>();
  readonly #answered = new WeakSet<WebSocket>();
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: messageBytesMax,
    perMessageDeflate: false,
    clientTracking: false,
    // A client that pings and reads nothing would fill our queue with pongs.
    autoPong: false,
    handleProtocols: () => subprotocol,
  });
  readonly #pinging: NodeJS.Timeout;

  /** Calls `broken` with a defect, after which nothing on the page can be trusted. */
  constructor(context: PageContext, feed: Feed, broken: (error: unknown) => void) {
    this.#context = context;
    this.#feed = feed;
    this.#broken = broken;
    this.#pinging = setInterval(() => this.#ping(), pingMs);
  }

  /** Takes the connection over, or refuses it; true = this class counts it from now on. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    socket.on("error", () => socket.destroy());
    const halves = halvesOf(this.#context, request, halfOf(request));
    const refusal = this.#refusal(request);
    if (refusal !== undefined) return refuse(socket, refusal);
    if (halves === undefined || !this.#context.logins.holds(halves)) {
      return refuse(socket, "401 Unauthorized");
    }
    const { logins } = this.#context;
    const session = { holds: () => logins.holds(halves), user: logins.user(halves) };
    this.#server.handleUpgrade(request, socket, head, (client) => this.#admit(client, session));
    return true;
  }

  #refusal(request: IncomingMessage): string | undefined {
    if (!isCalledRight(this.#context, request)) return "421 Misdirected Request";
    if (request.url !== "/feed") return "404 Not Found";
    // RFC 6455, 4.2.2: a server names a subprotocol that the client offered, and no other.
    if (!offered(request).includes(subprotocol)) return "400 Bad Request";
    return isFromPage(this.#context, request) ? undefined : "403 Forbidden";
  }

  #admit(client: WebSocket, session: Pick<Viewer, "holds" | "user">): void {
    const viewer = viewerOf(client, session);
    this.#sockets.add(client);
    this.#answered.add(client);
    client.on("error", () => client.terminate());
    client.on("close", () => {
      this.#sockets.delete(client);
      this.#feed.leave(viewer);
    });
    client.on("pong", () => this.#answered.add(client));
    for (const speaking of ["message", "ping"] as const) {
      client.once(speaking, () => this.#feed.end(viewer, "spoke"));
    }
    try {
      this.#feed.join(viewer);
    } catch (error) {
      client.terminate();
      this.#broken(error);
    }
  }

  #ping(): void {
    for (const client of this.#sockets) {
      if (!this.#answered.delete(client)) client.terminate();
      // A ping never queues up behind a snapshot that is not read: that one has its own deadline.
      else if (client.bufferedAmount === 0) client.ping();
      else this.#answered.add(client);
    }
  }

  close(): void {
    clearInterval(this.#pinging);
    for (const client of this.#sockets) endSoon(client, "closing");
  }
}

function offered({ headers }: IncomingMessage): readonly string[] {
  return (headers["sec-websocket-protocol"] ?? "").split(",").map((text) => text.trim());
}

function halfOf(request: IncomingMessage): string | undefined {
  const [half] = offered(request).filter((text) => text.startsWith(halfPrefix));
  return half?.slice(halfPrefix.length);
}

function refuse(socket: Duplex, status: string): false {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.once("finish", () => socket.destroy());
  return false;
}

function viewerOf(client: WebSocket, session: Pick<Viewer, "holds" | "user">): Viewer {
  return {
    ...session,
    send: (text) =>
      new Promise((resolve, reject) => {
        const taken = (error?: Error): void => (error instanceof Error ? reject(error) : resolve());
        client.send(text, { binary: false }, taken);
      }),
    end: (why) => endSoon(client, why),
  };
}

function endSoon(client: WebSocket, why: FeedEnd): void {
  const { code, text } = feedEnds[why];
  client.close(code, text);
  const late = setTimeout(() => client.terminate(), closeMs);
  client.once("close", () => clearTimeout(late));
}
