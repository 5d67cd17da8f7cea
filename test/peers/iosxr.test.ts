// Foreign clients: OpenSSH and netmiko at the command line of a simulated IOS XR router.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { platforms } from "../conformance/place.ts";
import { python } from "./place.ts";
import { run } from "./run.ts";
import { login, serveRouter } from "./served-router.ts";

describe("a simulated IOS XR router", () => {
  const { server, ssh, typed } = serveRouter(platforms["8201-32FH 7.11.2"], () => ({
    channel: "shell",
  }));

  it("OpenSSH gets a prompt and an answer", async () => {
    const { stdout } = await typed("show version", "show nonsense");
    expect(stdout).toContain("RP/0/RP0/CPU0:edge-a#show version");
    expect(stdout).toContain("Cisco IOS XR Software, Version 7.11.2");
    expect(stdout).toContain("% Invalid input detected");
  });

  it("a trial commit is reverted when its session ends", async () => {
    const { stdout } = await typed(
      "configure exclusive",
      "interface HundredGigE0/0/0/0 shutdown",
      "interface HundredGigE0/0/0/0",
      "shutdown",
      "commit confirmed 60",
      "do show running-config interface HundredGigE0/0/0/0",
      "end",
      "yes",
      "show running-config interface HundredGigE0/0/0/0",
    );
    expect(stdout).toContain("(config-if)#commit confirmed 60");
    const [, during = "", after = ""] = stdout.split("show running-config interface");
    expect(during).toContain(" shutdown\r\n");
    expect(after).not.toContain(" shutdown\r\n");
    expect(after).toContain(" mtu 1600\r\n");
  });

  it("netmiko's trial commits are accepted, except one with a comment", async () => {
    const script = await readFile(join(import.meta.dirname, "iosxr-netmiko.py"), "utf8");
    const { stdout, stderr } = await run(
      [python, "-", String(server().port), "HundredGigE0/0/0/0"],
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

  it("an SSH exec request is refused: the router has only a shell", async () => {
    const { status, stderr } = await run(ssh(login, "show version"), "");
    expect(status).toBe(1);
    expect(stderr).toContain("a shell alone");
  });
});
