// A rotation as an operator does it: the real command line, the real sockets, a real disk.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Plan } from "#agent/compare/plan.ts";
import type { DoctorReport } from "#agent/operate/doctor/report.ts";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import type { Rehearsal } from "#agent/runtime/campaigns/rehearsal-shape.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { patienceMs } from "../patience.ts";
import { verdictIn } from "./glance.ts";

interface Ended {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

const home = mkdtempSync(join(tmpdir(), "linkseal-rotate-"));
const command = join(import.meta.dirname, "../../agent/bin.js");
let site: ChildProcess;

function start(...words: readonly string[]): ChildProcess {
  return startAt(command, words);
}

function startAt(program: string, words: readonly string[]): ChildProcess {
  const env = { ...process.env, LINKSEAL_HOME: home, TMPDIR: home, NO_COLOR: "1" };
  return spawn(process.execPath, [program, ...words], { env, stdio: ["ignore", "pipe", "pipe"] });
}

async function run(...words: readonly string[]): Promise<Ended> {
  return await endOf(start(...words));
}

/**
 * Lays the command out as on a host that has the agent's package alone, or beside it a laboratory
 * that prints this and ends well.
 */
function agentAlone(said?: string): string {
  const place = join(home, "agent-alone");
  const root = join(import.meta.dirname, "../..");
  const own = ["bin.js", "flags.json", "launcher.js", "programs.json"];
  const parts = ["dist/STAMP", "dist/agent", "package.json", ...own.map((name) => `agent/${name}`)];
  for (const part of parts) cpSync(join(root, part), join(place, part), { recursive: true });
  if (said !== undefined) {
    mkdirSync(join(place, "dist/lab"), { recursive: true });
    const printed = `process.stdout.write(${JSON.stringify(said)})`;
    const code = `export const main = async () => ${printed} && 0;`;
    writeFileSync(join(place, "dist/lab/cli.js"), code);
  }
  return join(place, "agent/bin.js");
}

async function endOf(child: ChildProcess): Promise<Ended> {
  let [out, err] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (err += chunk.toString()));
  await once(child, "close");
  return { exit: child.exitCode, out, err };
}

async function asked<T>(...words: readonly string[]): Promise<{ exit: number | null; output: T }> {
  const { exit, out } = await run(...words, "--json");
  return { exit, output: JSON.parse(out) as T };
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const begun = performance.now(); !(await holds()); ) {
    if (performance.now() - begun > patienceMs) throw new Error(`waited too long: ${what}`);
    await sleep(100);
  }
}

const group = "erd-demo";
const keysOf = ({ groups }: Status): readonly (string | null)[] =>
  groups.flatMap(({ links }) => links.map(({ keyVersion }) => keyVersion));

beforeAll(async () => {
  site = start("sim", "site", "--start", "protected", "--speed", "200");
  await until("an agent", async () => (await verdictIn(home)) !== undefined);
  const folder = readdirSync(home).find((name) => name.startsWith("linkseal-demo-"));
  const applied = await run("apply", join(home, folder ?? "", "demo.yaml"), "--yes");
  if (applied.exit !== 0) throw new Error(applied.err);
  await until("an adoption", async () => (await run("adopt", group)).exit === 0);
  await until("protection", async () => (await verdictIn(home)) === "protected");
});

afterAll(async () => {
  if (site.exitCode === null) {
    const ended = once(site, "close");
    site.kill("SIGKILL");
    await ended;
  }
  rmSync(home, { recursive: true });
});

describe("doctor", () => {
  it("doctor accepts a matching pair, and names an open socket and a changed far end", async () => {
    // The warnings from before the adoption end with the next evaluation.
    await until("silence", async () => (await run("doctor")).out === "Nothing is wrong.\n");
    const silent = await run("doctor");
    expect([silent.exit, silent.out, silent.err]).toEqual([0, "Nothing is wrong.\n", ""]);
    const socket = join(home, "run/admin.sock");
    chmodSync(socket, 0o666);
    const open = await run("doctor");
    expect([open.exit, open.out]).toEqual([4, expect.stringContaining("(socket-open)")]);
    chmodSync(socket, 0o600);
    await run("sim", "fault", "far-end-changed");
    await until("the change", async () => (await run("doctor")).out.includes("key-version"));
    const { exit, output } = await asked<DoctorReport>("doctor");
    expect([exit, output.schema]).toEqual([4, "linkseal.doctor/1"]);
    const found = output.findings.find(({ code }) => code === "key-version");
    expect(found).toMatchObject({ severity: "error", about: `${group}/primary` });
    expect(found?.source).toBe("docs/keys.md");
    const words = await run("doctor");
    expect(words.out).toMatch(
      /error: erd-demo\/primary \(key-version\)\n {2}here: {2}.*\n {2}there:/,
    );
    await run("sim", "fault", "far-end-changed", "--heal");
    await until("silence", async () => (await run("doctor")).exit === 0);
  });
});

