// Independent ends: OpenSSH and ncclient drive the router that speaks Junos.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { paceClock } from "#sim/serve/site.ts";
import { type SshServed, serveSsh } from "#sim/serve/ssh.ts";
import { type Place, placeOf, platforms } from "../conformance/place.ts";
import { python } from "./place.ts";
import { run } from "./run.ts";

describe("a router that speaks Junos", () => {
  let folder: string;
  let key: string;
  let place: Place;
  let server: SshServed;
  let pace: ReturnType<typeof paceClock>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "linkseal-peers-"));
    key = join(folder, "key");
    await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], "");
    place = placeOf(platforms["ptx10008 23.4R2"]);
    server = await serveSsh({
      port: 0,
      channel: "netconf",
      connect: (wire) => place.face.connect(wire),
    });
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

  it("answers OpenSSH in its netconf subsystem, and shows it the key that it said", async () => {
    const base = "urn:ietf:params:netconf:base:1.0";
    const hello = `<hello><capabilities><capability>${base}</capability></capabilities></hello>`;
    const rpcs = ["get-software-information", "close-session"].map(
      (name, index) => `<rpc message-id="${index}"><${name}/></rpc>`,
    );
    const asked = [hello, ...rpcs, ""].join("]]>]]>");
    const answered = await run(ssh("-s", "linkseal@127.0.0.1", "netconf"), asked);
    expect(answered.stdout).toContain("confirmed-commit:1.0</capability>");
    expect(answered.stdout).toContain("<product-model>ptx10008</product-model>");
    const shown = await run(["ssh-keygen", "-l", "-f", join(folder, "known")], "");
    expect(shown.stdout).toContain(server.hostKey);
  });

  it("has no shell", async () => {
    const { status, stderr } = await run(ssh("linkseal@127.0.0.1", "show version"), "");
    expect(status).toBe(1);
    expect(stderr).toContain("NETCONF alone");
  });

  it("is configured by ncclient, which commits for a while, and takes it back", async () => {
    const script = await readFile(join(import.meta.dirname, "junos-ncclient.py"), "utf8");
    const ended = await run([python, "-", String(server.port)], script);
    expect(ended.stderr).toBe("");
    expect(JSON.parse(ended.stdout)).toEqual({
      locked: true,
      second_lock: "configuration database locked",
      description_in_filter: false,
      disabled_before: false,
      disabled_in_candidate: true,
      disabled_after_commit: true,
      pending: true,
      disabled_after_revert: false,
      rejected: "Connectivity association nowhere is not defined",
    });
  });
});
