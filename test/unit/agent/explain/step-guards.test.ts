// What each command of a step does to the ends of a link, and what guards the ones that write.

import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import { type CommandName, commandBlocks, isCommandName } from "#agent/explain/commands.ts";
import { explanations } from "#agent/explain/explain.ts";
import { nightChapters } from "#agent/explain/night.ts";
import { linkScenes } from "#agent/explain/scene.ts";
import { platformNames } from "#drivers/index.ts";
import type { WallTime } from "#hal/world.ts";
import { siteConfig } from "../../kit/site-config.ts";

/**
 * `verb`: linkseal looks again when it runs, and refuses; `gives`: it can only bring traffic back;
 * `elsewhere`: it concerns no end of a link; `writes`: it may make a link dark or part its ends.
 */
type Effect = "reads" | "verb" | "gives" | "elsewhere" | "writes";

const effects: Readonly<Record<CommandName, Effect>> = {
  "router.login": "reads",
  "router.showMacsec": "reads",
  "router.showPort": "reads",
  "router.showBgp": "reads",
  "router.openPort": "gives",
  "router.restartMka": "writes",
  "router.putKey": "writes",
  "router.macsecOff": "writes",
  "router.undrain": "gives",
  "router.save": "gives",
  "farEnd.show": "reads",
  "farEnd.history": "reads",
  "farEnd.set": "writes",
  "farEnd.setWords": "writes",
  "farEnd.macsecOff": "writes",
  "farEnd.readRole": "elsewhere",
  "vault.versions": "reads",
  "vault.read": "reads",
  "vault.disable": "elsewhere",
  "vault.reach": "reads",
  "vault.role": "elsewhere",
  "tunnel.show": "reads",
  "tunnel.path": "reads",
  "tunnel.daemon": "elsewhere",
  "tunnel.renew": "elsewhere",
  "tunnel.connection": "reads",
  "tunnel.history": "reads",
  "linkseal.generate": "verb",
  "linkseal.checkKeys": "verb",
  "linkseal.emergency": "verb",
  "linkseal.proceed": "verb",
  "linkseal.rotation": "verb",
  "linkseal.links": "verb",
  "linkseal.enrol": "verb",
  "linkseal.adopt": "verb",
  "linkseal.ends": "verb",
  "linkseal.drain": "verb",
  "linkseal.undrain": "verb",
  "linkseal.tunnels": "verb",
  "linkseal.psk": "verb",
  "linkseal.drainTunnel": "verb",
  "linkseal.undrainTunnel": "verb",
  "host.agent": "elsewhere",
  "host.restart": "elsewhere",
  "host.stop": "elsewhere",
  "host.space": "elsewhere",
  "host.credential": "elsewhere",
};

const writers = Object.entries(effects).flatMap(([name, effect]) =>
  effect === "writes" && isCommandName(name) ? [name] : [],
);

const isWriter = (name: string): boolean => isCommandName(name) && effects[name] === "writes";

interface Step {
  readonly text: string;
  readonly run?: readonly string[];
}

/** `linkseal drain` of the same step refuses unless the sibling carries; the step says to wait. */
function isDrained({ text, run = [] }: Step, writer: string): boolean {
  const drain = run.indexOf("linkseal.drain");
  const first = text.indexOf("only once that has succeeded");
  return drain >= 0 && drain < run.indexOf(writer) && first >= 0;
}

/** Both ends are read by the steps before, in a chapter for links that are dark or drained. */
function isRead(before: readonly Step[], words: string): boolean {
  const done = before.flatMap(({ run = [] }) => run);
  const isBoth = done.includes("farEnd.show") && done.includes("router.showMacsec");
  return isBoth && /\bdark\b/.test(words);
}

/** MACsec leaves a drained or dark link: the far end first, which is seen before the router. */
function isInOrder(before: readonly Step[], writer: string, intro: string): boolean {
  const done = before.flatMap(({ run = [] }) => run);
  const isLoose = done.includes("linkseal.drain") && intro.includes("dark, or drained beside");
  const far = done.indexOf("farEnd.macsecOff");
  const isSeen = far >= 0 && done.indexOf("farEnd.show", far) > far;
  return isLoose && (writer === "farEnd.macsecOff" || (writer === "router.macsecOff" && isSeen));
}

/** A sentence that asks a person to write an end of a link, without a verb that does it. */
const writes = [
  ...["must-secure on the router", "end to must-secure", "on the router, while"],
  ...["take (?:it|that key) off", "at the far end", "remove it on the router", "reset it"],
  "MACsec on the end",
];
const asksToWrite = new RegExp(`\\b(?:${writes.join("|")})`, "i");

/** Its guard: the link is drained or dark, MKA works, or `ends` has said that no end uses it. */
const guard =
  /drained|drain the link|linkseal drain|linkseal ends|if it says that neither end uses|is dark/i;

describe("the steps that people follow", () => {
  it("a step of a code that writes an end of a link drains it first, in the same step", () => {
    const unguarded = [...explanations.values()].flatMap(({ code, steps }) =>
      steps.flatMap((step) =>
        step.run
          .filter((name) => isWriter(name) && !isDrained(step, name))
          .map((name) => `${code}: ${name}`),
      ),
    );
    expect(unguarded).toEqual([]);
    expect(isDrained({ text: "Set it.", run: ["farEnd.set"] }, "farEnd.set")).toBe(false);
  });

  it("a chapter that writes an end reads both first, or takes MACsec off in order", () => {
    const unguarded = nightChapters.flatMap(({ title, intro, steps }) =>
      steps.flatMap((step, index) =>
        (step.run ?? [])
          .filter(isWriter)
          .filter(() => !isRead(steps.slice(0, index), `${intro} ${step.text}`))
          .filter((name) => !isInOrder(steps.slice(0, index), name, intro))
          .map((name) => `${title}: ${name}`),
      ),
    );
    expect(unguarded).toEqual([]);
    expect(isRead([{ text: "", run: ["farEnd.show"] }], "a dark link")).toBe(false);
  });

  it("a group has the writes of none of its links, so that both are never on one page", () => {
    const parsed = parseConfig(siteConfig, "site.yaml", Date.UTC(2026, 10, 24) as WallTime);
    if (parsed.kind !== "ok") throw new Error("the config of the site is good");
    for (const platform of platformNames) {
      const links = linkScenes(parsed.desired)
        .slice(0, 2)
        .map((link) => ({ ...link, device: { ...link.device, platform } }));
      const group = { kind: "group", group: "erd-demo", links } as const;
      expect(links).toHaveLength(2);
      for (const name of writers) {
        expect([name, commandBlocks([name], group).flatMap(({ lines }) => lines)]).toEqual([
          name,
          [],
        ]);
      }
    }
  });

  it("a sentence that asks for a write at an end names its guard", () => {
    const texts = [...explanations.values()].flatMap(({ code, steps }) =>
      steps.map(({ text }) => `${code}: ${text}`),
    );
    const asking = texts.filter((text) => asksToWrite.test(text));
    expect(asking.length).toBeGreaterThan(8);
    expect(asking.filter((text) => !guard.test(text) && !/: (?:At|See|Check)/.test(text))).toEqual(
      [],
    );
    for (const text of texts) {
      expect(text).not.toMatch(/put the accepted pair|point (?:it|the far end) back/);
    }
  });
});
