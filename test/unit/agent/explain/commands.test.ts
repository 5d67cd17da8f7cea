// The commands of steps: each exists, is filled in from the config, and contains no key.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import {
  type CommandBlock,
  commandBlocks,
  isCommandName,
  keyWords,
} from "#agent/explain/commands.ts";
import { explanations } from "#agent/explain/explain.ts";
import { nightCard, nightChapters } from "#agent/explain/night.ts";
import { linkScenes, type Scene, sceneOf, type TunnelScene } from "#agent/explain/scene.ts";
import { filledSteps, stepLines } from "#agent/explain/steps.ts";
import type { Desired } from "#agent/model/desired.ts";
import { platformNames, platforms } from "#drivers/index.ts";
import { parseCkn } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { siteConfig } from "../../kit/site-config.ts";

function desiredOf(text: string): Desired {
  const parsed = parseConfig(text, "site.yaml", Date.UTC(2026, 10, 24) as WallTime);
  if (parsed.kind === "ok") return parsed.desired;
  throw new Error(JSON.stringify(parsed.complaints));
}

const example = join(import.meta.dirname, "../../../../docs/examples/two-routers.yaml");
const desired = desiredOf(readFileSync(example, "utf8"));
const simulated = desiredOf(siteConfig);

const textOfBlock = (one: CommandBlock): string => JSON.stringify(one);
const textOf = (code: string, scene: Scene): string =>
  stepLines(filledSteps(code, scene), "").join("\n");

describe("steps", () => {
  it("every command that a step or a chapter names exists", () => {
    const named = [
      ...[...explanations.values()].flatMap(({ steps }) => steps.flatMap(({ run }) => run)),
      ...nightChapters.flatMap(({ steps }) => steps.flatMap(({ run = [] }) => run)),
    ];
    expect(named.filter((name) => !isCommandName(name))).toEqual([]);
  });

  it("the steps of a link have its router's words, its port and its resource", () => {
    const text = textOf("mka-no-live-peer", sceneOf(desired, "erd-dub/primary"));
    expect(text).toContain("edge-a (junos):");
    expect(text).toContain("show security mka sessions interface et-0/0/0 detail");
    expect(text).toMatch(
      /az network express-route port link show .* --port-name erd-dub --name link1/,
    );
    expect(textOf("mka-no-live-peer", sceneOf(desired, "erd-dub/secondary"))).toContain(
      "show mac security interface Ethernet1 detail",
    );
  });

  it("a far end that differs is looked at, and no step of a code contains its write", () => {
    const key = {
      cakSecretId: `https://kv.vault.azure.net/secrets/cak/${"a".repeat(32)}`,
      cknSecretId: `https://kv.vault.azure.net/secrets/ckn/${"a".repeat(32)}`,
    };
    for (const code of explanations.keys()) {
      const text = textOf(
        code,
        sceneOf(desired, "erd-dub/primary", () => key),
      );
      expect([code, text]).not.toEqual([
        code,
        expect.stringMatching(/az .*( update|--method put) /),
      ]);
    }
    const text = textOf("drift", sceneOf(desired, "erd-dub/primary"));
    expect(text).toMatch(/az network express-route port link show .*--name link1/);
    expect(text).toContain("`linkseal ends erd-dub/primary`");
  });

  it("the accepted pair is in the command for the far end, once it is known", () => {
    const id = (name: string): string =>
      `https://kv.vault.azure.net/secrets/${name}/${"a".repeat(32)}`;
    const key = { cakSecretId: id("cak"), cknSecretId: id("ckn") };
    const linesOf = (scene: Scene): string =>
      JSON.stringify(commandBlocks(["farEnd.set", "vault.read"], scene));
    const known = linesOf(sceneOf(desired, "erd-dub/primary", () => key));
    expect(known).toContain(`--macsec-cak-secret-identifier ${key.cakSecretId}`);
    expect(linesOf(sceneOf(desired, "erd-dub/primary"))).toContain(
      "'<ID-OF-THE-CAK-OF-erd-dub-primary>'",
    );
  });

  it("names are filled in within commands alone", () => {
    const text = textOf("macsec-not-configured", sceneOf(desired, "erd-dub/primary"));
    expect(text).toContain("`linkseal enrol erd-dub`");
    expect(text).not.toContain("GROUP");
    expect(textOf("macsec-not-configured", { kind: "none" })).toContain("`linkseal enrol GROUP`");
  });

  it("a device that does not answer gets the login, and the drop-in of its credential", () => {
    const text = textOf("device-unreachable", sceneOf(desired, "edge-a"));
    expect(text).toContain("ssh -p 830 linkseal@192.0.2.1");
    expect(text).toContain("LoadCredentialEncrypted=edge-a");
    expect(text).toContain("systemctl daemon-reload");
  });

  it("a host that the agent reaches by SSH is looked at by a person's own login", () => {
    const devices = desired.devices.map((device) =>
      device.name === "edge-a"
        ? { ...device, driver: "linux", address: "ssh://192.0.2.1" }
        : device,
    );
    const text = textOf("device-unreachable", sceneOf({ ...desired, devices }, "edge-a"));
    expect(text).toContain("ssh 192.0.2.1 systemctl status linkseal-peer");
    expect(text).not.toContain("linkseal@");
  });

  it("a name that the config does not have gives the sentences alone", () => {
    for (const about of ["gone", "__proto__", "erd-dub/primary/x", ""]) {
      expect(sceneOf(desired, about)).toEqual({ kind: "none" });
      expect(
        filledSteps("mtu", sceneOf(desired, about)).flatMap(({ commands }) => commands),
      ).toEqual([]);
    }
    expect(filledSteps("__proto__", { kind: "none" })).toEqual([]);
  });
});

