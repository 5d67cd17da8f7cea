// The first run and the support bundle, as an operator uses them: `init` beside a simulated site,
// and `doctor --bundle` of an agent that has handled keys.

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DoctorReport } from "#agent/operate/doctor/report.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { Emissions } from "./emissions.ts";
import { Program } from "./program.ts";
import { Stage } from "./stage.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-host-")));
const socket = join(folder, "site.sock");
const programs: Program[] = [];

interface Output {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function run(...argv: readonly string[]): Output {
  const env = { ...process.env, LINKSEAL_HOME: folder };
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...argv], {
    ...{ env, encoding: "utf8", input: "", timeout: 60_000 },
  });
  return { status, out: stdout, err: stderr };
}

async function start(text: string, ...argv: readonly string[]): Promise<void> {
  const env = { ...process.env, LINKSEAL_HOME: folder, LINKSEAL_SITE: `unix:${socket}` };
  const program = new Program(spawn(process.execPath, [command, ...argv], { env, stdio: "pipe" }));
  programs.push(program);
  await program.until(text);
}

const asked = [
  ...["init", "--site", "demo", "--cloud", "sim", "--vault", `unix:${socket}`],
  ...["--device", `edge-a=sim,unix:${socket}`, "--device", `edge-b=sim,unix:${socket}`],
  ...["--group", "erd-demo", "--link", "primary=edge-a,et-0/0/0,100G"],
  ...["--link", "secondary=edge-b,et-0/0/0,100G"],
];
const portId =
  "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/demo/providers/" +
  "Microsoft.Network/expressRoutePorts/erd-demo";

describe("init", () => {
  beforeAll(async () => {
    mkdirSync(join(folder, "state"), { mode: 0o700 });
    await start("serves", "sim", "serve", "--socket", socket, "--seed", "init");
  });
  afterAll(async () => {
    for (const program of programs) program.child.kill("SIGKILL");
    await Promise.all(programs.map((program) => program.ended));
    rmSync(folder, { recursive: true });
  });

  it("init without a terminal names the option that is missing", () => {
    const { status, err } = run(...asked);
    expect(status).toBe(2);
    expect(err).toContain("--express-route-port is missing, and there is no terminal to ask on");
  });

  it("init writes nothing in a dry run, nor a config that its rules refuse", () => {
    const dry = run(...asked, "--express-route-port", portId, "--dry-run", "--json");
    const result = JSON.parse(dry.out) as { readonly written: boolean; readonly checks: unknown };
    expect(result).toMatchObject({ written: false, plan: null });
    expect(result.checks).toMatchObject([{ what: "vault", found: "good" }]);
    const bad = run(...asked, "--express-route-port", "a b c");
    expect(bad.status).toBe(2);
    expect(bad.err).toContain("--express-route-port a b c: ");
    const twice = asked.map((word) => word.replace("secondary=", "primary="));
    const refused = run(...twice, "--express-route-port", portId);
    expect(refused.status).toBe(2);
    expect(refused.err).toContain("do not make a valid config");
    expect(() => statSync(join(folder, "etc/linkseal.yaml"))).toThrow("ENOENT");
  });

  it("init writes a config that the agent can plan, and overwrites none", async () => {
    await start("READY", "agent");
    const { status, out } = run(...asked, "--express-route-port", portId);
    expect(status).toBe(0);
    expect(out).toContain("give the far end its first key");
    expect(out).toContain("it changes nothing yet");
    const file = join(folder, "etc/linkseal.yaml");
    expect(readFileSync(file, "utf8")).toContain("# Keys are read here, by name");
    expect(run("validate", file).status).toBe(0);
    expect(run("plan").status).toBe(3);
    const again = run(...asked, "--express-route-port", portId);
    expect(again.status).toBe(2);
    expect(again.err).toContain("exists already");
  });

  it("init prepares a config anywhere: a vault that does not answer is not checked", () => {
    const gone = asked.map((word) => (word === `unix:${socket}` ? "unix:/nowhere.sock" : word));
    const { status, out } = run(...gone, "--express-route-port", portId, "--dry-run");
    expect(status).toBe(0);
    expect(out).toMatch(/^unknown +vault: not checked: /);
  });
});

describe("doctor --bundle", () => {
  it("a support bundle contains no key and no name of the site", async () => {
    await using stage = await Stage.open({
      ...{ seed: "bundle", start: "clear" },
      speed: 20,
      fate: undefined,
    });
    const program = await stage.live();
    await stage.apply();
    await stage.settled(program, 100_000);
    const file = join(stage.folder, "bundle.json");
    const doctor = stage.start("doctor", "--bundle", file, "--json");
    await doctor.ended;
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = readFileSync(file, "utf8");
    const emissions = new Emissions();
    emissions.take("bundle", text);
    const { canaries } = await stage.account();
    expect(canaries.length).toBeGreaterThan(1);
    expect(emissions.find(canaries)).toEqual([]);
    const status = await stage.view<Status>("/v1/status");
    const links = status.groups.flatMap((group) => group.links);
    expect(links.length).toBe(2);
    for (const { ckn, keyVersion, port } of links) {
      for (const hidden of [ckn, keyVersion, port]) expect(text).not.toContain(String(hidden));
    }
    expect(JSON.parse(text)).toMatchObject({ agent: { journal: "whole" } });
    // An existing bundle is not overwritten.
    const again = stage.start("doctor", "--bundle", file);
    await again.ended;
    expect(again.output).toContain("cannot be written");
    const report = JSON.parse(doctor.output.split("\n").find((l) => l.startsWith("{")) ?? "");
    expect((report as DoctorReport & { schema: string }).schema).toBe("linkseal.doctor/1");
  });
});
