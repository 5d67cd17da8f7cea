// Independent ends: OpenSSH and netmiko at the command line of a router that speaks EOS.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { EosFace } from "#sim/emulators/eos.ts";
import { paceClock } from "#sim/serve/site.ts";
import { type SshServed, serveSsh } from "#sim/serve/ssh.ts";
import { type Place, placeOf, platforms } from "../conformance/place.ts";
import { python } from "./place.ts";
import { run as runProgram } from "./run.ts";

/** All that a program said. */
async function run(argv: readonly string[], stdin: string): Promise<string> {
  const { stdout, stderr } = await runProgram(argv, stdin);
  return stdout + stderr;
}

describe("a router that speaks EOS", () => {
  let folder: string;
  let place: Place<EosFace>;
  let server: SshServed;
  let pace: ReturnType<typeof paceClock>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "linkseal-peers-"));
    await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")], "");
    place = placeOf(platforms["7280CR3MK 4.30.5M"]);
    const { face } = place;
    server = await serveSsh({
      port: 0,
      channel: "shell",
      connect: (wire) => face.connect(wire),
      execute: (wire, command) => face.execute(wire, command),
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
    ...["-F", "none", "-i", join(folder, "key"), "-o", "BatchMode=yes"],
    ...["-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR"],
    ...["-o", `UserKnownHostsFile=${join(folder, "known")}`, "-p", String(server.port)],
    ...words,
  ];
  const login = "linkseal@127.0.0.1";
  const [port] = platforms["7280CR3MK 4.30.5M"].ports;

  it("answers one command, as JSON and as text, and shows the key that it said", async () => {
    const version = JSON.parse(await run([...ssh(login), "show version | json"], ""));
    expect(version).toMatchObject({ modelName: "DCS-7280CR3MK-32P4-F", version: "4.30.5M" });
    expect(await run([...ssh(login), "show running-config"], "")).toContain(`interface ${port}\n`);
    expect(await run([...ssh(login), "show nonsense"], "")).toContain("% Invalid input");
    const shown = await run(["ssh-keygen", "-l", "-f", join(folder, "known")], "");
    expect(shown).toContain(server.hostKey);
  });

  it("is configured in a session with a timer, which it takes back by itself", async () => {
    const typed = [
      ...["enable", "terminal length 0", "configure session ours"],
      ...[`interface ${port}`, "shutdown", "exit", "show session-config diffs"],
      ...["commit timer 00:00:30", "show configuration sessions detail | json", "exit", ""],
    ];
    const said = await run([...ssh("-tt", login)], typed.join("\n"));
    expect(said).toContain("edge>");
    expect(said).toContain("edge(config-s-ours-if-Et1/1)#");
    expect(said).toContain("+   shutdown");
    expect(said).toContain('"state": "pendingCommitTimer"');
    expect(place.rig.router.configured(port)?.admin).toBe("down");
    await vi.waitFor(
      async () => {
        const shown = await run([...ssh(login), "show configuration sessions detail | json"], "");
        expect(shown).not.toContain("ours");
      },
      { timeout: 10_000, interval: 100 },
    );
    expect(place.rig.router.configured(port)?.admin).toBe("up");
  });

  it("stops at the end of each page until a key is pressed", async () => {
    const typed = ["enable", "show version | json", "show interfaces | json", " q", "exit", ""];
    const said = await run([...ssh("-tt", login)], typed.join("\n"));
    expect(said).toContain("--More--");
  });

  it("is looked at and configured by netmiko, at once and in a session", async () => {
    const script = await readFile(join(import.meta.dirname, "eos-netmiko.py"), "utf8");
    const said = await run([python, "-", String(server.port), port], script);
    expect(JSON.parse(said)).toEqual({
      prompt: "edge#",
      model: "DCS-7280CR3MK-32P4-F",
      interfaces: [...platforms["7280CR3MK 4.30.5M"].ports, "Management1"],
      shut_at_once: true,
      open_at_once: true,
      shut_before_commit: false,
      shut_after_commit: true,
      refused: "% Cannot enter session peer (already completed)",
    });
  });

  it("needs the privilege, and says so", async () => {
    const said = await run([...ssh("-tt", login)], "configure\nshow running-config\nexit\n");
    expect(said.match(/privileged mode required/g)).toHaveLength(2);
  });
});
