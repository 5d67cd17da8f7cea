// The command and the service as an operator uses them: real processes, real sockets.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Program } from "./program.ts";

const repository = join(import.meta.dirname, "../..");
const command = join(repository, "agent/bin.js");
const root = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-cli-")));
const children: ChildProcess[] = [];
const servers: Server[] = [];
afterAll(async () => {
  for (const server of servers) server.close();
  for (const child of children) child.kill("SIGKILL");
  rmSync(root, { recursive: true });
});

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function start(home: string, argv: readonly string[], program = command): ChildProcess {
  const env = { ...process.env, LINKSEAL_HOME: home, LINKSEAL_SITE: undefined };
  const child = spawn(process.execPath, [program, ...argv], { env, stdio: "pipe" });
  child.stdin?.end();
  children.push(child);
  return child;
}

async function ended(child: ChildProcess): Promise<Ended> {
  let out = "";
  let err = "";
  child.stdout?.on("data", (chunk) => (out += String(chunk)));
  child.stderr?.on("data", (chunk) => (err += String(chunk)));
  const [status]: unknown[] = await once(child, "close");
  return { status: typeof status === "number" ? status : null, out, err };
}

const run = (home: string, ...argv: readonly string[]): Promise<Ended> => ended(start(home, argv));

const startAgent = (home: string): Promise<Program> => new Program(start(home, ["agent"])).ready();

const home = join(root, "a");
const viewSocket = join(home, "run/view.sock");
const adminSocket = join(home, "run/admin.sock");
const bad = join(root, "bad.yaml");
writeFileSync(bad, "version: 1\nsite: 5\n");

let agent: Program;
beforeAll(async () => {
  agent = await startAgent(home);
});

