// The main task on real components: a pair enrolled on a real kernel, with keys from a vault behind
// Microsoft's own client, and the reports of each fault.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { version } from "#agent/model/version.ts";
import { sightOf } from "#sim/conformance/canary.ts";
import { effort } from "../../effort.ts";
import { type LabFaultName, labFaults } from "../../lab/faults.ts";
import { Lab, light, links } from "../../lab/lab.ts";
import { root } from "../host/programs.ts";

let folder = "";
let lab: Lab;
const output: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-lab-"));
  lab = await Lab.open(folder, (line) => output.push(line));
}, 300_000);
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function until<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
  for (const begun = performance.now(); ; await rest(200)) {
    const observed = await probe();
    if (observed !== undefined) return observed;
    if (performance.now() - begun > 240_000) {
      throw new Error(`waited too long: ${what}: ${JSON.stringify(await lab.status())}`);
    }
  }
}

const protectedAgain = (): Promise<true> =>
  until("protection", async () => {
    const { verdict } = await lab.status();
    return verdict === "protected" ? true : undefined;
  });

/** The faults that end soon; the long run has all of them. */
const quick: readonly LabFaultName[] = ["peer-silent", "should-secure"];

const replacements = ["SIGKILL", "SIGTERM", "SIGKILL, and another build starts"] as const;

