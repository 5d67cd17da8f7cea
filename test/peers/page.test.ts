// The status page of `npm start` in Debian's Chromium: its content, its speed, its access control
// and its accessibility.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask } from "#agent/cli/client.ts";
import type { LinksealEvent } from "#agent/model/events.ts";
import { demoFaults } from "#sim/faults/faults.ts";
import { Browser } from "./browser.ts";
import { Started } from "./started.ts";

// Runs inside the browser, where this program's types do not apply.
const ink = `(() => {
  const canvas = document.querySelector(".plot canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, index) => index % 4 === 3 && value > 0).length;
})()`;
const focus = `(() => {
  const at = document.activeElement;
  return { text: at.innerText.slice(0, 40), outline: getComputedStyle(at).outlineStyle };
})()`;
const widthsOf = "[document.documentElement.scrollWidth, innerWidth]";

const patience = { timeout: 60_000 };

/** Finds the row of a link or tunnel. */
const rowOf = (page: Page, about: string) => page.locator(`.row[data-about="${about}"]`);
const badgeOf = (page: Page, about: string) => rowOf(page, about).locator(".badge");

async function entered(browser: Browser, site: Started): Promise<Page> {
  const page = await browser.page(await site.login());
  await page.locator(".row").first().waitFor(patience);
  return page;
}

async function allProtected(page: Page): Promise<void> {
  await page.locator(".whole .badge.protected").waitFor(patience);
}

/**
 * Takes a picture and checks its size; with LINKSEAL_IMAGES=1 it also writes the picture into
 * docs/.
 */
