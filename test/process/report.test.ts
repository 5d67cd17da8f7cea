// Evidence at the command line: made by a running agent, verified without one, and by openssl
// alone.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { headText } from "#agent/evidence/report/head.ts";
import type { SignedReport } from "#agent/evidence/report/statement.ts";
import { Program } from "./program.ts";

const home = mkdtempSync(join(tmpdir(), "linkseal-report-"));
const programs: Program[] = [];
const at = (name: string): string => join(home, name);

function start(...words: readonly string[]): Program {
  const child: ChildProcess = spawn(process.execPath, ["agent/bin.js", ...words], {
    env: { ...process.env, LINKSEAL_HOME: home, TMPDIR: home, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const program = new Program(child);
  programs.push(program);
  return program;
}

async function run(...words: readonly string[]) {
  const program = start(...words);
  await program.ended;
  return { exit: program.child.exitCode, output: program.output };
}

beforeAll(async () => {
  const site = start("sim", "site", "--speed", "200");
  await site.until("sockets in");
  for (let done = false; !done && !site.dead; await rest(300)) {
    const { exit, output } = await run("report", "--json");
    // A site that has just begun has no confirmed evidence yet.
    if (exit !== 0) continue;
    const { subjects } = JSON.parse(output) as SignedReport;
    done = subjects.length > 0 && subjects.every(({ totals }) => totals.protected.ms > 0);
  }
  const key = spawnSync(process.execPath, ["agent/bin.js", "report", "key"], {
    env: { ...process.env, LINKSEAL_HOME: home },
  });
  writeFileSync(at("key.pem"), key.stdout);
  for (const form of ["json", "html"]) {
    const made = await run("report", `--${form}`, "--out", at(`report.${form}`));
    if (made.exit !== 0 || made.output !== "") throw new Error(made.output);
  }
});

afterAll(async () => {
  for (const program of programs) program.child.kill("SIGKILL");
  await Promise.all(programs.map((program) => program.ended));
  rmSync(home, { recursive: true, force: true });
});

const verify = (file: string, key = at("key.pem")) => run("report", "verify", file, "--key", key);

describe("a report of a running site", () => {
  it("a report lists the protected time, in words too", async () => {
    const { exit, output } = await run("report");
    expect(exit).toBe(0);
    expect(output).toMatch(/erd-demo\/primary +\d+\.\d{3} %/);
    expect(output).toMatch(/signed with SHA256:[\w+/]{43}/);
  });

  it.each(["json", "html"])("a report verifies as %s without an agent", async (form) => {
    const lonely = at("nowhere");
    const ended = spawnSync(
      process.execPath,
      ["agent/bin.js", "report", "verify", at(`report.${form}`), "--key", at("key.pem")],
      { env: { ...process.env, LINKSEAL_HOME: lonely }, encoding: "utf8" },
    );
    expect([ended.status, ended.stdout]).toEqual([0, expect.stringContaining("as it was signed")]);
  });

  it("a changed report names the section that was changed, and exits with 1", async () => {
    const text = readFileSync(at("report.json"), "utf8");
    const changed = text.replace('"verdict":"unprotected"', '"verdict":"protected"');
    expect(changed).not.toBe(text);
    writeFileSync(at("changed.json"), changed);
    const { exit, output } = await verify(at("changed.json"));
    expect([exit, output]).toEqual([1, expect.stringContaining("subjects[0] erd-demo/primary:")]);
    const json = await run(
      "report",
      "verify",
      at("changed.json"),
      "--key",
      at("key.pem"),
      "--json",
    );
    expect(JSON.parse(json.output)).toMatchObject({
      schema: "linkseal.reportCheck/1",
      verdict: "changed",
      faults: [{ where: "subjects[0] erd-demo/primary" }],
    });
  });

  it("a report is verified by openssl and a hash alone, as the document describes", () => {
    const report = JSON.parse(readFileSync(at("report.json"), "utf8")) as SignedReport;
    const { statement, signature } = report.seal;
    writeFileSync(at("statement"), statement);
    writeFileSync(at("signature"), Buffer.from(signature, "base64"));
    const words = ["pkeyutl", "-verify", "-pubin", "-inkey", at("key.pem"), "-rawin"];
    const files = ["-in", at("statement"), "-sigfile", at("signature")];
    const good = spawnSync("openssl", [...words, ...files], { encoding: "utf8" });
    expect([good.status, good.stdout]).toEqual([
      0,
      expect.stringContaining("Signature Verified Successfully"),
    ]);
    writeFileSync(at("statement"), statement.replace("20", "21"));
    expect(spawnSync("openssl", [...words, ...files]).status).toBe(1);
    const hash = (value: unknown): string =>
      createHash("sha256").update(JSON.stringify(value)).digest("hex");
    expect(statement).toContain(`sha256 ${hash(report.about)} about\n`);
    expect(statement).toContain(`sha256 ${hash(report.subjects[0])} subjects[0] `);
    expect(statement).toContain(`sha256 ${hash(report.changes)} changes\n`);
  });

  it("a file or a key of another kind is refused", async () => {
    expect((await verify(at("nothing.json"))).exit).toBe(2);
    expect((await verify(at("report.json"), at("report.json"))).exit).toBe(2);
    expect((await verify(at("key.pem"))).exit).toBe(1);
    expect((await run("report", "verify", at("report.json"))).exit).toBe(2);
  });

  it.each([
    [["--from", "yesterday"], /--from is a day or a moment in UTC/],
    [["--from", "2026-12-01", "--to", "2026-11-01"], /ends before it begins/],
    [["--html", "--json"], /not both/],
  ])("report refuses %j", async (words, says) => {
    const { exit, output } = await run("report", ...words);
    expect([exit, output]).toEqual([2, expect.stringMatching(says)]);
  });
});

describe("heads of a report", () => {
  beforeAll(async () => {
    const { output } = await run("config", "show");
    writeFileSync(at("heads.yaml"), `${output}\ntelemetry: { heads: { to: syslog, every: 1m } }\n`);
    const { exit, output: answer } = await run("apply", "--yes", at("heads.yaml"));
    if (exit !== 0) throw new Error(`not accepted: ${answer}`);
    // The site's own agent loads no addon: it writes heads into its log, and cannot send them.
    for (let heads: readonly unknown[] | undefined; heads === undefined; await rest(300)) {
      const made = await run("report", "--json", "--out", at("headed.json"));
      if (made.exit !== 0) continue;
      heads = (JSON.parse(readFileSync(at("headed.json"), "utf8")) as SignedReport).chain.heads;
    }
  });

  const headed = () => {
    const { about, chain } = JSON.parse(readFileSync(at("headed.json"), "utf8")) as SignedReport;
    return (chain.heads ?? []).map((head) => headText({ host: about.host, ...head }));
  };
  const check = (...words: readonly string[]) =>
    run("report", "verify", at("headed.json"), "--key", at("key.pem"), ...words);

  it("a report that contains the given heads is sound, from a file and as text", async () => {
    const heads = headed();
    writeFileSync(
      at("heads.export"),
      heads.map((line) => `MESSAGE=${line}\n_UID=998\n\n`).join(""),
    );
    const { exit, output } = await check("--heads", at("heads.export"), "--head", heads[0] ?? "");
    expect([exit, output]).toEqual([
      0,
      expect.stringContaining(`heads in its records: ${heads.length}, of another time or host: 0`),
    ]);
  });

  it("a report that lacks a given head is as signed, and its log is another", async () => {
    const [head = ""] = headed();
    const other = head.replace(/mac=./, (start) => (start === "mac=0" ? "mac=1" : "mac=0"));
    const { exit, output } = await check("--head", other);
    expect([exit, output]).toEqual([1, expect.stringContaining("it was replaced")]);
    const json = await check("--head", other, "--json");
    expect(JSON.parse(json.output)).toMatchObject({
      ...{ schema: "linkseal.reportCheck/1", verdict: "lacking", heads: { found: 0, outside: 0 } },
      faults: [{ text: "the log has another record of that number: it was replaced" }],
    });
  });

  it("text without a head, and a file that is not there, are refused", async () => {
    writeFileSync(at("none.export"), "MESSAGE=nothing of the kind\n");
    for (const words of [
      ["--head", "x"],
      ["--heads", at("none.export")],
      ["--heads", at("no")],
    ]) {
      expect((await check(...words)).exit).toBe(2);
    }
  });
});