describe("commands by hand", () => {
  const settings = linkScenes(desired)[0]?.settings;
  if (settings === undefined) throw new Error("the example has a link");

  it.each(platformNames)("%s: a key is a word that no device takes as hexadecimal", (name) => {
    const words = keyWords("erd-dub/primary");
    for (const word of Object.values(words)) {
      expect(parseCkn(word)).toBe(undefined);
      expect(word).not.toMatch(/^[0-9a-fA-F]+$/);
    }
    const found = platforms[name].byHand.putKey("et-0/0/0", words, settings);
    if (found.kind === "none") return expect(found.why).toMatch(/^[A-Z].*\.$/);
    const text = found.lines.join("\n");
    expect(text).toContain(words.cak);
    expect(text).toContain(words.ckn);
    expect(text).not.toMatch(/[0-9a-fA-F]{32}/);
  });

  it.each(["iosxe", "eos"] as const)(
    "%s: a drain that is taken away by hand leaves the router its own route map",
    (name) => {
      const found = platforms[name].byHand.undrain("prepend");
      if (found.kind === "none") throw new Error(found.why);
      const back = found.lines.findIndex((line) => line.includes("route-map NAME out"));
      expect(found.lines[0]).toMatch(/^show running-config/);
      expect(back).toBeGreaterThan(0);
      expect(found.lines.findIndex((line) => line.startsWith("no "))).toBeGreaterThan(back);
    },
  );

  it.each(platformNames)("%s: a change of a routed port ends with a commit or the end", (name) => {
    const { byHand } = platforms[name];
    for (const lines of [byHand.macsecOff("et-0/0/0"), byHand.openPort("et-0/0/0")]) {
      if (lines.kind === "none" || name === "linux") continue;
      expect(["commit", "end"]).toContain(lines.lines.at(-1));
    }
  });
});

