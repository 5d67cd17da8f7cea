// Debian's Chromium, without this computer's user profile and without network requests of its own.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";

/** Its sandbox needs user namespaces, which root in a container does not have. */
const rootArguments = process.geteuid?.() === 0 ? ["--no-sandbox"] : [];

/** Chromium's own names of the features that are turned off. */
const quiet = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export class Browser implements AsyncDisposable {
  readonly context: BrowserContext;
  readonly #folder: string;
  /** Errors on the console, and exceptions that were not caught. */
  readonly complaints: string[] = [];

  private constructor(context: BrowserContext, folder: string) {
    this.context = context;
    this.#folder = folder;
    context.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.complaints.push(message.text());
    });
    context.on("weberror", (error) => this.complaints.push(error.error().message));
  }

  static async open(options: BrowserContextOptions = {}): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-browser-"));
    const context = await chromium.launchPersistentContext(folder, {
      executablePath: "/usr/bin/chromium",
      headless: true,
      args: [...rootArguments, ...quiet],
      viewport: { width: 1280, height: 900 },
      ...options,
    });
    return new Browser(context, folder);
  }

  async page(url: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
