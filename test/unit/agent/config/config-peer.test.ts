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

describe("one host under two names", () => {
  /** Both devices of the site, and a port for each of its links. */
  function complaintsOf(edgeA: string, edgeB: string, ports: readonly [string, string]) {
    const devices = `  - name: edge-a\n    ${edgeA}\n  - name: edge-b\n    ${edgeB}\n`;
    const text = noTunnels
      .replace(/(?<=^devices:\n)(?: .*\n)+/m, devices)
      .replace("et-0/0/0", ports[0])
      .replace("et-0/0/1", ports[1]);
    const result = parseConfig(text, "f");
    return result.kind === "ok" ? [] : result.complaints.map(formatComplaint);
  }
  const peer = (address: string, login = ssh) =>
    `driver: linux\n    address: "ssh://${address}"\n    ${login}`;
  const known = ssh.replace("file:/k", `SHA256:${"A".repeat(43)}`);
  const otherPort = ssh.replace("{ ", "{ port: 2222, ");

  it.each([
    ["twice the same host", peer("192.0.2.2"), peer("192.0.2.2")],
    ["a name in other letters", peer("edge.example"), peer("EDGE.example")],
    [
      "its port of SSH, once written out",
      peer("192.0.2.2"),
      peer("192.0.2.2", ssh.replace("{ ", "{ port: 22, ")),
    ],
    ["this host twice", "driver: linux", "driver: linux"],
    ["two addresses with one host key", peer("192.0.2.2", known), peer("198.51.100.2", known)],
    [
      "this host's socket, once written out",
      "driver: linux",
      "driver: linux\n    address: unix:/run/linkseal-net/net.sock",
    ],
  ])("a port that both links would have is refused: %s", (_what, edgeA, edgeB) => {
    const found = complaintsOf(edgeA, edgeB, ["eth1", "eth1"]);
    expect(found.join("\n")).toMatch(
      /links\[1\]\.port: is "eth1" there as well, "edge-b" is the device of groups\[0\]\./,
    );
    expect(complaintsOf(edgeA, edgeB, ["eth1", "eth2"])).toEqual([]);
  });

  it.each([
    ["two hosts", peer("192.0.2.2"), peer("192.0.2.3")],
    ["two hosts behind one address", peer("192.0.2.2"), peer("192.0.2.2", otherPort)],
    ["this host and another", "driver: linux", peer("192.0.2.3")],
    [
      "two namespaces",
      "driver: linux",
      "driver: linux\n    address: unix:/run/linkseal-blue/net.sock",
    ],
  ])("%s have a port of one name each", (_what, edgeA, edgeB) => {
    expect(complaintsOf(edgeA, edgeB, ["eth1", "eth1"])).toEqual([]);
  });
});
