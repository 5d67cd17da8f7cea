// Foreign clients: OpenSSH and netmiko at the command line of a simulated EOS router.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { platforms } from "../conformance/place.ts";
import { python } from "./place.ts";
import { run as runProgram } from "./run.ts";
import { login, serveRouter } from "./served-router.ts";

/** Runs a program and returns all of its output. */
async function run(argv: readonly string[], stdin: string): Promise<string> {
  const { stdout, stderr } = await runProgram(argv, stdin);
  return stdout + stderr;
}

describe("a simulated EOS router", () => {
  const { place, server, ssh, keyShown } = serveRouter(
    platforms["7280CR3MK 4.30.5M"],
    (emulator) => ({
      channel: "shell",
      execute: (wire, command) => emulator.execute(wire, command),
    }),
  );
  const [port] = platforms["7280CR3MK 4.30.5M"].ports;

  it("a command is answered as JSON and text, and the host key is the reported one", async () => {
    const version = JSON.parse(await run([...ssh(login), "show version | json"], ""));
    expect(version).toMatchObject({ modelName: "DCS-7280CR3MK-32P4-F", version: "4.30.5M" });
    expect(await run([...ssh(login), "show running-config"], "")).toContain(`interface ${port}\n`);
    expect(await run([...ssh(login), "show nonsense"], "")).toContain("% Invalid input");
    const shown = await keyShown();
    expect(shown.stdout).toContain(server().hostKey);
  });

  it("a session with a timer is committed, and reverts by itself", async () => {
    const typed = [
      ...["enable", "terminal length 0", "configure session ours"],
      ...[`interface ${port}`, "shutdown", "exit", "show session-config diffs"],
      ...["commit timer 00:00:30", "show configuration sessions detail | json", "exit", ""],
    ];
    const output = await run([...ssh("-tt", login)], typed.join("\n"));
    expect(output).toContain("edge>");
    expect(output).toContain("edge(config-s-ours-if-Et1/1)#");
    expect(output).toContain("+   shutdown");
    expect(output).toContain('"state": "pendingCommitTimer"');
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

  it("output stops at the end of each page until a key is pressed", async () => {
    const typed = ["enable", "show version | json", "show interfaces | json", " q", "exit", ""];
    const output = await run([...ssh("-tt", login)], typed.join("\n"));
    expect(output).toContain("--More--");
  });

  it("netmiko reads and configures the router, at once and in a session", async () => {
    const script = await readFile(join(import.meta.dirname, "eos-netmiko.py"), "utf8");
    const output = await run([python, "-", String(server().port), port], script);
    expect(JSON.parse(output)).toEqual({
      prompt: "edge#",
      model: "DCS-7280CR3MK-32P4-F",
      interfaces: [...platforms["7280CR3MK 4.30.5M"].ports, "Management1", "Port-Channel1"],
      shut_at_once: true,
      open_at_once: true,
      shut_before_commit: false,
      shut_after_commit: true,
      refused: "% Cannot enter session peer (already completed)",
    });
  });

  it("a command that needs the privilege is refused with that reason", async () => {
    const output = await run([...ssh("-tt", login)], "configure\nshow running-config\nexit\n");
    expect(output.match(/privileged mode required/g)).toHaveLength(2);
  });
});