async function shoot(page: Page, name: string, options: { fullPage?: boolean } = {}) {
  const bytes = await page.screenshot({ animations: "disabled", ...options });
  const folder = join(import.meta.dirname, "../../docs/images");
  if (process.env["LINKSEAL_IMAGES"] === "1") {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name}.png`), bytes);
  }
  expect(bytes.length).toBeGreaterThan(20_000);
}

/** The part of axe-core's results that is read here. */
interface Checked {
  readonly violations: readonly { readonly id: string; readonly nodes: { html: string }[] }[];
  readonly passes: readonly { readonly id: string }[];
}

/** Returns the page as a reader perceives it who sees no colour and no shape. */
const wordsOf = async (page: Page): Promise<string> =>
  (await page.locator("body").textContent()) ?? "";

describe("the page of npm start", () => {
  let site: Started;
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    site = new Started("--speed", "40");
    browser = await Browser.open();
    page = await entered(browser, site);
  });
  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
  });

  it("npm start prints the page's address, and the login leaves no code in it", async () => {
    expect(site.output).toMatch(
      /page at http:\/\/127\.0\.0\.1:\d+\/; .* npx --no -- linkseal page code/,
    );
    expect(new URL(page.url()).hash).toBe("");
    const cookies = await browser.context.cookies();
    expect(cookies.map(({ httpOnly, sameSite }) => ({ httpOnly, sameSite }))).toEqual([
      { httpOnly: true, sameSite: "Strict" },
    ]);
  });

  it("the page shows the progress of a campaign, and what it waits for", async () => {
    const campaign = page.locator(".campaign.running");
    await campaign
      .getByText(/^(draining|switching|proving|restoring)$/)
      .first()
      .waitFor(patience);
    const text = (await campaign.textContent()) ?? "";
    expect(text).toContain("enrol of erd-demo");
    expect(text).toMatch(/for \d+(\.\d)? (s|min): \w+/);
    expect(await campaign.locator(".stations li").allTextContents()).toHaveLength(2);
    expect(await campaign.locator(".moves li.present").count()).toBe(1);
  });

  it("the page shows a link in the clear as unprotected, until it is protected", async () => {
    const seen = rowOf(page, "erd-demo/secondary").locator(".fact", { hasText: "clear" });
    await expect.poll(() => seen.textContent(), patience).toMatch(/clear[1-9][\d,]*\/s/);
    await page.locator(".stations .past", { hasText: "primary" }).waitFor(patience);
    await shoot(page, "page-enrolment");
    await allProtected(page);
    for (const about of ["erd-demo/primary", "erd-demo/secondary", "hub-1", "hub-2"]) {
      await badgeOf(page, about).getByText("protected").waitFor(patience);
    }
    const whole = rowOf(page, "erd-demo/primary").locator(".fact", { hasText: "protected" });
    await expect.poll(() => whole.textContent(), patience).toMatch(/protected[1-9][\d,]*\/s/);
    expect(await page.title()).toBe("protected · demo");
  });

  it("the page draws frames, packet numbers and peers, and names them in words", async () => {
    const plots = page.locator(".plot");
    await expect.poll(() => plots.count()).toBe(3);
    const labels = await plots
      .locator('[role="img"]')
      .evaluateAll((all) => all.map((each) => each.getAttribute("aria-label")));
    expect(labels[0]).toMatch(/^Frames, both ways: protected [\d,]+\/s, clear 0\/s, failed 0\/s$/);
    expect(labels[1]).toMatch(/^Packet numbers used: of this SAK .* %$/);
    expect(labels[2]).toBe("MKA live peers: now 1");
    const inked = await page.evaluate(ink);
    expect(inked).toBeGreaterThan(200);
    await page.waitForTimeout(3_000);
    await shoot(page, "page");
  });

  it("the page shows an event within a second", async () => {
    const view = { role: "view", method: "GET", socket: site.viewSocket } as const;
    const eventsAfter = async (n: number): Promise<readonly LinksealEvent[]> => {
      const answer = await ask({ ...view, path: `/v1/events?after=${n}&waitMs=20000` });
      return (answer as { events: readonly LinksealEvent[] }).events;
    };
    let last = (await eventsAfter(0)).at(-1)?.n ?? 0;
    await site.run("sim", "fault", "peer-silent");
    for (let found = false; !found; ) {
      const events = await eventsAfter(last);
      last = events.at(-1)?.n ?? last;
      found = events.some(
        ({ about, verdict }) => about === "erd-demo/primary" && verdict === "down",
      );
    }
    const begun = performance.now();
    await badgeOf(page, "erd-demo/primary").getByText("down").waitFor({ timeout: 5_000 });
    expect(performance.now() - begun).toBeLessThan(1_000);
    await page.locator(".warnings li.error").first().waitFor(patience);
    await page
      .locator(".warnings code", { hasText: /linkseal (links|drain) erd-demo.primary/ })
      .waitFor();
    await shoot(page, "page-fault");
    await site.run("sim", "fault", "peer-silent", "--heal");
    await allProtected(page);
  });

  it("the page works by keyboard, with visible focus at each step", async () => {
    await page.reload();
    await page.locator(".row").first().waitFor(patience);
    // A warning that goes away takes the focus with it.
    await expect.poll(() => page.locator(".warnings li.error").count(), patience).toBe(0);
    const steps: { readonly text: string; readonly outline: string }[] = [];
    for (let step = 0; step < 40; step += 1) {
      await page.keyboard.press("Tab");
      const here = await page.evaluate<(typeof steps)[number]>(focus);
      if (here.outline === "" || (step > 3 && here.text === steps[0]?.text)) break;
      steps.push(here);
      if (here.text === "hub-1") break;
    }
    const texts = steps.map(({ text }) => text);
    expect(texts.slice(0, 2)).toEqual(["to the links", "Sign out"]);
    expect(texts.filter((text) => /^(primary|secondary|hub-1)$/.test(text))).toEqual([
      "primary",
      "secondary",
      "hub-1",
    ]);
    expect(steps.filter(({ outline }) => outline === "none")).toEqual([]);
    await page.keyboard.press("Enter");
    await page.locator(".detail h2", { hasText: "hub-1" }).waitFor();
    expect(new URL(page.url()).hash).toBe("#/tunnel/hub-1");
    await expect.poll(() => page.locator(".plot").count()).toBe(2);
  });

  it.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 360],
    ["dark", 360],
  ] as const)(
    "the page passes an accessibility check in %s at %i pixels",
    async (scheme, width) => {
      await using other = await Browser.open({
        bypassCSP: true,
        colorScheme: scheme,
        viewport: { width, height: 800 },
      });
      const checked = await entered(other, site);
      const require = createRequire(import.meta.url);
      await checked.addScriptTag({ content: readFileSync(require.resolve("axe-core"), "utf8") });
      const found = await checked.evaluate(async () => {
        const { axe } = globalThis as unknown as {
          axe: { run(): Promise<Checked> };
        };
        const { violations, passes } = await axe.run();
        const wrong = violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 120)}`);
        return { wrong, held: passes.map(({ id }) => id) };
      });
      expect(found.wrong).toEqual([]);
      expect(found.held).toEqual(
        expect.arrayContaining(["color-contrast", "button-name", "list", "region"]),
      );
    },
  );

  it("the page fits a phone without horizontal scrolling", async () => {
    await using phone = await Browser.open({
      viewport: { width: 360, height: 740 },
      deviceScaleFactor: 2,
      isMobile: true,
      hasTouch: true,
      colorScheme: "dark",
      reducedMotion: "reduce",
    });
    const small = await entered(phone, site);
    await allProtected(small);
    const widths = await small.evaluate(widthsOf);
    expect(widths).toEqual([360, 360]);
    await small.waitForTimeout(2_500);
    await shoot(small, "page-phone");
    expect(phone.complaints).toEqual([]);
  });

  it("another page of the same browser, and a client without a login, get no data", async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<title>foreign</title>");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const own = new URL(page.url());
    const foreign = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const other = await browser.page(foreign);
    const half = await page.evaluate(() => localStorage.getItem("linkseal-half"));
    // The worst case: the attacker knows values that only the page can know.
    const tried = await other.evaluate(
      async ([host, known]) => {
        const feed = new WebSocket(`ws://${host}/feed`, ["linkseal.page.1", `half.${known}`]);
        const outcome = await new Promise<string>((resolve) => {
          feed.onopen = () => resolve("open");
          feed.onerror = () => resolve("refused");
        });
        const read = await fetch(`http://${host}/session`, { credentials: "include" }).then(
          () => "read",
          () => "refused",
        );
        return [outcome, read];
      },
      [own.host, half ?? ""],
    );
    expect(tried).toEqual(["refused", "refused"]);
    await other.close();
    server.close();
    browser.complaints.length = 0;

    await using stranger = await Browser.open();
    const login = await stranger.page(own.origin);
    await login.getByLabel("One-time code").waitFor(patience);
    expect(await wordsOf(login)).not.toMatch(/erd-demo|edge-a|hub-1|protected/);
    await login.getByLabel("One-time code").fill("0000-0000-0000");
    await login.getByRole("button", { name: "Sign in" }).click();
    await login.getByText("this code is wrong").waitFor(patience);
  });

  it("the page reports a lost agent, shows its age, and no longer shows protected", async () => {
    await allProtected(page);
    // Chromium's own message about a lost connection comes after this.
    expect(browser.complaints).toEqual([]);
    site.child.kill("SIGKILL");
    await page.getByText(/No data from the agent for/).waitFor(patience);
    await expect.poll(() => page.locator(".badge.protected, .path.protected").count()).toBe(0);
    expect(await badgeOf(page, "erd-demo/primary").textContent()).toMatch(/^unknownwas protected$/);
    const age = async (): Promise<number> =>
      Number(
        /not connected for (\d+)/.exec((await page.locator(".live").textContent()) ?? "")?.[1],
      );
    const before = await age();
    await expect.poll(age, patience).toBeGreaterThan(before);
    expect(await page.title()).toBe("unknown · demo");
  });
});

