// Linux hosts that the agent reaches by SSH.

import { describe, expect, it } from "vitest";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import { siteConfig } from "../../kit/site-config.ts";

const simulated = "driver: sim\n    address: unix:/run/site.sock";
const ssh = "ssh: { user: linkseal-peer, key: credential:edge-a, hostKey: file:/k }";
const noTunnels = siteConfig.replace(/^tunnels:\n(?: .*\n)+/m, "");

function read(device: string) {
  return parseConfig(noTunnels.replace(simulated, device), "f");
}

function complaints(device: string): readonly string[] {
  const result = read(device);
  return result.kind === "ok" ? [] : result.complaints.map(formatComplaint);
}

describe("a Linux host behind SSH", () => {
  it.each(["192.0.2.2", "edge-b.example", "2001:db8::2"])("may be at ssh://%s", (host) => {
    const result = read(`driver: linux\n    address: "ssh://${host}"\n    ${ssh}`);
    if (result.kind !== "ok") throw new Error(result.complaints.map(formatComplaint).join("\n"));
    expect(result.desired.devices[0]).toMatchObject({
      ...{ driver: "linux", address: `ssh://${host}` },
      ssh: { user: "linkseal-peer", port: 22 },
    });
  });

  it.each([
    [`driver: linux\n    address: ssh://192.0.2.2`, "devices[0]: has no ssh"],
    [`driver: linux\n    ${ssh}`, "devices[0].ssh: is set"],
    [`driver: linux\n    address: ssh:///run/x\n    ${ssh}`, "devices[0].address: is"],
    [`driver: linux\n    address: "ssh://ann@edge"\n    ${ssh}`, "devices[0].address: is"],
    [`driver: linux\n    address: "ssh://edge:22"\n    ${ssh}`, "devices[0].address: is"],
    [`driver: junos\n    address: ssh://192.0.2.2\n    ${ssh}`, "devices[0].address: is"],
    [`driver: sim\n    address: ssh://192.0.2.2\n    ${ssh}`, "devices[0].address: is"],
  ])("%j is refused", (device, why) => {
    expect(complaints(device).join("\n")).toContain(why);
  });
});
