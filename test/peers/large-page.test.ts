// The status page of a site with 200 links in Debian's Chromium: what is wrong is found without
// scrolling, by search, by keyboard and on a phone. And that of a pair in the middle of a rotation.

import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { faultsOf } from "./axe.ts";
import { Browser } from "./browser.ts";
import { dayBefore, momentAt, rotationAt } from "./page-moments.ts";
import { PageStage } from "./page-stage.ts";

const down = "erd-077/primary";
const options = {
  groups: 100,
  tunnels: 2,
  verdicts: { [down]: "down", "erd-012/primary": "unknown", "erd-091/secondary": "degraded" },
} as const;
/** The wrong links, the worst first. */
const wrong = [down, "erd-012/primary", "erd-091/secondary"];

const wide = { viewport: { width: 1440, height: 900 } } as const;
const phone = {
  ...{ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 },
  ...{ isMobile: true, hasTouch: true },
} as const;
const patience = { timeout: 60_000 };
const heightMax = 9_000;

let stage: PageStage;
beforeAll(async () => {
  stage = await PageStage.open({ snapshot: (tick) => momentAt(tick, options), day: dayBefore });
});
afterAll(() => stage[Symbol.asyncDispose]());

async function opened(browser: Browser, fragment = ""): Promise<Page> {
  const page = await browser.context.newPage();
  await page.goto(stage.url);
  await page.evaluate(() => localStorage.setItem("linkseal-half", "any"));
  await page.goto(`${stage.url}?again${fragment}`);
  await page
    .locator(".row")
    .nth(200)
    .waitFor({ ...patience, state: "attached" });
  return page;
}

const rows = async (page: Page): Promise<readonly string[]> =>
  await page
    .locator(".row")
    .evaluateAll((all) => all.map((row) => row.getAttribute("data-about") ?? ""));

const heightOf = (page: Page): Promise<number> =>
  page.evaluate(() => document.documentElement.scrollHeight);

describe("the page of 200 links", () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await Browser.open(wide);
    page = await opened(browser);
  });
  afterAll(() => browser[Symbol.asyncDispose]());

  it("the first wrong link is seen without scrolling, and the page is not long", async () => {
    expect((await rows(page)).slice(0, 3)).toEqual(wrong);
    const box = await page.locator(".row").first().boundingBox();
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThan(900);
    expect(await heightOf(page)).toBeLessThan(heightMax);
    expect(await page.locator(".sentence").textContent()).toBe(
      "erd-077/primary is down; erd-077/secondary is protected.",
    );
    expect(await page.locator(".detail h2").textContent()).toBe(`link ${down}`);
  });

  it("a click on the last link shows its detail where the operator looks", async () => {
    await page.locator('.row[data-about="erd-100/secondary"] a').click();
    const detail = page.locator(".detail h2", { hasText: "erd-100/secondary" });
    await detail.waitFor(patience);
    const box = await detail.boundingBox();
    expect(box?.y).toBeGreaterThanOrEqual(0);
    expect(box?.y).toBeLessThan(300);
  });

  it("a search by keyboard leaves the links that it names, and all come back", async () => {
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await page.keyboard.press("/");
    await page.keyboard.type("EDGE-153");
    await expect.poll(() => rows(page)).toEqual([down]);
    expect(await page.locator(".tools [role=status]").textContent()).toBe("1 of 202 shown");
    await page.keyboard.type(" none");
    await page.getByText("No link has these words.").waitFor(patience);
    await page.locator(".search").fill("");
    await expect.poll(async () => (await rows(page)).length).toBe(202);
    const button = page.getByRole("button", { name: "Only what is wrong (3)" });
    await button.focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => rows(page)).toEqual(wrong);
    expect(await button.getAttribute("aria-pressed")).toBe("true");
    await page.keyboard.press("Enter");
  });

  it("a reload shows the day that the agent kept, with planned outages apart", async () => {
    await page.reload();
    const strip = page.locator(".day svg");
    await strip.waitFor(patience);
    expect(await strip.getAttribute("aria-label")).toBe(
      "States of the last 24 h: down, not planned 22 min, planned outage 6 min, protected 22 h, " +
        "not recorded 2 h",
    );
    await page.getByRole("button", { name: "24 h" }).click();
    const spans = page.locator(".spans button[aria-pressed=true]");
    expect(await spans.allTextContents()).toEqual(["24 h"]);
    expect(browser.complaints).toEqual([]);
  });

  it.each([
    ["light", wide, ""],
    ["dark", wide, ""],
    ["light", phone, ""],
    ["dark", phone, `#/link/${down}`],
  ] as const)(
    "the page of 200 links passes an accessibility check in %s, %j, %s",
    async (colorScheme, screen, fragment) => {
      await using other = await Browser.open({ ...screen, colorScheme });
      expect(await faultsOf(await opened(other, fragment))).toEqual([]);
    },
  );
});

it("a tap on a phone opens the detail as a drawer, which Escape closes", async () => {
  await using browser = await Browser.open({ ...phone, reducedMotion: "reduce" });
  const page = await opened(browser);
  expect(await heightOf(page)).toBeLessThan(heightMax);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  expect(await page.locator(".detail").count()).toBe(0);
  const link = page.locator(`.row[data-about="${down}"] a`);
  await link.focus();
  await page.keyboard.press("Enter");
  const drawer = page.locator("dialog[open] .detail h2");
  await drawer.waitFor(patience);
  expect(await drawer.textContent()).toBe(`link ${down}`);
  await page.keyboard.press("Escape");
  await expect.poll(() => page.locator("dialog").count()).toBe(0);
  const focused = await page.evaluate(() => document.activeElement?.textContent);
  expect([focused, new URL(page.url()).hash]).toEqual([down, "#/"]);
  expect(browser.complaints).toEqual([]);
});

it("a rotation shows what it waits for, until when, and what comes after that", async () => {
  const primary = "erd-dub/primary";
  const snapshot = (tick: number) =>
    momentAt(tick, {
      ...{ groups: 1, campaign: rotationAt(tick) },
      ...{ verdicts: { [primary]: "down" }, planned: { [primary]: "rotate" } },
    });
  await using pair = await PageStage.open({ snapshot, day: dayBefore });
  await using browser = await Browser.open(wide);
  const page = await browser.context.newPage();
  await page.goto(pair.url);
  await page.evaluate(() => localStorage.setItem("linkseal-half", "any"));
  await page.reload();
  const campaign = page.locator(".campaign.running");
  await campaign.waitFor(patience);
  expect(await campaign.locator(".until").textContent()).toMatch(
    /^Until 09:0\d:\d\d at the latest\. Expected to end at 09:0\d:\d\d \(.*\), in about 3 min\.$/,
  );
  expect(await campaign.locator(".moves .present").count()).toBe(1);
  expect(await campaign.locator(".moves.ahead:not(details *) li").allTextContents()).toHaveLength(
    4,
  );
  expect(await campaign.getByText("1 step after these").count()).toBe(1);
  await expect.poll(() => page.locator(".badge.down.planned").count()).toBeGreaterThan(2);
  expect(await page.locator(".badge.down:not(.planned)").count()).toBe(0);
  expect(await page.locator(".sentence").textContent()).toContain("out of service as planned");
});
