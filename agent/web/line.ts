// The connection to the agent: login, session, and a WebSocket that reconnects by itself.

import { feedEnds } from "../page/feed.ts";

/** Stored for this origin alone, unlike the cookie. */
const halfName = "linkseal-half";
const halfHeader = "x-linkseal-half";
const againMs = { least: 1_000, most: 15_000 };

export interface Listener<Snapshot> {
  /** Who sends the snapshots, as the rest of "... cannot be reached". */
  readonly sender: string;
  readonly opened: () => void;
  readonly snapshot: (snapshot: Snapshot) => void;
  readonly lost: (why: string) => void;
  /** No session is open, or not any more. */
  readonly shut: (why: string) => void;
}

export class Line<Snapshot> {
  readonly #listener: Listener<Snapshot>;
  #socket: WebSocket | undefined;
  #waitMs = againMs.least;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(listener: Listener<Snapshot>) {
    this.#listener = listener;
    // A phone that wakes up does not wait any longer.
    addEventListener("online", () => this.#soon(0));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#socket === undefined && this.#timer !== undefined)
        this.#soon(0);
    });
  }

  async start(): Promise<void> {
    const half = localStorage.getItem(halfName);
    const session = half === null ? "none" : await this.#session(half);
    if (session === "open" && half !== null) this.#connect(half);
    else if (session === "none") this.#listener.shut("");
    else this.#later(`${this.#listener.sender} cannot be reached`);
  }

  async #session(half: string): Promise<"open" | "none" | "unreachable"> {
    try {
      const reply = await fetch("/session", { headers: { [halfHeader]: half } });
      const { session } = (await reply.json()) as { session?: unknown };
      return session === "open" ? "open" : "none";
    } catch {
      return "unreachable";
    }
  }

  /** Opens a session with a code; resolves to undefined, or to what is wrong. */
  async enter(code: string): Promise<string | undefined> {
    try {
      const body = JSON.stringify({ code });
      const reply = await fetch("/login", { method: "POST", body });
      const { half, text } = (await reply.json()) as { half?: unknown; text?: unknown };
      if (typeof half !== "string") return typeof text === "string" ? text : "that did not work";
      localStorage.setItem(halfName, half);
      this.#connect(half);
      return undefined;
    } catch {
      return `${this.#listener.sender} cannot be reached`;
    }
  }

  /** Reads the day of a part, such as `link/GROUP/LINK`; undefined = it cannot be read now. */
  async day(path: string): Promise<unknown> {
    const half = localStorage.getItem(halfName) ?? "";
    try {
      const reply = await fetch(`/day/${path}`, { headers: { [halfHeader]: half } });
      return reply.ok ? await reply.json() : undefined;
    } catch {
      return undefined;
    }
  }

  async leave(): Promise<void> {
    const half = localStorage.getItem(halfName) ?? "";
    localStorage.removeItem(halfName);
    this.#drop();
    const headers = { [halfHeader]: half };
    await fetch("/logout", { method: "POST", headers }).catch(() => undefined);
    this.#listener.shut("You have signed out.");
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #connect(half: string): void {
    this.#drop();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const url = `${scheme}://${location.host}/feed`;
    const socket = new WebSocket(url, ["linkseal.page.1", `half.${half}`]);
    this.#socket = socket;
    const isOurs = (): boolean => this.#socket === socket;
    socket.addEventListener("message", ({ data }) => {
      if (!isOurs()) return;
      this.#waitMs = againMs.least;
      this.#listener.opened();
      this.#listener.snapshot(JSON.parse(String(data)) as Snapshot);
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (!isOurs()) return;
      this.#socket = undefined;
      if (code === feedEnds.loggedOut.code) this.#listener.shut("The session has ended.");
      else this.#later(reason === "" ? "the connection is lost" : reason);
    });
  }

  #later(why: string): void {
    this.#listener.lost(why);
    this.#soon(this.#waitMs);
    this.#waitMs = Math.min(this.#waitMs * 2, againMs.most);
  }

  #soon(ms: number): void {
    if (this.#socket !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.start();
    }, ms);
  }
}
