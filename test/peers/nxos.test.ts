// Foreign clients: OpenSSH and netmiko at the command line of a simulated switch with NX-OS.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { platforms } from "../conformance/place.ts";
import { python } from "./place.ts";
import { run } from "./run.ts";
import { login, serveRouter } from "./served-router.ts";

describe("a simulated switch with NX-OS", () => {
  const platform = platforms["C9336C-FX2 9.3.6"];
  const { server, ssh, typed } = serveRouter(platform, () => ({ channel: "shell" }));

  it("OpenSSH gets a prompt and an answer", async () => {
    const { stdout } = await typed("show version", "show nonsense");
    expect(stdout).toContain("edge-a# show version");
    expect(stdout).toMatch(/^ {2}NXOS: version 9\.3\(6\)/m);
    expect(stdout).toMatch(/^% Invalid/m);
  });

  it("netmiko reads tables, and types lines, which a checkpoint takes back", async () => {
    const script = await readFile(join(import.meta.dirname, "nxos-netmiko.py"), "utf8");
    const [first] = platform.ports;
    const { stdout, stderr } = await run([python, "-", String(server().port), first], script);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual({
      prompt: "edge-a#",
      interfaces: expect.arrayContaining([...platform.ports]),
      ...{ shut_at_once: true, rollback: true, shut_after_rollback: false },
      ...{ checkpoints: true, left: false },
    });
  });

  it("output contains no key that was configured", async () => {
    const key = "c0ffee".padEnd(64, "0");
    const { stdout } = await typed(
      ...["configure terminal", "key chain TRIED macsec", "key 01"],
      `key-octet-string ${key} cryptographic-algorithm AES_256_CMAC`,
      "end",
      "show running-config | section '^key chain '",
    );
    const [, shown = ""] = stdout.split("section '^key chain '");
    expect(shown).toContain("key-octet-string 7 ");
    expect(shown).not.toContain(key);
  });

  it("an SSH exec request is refused: the switch has only a shell", async () => {
    const { status, stderr } = await run(ssh(login, "show version"), "");
    expect(status).toBe(1);
    expect(stderr).toContain("a shell alone");
  });
});
