// Independent ends: OpenSSH and netmiko at the command line of the router that speaks IOS XR.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { paceClock } from "#sim/serve/site.ts";
import { type SshServed, serveSsh } from "#sim/serve/ssh.ts";
import { type Place, placeOf, platforms } from "../conformance/place.ts";
import { python } from "./place.ts";
import { run } from "./run.ts";

describe("a router that speaks IOS XR", () => {
  let folder: string;
  let key: string;
  let place: Place;
  let server: SshServed;
  let pace: ReturnType<typeof paceClock>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "linkseal-peers-"));
    key = join(folder, "key");
    await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], "");
    place = placeOf(platforms["8201-32FH 7.11.2"]);
    const connect: typeof place.face.connect = (wire) => place.face.connect(wire);
    server = await serveSsh({ port: 0, channel: "shell", connect });
    pace = paceClock(place.rig.clock, { speed: 20 });
  });
  afterAll(async () => {
    await pace.stop();
    await server.close();
    await rm(folder, { recursive: true });
  });

  const ssh = (...words: readonly string[]): readonly string[] => [
    "ssh",
    ...["-F", "none", "-i", key, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"],
    ...["-o", `UserKnownHostsFile=${join(folder, "known")}`, "-p", String(server.port)],
    ...words,
  ];
  const typed = (...lines: readonly string[]) =>
    run(ssh("-T", "linkseal@127.0.0.1"), [...lines, "exit", ""].join("\n"));

  it("answers OpenSSH at a prompt", async () => {
    const { stdout } = await typed("show version", "show nonsense");
    expect(stdout).toContain("RP/0/RP0/CPU0:edge-a#show version");
    expect(stdout).toContain("Cisco IOS XR Software, Version 7.11.2");
    expect(stdout).toContain("% Invalid input detected");
  });

  it("is configured, and takes a trial back with its session", async () => {
    const { stdout } = await typed(
      "configure exclusive",
      "interface HundredGigE0/0/0/0 shutdown",
      "interface HundredGigE0/0/0/0",
      "shutdown",
      "commit confirmed 60",
      "do show running-config interface HundredGigE0/0/0/0",
      "end",
      "show running-config interface HundredGigE0/0/0/0",
    );
    expect(stdout).toContain("(config-if)#commit confirmed 60");
    const [, during = "", after = ""] = stdout.split("show running-config interface");
    expect(during).toContain(" shutdown\r\n");
    expect(after).not.toContain(" shutdown\r\n");
    expect(after).toContain(" mtu 1600\r\n");
  });

  it("takes the trials that netmiko knows, and none other", async () => {
    const script = await readFile(join(import.meta.dirname, "iosxr-netmiko.py"), "utf8");
    const { stdout, stderr } = await run(
      [python, "-", String(server.port), "HundredGigE0/0/0/0"],
      script,
    );
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual({
      listed: true,
      comment_of_a_trial: "Invalid arguments supplied to XR commit",
      typed_all_the_same: true,
      kept: true,
    });
  });

  it("opens no command of its own", async () => {
    const { status, stderr } = await run(ssh("linkseal@127.0.0.1", "show version"), "");
    expect(status).toBe(1);
    expect(stderr).toContain("a shell alone");
  });
});
