// Foreign clients: OpenSSH and ncclient drive a simulated Junos router.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { platforms } from "../conformance/place.ts";
import { python } from "./place.ts";
import { run } from "./run.ts";
import { login, serveRouter } from "./served-router.ts";

describe("a simulated Junos router", () => {
  const { server, ssh, keyShown } = serveRouter(platforms["ptx10008 23.4R2"], () => ({
    channel: "netconf",
  }));

  it("OpenSSH gets the netconf subsystem, and the host key is the reported one", async () => {
    const base = "urn:ietf:params:netconf:base:1.0";
    const hello = `<hello><capabilities><capability>${base}</capability></capabilities></hello>`;
    const rpcs = ["get-software-information", "close-session"].map(
      (name, index) => `<rpc message-id="${index}"><${name}/></rpc>`,
    );
    const asked = [hello, ...rpcs, ""].join("]]>]]>");
    const answered = await run(ssh("-s", login, "netconf"), asked);
    expect(answered.stdout).toContain("confirmed-commit:1.0</capability>");
    expect(answered.stdout).toContain("<product-model>ptx10008</product-model>");
    const shown = await keyShown();
    expect(shown.stdout).toContain(server().hostKey);
  });

  it("a shell is refused", async () => {
    const { status, stderr } = await run(ssh(login, "show version"), "");
    expect(status).toBe(1);
    expect(stderr).toContain("NETCONF alone");
  });

  it("ncclient makes a confirmed commit, and the router reverts it", async () => {
    const script = await readFile(join(import.meta.dirname, "junos-ncclient.py"), "utf8");
    const ended = await run([python, "-", String(server().port)], script);
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
