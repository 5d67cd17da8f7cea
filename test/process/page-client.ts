// The parts of a browser that the status page needs: requests, login, and a WebSocket that keeps
// its messages.

import { request } from "node:http";
import { request as secureRequest } from "node:https";
import WebSocket from "ws";
import type { PageSnapshot } from "#agent/page/shape.ts";

export interface Place {
  readonly port: number;
  /** The certificate authority of TLS; absent = plain HTTP. */
  readonly ca?: string;
  /** The Host header; absent = `127.0.0.1:PORT`. */
  readonly host?: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const nameOf = ({ port, host }: Place): string => host ?? `127.0.0.1:${port}`;
export const originOf = (place: Place): string =>
  `${place.ca === undefined ? "http" : "https"}://${nameOf(place)}`;

export function ask(place: Place, asked: Asked = {}): Promise<Reply> {
  const { method = "GET", path = "/", headers = {}, body = "" } = asked;
  const to = { host: "127.0.0.1", port: place.port, method, path, agent: false };
  const all = { host: nameOf(place), ...headers };
  return new Promise((resolve, reject) => {
    const call =
      place.ca === undefined
        ? request({ ...to, headers: all })
        : secureRequest({ ...to, headers: all, ca: place.ca, servername: "localhost" });
    call.on("error", reject).on("response", (reply) => {
      let text = "";
      reply.on("data", (chunk: Buffer) => (text += chunk.toString()));
      reply.on("end", () => {
        resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: text });
      });
    });
    call.end(body);
  });
}

export interface Session {
  readonly cookie: string;
  readonly half: string;
}

export async function enter(place: Place, code: string, headers: Asked["headers"] = {}) {
  const all = { origin: originOf(place), ...headers };
  return await ask(place, {
    method: "POST",
    path: "/login",
    headers: all,
    body: JSON.stringify({ code }),
  });
}

export function sessionOf({ headers, body }: Reply): Session {
  const [cookie = ""] = headers["set-cookie"] ?? [];
  const { half } = JSON.parse(body) as { half: string };
  return { cookie: cookie.split(";")[0] ?? "", half };
}

export class Viewer {
  readonly socket: WebSocket;
  readonly texts: string[] = [];
  readonly ended: Promise<{ readonly code: number; readonly reason: string }>;
  /** HTTP status of an upgrade that was refused; 101 if it was accepted. */
  readonly answered: Promise<number>;

  constructor(place: Place, { cookie, half }: Session, headers: Asked["headers"] = {}) {
    const scheme = place.ca === undefined ? "ws" : "wss";
    const options = {
      headers: { host: nameOf(place), origin: originOf(place), cookie, ...headers },
      ...(place.ca === undefined ? {} : { ca: place.ca, servername: "localhost" }),
    };
    const protocols = half === "" ? ["linkseal.page.1"] : ["linkseal.page.1", `half.${half}`];
    const url = `${scheme}://127.0.0.1:${place.port}/feed`;
    this.socket = new WebSocket(url, protocols, options);
    this.socket.on("error", () => undefined);
    this.socket.on("message", (data: Buffer) => this.texts.push(data.toString()));
    this.ended = new Promise((resolve) => {
      this.socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.answered = new Promise((resolve) => {
      this.socket.on("unexpected-response", (_call, reply) => {
        resolve(reply.statusCode ?? 0);
        this.socket.terminate();
      });
      this.socket.on("open", () => resolve(101));
    });
  }

  snapshot(index: number): PageSnapshot {
    return JSON.parse(this.texts.at(index) ?? "null") as PageSnapshot;
  }
}
