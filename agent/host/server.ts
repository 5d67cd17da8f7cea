// The two local sockets as HTTP: one request a connection; who is slow or rude keeps nobody out.

import { chmod, chown, lstat, readFile, unlink } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { World } from "#hal/world.ts";
import type { Agent } from "../agent.ts";
import { type ApiReply, answer, type SocketRole } from "../api/api.ts";
import { errorShape } from "../api/shape.ts";
import { errnoOf, openFolder } from "./folder.ts";
import { lockState } from "./lock.ts";
import { type Places, socketPath } from "./places.ts";

const requestBytesMax = 2_000_000;
/** A client that needs longer to say what it wants is cut off. */
const requestMsMax = 5_000;
/** A client that does not take its reply for this long is cut off. */
const deliveryMsMax = 10_000;
/** Of each socket on its own, so that those who may only look never keep an administrator out. */
const clientsMax = 64;

export interface ServedApi {
  /** Cuts every client off and removes the sockets. */
  close(): Promise<void>;
}

/**
 * Serves the agent at the two sockets of its places. What a killed agent left behind is replaced;
 * throws `journal.locked` if another agent answers there. `broken` is told of a defect in the
 * agent, after which nothing it says can be trusted.
 */
export async function serveApi(
  agent: Agent,
  world: Pick<World, "clock" | "log">,
  places: Pick<Places, "kind" | "runtime">,
  broken: (error: unknown) => void,
): Promise<ServedApi> {
  const folder = await openFolder(places.runtime, "reachable");
  const lock = await lockState(folder);
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map(closeServer));
    await lock[Symbol.asyncDispose]();
  };
  try {
    for (const role of ["view", "admin"] as const) {
      const path = socketPath({ runtime: folder }, role);
      await removeStale(path);
      const server = serverFor({ agent, world, role, broken });
      await listen(server, path);
      servers.push(server);
      if (places.kind === "system") await openToGroup(path, groupOf[role], world);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

interface Serving {
  readonly agent: Agent;
  readonly world: Pick<World, "clock" | "log">;
  readonly role: SocketRole;
  readonly broken: (error: unknown) => void;
}

function serverFor(serving: Serving): Server {
  const limits = {
    requestTimeout: requestMsMax,
    headersTimeout: requestMsMax,
    connectionsCheckingInterval: requestMsMax / 5,
    maxHeaderSize: 8_192,
  };
  const seats = new Seats();
  const server = createServer(limits, (request, response) => {
    seats.serve(request.socket);
    void reply(serving, request, response);
  });
  // One request a connection: no state of one request can leak into the next.
  server.maxRequestsPerSocket = 1;
  server.on("connection", (socket: Socket) => seats.enter(socket));
  return server;
}

/** Who waits to be heard goes first when it gets crowded; who is being answered stays. */
class Seats {
  readonly #silent = new Set<Socket>();
  readonly #served = new Set<Socket>();

  enter(socket: Socket): void {
    this.#silent.add(socket);
    socket.once("close", () => {
      this.#silent.delete(socket);
      this.#served.delete(socket);
    });
    if (this.#silent.size + this.#served.size <= clientsMax) return;
    for (const oldest of this.#silent) {
      oldest.destroy();
      return;
    }
  }

  serve(socket: Socket): void {
    if (this.#silent.delete(socket)) this.#served.add(socket);
  }
}

async function reply(
  serving: Serving,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { agent, world, role, broken } = serving;
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("the client is gone")));
  try {
    // Nothing that the view socket answers has a body, so none is waited for.
    const body = role === "view" ? "" : await bodyOf(request);
    if (body === undefined) return send(response, tooLong());
    const call = { method: request.method ?? "", path: request.url ?? "", body, role };
    const { clock } = world;
    const now = { now: clock.wall(), sleep: clock.sleep.bind(clock) };
    send(response, await answer(agent, { ...call, who: `${role} socket` }, now, gone.signal));
  } catch (error) {
    if (gone.signal.aborted) return;
    response.destroy();
    broken(error);
  }
}

function send(response: ServerResponse, { status, body }: ApiReply): void {
  const octets = Buffer.from(body);
  response.socket?.setTimeout(deliveryMsMax, () => response.destroy());
  response
    .writeHead(status, {
      "content-type": "application/json",
      "content-length": octets.length,
      connection: "close",
    })
    .end(octets);
}

function tooLong(): ApiReply {
  const text = `the request is longer than ${requestBytesMax} bytes`;
  const details = { effect: "none", where: "socket", next: "linkseal validate FILE" } as const;
  return { status: 413, body: encodeJson(errorShape(new LinksealError("usage", text, details))) };
}

/**
 * undefined = too long: the rest is read and dropped, since a connection closed on unread bytes
 * loses the answer. Throws if the client went away.
 */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= requestBytesMax) chunks.push(chunk);
  }
  return length > requestBytesMax ? undefined : Buffer.concat(chunks).toString();
}

// The umask and not a later chmod, since the socket is bound inside the call: nobody may connect in
// between.
function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const umask = process.umask(0o177);
    server.once("error", reject).listen(path, resolve);
    process.umask(umask);
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

// The lock is not seen across containers that share the folder; a socket that answers is.
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  const details = { effect: "none", where: path, next: "linkseal status" } as const;
  if (!found.isSocket()) throw new LinksealError("usage", `${path} is no socket`, details);
  if (await answers(path)) {
    throw new LinksealError("journal.locked", "another agent answers there", details);
  }
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

const groupOf = { view: "linkseal", admin: "linkseal-admin" } as const;

async function openToGroup(
  path: string,
  group: string,
  { log }: Pick<World, "log">,
): Promise<void> {
  const groups = await readFile("/etc/group", "utf8").catch(() => "");
  const id = new RegExp(`^${group}:[^:]*:(\\d+):`, "m").exec(groups)?.[1];
  try {
    if (id === undefined) throw new Error("there is no such group");
    await chown(path, process.geteuid?.() ?? 0, Number(id));
    await chmod(path, 0o660);
  } catch (error) {
    const why = error instanceof Error && !("code" in error) ? error.message : errnoOf(error);
    log.write("warn", "socket-private", `only this user can open ${path}: group ${group}: ${why}`);
  }
}