describe("rotate", () => {
  it("rotate has nothing to do until the vault holds a newer pair", async () => {
    expect((await run("rotate", group, "--dry-run")).exit).toBe(0);
    const refused = await run("rotate", group);
    expect([refused.exit, refused.err]).toEqual([1, expect.stringContaining("no newer key pair")]);
    const unknown = await run("rotate", "gone", "--dry-run");
    expect([unknown.exit, unknown.err]).toEqual([2, expect.stringContaining("names no such")]);
  });

  it("a rotation is planned, rehearsed, done and shown", async () => {
    const made = await run("keys", "generate", group);
    expect(
      made.out.match(/a fresh pair is in the vault: CKN [0-9a-f]{64}, generation 2$/gm),
    ).toHaveLength(2);
    const named = await run("keys", "generate", group, "--credential", "azureCli");
    expect([named.exit, named.err]).toEqual([2, expect.stringContaining("asks for no identity")]);
    const before = keysOf((await asked<Status>("status")).output);

    const dry = await asked<Plan>("rotate", group, "--dry-run");
    expect([dry.exit, dry.output.schema, dry.output.steps.length]).toEqual([
      3,
      "linkseal.plan/1",
      12,
    ]);
    const words = await run("rotate", `${group}/primary`, "--dry-run");
    expect(words.out).toContain("drained, so no frame is lost");
    const tried = await asked<Rehearsal & { plan: Plan }>(
      ...["rotate", group, "--dry-run", "--rehearse"],
    );
    expect([tried.exit, tried.output.verdict, tried.output.lostFrames]).toEqual([3, "good", "0"]);
    expect(tried.output.plan.steps).toHaveLength(12);
    expect(keysOf((await asked<Status>("status")).output)).toEqual(before);

    const alone = await endOf(startAt(agentAlone(), ["rotate", group, "--rehearse", "--wait"]));
    expect([alone.exit, alone.err]).toEqual([2, expect.stringContaining("linkseal-lab")]);
    expect(alone.err).toContain("apt install ./linkseal-lab_");
    // A laboratory that ends well and prints no verdict has rehearsed nothing.
    for (const said of ["", '{"schema":"linkseal.rehearsal/1"}', '{"verdict":"good"}']) {
      const empty = await endOf(startAt(agentAlone(said), ["rotate", group, "--rehearse"]));
      expect([empty.exit, empty.err]).toEqual([1, expect.stringContaining("has no result")]);
    }
    const none = await asked<{ campaigns: readonly CampaignShape[] }>("rotation", "show", group);
    expect(none.output.campaigns.filter(({ kind }) => kind === "rotate")).toEqual([]);

    const done = await run("rotate", group, "--rehearse", "--wait");
    expect([done.exit, done.err]).toEqual([0, expect.stringContaining("simulated copy: good")]);
    expect(done.err).toContain("(campaign-retiring)");
    expect(done.out).toContain("so far: primary rotated, secondary rotated");
    const { exit, output: status } = await asked<Status>("status");
    expect([exit, status.verdict]).toEqual([0, "protected"]);
    const after = keysOf(status);
    expect(after.every((version, index) => version !== null && version !== before[index])).toBe(
      true,
    );

    const shown = await asked<{ campaigns: readonly CampaignShape[] }>("rotation", "show", group);
    expect(shown.output.campaigns).toMatchObject([
      { kind: "rotate", goal: "forward", urgency: "planned", state: "done", restMs: null },
    ]);
    const states = shown.output.campaigns[0]?.steps.map(({ link, state }) => `${link} ${state}`);
    expect(states).toContain("secondary retiring");
    expect(states?.at(-1)).toBe("secondary done");
  });

  it("rotate is refused while a link is drained by hand, and status names the user", async () => {
    await run("keys", "generate", `${group}/secondary`);
    const drained = await run("drain", `${group}/primary`);
    expect([drained.exit, drained.out]).toEqual([0, expect.stringContaining("linkseal undrain")]);
    await until("a warning", async () => (await run("status")).out.includes("drained-by-hand"));
    const dry = await run("rotate", group, "--dry-run");
    expect([dry.exit, dry.out]).toEqual([6, expect.stringContaining("it was drained by hand")]);
    const refused = await run("rotate", group, "--rehearse");
    expect([refused.exit, refused.err]).toEqual([6, expect.stringContaining("(gate.busy)")]);
    expect((await run("undrain", `${group}/primary`)).exit).toBe(0);
    await until("the traffic", async () => (await run("rotate", group, "--dry-run")).exit === 3);
    expect((await run("rotation", "resume")).exit).toBe(6);
  });

  it("a rotation with a manual far end waits for the verb, and then for the operator", async () => {
    const link = `${group}/secondary`;
    const { output } = await asked<{ text: string }>("config", "show");
    const file = join(home, "manual.yaml");
    writeFileSync(file, output.text.replace("farEnd: agent", "farEnd: manual"));
    expect((await run("apply", file, "--yes")).exit).toBe(0);
    const shows = (text: string): Promise<void> =>
      until(text, async () => (await run("rotation", "show", group)).out.includes(text));
    const waiting = start("rotate", link, "--wait");
    let noted = "";
    waiting.stderr?.on("data", (chunk: Buffer) => (noted += chunk.toString()));
    await until("its wait", () => Promise.resolve(noted.includes("waits for an operator")));
    const interrupted = once(waiting, "close");
    waiting.kill("SIGINT");
    await interrupted;
    expect([waiting.signalCode, noted]).toEqual([
      "SIGINT",
      expect.stringContaining("this command ends, and the agent goes on with what was begun"),
    ]);
    expect(noted).toContain(`next: linkseal rotation show ${group}`);
    await shows("both keys wait on the router: a person must point the far end at the new one");
    const { out } = await run("rotation", "show", group);
    expect(out).toMatch(
      /not yet, .*\n +CAK \S+\/erd-demo-2-cak\/\S+\n +CKN \S+\/erd-demo-2-ckn\/\S+\n/,
    );
    expect(out).not.toContain("sim fault");
    expect((await run("rotation", "proceed", group)).exit).toBe(0);
    await shows("drained: change the far end now");
    await shows(`with: linkseal sim fault far-ahead --link ${link}`);
    await run("sim", "fault", "far-ahead", "--link", link);
    await shows("the link is protected by its new key alone");
    expect((await run("rotation", "show", group)).out).toContain("so far: secondary rotated");
  });

  it("the rotations broke no promise of the site", async () => {
    const ended = once(site, "close");
    site.kill("SIGINT");
    await ended;
    expect(site.exitCode).toBe(0);
  });
});
