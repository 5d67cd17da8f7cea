// The card and the steps of a code where no agent answers: from the accepted config, or a file.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { nightOf } from "#agent/cli/night.ts";
import { stepsAbout } from "#agent/cli/steps.ts";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import { unconfirmedKey } from "#agent/operate/init/config-text.ts";
import { LinksealError } from "#hal/error.ts";
import type { WallTime } from "#hal/world.ts";
import { siteConfig } from "../../kit/site-config.ts";

const folder = mkdtempSync(join(tmpdir(), "linkseal-night-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const example = join(import.meta.dirname, "../../../../docs/examples/two-routers.yaml");
const open = readFileSync(example, "utf8").replace(
  /hostKey: .*?(?= \}|$)/m,
  `hostKey: "${unconfirmedKey}"`,
);
const file = join(folder, "site.yaml");
writeFileSync(file, open);

describe("the card of a config whose host keys are not confirmed yet", () => {
  it("the card is printed, although the config is not valid", async () => {
    const now = Date.UTC(2026, 10, 24) as WallTime;
    const parsed = parseConfig(open, file, now);
    const complaints = parsed.kind === "refused" ? parsed.complaints.map(formatComplaint) : [];
    expect(complaints).toHaveLength(1);
    // A digest in the place of the correction was taken for the key of the device.
    expect(complaints[0]).toContain("what the device's own console shows");
    expect(complaints[0]).not.toMatch(/SHA256:[A-Za-z0-9+/]{43}/);
    expect((await nightOf(undefined, { config: file })).card.chapters).toHaveLength(5);
  });

  it("the card of one link has no command for the other one", async () => {
    const { card } = await nightOf("erd-dub/primary", { config: file });
    expect(JSON.stringify(card)).toContain("--name link1");
    expect(JSON.stringify(card)).not.toMatch(/--name link2|erd-dub\/secondary/);
    await expect(nightOf("erd-dub/third", { config: file })).rejects.toThrow(
      "no group, link or tunnel",
    );
  });
});

describe("the card of a tunnel (B12)", () => {
  const hosted = join(folder, "hosted.yaml");
  writeFileSync(hosted, siteConfig);

  it("a tunnel has a card by its name, and its emergencies are on the whole card", async () => {
    const { card } = await nightOf("hub-1", { config: hosted });
    expect(card.chapters).toHaveLength(3);
    expect(JSON.stringify(card)).toContain("linkseal tunnels hub-1");
    expect((await nightOf(undefined, { config: hosted })).card.chapters).toHaveLength(7);
    await expect(nightOf("hub-9", { config: hosted })).rejects.toThrow('link or tunnel "hub-9"');
  });
});

describe("the steps of a code for a name (without an agent there were none)", () => {
  const notes: string[] = [];
  const failing = (code: "agent.unreachable" | "agent.internal") => ({
    view: () =>
      Promise.reject(
        new LinksealError(code, "it is dead", { effect: "none", where: "socket", next: "x" }),
      ),
    note: (text: string) => void notes.push(text),
  });
  const now = Date.UTC(2026, 10, 24) as WallTime;

  it("steps have the names of the accepted config", async () => {
    const parsed = parseConfig(siteConfig, "site.yaml", now);
    if (parsed.kind !== "ok") throw new Error("the sample is valid");
    const find = async () => ({ desired: parsed.desired, from: "config 1 in /state" });
    const about = ["sci-mismatch", "erd-demo/primary"] as const;
    const steps = await stepsAbout(failing("agent.unreachable"), ...about, find);
    expect(JSON.stringify(steps)).toContain("linkseal enrol erd-demo");
    expect(notes.splice(0)).toEqual(["No agent answers: the names are from config 1 in /state."]);
  });

  it("steps are there without names if there is no config either", async () => {
    const none = () => {
      const details = {
        effect: "none",
        where: "here",
        next: "linkseal night --config FILE",
      } as const;
      return Promise.reject(new LinksealError("usage", "no config was accepted", details));
    };
    const about = ["sci-mismatch", "erd-demo/primary"] as const;
    const steps = await stepsAbout(failing("agent.unreachable"), ...about, none);
    expect(steps.length).toBeGreaterThan(0);
    expect(notes.splice(0)).toEqual([
      "No names and commands: no config was accepted. Try: linkseal night --config FILE",
    ]);
    await expect(stepsAbout(failing("agent.internal"), ...about, none)).rejects.toThrow("dead");
  });
});
