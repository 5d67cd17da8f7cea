// The cost of the status page with many links for the browser that shows it.

import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import type { CDPSession } from "playwright-core";
import { whyLacking } from "../test/machine/place.ts";
import { Browser } from "../test/peers/browser.ts";
import { Watcher } from "./agent/watcher.ts";
import { type Bench, sized } from "./bench.ts";

const links = sized(200, 10);
const speed = 5;
/** Updates per sample. */
const updates = sized(10, 1);
const loginTries = 100;

/**
 * Processor time of the main thread, and how long its tasks lasted beside everything else that
 * runs.
 */
type Metric = "ThreadTime" | "TaskDuration";

/** A page that is open, and the snapshots that reach it. */
class Opened implements AsyncDisposable {
  readonly #watcher: Watcher;
  readonly #browser: Browser;
  readonly #session: CDPSession;
  /** Sizes of the received snapshots, in octets. */
  readonly sizes: number[] = [];
  #heard: () => void = () => undefined;

  private constructor(watcher: Watcher, browser: Browser, session: CDPSession) {
    this.#watcher = watcher;
    this.#browser = browser;
    this.#session = session;
  }

  static async open(): Promise<Opened> {
    const config = `serve: { page: { listen: "127.0.0.1:${await freePort()}" } }\n`;
    const watcher = await Watcher.open({ links, speed, warm: sized(20, 1), config });
    const browser = await Browser.open({ viewport: { width: 1440, height: 900 } });
    const page = await browser.context.newPage();
    const session = await browser.context.newCDPSession(page);
    const opened = new Opened(watcher, browser, session);
    page.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => {
        opened.sizes.push(Buffer.byteLength(payload));
        opened.#heard();
      });
    });
    await session.send("Performance.enable");
    await page.goto(await loginOf(watcher));
    await page.locator(".row").nth(links).waitFor({ timeout: 60_000, state: "attached" });
    // The first snapshot draws the whole page.
    await opened.#hear(3);
    return opened;
  }

  async #hear(count: number): Promise<void> {
    for (let left = count; left > 0; left -= 1) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  async #spent(metric: Metric): Promise<number> {
    const { metrics } = await this.#session.send("Performance.getMetrics");
    return (metrics.find(({ name }) => name === metric)?.value ?? Number.NaN) * 1_000;
  }

  /** Returns the cost of an update to the page's main thread: script, style and layout. */
  async msPerUpdate(metric: Metric): Promise<number> {
    const before = await this.#spent(metric);
    await this.#hear(updates);
    return ((await this.#spent(metric)) - before) / updates;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser[Symbol.asyncDispose]();
    await this.#watcher[Symbol.asyncDispose]();
  }
}

async function loginOf(watcher: Watcher): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await watcher.pageLogin();
    } catch (error) {
      if (tries > loginTries) throw error;
      await watcher.watch(1);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

let opening: Promise<Opened> | undefined;

function opened(): Promise<Opened> {
  opening ??= Opened.open();
  return opening;
}

export const bench: Bench = {
  title: `the status page in Chromium, ${links} links, an update a second`,
  runs: 5,
  whyNot: () => whyLacking(["chromium"]),
  close: async () => await (await opening)?.[Symbol.asyncDispose](),
  figures: [
    {
      name: "main thread's processor time, for one update",
      unit: "ms",
      most: 30,
      ours: async () => await (await opened()).msPerUpdate("ThreadTime"),
    },
    {
      name: "its tasks, while others run too",
      unit: "ms",
      ours: async () => await (await opened()).msPerUpdate("TaskDuration"),
    },
    {
      name: "one snapshot",
      unit: "kB",
      runs: 1,
      ours: async () => ((await opened()).sizes.at(-1) ?? Number.NaN) / 1_000,
    },
  ],
};
