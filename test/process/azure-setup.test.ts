// `linkseal azure setup` as docs/azure.md shows it: against a simulated Azure over TLS, with a
// config that no agent has accepted.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostDialer } from "#agent/host/host.ts";
import type { AzureCheck } from "#agent/operate/azure-setup/check.ts";
import type { SetupReport } from "#agent/operate/azure-setup/report.ts";
import { encodeJson } from "#hal/json.ts";
import { patienceMs } from "../patience.ts";
import { CloudStage } from "./cloud-stage.ts";

const stage = new CloudStage("setup", 20);
let config = "";
beforeAll(async () => {
  await stage.begin();
  config = stage.config();
});
afterAll(() => stage.end());

async function check(): Promise<{ readonly exit: number; readonly wrong: readonly string[] }> {
  const { output, exit } = await stage.run("azure", "setup", config, "--check", "--json");
  const { checks } = JSON.parse(output) as AzureCheck;
  const wrong = checks.filter(({ found }) => found !== "has");
  return { exit, wrong: wrong.map(({ what, found }) => `${found}: ${what}`) };
}

async function pose(aspect: string, state: string): Promise<void> {
  const body = [encodeJson({ aspect, state })];
  const to = `unix:${stage.socket}`;
  const request = { to, method: "POST", path: "/posture", replyBytesMax: 10_000, body } as const;
  const { status } = await hostDialer.http(request, AbortSignal.timeout(patienceMs));
  expect(status).toBe(200);
}

describe("azure setup beside a simulated Azure", () => {
  it("the setup is printed whole, in each format, and asks no agent", async () => {
    const whole = await stage.run("azure", "setup", config, "--json", "--socket", "/nowhere.sock");
    expect(whole.exit).toBe(0);
    const { schema, role, az, terraform } = JSON.parse(whole.output) as SetupReport;
    expect(schema).toBe("linkseal.azure-setup/1");
    const printed = await stage.run("azure", "setup", config, "--format", "role");
    expect(JSON.parse(printed.output)).toEqual(role);
    for (const [format, text] of [
      ["az", az],
      ["terraform", terraform],
    ] as const) {
      const { output, exit } = await stage.run("azure", "setup", config, "--format", format);
      expect([exit, output]).toEqual([0, text]);
    }
    const { output } = await stage.run("azure", "setup", config);
    for (const action of role.Actions) expect(output).toContain(action);
  });

  it("a tenant that has everything is found to have it, with no accepted config", async () => {
    expect(await check()).toEqual({ exit: 0, wrong: [] });
  });

  it("a right that is taken away is missing, and is there again", async () => {
    const strike = (...more: readonly string[]) =>
      stage.run("sim", "fault", "right-missing", ...more, "--socket", stage.socket);
    expect((await strike()).exit).toBe(0);
    expect(await check()).toEqual({
      exit: 4,
      wrong: ["missing: the agent: Microsoft.Network/expressRoutePorts/write"],
    });
    const { output, exit } = await stage.run("azure", "setup", config, "--check");
    expect([exit, output]).toEqual([4, expect.stringMatching(/^MISSING the agent: /m)]);
    expect(output).toContain('next: give the agent the role "linkseal far end"');
    expect((await strike("--heal")).exit).toBe(0);
    expect(await check()).toEqual({ exit: 0, wrong: [] });
  });

  it("a vault without a firewall is missing it, and an unreadable one is unknown", async () => {
    const row = "The vault's firewall denies by default and lets trusted services pass";
    await pose("vaultSettings", "bad");
    expect((await check()).wrong).toContain(`missing: ${row}`);
    await pose("vaultSettings", "denied");
    const { exit, wrong } = await check();
    expect([exit, wrong.filter((each) => each.startsWith("missing"))]).toEqual([0, []]);
    expect(wrong).toContain(`unknown: ${row}`);
    await pose("vaultSettings", "good");
  });

  it("a broken config, an absent one and a format of the check are refused", async () => {
    const broken = join(stage.folder, "broken.yaml");
    writeFileSync(broken, "version: 7\n");
    for (const more of [[], ["--check"]]) {
      const { exit, output } = await stage.run("azure", "setup", broken, ...more);
      expect([exit, output]).toEqual([2, expect.stringContaining("(config.invalid)")]);
    }
    const format = await stage.run("azure", "setup", config, "--check", "--format", "az");
    expect([format.exit, format.output]).toEqual([2, expect.stringContaining("no --format")]);
    const absent = await stage.run("azure", "setup", `${config}.absent`);
    expect(absent.exit).toBe(2);
  });
});