describe("the night card", () => {
  const card = nightCard("dublin", { links: linkScenes(desired), tunnels: [] });

  it("a change of a router that a reload would take back is saved once it is proven", () => {
    const changes = ["router.openPort", "router.putKey", "router.macsecOff", "router.undrain"];
    for (const { title, steps } of nightChapters) {
      const names = steps.map(({ run = [] }) => run as readonly string[]);
      const changed = names.findLastIndex((run) => run.some((name) => changes.includes(name)));
      const saved = names.findLastIndex((run) => run.includes("router.save"));
      expect([title, saved > changed], title).toEqual([title, changed >= 0]);
    }
    const lines = (name: keyof typeof platforms): unknown => platforms[name].byHand.save();
    for (const name of ["iosxe", "eos"] as const) {
      expect(lines(name)).toEqual({ kind: "lines", lines: ["write memory"] });
    }
    const copied = { kind: "lines", lines: ["copy running-config startup-config"] };
    expect(lines("nxos")).toEqual(copied);
    for (const name of ["junos", "iosxr", "linux", "sim"] as const) {
      expect(lines(name)).toMatchObject({ kind: "none" });
    }
    const blocks = card.chapters.at(-1)?.steps.flatMap(({ commands }) => commands) ?? [];
    expect(blocks).toContainEqual({ where: "edge-b (eos)", lines: ["write memory"], note: null });
  });

  it("a drain is taken away below the command that shows its neighbour and our AS", () => {
    const scenes = linkScenes(desired);
    const linesOf = (platform: string): readonly string[] => {
      const links = scenes.map((link) => ({
        ...link,
        drain: "prepend" as const,
        device: { ...link.device, platform },
      }));
      const scene: Scene = { kind: "group", group: "erd-dub", links };
      return commandBlocks(["router.undrain"], scene)[0]?.lines ?? [];
    };
    expect(linesOf("junos")[0]).toMatch(/^show configuration \| display set .*linkseal-drain/);
    expect(linesOf("iosxr")[0]).toBe("show running-config router bgp | exclude password");
    expect(linesOf("eos")[0]).toMatch(/^show running-config/);
  });

  it("the card has the five emergencies, each with steps", () => {
    expect(card.chapters.map(({ title }) => title)).toEqual([
      "Both links are down",
      "A key is compromised",
      "The agent is dead",
      "MACsec off by hand",
      "A key put on by hand",
    ]);
    for (const { steps } of card.chapters) expect(steps.length).toBeGreaterThan(3);
  });

  it("MACsec off: data is in the clear, and the far end comes before the router", () => {
    const off = card.chapters.find(({ title }) => title === "MACsec off by hand");
    expect(off?.intro).toContain("IN THE CLEAR");
    expect(off?.intro).toContain("dark, or drained beside a carrying sibling");
    const [link] = linkScenes(desired);
    const alone = nightCard("dublin", { links: link === undefined ? [] : [link], tunnels: [] });
    const steps = alone.chapters.find(({ title }) => title === off?.title)?.steps ?? [];
    const lines = steps.flatMap(({ commands }) => commands.flatMap((one) => one.lines));
    const far = lines.findIndex((line) => line.includes('"cakSecretIdentifier":null'));
    const near = lines.findIndex((line) => line.startsWith("delete security macsec interfaces"));
    expect(far).toBeGreaterThan(0);
    expect(near).toBeGreaterThan(far);
  });

  it("a block of one link names it, so that no command is run for the other", () => {
    const wheres = card.chapters.flatMap(({ steps }) =>
      steps.flatMap(({ commands }) => commands.map(({ where }) => where)),
    );
    expect(wheres).toContain("edge-a (junos), erd-dub/primary");
    expect(wheres).toContain("Azure, erd-dub/secondary");
  });

  it("the party that changes the far end decides which steps there are", () => {
    const stepsOf = (links: ReturnType<typeof linkScenes>): string =>
      JSON.stringify(nightCard("x", { links, tunnels: [] }).chapters[1]);
    expect(stepsOf(linkScenes(desired))).toContain("linkseal rotation proceed erd-dub");
    expect(stepsOf(linkScenes(simulated))).not.toContain("rotation proceed");
  });

  it("a simulated site has no az, and says so", () => {
    const [link] = linkScenes(simulated);
    if (link === undefined) throw new Error("the site has a link");
    expect(commandBlocks(["farEnd.show"], link)[0]?.note).toContain("simulated");
    const resource = linkScenes(desired)[0]?.resource ?? "";
    const links = [{ ...link, resource }];
    expect(JSON.stringify(nightCard("x", { links, tunnels: [] }))).not.toMatch(/az (network|rest)/);
  });

  const hub = tunnelOf("linux");
  function tunnelOf(platform: string) {
    const device = { ...linkScenes(desired)[0]?.device, name: "edge", platform };
    const scope = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg";
    const connection = `${scope}/providers/Microsoft.Network/connections/c`;
    const names = { name: "hub-1", remote: "203.0.113.1", connection };
    return { kind: "tunnel", ...names, device, azure: desired.azure } as TunnelScene;
  }

  it("a tunnel has its own emergencies, with the commands of its router and its name", () => {
    const both = nightCard("x", { links: linkScenes(desired), tunnels: [hub] });
    expect(both.chapters).toHaveLength(7);
    const alone = nightCard("x", { links: [], tunnels: [hub] });
    expect(alone.chapters.map(({ title }) => title)).toEqual([
      "The agent is dead",
      "A tunnel is down",
      "A tunnel is up and carries nothing",
    ]);
    const [dead, down, dark] = alone.chapters.map((chapter) => JSON.stringify(chapter));
    expect(dead).not.toMatch(/a link |drain/);
    for (const line of [
      "linkseal tunnels hub-1",
      "swanctl --list-sas --ike hub-1",
      "host 203.0.113.1",
      "linkseal psk show hub-1",
      "az network vpn-connection show",
      "az monitor activity-log list",
      "systemctl start strongswan",
      "IN THE CLEAR",
    ]) {
      expect(down).toContain(line);
    }
    for (const line of ["swanctl --terminate --ike hub-1", "linkseal drain hub-1"]) {
      expect(dark).toContain(line);
    }
    const lists = alone.chapters.flatMap(({ steps }) => steps.map(({ commands }) => commands));
    for (const blocks of lists) expect(new Set(blocks.map(textOfBlock)).size).toBe(blocks.length);
  });

  it("commands of charon name its socket where the config does", () => {
    const device = { ...hub.device, charon: "/run/blue/charon.vici" };
    const text = JSON.stringify(nightCard("x", { links: [], tunnels: [{ ...hub, device }] }));
    const uri = "--uri unix:///run/blue/charon.vici";
    expect(text).toContain(`swanctl --list-sas --ike hub-1 ${uri}`);
    expect(text).toContain(`swanctl --terminate --ike hub-1 ${uri}`);
  });

  it("a router of another platform has no command of Linux on its card", () => {
    for (const platform of platformNames.filter((name) => name !== "linux")) {
      const text = JSON.stringify(nightCard("x", { links: [], tunnels: [tunnelOf(platform)] }));
      expect(text).not.toMatch(/swanctl|tcpdump|systemctl start strongswan/);
    }
  });

  it("a block that two commands of one step have appears once", () => {
    const [link] = linkScenes(simulated);
    if (link === undefined) throw new Error("the site has a link");
    expect(commandBlocks(["router.showPort", "router.showMacsec"], link)).toHaveLength(1);
  });
});
