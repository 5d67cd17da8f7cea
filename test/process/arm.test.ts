// An agent of its own beside a simulated cloud of its own: keys over Microsoft's own client with a
// certificate, the far end over the management API, both over TLS.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CampaignShape } from "#agent/api/shape.ts";
import { ask } from "#agent/cli/client.ts";
import type { Status } from "#agent/health/status.ts";
import { buildSite } from "#sim/site.ts";
import { hasty } from "../haste.ts";
import { Life } from "./life.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-arm-")));
const socket = join(folder, "site.sock");
const speed = 10;
const patienceMs = 120_000;
const lives: Life[] = [];
let cloud: Life;
let environment: Readonly<Record<string, string>> = {};

function start(...argv: readonly string[]): Life {
  const env = { ...process.env, LINKSEAL_HOME: folder, TMPDIR: folder, ...environment };
  const child: ChildProcess = spawn(process.execPath, [command, ...argv], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const life = new Life(child);
  lives.push(life);
  return life;
}

/** The line of that name in what the cloud said first. */
function told(name: string): string {
  return new RegExp(`^${name} (.*)$`, "m").exec(cloud.said)?.[1] ?? "";
}

function config(): string {
  const shape = { seed: "1", name: "demo", groups: 1, tunnels: 2, start: "clear" } as const;
  const at = `unix:${socket}`;
  const vault = told("vault");
  const identity = [
    `kind: clientCertificate, tenant: ${environment["AZURE_TENANT_ID"]}`,
    `client: ${environment["AZURE_CLIENT_ID"]}`,
    `certificate: "file:${environment["AZURE_CLIENT_CERTIFICATE_PATH"]}"`,
  ];
  const gateway = "remote: { address: 203.0.113.1";
  const group = told("expressRoutePort").split("/providers/")[0] ?? "";
  const connection = `${group}/providers/Microsoft.Network/connections/hub-1`;
  const text = hasty(buildSite(shape).config(at)).replace(
    gateway,
    `${gateway}, azureConnection: ${connection}`,
  );
  return text.replace(
    `  cloud: sim\n  vault: ${at}\n`,
    [
      "  cloud: loopback",
      `  vault: ${vault}`,
      `  authority: ${told("authority")}`,
      `  arm: ${told("arm")}`,
      `  identity: { ${identity.join(", ")} }`,
      "",
    ].join("\n"),
  );
}

const view = async <T>(path: string): Promise<T> => {
  const at = join(folder, "run/view.sock");
  return (await ask({ role: "view", method: "GET", path, socket: at })) as T;
};

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const begun = performance.now(); !(await holds()); ) {
    if (performance.now() - begun > patienceMs) {
      const status = JSON.stringify(await view("/v1/status"));
      throw new Error(`waited too long: ${what}: ${status}`);
    }
    await rest(200);
  }
}

beforeAll(async () => {
  cloud = start("sim", "azure", "--socket", socket, "--speed", String(speed));
  await cloud.until("# Azure Arc");
  const lines = [...cloud.said.matchAll(/^export (\w+)=(.*)$/gm)];
  environment = Object.fromEntries(lines.map(([, name = "", value = ""]) => [name, value]));
  const agent = start("agent", "--site", `unix:${socket}`);
  await agent.until('"code":"ready"');
}, 60_000);

afterAll(async () => {
  for (const life of lives) life.child.kill("SIGKILL");
  await Promise.all(lives.map((life) => life.ended));
  rmSync(folder, { recursive: true });
});

describe("the agent and a cloud over TLS", () => {
  it("enrols both links, the far end written by the agent", { timeout: 180_000 }, async () => {
    const file = join(folder, "site.yaml");
    writeFileSync(file, config());
    const applied = start("apply", file, "--yes");
    await applied.ended;
    expect([applied.child.exitCode, applied.said]).toEqual([0, expect.any(String)]);
    await until("protection", async () => {
      const { campaigns } = await view<{ campaigns: readonly CampaignShape[] }>("/v1/rotation");
      const { verdict, warnings } = await view<Status>("/v1/status");
      const isOver = campaigns[0]?.state === "done" && warnings.length === 0;
      return isOver && verdict === "protected";
    });
    const { groups, tunnels } = await view<Status>("/v1/status");
    const links = groups.flatMap((group) => group.links);
    expect(links.map(({ verdict }) => verdict)).toEqual(["protected", "protected"]);
    expect(tunnels.map(({ azure }) => azure?.connection)).toEqual(["Connected", undefined]);
    for (const { ages, azure, keyVersion } of links) {
      expect(azure?.peerings).toEqual([{ type: "AzurePrivatePeering", state: "Enabled" }]);
      expect(ages.farEndMs).toBeLessThan(90_000);
      expect(keyVersion).toMatch(/^[0-9a-f]{32}$/);
    }
  });

  it("breaks no promise of the site, and says no token or key", async () => {
    const [, agent] = lives;
    agent?.child.kill("SIGTERM");
    await agent?.ended;
    expect(agent?.child.exitCode).toBe(0);
    expect(agent?.said).not.toMatch(/eyJ[\w-]{20}|PRIVATE KEY|Bearer /);
    const ended = once(cloud.child, "close");
    cloud.child.kill("SIGINT");
    await ended;
    expect([cloud.child.exitCode, cloud.said]).toEqual([0, expect.any(String)]);
  });
});
