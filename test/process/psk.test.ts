// An agent in its own process sends a gateway its key: vault and management API over TLS as in
// production, and no octet of any key in its output.

import { spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask } from "#agent/cli/client.ts";
import type { PskReport } from "#agent/runtime/tunnels/psk-report.ts";
import { type AzureServed, serveAzure } from "#sim/serve/azure.ts";
import { leashClock, type Pace, paceClock, type Served, serveSite } from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite } from "#sim/site/site.ts";
import { patienceMs } from "../patience.ts";
import { gatewayConfig } from "../storm/gateway-stage.ts";
import { Emissions } from "./emissions.ts";
import { Program } from "./program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
// Azure refuses the last one.
const psks = [
  "A_PSK_that_goes_over_TLS_to_Azure",
  "The_next_PSK_where_the_agent_was_first",
  "Once_more_a_PSK_where_the_agent_was_first",
  String.raw`Another_one_with_"quotes"_and_a_\_in_it`,
  "A_last_one_that_Azure_refuses",
] as const;
const speed = 50;
const leashMs = 500;

const folder = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-psk-")));
const emissions = new Emissions();
let cloud: AzureServed;
let served: Served;
let pace: Pace;
let agent: Program;
const given: string[] = [];
const put: string[] = [];

beforeAll(async () => {
  cloud = await serveAzure({
    ...{ folder, port: 0 },
    site: (vaultBase) => {
      const shape = { seed: "psk", name: "demo", groups: 1, tunnels: 1, start: "clear" } as const;
      return buildSite({ ...shape, vaultBase, wallStart: Date.now() });
    },
  });
  const { site, azure } = cloud;
  azure.arm.sharedKeys.given = (_tunnel, key) => given.push(new TextDecoder().decode(key));
  site.setSpeed(speed);
  const leash = leashClock(siteHandler(site), site.clock, leashMs);
  const socket = join(folder, "site.sock");
  served = await serveSite(leash.handler, socket);
  pace = paceClock(site.clock, { speed, hold: leash.hold });
  agent = start("agent", "--site", `unix:${socket}`);
  await agent.ready();
  const { base, tenant, clientId, certificate } = cloud;
  const identity = `kind: clientCertificate, tenant: ${tenant}, client: ${clientId}`;
  const place = `cloud: loopback, vault: "${base}", authority: "${base}", arm: "${base}"`;
  const text = `${place}, identity: { ${identity}, certificate: "file:${certificate}" }`;
  const file = join(folder, "site.yaml");
  writeFileSync(file, gatewayConfig(site, text, `unix:${socket}`));
  const applied = await run("apply", file, "--yes");
  if (applied.exit !== 0) throw new Error(`not applied: ${applied.output}`);
  await until(async () => site.tunnelTruth()[0]?.up === true && (await psk()).secretId !== null);
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
  emissions.take(`${argv.join(" ")} ${emissions.places.length}`, program.output);
  return { output: program.output, exit: program.child.exitCode };
}

async function psk(): Promise<PskReport> {
  const socket = join(folder, "run/view.sock");
  const reported = await ask({ role: "view", method: "GET", path: "/v1/psk", socket });
  emissions.take(`GET /v1/psk ${emissions.places.length}`, JSON.stringify(reported));
  return (reported as { psks: readonly [PskReport] }).psks[0];
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const begun = performance.now(); !(await holds()); await rest(200)) {
    if (performance.now() - begun > patienceMs) throw new Error(JSON.stringify(await psk()));
  }
}

/** Puts the next of these keys into the vault and returns its versioned id. */
function putKey(psk: string): string {
  put.push(psk);
  return cloud.site.vault.put("hub-1-psk", psk);
}

const isInUse = (id: string) => async (): Promise<boolean> => (await psk()).secretId === id;

describe("an agent that sends a gateway its key over TLS", () => {
  it("psk sends a key on request, and shows the progress", async () => {
    // The agent reads the vault by itself every six seconds, so on a busy computer it can be first.
    let id = putKey(psks[0]);
    let done = await run("psk", "proceed", "hub-1");
    for (const psk of psks.slice(1, 3)) {
      if (done.exit === 0) break;
      expect(done.output).toContain("the vault has no version that is newer than the one in use");
      id = putKey(psk);
      done = await run("psk", "proceed", "hub-1");
    }
    expect(done).toMatchObject({ exit: 0 });
    expect(done.output).toContain("the gateway's is written by the agent");
    expect(given).toEqual(put);
    expect(await psk()).toMatchObject({ farEnd: "agent", secretId: id, next: null });
  });

  it("a newer version in the vault is sent by itself", async () => {
    await until(isInUse(putKey(psks[3])));
    expect(given).toEqual(put);
    expect(cloud.site.tunnelTruth()).toMatchObject([{ up: true }]);
  });

  it("a missing right is named with its scope, no key is given, and psk show says so", async () => {
    const right = "Microsoft.Network/connections/sharedKey/write";
    cloud.azure.arm.roles.withhold(right);
    cloud.site.vault.put("hub-1-psk", psks[4]);
    const { output, exit } = await run("psk", "proceed", "hub-1");
    // Azure refuses the first one if the rights were read just before.
    expect([1, 6]).toContain(exit);
    expect(output).toContain(right);
    expect(given).toEqual(put);
    const shown = await run("psk", "show");
    expect(shown.output).toContain("waiting: hub-1-psk version");
    expect(shown.output).toContain(right);
    // From here on it is known to be missing: no retry shows another state.
    for (let turn = 0; turn < 5; turn += 1) {
      expect((await run("psk", "show")).output).toContain("waiting:");
    }
    expect(shown.output).toContain("next: linkseal psk proceed hub-1, to begin now");
    expect(given).toEqual(put);
  });

  it("the agent reads no key back, and prints none", async () => {
    const asked = cloud.azure.answered.filter(({ path }) => /sharedkey/i.test(path));
    expect(new Set(asked.map(({ method }) => method))).toEqual(new Set(["PUT"]));
    await run("status", "--json");
    await run("events", "--json");
    await run("journal", "--json");
    emissions.takeProcess(agent.pid);
    agent.child.kill("SIGTERM");
    await agent.ended;
    expect(agent.child.exitCode).toBe(0);
    emissions.take("log", agent.output);
    emissions.takeFolder(join(folder, "state"));
    const keys = psks.map((text) => ({ id: text.slice(0, 6), bytes: Buffer.from(text) }));
    console.log(`${emissions.places.length} places were searched for ${keys.length} keys`);
    expect(emissions.places).toEqual(expect.arrayContaining([expect.stringMatching(/journal/)]));
    expect(emissions.find(keys)).toEqual([]);
  });
});