describe("a verb of an agent without a config", () => {
  const site = "linkseal.status/1";
  it.each([
    [["status"], 4, "no site: unknown"],
    [["status", "--check"], 4, "no site: unknown: the agent is ready"],
    [["links"], 4, "nothing"],
    [["tunnels"], 4, "nothing"],
    [["keys", "list"], 0, "nothing"],
    [["keys", "check"], 0, "nothing"],
    [["rotation", "show"], 0, "No campaign"],
    [["events"], 0, ""],
    [["journal"], 0, "journal: whole"],
    [["doctor"], 0, "(not-configured)"],
    [["config", "history"], 0, "nothing"],
    [["driver", "list"], 0, "sim"],
    [["version"], 0, "linkseal "],
    [["explain", "SCI-mismatch"], 0, "sci-mismatch (error)"],
    [["explain"], 0, "macsec-not-configured"],
    [["explain", "mtu", "erd-dub/primary"], 0, "mtu (error)"],
    [["night"], 2, "no config has been accepted"],
    [["night", "--config", bad], 2, "(config.invalid)"],
    [["completion", "fish"], 0, "complete -c linkseal"],
    [["config", "show"], 2, "next: linkseal apply FILE"],
    [["validate", bad], 2, `${bad}:2:7 site:`],
    [["plan", bad], 2, "(config.invalid)"],
    [["plan"], 2, "next: linkseal init"],
    [["plan", "--accepted"], 2, "no config has been accepted"],
    [["apply"], 2, "next: linkseal init"],
    [["apply", bad], 2, "no terminal to ask on; nothing was stored"],
    [["apply", bad, "--yes"], 2, "site: "],
    [["config", "rollback", "1", "--yes"], 2, "no config of that number"],
    [["config", "rollback", "x", "--yes"], 2, "next: linkseal config rollback --help"],
    [["enrol", "erd-dub"], 2, "no config has been accepted"],
    [["adopt", "erd-dub"], 2, "no config has been accepted"],
    [["rotation", "resume", "erd-dub"], 6, "no campaign runs there"],
    [["retire", "link", "a/b"], 2, "no such link is managed"],
    [["journal", "accept-loss"], 2, "not broken"],
    [["explain", "sci-mismatc"], 2, "did you mean sci-mismatch?"],
    [["links", "nope"], 2, 'no link or group "nope"'],
    [["completion", "tcsh"], 2, "none of bash, zsh, fish"],
    [["status", "--nope"], 2, "next: linkseal status --help"],
    [["rotate", "erd-dub"], 2, "no config has been accepted"],
    [["rotate", "erd-dub", "--dry-run"], 2, "no config has been accepted"],
    [["rotation", "revert"], 6, "no campaign runs"],
    [["drain", "erd-dub/primary"], 2, "no config has been accepted"],
    [["turn", "erd-dub"], 2, "unknown command 'turn'"],
    [["links", "--help"], 0, "Example:\n  $ linkseal links"],
    [["--version"], 0, "linkseal 0."],
    [["-V"], 0, "linkseal 0."],
    [["help"], 0, "\nConfig:\n  init "],
    [["help", "rotation", "show"], 0, "Usage: linkseal rotation show"],
    [["help", "rotation", "shw"], 2, "did you mean show?"],
    [["completion"], 2, "one of bash, zsh, fish"],
    [["completion", "--names", "links,groups"], 0, ""],
    [["completion", "--names", "keys"], 2, "names are of groups, links, tunnels, devices"],
  ])("%j without a config ends with %i and the reason", async (argv, status, text) => {
    const { out, err, ...rest } = await run(home, ...argv);
    expect(rest).toEqual({ status });
    expect(out + err).toContain(text);
    if (status === 0) expect(err).toBe("");
  });

  it.each([
    [["status"], 4, site],
    [["status", "--check"], 4, site],
    [["links"], 4, "linkseal.links/1"],
    [["tunnels"], 4, "linkseal.tunnels/1"],
    [["keys", "list"], 0, "linkseal.keys/1"],
    [["rotation", "show"], 0, "linkseal.campaigns/1"],
    [["journal"], 0, "linkseal.journal/1"],
    [["doctor"], 0, "linkseal.doctor/1"],
    [["config", "history"], 0, "linkseal.config-history/1"],
    [["driver", "list"], 0, "linkseal.drivers/1"],
    [["version"], 0, "linkseal.version/1"],
    [["explain", "mtu"], 0, "linkseal.explain/1"],
    [["explain"], 0, "linkseal.codes/1"],
    [["validate", bad], 2, "linkseal.validate/1"],
    [["apply", bad, "--yes"], 2, "linkseal.error/1"],
    [["config", "show"], 2, "linkseal.error/1"],
    [["rotation", "resume", "x"], 6, "linkseal.error/1"],
    [["status", "--nope"], 2, "linkseal.error/1"],
  ])(
    "%j --json without a config is one document on standard output",
    async (argv, status, schema) => {
      const { out, ...rest } = await run(home, ...argv, "--json");
      expect(rest).toEqual({ status, err: "" });
      expect(JSON.parse(out)).toMatchObject({ schema });
    },
  );

  it("a refused verb stores nothing", async () => {
    const { out } = await run(home, "config", "history", "--json");
    expect(JSON.parse(out)).toMatchObject({ history: [] });
  });
});

