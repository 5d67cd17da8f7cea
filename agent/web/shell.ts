// What each page is in: the login, the connection, and a drawing of the newest snapshot.

import { type ComponentChild, h, render } from "preact";
import { Line } from "./line.ts";
import { Login } from "./login.ts";
import type { Connection, Received } from "./model.ts";

/** The sender sends as often, in milliseconds. */
const tickMs = 1_000;

/** What differs between the pages. */
export interface ShellParts<Snapshot> {
  /** Who sends the snapshots: `the agent`. */
  readonly sender: string;
  /** The host on which a login code is made, and the command for it. */
  readonly host: string;
  readonly command: string;
  /** Called with each snapshot, and when a session has ended. */
  readonly take: (snapshot: Snapshot) => void;
  readonly forget: () => void;
  /** Draws a snapshot, and names the page. */
  readonly draw: (
    received: Received<Snapshot>,
    connection: Connection,
    line: Line<Snapshot>,
  ) => { readonly title: string; readonly page: ComponentChild };
}

/** A page in a browser. */
class Shell<Snapshot> {
  readonly #parts: ShellParts<Snapshot>;
  readonly #root: HTMLElement;
  readonly #line: Line<Snapshot>;
  #received: Received<Snapshot> | undefined;
  #connection: Connection = { kind: "opening" };
  /** undefined = a session is open, or it is not known yet. */
  #shut: string | undefined;
  #isDue = false;

  constructor(parts: ShellParts<Snapshot>, root: HTMLElement) {
    this.#parts = parts;
    this.#root = root;
    this.#line = new Line({
      sender: parts.sender,
      opened: () => {
        this.#connection = { kind: "open" };
        this.#shut = undefined;
      },
      snapshot: (snapshot) => {
        parts.take(snapshot);
        this.#received = { snapshot, cameAt: performance.now() };
        this.#soon();
      },
      lost: (why) => {
        this.#connection = { kind: "lost", why };
        this.#soon();
      },
      shut: (why) => {
        this.#shut = why;
        this.#received = undefined;
        parts.forget();
        this.#soon();
      },
    });
  }

  async start(): Promise<void> {
    addEventListener("hashchange", () => this.#soon());
    // Ages grow, above all when no snapshot comes.
    setInterval(() => {
      const quietMs = performance.now() - (this.#received?.cameAt ?? 0);
      if (quietMs > tickMs) this.#soon();
    }, tickMs);
    const code = /^#([0-9A-Z]{4}(?:-[0-9A-Z]{4}){2})$/.exec(location.hash)?.[1];
    if (code !== undefined) {
      history.replaceState(null, "", location.pathname);
      const wrong = await this.#line.enter(code);
      if (wrong !== undefined) this.#shut = `The code in the address: ${wrong}.`;
    } else await this.#line.start();
    this.#soon();
  }

  /** Draws at most once per frame; a hidden page is drawn too, only later. */
  #soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    const draw = (): void => {
      this.#isDue = false;
      render(this.#view(), this.#root);
    };
    if (document.hidden) setTimeout(draw, 0);
    else requestAnimationFrame(draw);
  }

  #view(): ComponentChild {
    const { sender, host, command, draw } = this.#parts;
    if (this.#shut !== undefined) {
      document.title = "linkseal";
      const enter = (code: string): Promise<string | undefined> => this.#line.enter(code);
      return h(Login, { text: this.#shut, host, command, enter });
    }
    if (this.#received === undefined) {
      const lost = `${sender.replace(/^t/, "T")} cannot be reached; trying again.`;
      const text = this.#connection.kind === "lost" ? lost : "Connecting.";
      return h(
        "main",
        { class: "login" },
        h("h1", null, "linkseal"),
        h("p", { role: "status" }, text),
      );
    }
    const { title, page } = draw(this.#received, this.#connection, this.#line);
    document.title = title;
    return page;
  }
}

/** Puts a page into the document. */
export function showPage<Snapshot>(parts: ShellParts<Snapshot>): void {
  const root = document.getElementById("page");
  if (root === null) return;
  root.replaceChildren();
  void new Shell(parts, root).start();
}
