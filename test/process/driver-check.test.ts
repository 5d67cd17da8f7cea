// `linkseal driver check` writes to a device: only to one that no accepted config uses.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Program } from "./program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-check-")));
const socket = join(folder, "view.sock");
const lab = join(folder, "lab.yaml");

const head = `version: 1
site: lab
azure: { cloud: sim, vault: "unix:/nowhere.sock" }
devices:
  - { name: r1, driver: sim, address: "unix:/nowhere.sock" }
`;
const tunnels = `tunnels:
  - name: hub-1
    device: r1
    local: { address: 192.0.2.1 }
    remote: { address: 203.0.113.1 }
    protects: { local: [10.1.0.0/16], remote: [10.2.0.0/16] }
    auth: { psk: hub-1-psk }
`;

let server: Server | undefined;

/** Answers each request of the view socket with this status and body. */
async function answer(status: number, body: object): Promise<void> {
  server = createServer((_request, reply) => {
    const text = JSON.stringify(body);
    reply.writeHead(status, { "content-length": Buffer.byteLength(text) }).end(text);
  });
  server.listen(socket);
  await once(server, "listening");
}

async function check() {
  const ports = ["--port", "p1", "--port", "p2"];
  const argv = ["driver", "check", lab, "--device", "r1", ...ports, "--socket", socket];
  const env = { ...process.env, LINKSEAL_HOME: folder };
  const program = new Program(
    spawn(process.execPath, [command, ...argv], { env, stdio: ["ignore", "pipe", "pipe"] }),
  );
  await program.ended;
  return { status: program.child.exitCode, output: program.output };
}

beforeAll(() => writeFileSync(lab, head));
afterEach(() => void server?.close());
afterAll(() => rmSync(folder, { recursive: true }));

describe("the check of a driver", () => {
  it("a device that only ends a tunnel of the accepted config is refused", async () => {
    await answer(200, { number: 1, text: `${head}${tunnels}` });
    const { status, output } = await check();
    expect([status, output]).toEqual([2, expect.stringContaining("r1 belongs to a group or a")]);
  });

  it("an agent that does not show its config is not taken for none: the check ends", async () => {
    const error = { code: "agent.forbidden", message: "not allowed", effect: "none" };
    await answer(403, { error: { ...error, where: "socket", next: "linkseal status" } });
    const { status, output } = await check();
    expect(output).not.toContain("the cases write to");
    expect(status).not.toBe(0);
  });

  it("an agent whose answer is cut off is not taken for none", async () => {
    server = createServer((_request, reply) => reply.destroy());
    server.listen(socket);
    await once(server, "listening");
    const { status, output } = await check();
    expect([status, output]).toEqual([5, expect.stringContaining("GET /v1/config")]);
  });

  it("on a host without an agent only the named risk is missing", async () => {
    const { status, output } = await check();
    expect([status, output]).toEqual([2, expect.stringContaining("the named risk lab-device")]);
  });
});
