// The status page of a real agent through a whole enrolment: the login, the content, no key in any
// of it, and its end with the config that asked for it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { patienceMs } from "../patience.ts";
import { Emissions } from "./emissions.ts";
import { ask, enter, type Place, sessionOf, Viewer } from "./page-client.ts";
import { Stage } from "./stage.ts";

const usualPort = 9443;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("the page of a real agent", () => {
  let stage: Stage;
  let place: Place;
  let viewer: Viewer;
  let log: () => string;
  const replies: string[] = [];
  const codes: string[] = [];

  async function command(...argv: readonly string[]) {
    const program = stage.start(...argv);
    await program.ended;
    return { exit: program.child.exitCode, output: program.bytes.toString() };
  }

  async function codeNow(): Promise<string> {
    const { output } = await command("page", "code", "--json");
    const { code } = JSON.parse(output) as { code: string };
    codes.push(code);
    return code;
  }

  beforeAll(async () => {
    stage = await Stage.open({ seed: "page", start: "clear", speed: 10, fate: undefined });
    const agent = await stage.live();
    log = () => agent.bytes.toString();
    place = { port: await freePort() };
  });
  afterAll(async () => {
    viewer?.socket.terminate();
    await stage[Symbol.asyncDispose]();
  });

  it("the page is off unless the config asks for it, and then its address is shown", async () => {
    const refused = await command("page", "code");
    expect([refused.exit, refused.output]).toEqual([2, expect.stringContaining("is not served")]);
    await expect(ask(place)).rejects.toThrow("ECONNREFUSED");
    const page = `serve: { page: { listen: "127.0.0.1:${place.port}" } }\n`;
    await stage.admin("/v1/apply", { text: stage.config + page, file: "site.yaml", queue: false });
    for (let tries = 0; (await command("page", "code")).exit !== 0; tries += 1) {
      if (tries > 50) throw new Error(`it is not served: ${log()}`);
    }
    const { output } = await command("page", "code");
    expect(output).toMatch(
      new RegExp(`^http://127.0.0.1:${place.port}/#([0-9A-Z]{4}-?){3}\\n.*good once, for 2 min`),
    );
  });

  it("the page follows an enrolment as status reports it, until all is protected", async () => {
    const reply = await enter(place, await codeNow());
    replies.push(reply.body, JSON.stringify(reply.headers));
    viewer = new Viewer(place, sessionOf(reply));
    const end = performance.now() + patienceMs;
    const isOver = (): boolean =>
      viewer.texts.length > 0 &&
      viewer.snapshot(-1).status.verdict === "protected" &&
      viewer.snapshot(-1).ended.length === 1;
    while (!isOver() && performance.now() < end) await rest(100);
    const first = viewer.snapshot(0);
    const newest = viewer.snapshot(-1);
    expect(first.history).toBeDefined();
    expect(newest.history).toBeUndefined();
    const verdicts = viewer.texts.map((_text, index) => viewer.snapshot(index).status.verdict);
    expect(verdicts).toContain("unprotected");
    expect(verdicts.at(-1)).toBe("protected");
    const states = viewer.texts.flatMap((_text, index) =>
      viewer.snapshot(index).status.groups.flatMap(({ rotation }) => rotation?.state ?? []),
    );
    expect(states.length).toBeGreaterThan(0);
    expect(newest.ended[0]?.steps.map(({ state }) => state)).toContain("proving");
    expect(newest.ended[0]?.links.map(({ outcome }) => outcome)).toEqual(["enrolled", "enrolled"]);
    const status = await stage.view<{ groups: { links: { ckn: string }[] }[] }>("/v1/status");
    const keysOf = ({ groups }: typeof status) => groups[0]?.links.map(({ ckn }) => ckn);
    expect(keysOf(newest.status as unknown as typeof status)).toEqual(keysOf(status));
    const [link] = newest.status.groups[0]?.links ?? [];
    expect(link).toMatchObject({ controlledPort: "secured", bgp: "up", drained: false });
    const { newest: sample } = link ?? {};
    expect(Number(sample?.protected)).toBeGreaterThan(100);
    expect([sample?.livePeers, sample?.openPps]).toEqual([1, null]);
    const { cookie, half } = sessionOf(reply);
    const headers = { cookie, "x-linkseal-half": half };
    const kept = await ask(place, { path: "/day/link/erd-demo/primary", headers });
    expect(kept.status).toBe(200);
    replies.push(kept.body);
    const day = JSON.parse(kept.body) as { states: string; samples: readonly object[] };
    // The link was in the clear before it was protected.
    expect(day.states).toMatch(/^[-upo]*o/);
    expect(day.samples.length).toBeGreaterThan(0);
  });

  it("the page contains no key, and the log no code", async () => {
    const emissions = new Emissions();
    emissions.take("feed", viewer.texts.join("\n"));
    emissions.take("replies", replies.join("\n"));
    for (const path of ["/", "/page.js", "/page.css", "/session"]) {
      emissions.take(path, (await ask(place, { path })).body);
    }
    const { canaries } = await stage.account();
    expect(canaries.length).toBeGreaterThanOrEqual(4);
    expect(emissions.find(canaries)).toEqual([]);
    for (const code of codes) expect(log()).not.toContain(code);
  });

  it("the page ends with the config that asked for it, and tells its viewers", async () => {
    await stage.admin("/v1/apply", { text: stage.config, file: "site.yaml", queue: false });
    expect(await viewer.ended).toEqual({ code: 4004, reason: "the page is no longer served" });
    await expect(ask(place)).rejects.toThrow("ECONNREFUSED");
    expect((await command("page", "code")).exit).toBe(2);
  });

  it("a page beyond loopback without TLS is refused before anything is accepted", async () => {
    const file = join(stage.folder, "open.yaml");
    writeFileSync(file, `${stage.config}serve: { page: { listen: "0.0.0.0:9443" } }\n`);
    const { exit, output } = await command("validate", file);
    expect([exit, output]).toEqual([
      2,
      expect.stringContaining("serve.page.listen: is 0.0.0.0:9443"),
    ]);
    expect((await command("apply", file, "--yes")).exit).toBe(2);
  });
});

