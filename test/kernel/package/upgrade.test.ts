// An upgrade from the first package in the middle of a rotation, on a fresh Debian with systemd:
// beside routers of two vendors over real SSH and NETCONF, with keys and far end behind TLS.

import { copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask } from "#agent/cli/client.ts";
import { placeSource } from "#agent/host/places.ts";
import { version } from "#agent/model/version.ts";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { sightOf } from "#sim/conformance/canary.ts";
import { firstVersion, whyNoFirstVersion } from "../../first-version.ts";
import { packagesOf } from "../../machine/packages.ts";
import { Stage } from "../../process/stage.ts";
import { FreshHost } from "./fresh-host.ts";

const group = "erd-demo";
/** Real time: the agents on the fresh host follow no clock of a simulated site. */
const setting = {
  seed: "upgrade",
  start: "protected",
  speed: 1,
  fate: undefined,
  platforms: ["iosxr", "junos"],
  // Labels of that version are too long for releases with the shorter limit.
  labelMax: 30,
} as const;
/** Where the fresh host has the credentials of routers and cloud. */
const place = "/srv/site";
const kernelUnits = ["linkseal-net.service", "linkseal-mka@wire.service"];
const packages = packagesOf(version);
const laterBuild = "build ffffffffffff";
let host: FreshHost;
let stage: Stage;

beforeAll(async () => {
  const whyNot = existsSync(packages.first) ? undefined : whyNoFirstVersion();
  if (whyNot !== undefined) throw new Error(whyNot);
  stage = await Stage.open(setting, "loopback-site.ts");
  host = await FreshHost.boot();
  copyFileSync(packages.first, host.path("/root/first.deb"));
  copyFileSync(packages.later.linkseal, host.path("/root/later.deb"));
  mkdirSync(host.path(place));
  for (const entry of readdirSync(stage.folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    copyFileSync(join(stage.folder, entry.name), host.path(join(place, entry.name)));
  }
}, 400_000);
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  host.end();
});

/** As the fresh host has the file. */
const moved = (text: string): string => text.replaceAll(stage.folder, place);

/** Asks as the owner of the socket: users of the Debian inside are strangers here. */
async function question<T>(role: "view" | "admin", path: string, body?: object): Promise<T> {
  const socket = host.path(`/run/linkseal/${role}.sock`);
  const owner = { ...placeSource(), uid: lstatSync(socket).uid };
  const asked =
    body === undefined
      ? ({ role, method: "GET", path, socket } as const)
      : ({ role, method: "POST", path, body, socket } as const);
  return (await ask(asked, owner)) as T;
}

const property = (unit: string, name: string): string =>
  host.ok(`systemctl show -P ${name} ${unit}`).trim();
const pidOf = (unit: string): string => property(unit, "MainPID");

async function campaign(): Promise<CampaignShape | undefined> {
  const path = "/v1/rotation";
  const { campaigns } = await question<{ campaigns: readonly CampaignShape[] }>("view", path);
  return campaigns.find(({ kind }) => kind === "rotate");
}

/** Waits as `until` does; an agent that does not answer yet is asked again. */
async function until<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
  return await host.until(what, () => probe().catch(() => undefined));
}

async function protectedAgain(): Promise<void> {
  await until("protection", async () => {
    const { verdict } = await question<Status>("view", "/v1/status");
    return verdict === "protected" || undefined;
  });
}

const linksOf = async () => (await stage.account()).truth.groups.flatMap(({ links }) => links);