describe("a pair on a real kernel", { timeout: 900_000 }, () => {
  it("a pair is enrolled one link after the other, with all traffic under MACsec", async () => {
    expect(await lab.enrol()).toBeUndefined();
    console.log(output.join("\n"));
    const { groups, verdict } = await lab.status();
    expect(verdict).toBe("protected");
    for (const link of groups[0]?.links ?? []) {
      expect(link).toMatchObject({ verdict: "protected", suite: "gcm-aes-256", reasons: [] });
      expect(link.mka).toMatchObject({ livePeers: 1, keyServer: "self" });
    }
    const stop = await lab.traffic();
    const counted = () => links.map(({ port }) => lab.wires.get(port) ?? { sealed: 0, clear: 0 });
    const before = counted().map(({ sealed, clear }) => ({ sealed, clear }));
    // BGP needs a moment for the link that was repaired last.
    await until("both links to carry", async () =>
      counted().every(({ sealed }, index) => sealed - (before[index]?.sealed ?? 0) > 100)
        ? true
        : undefined,
    );
    const allCounters = await stop();
    const lost =
      allCounters.reduce((sum, { sent }) => sum + sent, 0) -
      allCounters.reduce((sum, { received }) => sum + received, 0);
    expect(lost).toBe(0);
    expect(counted().map(({ clear }) => clear)).toEqual(before.map(({ clear }) => clear));
    for (const { port } of links) expect(lab.wires.get(port)?.newest).toMatch(/^[0-9a-f]{24}88e5/);
  });

  it.each(effort(quick, Object.keys(labFaults) as LabFaultName[]))(
    "the fault %s is reported, and so is its end",
    async (name) => {
      const { title, verdict, code, withinMs, strike, heal } = labFaults[name];
      const begun = performance.now();
      await strike(lab);
      const reason = await until(code, async () => {
        const link = await lab.link("primary");
        const found = link.reasons.find((one) => one.code === code);
        return link.verdict === verdict ? found : undefined;
      });
      const tookMs = Math.round(performance.now() - begun);
      expect(reason.next).toMatch(/^linkseal /);
      console.log(`${title}: reported after ${tookMs} ms (${withinMs} of protocol and poll)
  ${verdict}, ${code}: ${reason.text}`);
      await heal(lab);
      await protectedAgain();
    },
  );

  it.each(effort([1000], [1000, 10_000]))(
    "a link that was down for %i ms is protected again",
    async (ms) => {
      const { network } = lab.pair.far;
      light(network, "m1", "down");
      await rest(ms);
      light(network, "m1", "up");
      const begun = performance.now();
      await protectedAgain();
      console.log(`dark for ${ms} ms: protected after ${Math.round(performance.now() - begun)} ms`);
      expect((await lab.link("primary")).mka?.livePeers).toBe(1);
    },
  );

  it("arguments, environments, files and sockets contain no octet of a key", async () => {
    const keys = links.map(({ port }) => Buffer.from(lab.standIn.keyOf(port).cak, "hex"));
    expect(keys.map(({ length }) => length)).toEqual([32, 32]);
    const status = Buffer.from(JSON.stringify(await lab.status()));
    const files = lab.processes.flatMap(({ pid }) =>
      ["cmdline", "environ"].map((name) => readFileSync(`/proc/${pid}/${name}`)),
    );
    const kept = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
    expect([files.length, kept.length].every((count) => count > 5)).toBe(true);
    const texts = lab.processes.map(({ output }) => Buffer.from(output()));
    for (const octets of [status, ...files, ...kept, ...texts]) {
      expect(sightOf(keys, [octets.toString("latin1")])).toBeUndefined();
    }
  });

  it.each(effort(replacements.slice(-1), [...replacements]))(
    "an agent that gets %s loses no packet, and reports the same state again",
    async (what) => {
      const stop = await lab.traffic();
      await rest(2000);
      await lab.end("agent", what.startsWith("SIGTERM") ? "SIGTERM" : "SIGKILL");
      if (what.endsWith("another build starts")) lab.programs.build = anotherBuild(folder);
      await rest(3000);
      await lab.start("agent");
      const started = lab.processes.at(-1)?.pid;
      expect(readFileSync(`/proc/${started}/cmdline`, "utf8")).toContain(lab.programs.build);
      await protectedAgain();
      const allCounters = await stop();
      lab.programs.build = root;
      for (const { sent, received } of allCounters) expect(received).toBeGreaterThan(0.9 * sent);
      const [sent, received] = ["sent", "received"].map((name) =>
        allCounters.reduce((sum, counters) => sum + counters[name as "sent"], 0),
      );
      console.log(`${what}: ${(sent ?? 0) - (received ?? 0)} of ${sent} lost`);
      expect(sent).toBe(received);
    },
  );

  it("no process that may have held a key leaves a core file", async () => {
    const cores = join(folder, "cores");
    mkdirSync(cores);
    writeFileSync("/proc/sys/kernel/core_pattern", join(cores, "%p"));
    const control = spawn(process.execPath, ["-e", "setInterval(() => 0, 1000)"]);
    await once(control, "spawn");
    const own = lab.processes.map(({ pid }) => pid);
    for (const pid of [...own, control.pid ?? 0]) {
      execFileSync("prlimit", [`--pid=${pid}`, "--core=unlimited:unlimited"]);
      process.kill(pid, "SIGSEGV");
    }
    await until("the deaths", async () =>
      own.every((pid) => !existsSync(`/proc/${pid}/exe`)) && control.signalCode !== null
        ? true
        : undefined,
    );
    expect(own.length).toBe(4);
    expect(readdirSync(cores)).toEqual([String(control.pid)]);
  });
});

/** Places another build as a package of the next version would be placed beside this one. */
function anotherBuild(home: string): string {
  const build = join(home, "next");
  const command = ["bin.js", "flags.json", "launcher.js", "programs.json"];
  for (const part of ["dist/agent", "package.json", ...command.map((name) => `agent/${name}`)]) {
    cpSync(join(root, part), join(build, part), { recursive: true });
  }
  const holder = readdirSync(join(build, "dist", "agent"))
    .filter((name) => name.endsWith(".js"))
    .map((name) => join(build, "dist", "agent", name))
    .find((path) => readFileSync(path, "utf8").includes(`version: "${version}"`));
  if (holder === undefined) throw new Error("the bundle names no version");
  const text = readFileSync(holder, "utf8");
  writeFileSync(holder, text.replace(`version: "${version}"`, 'version: "99.0.0"'));
  return build;
}