/** Starts a site from the folder while this test or another program has the usual port. */
async function siteBesideUsualPort(place: string): Promise<{ status: number; port: number }> {
  const usual = createServer();
  usual.listen({ host: "127.0.0.1", port: usualPort, exclusive: true });
  await once(usual, "listening").catch(() => undefined);
  const child = spawn(process.execPath, [join(place, "agent/bin.js"), "sim", "site"], {
    env: { ...process.env, LINKSEAL_HOME: join(place, "home"), TMPDIR: place, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const begun = performance.now();
  const port = (): number => Number(/page at http:\/\/127\.0\.0\.1:(\d+)\//.exec(output)?.[1]);
  let status = 0;
  while (status === 0 && performance.now() - begun < patienceMs) {
    status = await ask({ port: port() || 1 }, { path: "/page.js" }).then(
      (reply) => reply.status,
      () => 0,
    );
    await rest(50);
  }
  child.kill("SIGKILL");
  await once(child, "close");
  usual.close();
  return { status, port: port() };
}

it("a page is served at a free port where only the bundle is installed", async () => {
  const root = join(import.meta.dirname, "../..");
  const place = mkdtempSync(join(tmpdir(), "linkseal-installed-"));
  for (const path of [
    "dist",
    "package.json",
    "agent/bin.js",
    "agent/flags.json",
    "agent/launcher.js",
    "agent/programs.json",
  ]) {
    cpSync(join(root, path), join(place, path), { recursive: true });
  }
  mkdirSync(join(place, "home"), { mode: 0o700 });
  // Another site at the usual port may end while this one starts, which then gets that port: the
  // next try has the port for itself.
  let site = await siteBesideUsualPort(place);
  if (site.port === usualPort) site = await siteBesideUsualPort(place);
  rmSync(place, { recursive: true });
  expect(site.status).toBe(200);
  expect(site.port).not.toBe(usualPort);
});
