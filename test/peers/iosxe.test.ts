// A foreign client: OpenSSH at the command line of a simulated IOS XE router.

import { describe, expect, it } from "vitest";
import { platforms } from "../conformance/place.ts";
import { run } from "./run.ts";
import { login, serveRouter } from "./served-router.ts";

describe("a simulated IOS XE router", () => {
  const { ssh, typed } = serveRouter(platforms["C8500-12X4QC 17.15.1"], () => ({
    channel: "shell",
  }));

  it("OpenSSH gets a prompt and an answer", async () => {
    const { stdout } = await typed("show version", "show nonsense");
    expect(stdout).toContain("edge-a#show version");
    // Named builds have a name in the first line, and the number in the second.
    expect(stdout).toMatch(/^Cisco IOS XE Software, Version \S+\r$/m);
    expect(stdout).toMatch(/Version 17\.15\.0?1a\b/);
    expect(stdout).toContain("% Invalid input detected");
  });

  it("lines are configured one by one, and reverted on request", async () => {
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

  it("output contains no key that was configured", async () => {
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

  it("an SSH exec request is refused: the router has only a shell", async () => {
    const { status, stderr } = await run(ssh(login, "show version"), "");
    expect(status).toBe(1);
    expect(stderr).toContain("a shell alone");
  });
});