describe("the two sockets", () => {
  it("the view socket changes nothing", async () => {
    const { status, out } = await run(home, "enrol", "x", "--json", "--socket", viewSocket);
    expect([status, JSON.parse(out)]).toEqual([
      8,
      expect.objectContaining({
        code: "agent.forbidden",
        effect: "none",
      }),
    ]);
    expect(await http(viewSocket, "POST /v1/plan", "{}")).toMatch(/^HTTP\/1.1 403 /);
  });

  it.each([
    ["GET /v1/status", "", /^HTTP\/1.1 200 .*linkseal.status\/1/s],
    ["GET /v1/nothing", "", /^HTTP\/1.1 400 .*"usage"/s],
    ["GET /v1/config/diff?number=x", "", /^HTTP\/1.1 400 /],
    ["POST /v1/plan", "{", /^HTTP\/1.1 400 .*not JSON/s],
    ["POST /v1/plan", "[]", /^HTTP\/1.1 400 /],
    ["POST /v1/plan", `"${"x".repeat(2_100_000)}"`, /^HTTP\/1.1 413 /],
    ["BREW /v1/status", "", /^HTTP\/1.1 400 /],
    ["GET /\u0000", "", /^HTTP\/1.1 400 /],
  ])("the sockets answer %s", async (request, body, expected) => {
    expect(await http(adminSocket, request, body)).toMatch(expected);
  });

  it("the sockets serve requests while other clients are slow, silent or malformed", async () => {
    const crowd = await Promise.all(Array.from({ length: 150 }, () => opened(adminSocket)));
    for (const [index, socket] of crowd.entries()) {
      socket.resume();
      if (index % 3 === 1) socket.write("GET /v1/status HTTP/1.1\r\nhost: lo");
      if (index % 3 === 2) socket.write("\u0000\u0001 nonsense\r\n\r\n");
    }
    const polls = await Promise.all(Array.from({ length: 20 }, () => opened(viewSocket)));
    for (const socket of polls) socket.write(head("GET /v1/events?waitMs=30000", 0));
    for (const verb of [["status"], ["rotation", "resume", "x"]]) {
      expect([4, 6]).toContain((await run(home, ...verb)).status);
    }
    // Only the newest of the clients that send no request may stay connected.
    const places = crowd.filter((socket) => !socket.closed);
    expect(places.length).toBeLessThanOrEqual(64);
    expect(places).not.toContain(crowd[0]);
    for (const socket of [...crowd, ...polls]) socket.destroy();
    expect((await run(home, "status")).status).toBe(4);
  });

  it("a viewer whose requests wait keeps no other request out", async () => {
    // Fewer than the clients that may be connected before they ask, after which one is cut off.
    const polls = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const socket = await opened(viewSocket);
        socket.write(head("GET /v1/events?waitMs=30000", 0));
        return socket;
      }),
    );
    // Sixteen wait for an event, whichever the server reads first; all others are answered.
    const answers: string[] = [];
    const { promise: refused, resolve } = Promise.withResolvers<void>();
    for (const socket of polls) {
      socket.once("data", (answer: Buffer) => {
        answers.push(answer.toString());
        if (answers.length === 24) resolve();
      });
    }
    await refused;
    expect(answers).toHaveLength(24);
    for (const answer of answers) {
      expect(answer).toMatch(/^HTTP\/1.1 429 /);
      expect(answer).toContain('"code":"agent.busy"');
    }
    for (let n = 0; n < 5; n += 1) expect((await run(home, "status")).status).toBe(4);
    for (const socket of polls) socket.destroy();
    expect((await run(home, "status")).status).toBe(4);
  });

  it("a client that does not finish a request in five seconds is cut off", async () => {
    const socket = await opened(viewSocket);
    socket.write("GET /v1/status HTTP/1.1\r\nhost: lo");
    const begun = performance.now();
    socket.resume();
    await once(socket, "close");
    expect(performance.now() - begun).toBeGreaterThan(3_000);
  });
});