describe("an upgrade from the first package", { timeout: 1_200_000 }, () => {
  let before: CampaignShape;

  it("the first version adopts the links of its routers", async () => {
    host.ok("dpkg -i /root/first.deb 2>&1");
    host.ok("ip link add wire type veth peer name far && ip link set wire up");
    host.ok("grep -q localhost /etc/hosts || echo 127.0.0.1 localhost >> /etc/hosts");
    host.ok(`systemctl start ${kernelUnits.join(" ")}`);
    const variables = Object.entries(stage.environment);
    const lines = variables.map(([name, value]) => `Environment=${name}=${moved(value)}`);
    const folder = "/etc/systemd/system/linkseal.service.d";
    host.ok(`chown -R linkseal: ${place} && mkdir -p ${folder}
      printf '[Service]\\n${lines.join("\\n")}\\n' > ${folder}/test.conf
      systemctl daemon-reload && systemctl restart linkseal.service`);
    const asked = { text: moved(stage.config), file: "site.yaml", queue: false };
    await until("a config", async () => await question<object>("admin", "/v1/apply", asked));
    const target = { target: group, risks: [] };
    await until("an adoption", async () => await question<object>("admin", "/v1/adopt", target));
    await protectedAgain();
    expect(property("linkseal.service", "StatusText")).toContain(`linkseal ${firstVersion} `);
  });

  it("the package is upgraded while a link is drained, and the campaign goes on", async () => {
    // Unpacking takes minutes in an emulator: meanwhile the files of the old process are replaced.
    host.ok("dpkg --unpack /root/later.deb 2>&1");
    stage.send({ kind: "newKeys" });
    // Drivers of that version do not understand each layout in which a router shows a route.
    const risks = ["ownPathUnknown"];
    const asked = { target: group, risks, urgency: "planned" };
    await until("a campaign", async () => await question<object>("admin", "/v1/rotate", asked));
    await until("a drain", async () => (await linksOf()).find(({ drained }) => drained));
    before = await until("the campaign", campaign);
    expect(before.state).not.toBe("done");
    const [agent, ...others] = ["linkseal.service", ...kernelUnits].map(pidOf);
    host.ok("dpkg --configure linkseal 2>&1");
    expect(pidOf("linkseal.service")).not.toBe(agent);
    expect(kernelUnits.map(pidOf)).toEqual(others);
    expect(property("linkseal.service", "StatusText")).toContain(laterBuild);
    const after = await until("the campaign", campaign);
    expect(after.steps.slice(0, before.steps.length).map(({ at }) => at)).toEqual(
      before.steps.map(({ at }) => at),
    );
    expect(after.links.map((link) => link.cakSecretId)).toEqual(
      before.links.map((link) => link.cakSecretId),
    );
  });

  it("the accepted config is in force, and the journal is whole", async () => {
    const config = { number: 1, text: moved(stage.config) };
    expect(await question("view", "/v1/config")).toMatchObject(config);
    expect(await question("view", "/v1/journal")).toMatchObject({ state: "whole" });
  });

  it("the rotation ends, and no drain, second key or pending commit is left", async () => {
    for (const { name } of before.links) {
      await until(`the end of ${name}`, async () => {
        const link = (await campaign())?.links.find((each) => each.name === name);
        return link?.outcome ?? undefined;
      });
    }
    const { links } = await until("the end", async () => {
      const shown = await campaign();
      return shown?.state === "done" ? shown : undefined;
    });
    expect(links.map(({ outcome }) => outcome)).toEqual(["rotated", "rotated"]);
    await protectedAgain();
    for (const { id, farKey, ...link } of await linksOf()) {
      expect(link, id).toMatchObject({
        ...{ secured: true, bgpUp: true, drained: false, commitPending: false },
        edgeKeys: [farKey],
      });
    }
  });

  it("the other processes of the first version give way to those of this one", () => {
    for (const unit of kernelUnits) {
      expect(property(unit, "StatusText")).not.toContain(laterBuild);
      host.ok(`systemctl restart ${unit}`);
      expect(property(unit, "StatusText")).toContain(laterBuild);
    }
  });

  it("state and journal contain no key", async () => {
    const { canaries } = await stage.account();
    const keys = canaries.map(({ bytes }) => bytes);
    expect(keys.length).toBeGreaterThan(3);
    const texts = [
      host.ok("journalctl --no-pager -o export -a"),
      host.ok("find /var/lib/linkseal* /etc/linkseal -type f -exec cat {} +"),
    ];
    expect(texts[0]?.length).toBeGreaterThan(10_000);
    expect(sightOf(keys, texts)).toBeUndefined();
  });
});
