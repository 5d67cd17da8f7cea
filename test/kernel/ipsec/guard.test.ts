// linkseal guard as a process: it blocks the prefixes of the last accepted config before anything
// else.

import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Programs } from "../host/programs.ts";
import { addNetwork, ip, leaveNetworks } from "../lab.ts";

let folder = "";
let network = "";
let programs: Programs;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-guard-"));
  network = addNetwork();
  programs = new Programs(folder, network);
});
afterEach(() => {
  programs[Symbol.dispose]();
  leaveNetworks();
  rmSync(folder, { recursive: true });
});

const blocks = (): readonly string[] =>
  ip("-n", network, "xfrm", "policy")
    .split(/\n(?=\S)/)
    .filter((policy) => policy.includes("action block"))
    .map((policy) => /^src (\S+) dst (\S+)[\s\S]*dir (\w+)/.exec(policy)?.slice(1).join(" ") ?? "")
    .toSorted();

const all = [
  "0.0.0.0/0 10.100.0.0/16 out",
  "10.100.0.0/16 0.0.0.0/0 fwd",
  "10.100.0.0/16 0.0.0.0/0 in",
];

async function post(path: string, body: object): Promise<Record<string, unknown>> {
  const socketPath = join(folder, "run", "net.sock");
  const call = request({ socketPath, path: `/devices/edge${path}`, method: "POST" });
  call.end(JSON.stringify(body));
  const [response] = (await once(call, "response")) as [NodeJS.ReadableStream];
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return JSON.parse(text) as Record<string, unknown>;
}

describe("linkseal guard", { timeout: 400_000 }, () => {
  it("a guard without an accepted tunnel blocks nothing", async () => {
    const { status } = await programs.run("guard");
    expect(status).toBe(0);
    expect(blocks()).toEqual([]);
  });

  it("a guard blocks again what linkseal-net blocked last, until that is released", async () => {
    const net = await programs.serve("net");
    const change = [{ kind: "ipsec.block", prefixes: ["10.100.0.0/16"] }];
    const { token } = await post("/prepare", { change });
    await post(`/transactions/${String(token)}/apply`, { within: "final" });
    expect(blocks()).toEqual(all);
    net.kill("SIGKILL");
    await once(net, "close");
    // Flushes the policies, as a boot would.
    ip("-n", network, "xfrm", "policy", "flush");
    expect((await programs.run("guard")).status).toBe(0);
    expect(blocks()).toEqual(all);
    expect((await programs.run("guard")).status).toBe(0);
    expect(blocks()).toEqual(all);
    const odd = await programs.run("guard", "--release", "everything");
    expect([odd.status, blocks()]).toEqual([2, all]);
    const part = await programs.run("guard", "--release", "10.100.1.0/24");
    expect([part.status, blocks()]).toEqual([2, all]);
    expect(part.err).toContain("what blocks packets of it is 10.100.0.0/16");
    const other = await programs.run("guard", "--release", "10.99.0.0/16");
    expect([other.status, blocks()]).toEqual([2, all]);
    expect((await programs.run("guard", "--release", "10.100.0.0/16")).status).toBe(0);
    expect(blocks()).toEqual([]);
    expect((await programs.run("guard")).status).toBe(0);
    expect(blocks()).toEqual([]);
    const again = await programs.run("guard", "--release", "10.100.0.0/16");
    expect(again.status).toBe(2);
  });

  it("a guard whose file is damaged fails, so that its unit does", async () => {
    mkdirSync(join(folder, "state-net"), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, "state-net", "guard"), '{"prefixes":["10.100.0.0/16"', {
      mode: 0o600,
    });
    const { status, out, err } = await programs.run("guard");
    expect(status).toBe(1);
    expect(out + err).toContain("guard-damaged");
  });
});
