// The status page in a browser: draws each snapshot that comes over the connection.

import { type ComponentChild, h, render } from "preact";
import { History } from "./history.ts";
import { Line } from "./line.ts";
import { Login } from "./login.ts";
import { type Connection, momentOf, type ReceivedSnapshot } from "./model.ts";
import { Watch } from "./watch.ts";

/** The agent sends as often, in milliseconds. */
const tickMs = 1_000;

class Page {
  readonly #root: HTMLElement;
  readonly #line: Line;
  #history = new History();
  #received: ReceivedSnapshot | undefined;
  #connection: Connection = { kind: "opening" };
  /** undefined = a session is open, or it is not known yet. */
  #shut: string | undefined;
  #isDue = false;

  constructor(root: HTMLElement) {
    this.#root = root;
    this.#line = new Line({
      opened: () => {
        this.#connection = { kind: "open" };
        this.#shut = undefined;
      },
      snapshot: (snapshot) => {
        this.#history.take(snapshot);
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
        this.#history = new History();
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
      this.#draw();
    };
    if (document.hidden) setTimeout(draw, 0);
    else requestAnimationFrame(draw);
  }

  #draw(): void {
    render(this.#view(), this.#root);
  }

  #view(): ComponentChild {
    if (this.#shut !== undefined) {
      document.title = "linkseal";
      return h(Login, { text: this.#shut, enter: (code) => this.#line.enter(code) });
    }
    if (this.#received === undefined) {
      const { kind } = this.#connection;
      const text = kind === "lost" ? "The agent cannot be reached; trying again." : "Connecting.";
      return h(
        "main",
        { class: "login" },
        h("h1", null, "linkseal"),
        h("p", { role: "status" }, text),
      );
    }
    const moment = momentOf(this.#received, this.#connection, performance.now());
    const { site, verdict } = moment.snapshot.status;
    document.title = `${moment.isStale ? "unknown" : verdict} · ${site ?? "linkseal"}`;
    return h(Watch, {
      moment,
      connection: this.#connection,
      history: this.#history,
      fragment: location.hash,
      readDay: (path) => this.#line.day(path),
      leave: () => void this.#line.leave(),
    });
  }
}

const root = document.getElementById("page");
if (root !== null) {
  root.replaceChildren();
  void new Page(root).start();
}