describe("the program behind a socket", () => {
  it("a socket without an agent is reported as such", async () => {
    const { status, err } = await run(join(root, "no-agent"), "status");
    expect([status, err]).toEqual([5, expect.stringContaining("linkseal: no agent answers")]);
  });

  it("a cut-off answer to a change has an unknown effect, and to a query none", async () => {
    const path = await fakeAgent((socket) =>
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
    );
    const argv = ["--json", "--socket", path];
    const change = await run(home, "retire", "link", "a/b", ...argv);
    expect([change.status, JSON.parse(change.out)]).toEqual([
      7,
      expect.objectContaining({ code: "agent.unreachable", effect: "unknown" }),
    ]);
    const look = await run(home, "links", ...argv);
    expect([look.status, JSON.parse(look.out)]).toMatchObject([5, { effect: "none" }]);
  });

  it("an answer cannot move the cursor or forge lines of the terminal", async () => {
    const hostile = "\u001b[2J\u001b]0;x\u0007\nerd protected\u202e\u009b1m";
    const body = JSON.stringify({
      schema: "linkseal.error/1",
      code: "device.rejected",
      effect: "applied",
      where: hostile,
      text: hostile,
      next: hostile,
    });
    const reply = `HTTP/1.1 409 Conflict\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
    const path = await fakeAgent((socket) => socket.end(reply + body));
    const argv = [[], ["--json"]];
    const shown = await Promise.all(
      argv.map((more) => run(home, "links", "--socket", path, ...more)),
    );
    for (const { status, out, err } of shown) {
      expect(status).toBe(1);
      expect(out + err).toContain("u001b[2J");
      expect((out + err).replaceAll("\n", "")).not.toMatch(/\p{Cc}|\u202e/u);
      expect(out + err).not.toMatch(/^erd/m);
    }
  });
});

/** Returns the codes that an agent logged, in order. */
const codesOf = (log: string): readonly string[] =>
  log
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { code: string }).code);

describe("the service", () => {
  it("a clone without an addon logs dumps-allowed before ready, and is waited for", async () => {
    const clone = join(root, "no-addon");
    const parts = ["bin.js", "flags.json", "launcher.js", "programs.json"];
    for (const part of ["package.json", ...parts.map((name) => `agent/${name}`)]) {
      cpSync(join(repository, part), join(clone, part));
    }
    const isAddon = (path: string): boolean => path.startsWith(join(repository, "dist/native"));
    const dist = join(repository, "dist");
    cpSync(dist, join(clone, "dist"), { recursive: true, filter: (path) => !isAddon(path) });
    const own = join(root, "c");
    const program = await new Program(start(own, ["agent"], join(clone, "agent/bin.js"))).ready();
    expect(codesOf(program.output).slice(0, 2)).toEqual(["dumps-allowed", "ready"]);
    expect((await run(own, "status")).status).toBe(4);
    program.child.kill("SIGTERM");
    await program.ended;
  });

  it("a second agent is refused, and the first one goes on", async () => {
    const { status, err } = await run(home, "agent");
    expect([status, err]).toEqual([1, expect.stringContaining("(journal.locked)")]);
    expect((await run(home, "status")).status).toBe(4);
  });

  it("an agent is refused where another program answers at its socket", async () => {
    const other = join(root, "b");
    for (const folder of [other, join(other, "run")]) mkdirSync(folder, { mode: 0o700 });
    const server = createServer().listen(join(other, "run/admin.sock"));
    servers.push(server);
    await once(server, "listening");
    const { status, err } = await run(other, "agent");
    expect([status, err]).toEqual([1, expect.stringContaining("another agent answers there")]);
  });

  it("an agent takes over the sockets of a killed one, and stops cleanly", async () => {
    agent.child.kill("SIGKILL");
    await once(agent.child, "close");
    expect(existsSync(adminSocket)).toBe(true);
    expect((await run(home, "status")).status).toBe(5);
    const next = await startAgent(home);
    expect((await run(home, "status")).status).toBe(4);
    const poll = await opened(viewSocket);
    poll.write(head("GET /v1/events?waitMs=30000", 0));
    next.child.kill("SIGTERM");
    expect(await once(next.child, "close")).toEqual([0, null]);
    expect([existsSync(viewSocket), existsSync(adminSocket)]).toEqual([false, false]);
    const codes = codesOf(next.output);
    expect(codes.slice(codes.indexOf("ready"))).toEqual(["ready", "stopped"]);
  });
});

async function opened(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, "connect");
  socket.on("error", () => undefined);
  return socket;
}

function head(request: string, length: number): string {
  return `${request} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${length}\r\n\r\n`;
}

async function http(path: string, request: string, body: string): Promise<string> {
  const socket = await opened(path);
  socket.write(head(request, Buffer.byteLength(body)) + body);
  let reply = "";
  socket.on("data", (chunk) => (reply += String(chunk)));
  await once(socket, "close");
  return reply;
}

let fakes = 0;

async function fakeAgent(answer: (socket: Socket) => void): Promise<string> {
  fakes += 1;
  const path = join(root, `fake-${fakes}.sock`);
  const server = createServer((socket) => {
    socket.on("error", () => undefined).once("data", () => answer(socket));
  }).listen(path);
  servers.push(server);
  await once(server, "listening");
  return path;
}
