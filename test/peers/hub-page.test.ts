// The hub's page of all sites in Debian's Chromium: with Debian's nats-server behind it, and with
// views of many sites, in light and dark and on a phone.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { headText } from "#agent/evidence/report/head.ts";
import { NatsEngine } from "#agent/fleet/nats-engine.ts";
import { inboxPrefix } from "#agent/fleet/subjects.ts";
import { type MemberState, type WaveState, waveOctets } from "#agent/fleet/wave.ts";
import { hostClock } from "#agent/host/clock.ts";
import { openerOf } from "#agent/host/engine-stream.ts";
import { hostEntropy } from "#agent/host/entropy.ts";
import type { FleetView } from "#agent/hub/fleet-shape.ts";
import { FleetWatch } from "#agent/hub/fleet-watch.ts";
import type { SiteStatus } from "#agent/telemetry/fleet/status-document.ts";
import { SimClock } from "#sim/base/clock.ts";
import { HubEngine } from "../unit/kit/hub-engine.ts";
import { never, settled, wallStart } from "../unit/kit/site-bench.ts";
import { downLink, siteStatus } from "../unit/kit/site-statuses.ts";
import { memberOf, nonceOf, waveOf } from "../unit/kit/wave-kit.ts";
import { faultsOf } from "./axe.ts";
import { Browser } from "./browser.ts";
import { NatsStage } from "./nats-stage.ts";
import { PageStage } from "./page-stage.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
const wide = { viewport: { width: 1440, height: 900 } } as const;
const phone = {
  ...{ viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5 },
  ...{ isMobile: true, hasTouch: true },
} as const;
const patience = { timeout: 60_000 };

/** Runs the command as it is installed; resolves to its status and output. */
async function run(...words: readonly string[]) {
  const child = start(words);
  let out = "";
  child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (out += chunk.toString()));
  const [status] = (await once(child, "close")) as [number | null];
  return { status, out };
}

const start = (words: readonly string[]): ChildProcess =>
  spawn(process.execPath, [command, ...words], {
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });

async function until<T>(look: () => Promise<T>, isSeen: (seen: T) => boolean): Promise<T> {
  for (;;) {
    const seen = await look();
    if (isSeen(seen)) return seen;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const rows = (page: Page): Promise<readonly string[]> =>
  page.locator(".row.of-site").evaluateAll((all) =>
    all.map((row) => {
      const word = row.querySelector(".badge .word")?.textContent ?? "";
      return `${row.getAttribute("data-about") ?? ""} ${word}`;
    }),
  );

/** With LINKSEAL_IMAGES=1 the picture is also written into docs/. */
async function shoot(page: Page, name: string): Promise<void> {
  const bytes = await page.screenshot({ animations: "disabled" });
  const folder = join(import.meta.dirname, "../../docs/images");
  if (process.env["LINKSEAL_IMAGES"] === "1") {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name}.png`), bytes);
  }
  expect(bytes.length).toBeGreaterThan(20_000);
}

describe("a hub's page over Debian's nats-server", () => {
  let stage: NatsStage;
  const end = new AbortController();
  const sites = new Map<string, NatsEngine>();
  const login = (): readonly string[] => [
    ...["--server", stage.server, "--ca", stage.ca, "--key", stage.keys.hub],
  ];
  beforeAll(async () => {
    stage = await NatsStage.start();
    await run("hub", "setup", ...login());
    for (const site of ["dub", "ams"] as const) {
      const open = openerOf({
        servers: [stage.server],
        ca: stage.ca,
        key: `file:${stage.keys[site]}`,
      });
      const world = { clock: hostClock, entropy: hostEntropy };
      const engine = new NatsEngine({ world, inbox: inboxPrefix(site), name: site, open });
      void engine.run(end.signal);
      sites.set(site, engine);
    }
  });
  afterAll(async () => {
    end.abort();
    await stage[Symbol.asyncDispose]();
  });

  async function tell(site: string, edit: Partial<SiteStatus> = {}): Promise<void> {
    const at = new Date().toISOString();
    const octets = Buffer.from(JSON.stringify(siteStatus(site, { at, ...edit })));
    const written = () => sites.get(site)?.put("linkseal-status", site, octets, never);
    await until(
      async () => await written(),
      (seen) => seen?.kind === "ok",
    );
  }

  it("fleet status reads all sites once, and its exit status is that of status", async () => {
    await tell("dub");
    const fine = await run("fleet", "status", ...login());
    expect(fine).toMatchObject({ status: 0 });
    expect(fine.out).toMatch(/^fleet: protected {2}1 site: 1 protected/);
    await tell("ams", downLink("ams"));
    const wrong = await run("fleet", "status", ...login(), "--check");
    expect(wrong).toEqual({ status: 4, out: "fleet: down: ams down\n" });
    const json = JSON.parse((await run("fleet", "status", ...login(), "--json")).out) as FleetView;
    expect(json.sites.map(({ site, verdict }) => [site, verdict])).toEqual([
      ...[
        ["ams", "down"],
        ["dub", "protected"],
      ],
    ]);
    const one = await run("fleet", "status", "ams", ...login());
    expect(one.out).toMatch(/erd-ams\/primary {2}down {2}mka-no-live-peer/);
    expect((await run("fleet", "status", "cork", ...login())).out).toMatch(/no site cork/);
  });

  it("a code from its socket opens the page, which follows sites and engine", async () => {
    await tell("dub");
    await tell("ams", downLink("ams"));
    const socket = join(stage.folder, "hub.sock");
    const child = start([
      ...["hub", "page", ...login(), "--listen", "127.0.0.1:0", "--socket", socket],
    ]);
    try {
      const code = () => run("page", "code", "--socket", socket);
      const { out } = await until(code, ({ status }) => status === 0);
      expect((await run("links", "--socket", socket)).out).toMatch(/codes of its page alone/);
      await using browser = await Browser.open(wide);
      const page = await browser.page(out.split("\n")[0] ?? "");
      await page.locator(".row").nth(1).waitFor(patience);
      expect(new URL(page.url()).hash).toBe("");
      expect(await rows(page)).toEqual(["ams down", "dub protected"]);
      expect(await page.locator(".sentence").textContent()).toBe("ams is down.");
      expect(await page.title()).toBe("down · linkseal hub");
      await tell("ams");
      await page.locator(".sentence", { hasText: "All 2 sites are protected." }).waitFor(patience);
      await stage.kill();
      await page.locator(".lost-note", { hasText: "nothing from the engine" }).waitFor(patience);
      await stage.run();
      await tell("dub", downLink("dub"));
      await page.locator(".sentence", { hasText: "dub is down." }).waitFor(patience);
      await expect.poll(() => page.locator(".lost-note p").count(), patience).toBe(0);
      expect(browser.complaints).toEqual([]);
    } finally {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      expect(await ended).toEqual([0, null]);
    }
  });
});

/** The view of many sites: some wrong, one silent, one whose log was cut, and two waves. */
async function manySites(count: number): Promise<FleetWatch> {
  const clock = new SimClock(wallStart);
  const engine = new HubEngine(clock);
  const watch = new FleetWatch(clock);
  const tell = (site: string, edit: Partial<SiteStatus> = {}): void => {
    const at = new Date(clock.wall()).toISOString();
    engine.put("linkseal-status", site, siteStatus(site, { at, ...edit }));
  };
  tell("galway");
  await clock.runFor(260_000);
  tell("cork", { ...downLink("cork"), config: { number: 4, sha256: "cd".repeat(32) } });
  const clear = { about: "erd-lyon/secondary", codes: ["macsec-not-configured"] };
  tell("lyon", {
    ...{ verdict: "unprotected", verdicts: { protected: 1, unprotected: 1 } },
    wrong: { all: 1, first: [{ ...clear, verdict: "unprotected" }] },
  });
  tell("turin", {
    ...{ verdict: "degraded", verdicts: { protected: 1, degraded: 1 } },
    campaigns: {
      all: 1,
      first: [
        { group: "erd-turin", kind: "rotate", state: "proving", since: "2026-11-24T10:00:00Z" },
      ],
    },
  });
  tell("zurich", { at: new Date(clock.wall() + 900_000).toISOString() });
  const mac = "ab".repeat(32);
  for (let n = 1; n <= count - 5; n += 1) {
    const site = `site-${String(n).padStart(3, "0")}`;
    tell(site);
    const head = { host: "a1b2c3d4", seq: 118, at: "2026-11-24T10:00:00.000Z", hash: mac };
    engine.head(site, headText(head));
  }
  const at = clock.wall();
  const given = { nonce: nonceOf(1), at, notAfter: at };
  const stateOf = (kind: "reached" | "begun" | "waiting"): MemberState =>
    kind === "waiting" ? { kind } : { ...given, kind };
  let members = 0;
  const stages = [
    ["reached"] as const,
    ["reached", "reached", "begun", "waiting", "waiting", "waiting"] as const,
  ].map((kinds) => kinds.map((kind) => memberOf(`site-${++members}`, stateOf(kind))));
  const put = (name: string, state: WaveState): void => {
    const wave = { ...waveOf([]), name, stage: 1, stages, state };
    engine.put("linkseal-waves", name, Buffer.from(waveOctets(wave)).toString());
  };
  put("spring", { kind: "running" });
  const why = "cork got worse while it was watched";
  put("winter", { kind: "stopped", at, by: "hub", why });
  await settled(clock, watch.read(engine));
  return watch;
}

describe("the page of 300 sites", () => {
  let stage: PageStage;
  beforeAll(async () => {
    const watch = await manySites(300);
    const snapshot = () => watch.view();
    stage = await PageStage.open({ program: "hub", snapshot, day: () => undefined });
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  async function opened(browser: Browser): Promise<Page> {
    const page = await browser.context.newPage();
    await page.goto(stage.url);
    await page.evaluate(() => localStorage.setItem("linkseal-half", "any"));
    await page.goto(`${stage.url}?again`);
    await page
      .locator(".row")
      .nth(199)
      .waitFor({ ...patience, state: "attached" });
    return page;
  }

  it("wrong sites come first, silent ones next, and a search finds what is not drawn", async () => {
    await using browser = await Browser.open(wide);
    const page = await opened(browser);
    expect((await rows(page)).slice(0, 6)).toEqual([
      ...["lyon unprotected", "cork down", "turin degraded", "galway unknown"],
      ...["zurich protected", "site-001 protected"],
    ]);
    expect(await page.locator(".sentence").textContent()).toBe(
      "lyon is unprotected, cork is down, turin is degraded.",
    );
    await page.setViewportSize({ width: 1240, height: 600 });
    await shoot(page, "hub-page");
    await page.keyboard.press("/");
    await page.keyboard.type("site-295");
    await expect.poll(() => rows(page)).toEqual(["site-295 protected"]);
    await page.locator(".search").fill("");
    await page.getByRole("button", { name: "Only wrong or silent (5)" }).click();
    await expect.poll(async () => (await rows(page)).length).toBe(5);
    const wave = page.locator(".campaign", { hasText: "winter" });
    expect(await wave.textContent()).toContain("cork got worse while it was watched");
    expect(browser.complaints).toEqual([]);
  });

  it("on a phone nothing is cut off", async () => {
    await using browser = await Browser.open({ ...phone, colorScheme: "dark" });
    const page = await opened(browser);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    await page.setViewportSize({ width: 390, height: 600 });
    await shoot(page, "hub-page-phone");
  });

  it.each<readonly [string, BrowserContextOptions]>([
    ["light", { ...wide, colorScheme: "light" }],
    ["dark", { ...wide, colorScheme: "dark" }],
    ["light on a phone", { ...phone, colorScheme: "light" }],
    ["dark on a phone", { ...phone, colorScheme: "dark" }],
  ])("the page passes an accessibility check in %s", async (_name, options) => {
    await using browser = await Browser.open(options);
    expect(await faultsOf(await opened(browser))).toEqual([]);
  });
});
