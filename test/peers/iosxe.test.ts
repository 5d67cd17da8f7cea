// An independent end: OpenSSH at the command line of the router that speaks IOS XE.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { paceClock } from "#sim/serve/site.ts";
import { type SshServed, serveSsh } from "#sim/serve/ssh.ts";
import { type Place, placeOf, platforms } from "../conformance/place.ts";
import { run } from "./run.ts";

describe("a router that speaks IOS XE", () => {
  let folder: string;
  let key: string;
  let place: Place;
  let server: SshServed;
  let pace: ReturnType<typeof paceClock>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "linkseal-peers-"));
    key = join(folder, "key");
    await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], "");
    place = placeOf(platforms["C8500-12X4QC 17.15.1"]);
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
    expect(stdout).toContain("edge-a#show version");
    expect(stdout).toContain("Cisco IOS XE Software, Version 17.15.01a");
    expect(stdout).toContain("% Invalid input detected");
  });

  it("is configured line by line, and takes it back when it is told to", async () => {
    const shown = "show running-config | include ^interface Te|^ shutdown";
    const { stdout } = await typed(
      "configure terminal revert timer 5",
      "interface TenGigabitEthernet0/0/0",
      "shutdown",
      "end",
      shown,
      "show archive config rollback timer",
      "configure revert now",
      shown,
    );
    expect(stdout).toContain("(config-if)#shutdown");
    expect(stdout).toContain("Timer value: 5 min");
    const [, during = "", after = ""] = stdout.split(shown);
    expect(during).toContain(" shutdown\r\n");
    expect(after).toContain("interface TenGigabitEthernet0/0/0\r\n");
    expect(after).not.toContain(" shutdown\r\n");
  });

  it("prints no key that it was given", async () => {
    const key = "c0ffee".padEnd(64, "0");
    const { stdout } = await typed(
      "configure terminal",
      "key chain TRIED macsec",
      "key 01",
      "cryptographic-algorithm aes-256-cmac",
      `key-string ${key}`,
      "end",
      "show running-config | section ^key chain",
    );
    const [, shown = ""] = stdout.split("section ^key chain");
    expect(shown).toContain("key-string 7 ");
    expect(shown).not.toContain(key);
  });

  it("opens no command of its own", async () => {
    const { status, stderr } = await run(ssh("linkseal@127.0.0.1", "show version"), "");
    expect(status).toBe(1);
    expect(stderr).toContain("a shell alone");
  });
});
