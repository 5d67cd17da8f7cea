// Serves the built page with snapshots that a test makes, in place of an agent.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { type PageFile, type PageProgram, pageFiles } from "#agent/host/page-files.ts";

export interface StageParts {
  /** Returns the snapshot of each update; the first is number 1. */
  readonly snapshot: (tick: number) => object;
  /** Returns the day of any part. */
  readonly day: (tick: number) => unknown;
  /** Which page; absent = the agent's. */
  readonly program?: PageProgram;
  /** The page's files, by path; absent = those of the build. */
  readonly files?: ReadonlyMap<string, PageFile>;
}

export class PageStage implements AsyncDisposable {
  readonly #server: Server;
  readonly #feed: WebSocketServer;
  readonly #timer: NodeJS.Timeout;
  #tick = 1;

  private constructor({ snapshot, day }: StageParts, files: ReadonlyMap<string, PageFile>) {
    this.#server = createServer(({ url = "" }, response) => {
      const [path = ""] = url.split("?");
      const file = files.get(path);
      if (file !== undefined) response.writeHead(200, { "content-type": file.type });
      const session = { session: "open" };
      const value = url === "/session" ? session : url.startsWith("/day/") ? day(this.#tick) : {};
      response.end(file?.octets ?? JSON.stringify(value));
    });
    this.#feed = new WebSocketServer({
      server: this.#server,
      handleProtocols: () => "linkseal.page.1",
    });
    const text = (): string => JSON.stringify(snapshot(this.#tick));
    this.#feed.on("connection", (socket) => socket.send(text()));
    this.#timer = setInterval(() => {
      this.#tick += 1;
      for (const socket of this.#feed.clients) socket.send(text());
    }, 1_000);
  }

  static async open(parts: StageParts): Promise<PageStage> {
    const stage = new PageStage(parts, parts.files ?? (await pageFiles(parts.program ?? "agent")));
    await new Promise<void>((resolve) => stage.#server.listen(0, "127.0.0.1", resolve));
    return stage;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#feed.clients) socket.terminate();
    this.#feed.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