/** The row in which each fault of the list is shown, and its code. */
const seenAt: Readonly<Record<string, readonly [about: string, code: string]>> = {
  "cak-mismatch": ["erd-demo/primary", "cak-mismatch"],
  "ckn-mismatch": ["erd-demo/primary", "ckn-mismatch"],
  "cipher-mismatch": ["erd-demo/primary", "sak-not-agreed"],
  "sci-mismatch": ["erd-demo/primary", "sci-mismatch"],
  "peer-silent": ["erd-demo/primary", "mka-no-live-peer"],
  "should-secure": ["erd-demo/primary", "policy-should-secure"],
  "stale-sak": ["erd-demo/primary", "stale-sak"],
  "integrity-only": ["erd-demo/primary", "frames-readable"],
  "vault-denied": ["erd-demo/primary", "vault-denied"],
  "commit-lost": ["hub-1", "commit-lost"],
  "clear-path": ["hub-1", "clear-path-beside-tunnel"],
  "clear-path-back": ["hub-1", "clear-path-beside-tunnel"],
  "sent-lost": ["erd-demo/primary", "arrival-not-proven"],
  mtu: ["erd-demo/primary", "mtu"],
  "far-end-changed": ["erd-demo/primary", "far-end-changed"],
};

const speed = ["--speed", "200"];

async function isShown(page: Page, name: string): Promise<void> {
  const [about, code] = seenAt[name] ?? ["", ""];
  const row = rowOf(page, about);
  await row.locator(".reasons code", { hasText: new RegExp(`^${code}$`) }).waitFor(patience);
  await page.locator(".warnings .code", { hasText: code }).first().waitFor(patience);
  expect(await row.locator(".badge.protected").count()).toBe(0);
}

describe("the fault list of npm start, on the page", () => {
  const before = demoFaults.filter(({ when }) => when === "beforeFirstEffect");
  const after = demoFaults.filter(({ when }) => when === "afterProtected");

  it("the test knows every fault of the list", () => {
    expect(Object.keys(seenAt).sort()).toEqual(demoFaults.map(({ name }) => name).sort());
  });

  it.each(before.map(({ name }) => name))(
    "the page shows the fault %s before the first effect",
    async (name) => {
      await using site = new Started(...speed, "--fault", name);
      await using browser = await Browser.open();
      await isShown(await entered(browser, site), name);
      expect(browser.complaints).toEqual([]);
    },
  );

  it("the page shows each later fault in turn, and its end", async () => {
    await using site = new Started(...speed);
    await using browser = await Browser.open();
    const page = await entered(browser, site);
    for (const { name } of after) {
      await allProtected(page);
      await site.run("sim", "fault", name);
      await isShown(page, name);
      await site.run("sim", "fault", name, "--heal");
      await rest(200);
    }
    expect(browser.complaints).toEqual([]);
  });
});
