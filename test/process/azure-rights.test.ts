// An agent in its own process and a cloud over TLS that takes away one right after the other: the
// agent drains nothing without them, names what is missing, and brings a drained link back.

import { spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask } from "#agent/cli/client.ts";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { watchOutages } from "#sim/oracle/outage.ts";
import { type AzureServed, serveAzure } from "#sim/serve/azure.ts";
import { leashClock, type Pace, paceClock, type Served, serveSite } from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite } from "#sim/site/site.ts";
import { patienceMs } from "../patience.ts";
import { hasty } from "../short-waits.ts";
import { Program } from "./program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
const speed = 40;
const leashMs = 500;
const network = "Microsoft.Network";
const assign = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-rights-")));
let cloud: AzureServed;
let served: Served;
let pace: Pace;
let agent: Program;
let outages: ReturnType<typeof watchOutages>;
let port = "";
/** The routers that the agent changed, one entry an effect. */
const changed: string[] = [];

beforeAll(async () => {
  cloud = await serveAzure({
    ...{ folder, port: 0 },
    site: (vaultBase) => {
      const shape = { seed: "rights", name: "demo", groups: 1, tunnels: 0 } as const;
      return buildSite({ ...shape, start: "clear", vaultBase, wallStart: Date.now() });
    },
  });
  const { site, base, tenant, clientId, certificate } = cloud;
  outages = watchOutages(site);
  site.onEffect(({ by, place }) => {
    if (by === "agent" && site.routers.has(place)) changed.push(place);
  });
  port = [...site.msees.keys()][0] ?? "";
  take(`${network}/expressRoutePorts/write`, port);
  site.setSpeed(speed);
  const leash = leashClock(siteHandler(site), site.clock, leashMs);
  const socket = join(folder, "site.sock");
  served = await serveSite(leash.handler, socket);
  pace = paceClock(site.clock, { speed, hold: leash.hold });
  agent = start("agent", "--site", `unix:${socket}`);
  await agent.ready();
  const identity = `kind: clientCertificate, tenant: ${tenant}, client: ${clientId}`;
  const text = [
    "  cloud: loopback",
    ...["vault", "authority", "arm"].map((name) => `  ${name}: "${base}"`),
    `  identity: { ${identity}, certificate: "file:${certificate}" }`,
    "",
  ].join("\n");
  const address = `unix:${socket}`;
  const file = join(folder, "site.yaml");
  const config = hasty(site.config(address));
  writeFileSync(file, config.replace(`  cloud: sim\n  vault: ${address}\n`, text));
  const applied = await run("apply", file, "--yes");
  if (applied.exit !== 0) throw new Error(`not applied: ${applied.output}`);
});
afterAll(async () => {
  agent.child.kill("SIGKILL");
  await agent.ended;
  await pace.stop();
  await Promise.all([served.close(), cloud.close()]);
  rmSync(folder, { recursive: true });
});

function start(...argv: readonly string[]): Program {
  const own = { LINKSEAL_HOME: folder, TMPDIR: folder, NODE_EXTRA_CA_CERTS: cloud.ca };
  const env = { ...process.env, ...own };
  const child = spawn(process.execPath, [command, ...argv], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return new Program(child);
}

async function run(...argv: readonly string[]): Promise<{ output: string; exit: number | null }> {
  const program = start(...argv);
  await program.ended;
  return { output: program.output, exit: program.child.exitCode };
}

async function view<T>(path: string): Promise<T> {
  const socket = join(folder, "run/view.sock");
  return (await ask({ role: "view", method: "GET", path, socket })) as T;
}

async function campaign(): Promise<CampaignShape | undefined> {
  const { campaigns } = await view<{ campaigns: readonly CampaignShape[] }>("/v1/rotation");
  return campaigns[0];
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const begun = performance.now(); !(await holds()); await rest(100)) {
    if (performance.now() - begun <= patienceMs) continue;
    throw new Error(`waited too long: ${what}: ${JSON.stringify(await campaign())}`);
  }
}

const links = () => cloud.site.truth().groups[0]?.links ?? [];
const isDrained = (): boolean => links().some(({ drained }) => drained);
const group = (): string => port.split("/").slice(0, 5).join("/");
const puts = (): number => cloud.azure.answered.filter(({ method }) => method === "PUT").length;

/** Takes away this right and gives back every other one. */
function take(action: string, scope: string): void {
  const { roles } = cloud.azure.arm;
  roles.restore();
  roles.withhold(action, scope);
}

const isGatedBy = (text: string) => async (): Promise<boolean> => {
  const found = await campaign();
  return found?.state === "gated" && found.because.includes(text);
};

const rights = (): readonly (readonly [action: string, scope: string])[] => [
  [`${network}/expressRoutePorts/write`, port],
  [
    assign,
    `${group()}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/` +
      `${port.split("/").at(-1)}-macsec`,
  ],
  [`${network}/locations/operations/read`, group()],
  [`${network}/locations/operationResults/read`, group()],
  [`${network}/expressRoutePorts/read`, port],
];

describe("an agent whose rights are taken away one at a time", () => {
  it("before the campaign each missing right is named, and nothing is drained", async () => {
    for (const [index, [action, scope]] of rights().entries()) {
      // The rights of each scope are read by a request of its own: the next one is missing
      // everywhere before the one before it is given back.
      cloud.azure.arm.roles.withhold(action, scope);
      if (index > 0) await until(`two rights, with ${action}`, isGatedBy("nor 1 other right"));
      take(action, scope);
      await until(action, async () => {
        const isAlone = !(await campaign())?.because.includes("other right");
        return isAlone && (await isGatedBy(`${action} at ${scope}`)());
      });
    }
    const shown = await run("rotation", "show", "erd-demo");
    expect(shown.output).toContain("gate.rightsMissing");
    const { output } = await run("doctor");
    expect(output).toContain(`${network}/expressRoutePorts/read at ${port}`);
    const { warnings } = await view<Status>("/v1/status");
    const waits = warnings.find(({ code }) => code === "campaign-waiting");
    expect(waits?.next).toContain("linkseal azure setup");
    expect([changed, puts(), isDrained()]).toEqual([[], 0, false]);
  });

  it("during the campaign the write is refused, the link comes back, none is dark", async () => {
    const begun = cloud.site.clock.now();
    cloud.azure.arm.roles.restore();
    await until("a drain", async () => isDrained());
    take(`${network}/expressRoutePorts/write`, port);
    await until("a refused write", async () => puts() > 0);
    await until("a warning", async () => {
      const { warnings } = await view<Status>("/v1/status");
      return warnings.some(({ code }) => code === "far-end-refused");
    });
    await until("the end of the campaign", async () => (await campaign())?.state === "done");
    expect([(await campaign())?.links[0]?.outcome, isDrained()]).toEqual(["reverted", false]);
    for (const { id } of cloud.site.links) expect(outages.time(id, begun).wholeMs).toBe(0);
    const statuses = cloud.azure.answered.filter(({ method }) => method === "PUT");
    expect(new Set(statuses.map(({ status }) => status))).toEqual(new Set([403]));
  });

  it("an operator's campaign waits as well, and ends once the right is back", async () => {
    const begun = await run("enrol", "erd-demo", "--accept-risk=breakBeforeMake");
    expect(begun).toMatchObject({ exit: 0 });
    await until("a campaign that waits", isGatedBy(`${network}/expressRoutePorts/write`));
    cloud.azure.arm.roles.restore();
    await until("protection", async () => {
      const { verdict } = await view<Status>("/v1/status");
      return verdict === "protected" && (await campaign())?.state === "done";
    });
    expect(isDrained()).toBe(false);
  });
});
