// A tunnel as the backup of a group: what it needs of its device, its group and other tunnels.

import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import { siteConfig } from "../../kit/site-config.ts";

const bgp = "    bgp: { local: 10.1.0.2, peer: 10.1.0.1 }\n";
const backs = "    backs: erd-demo\n";
const good = siteConfig
  .replace(
    "driver: sim\n    address: unix:/run/site.sock",
    "driver: linux\n    charon: unix:/run/charon.vici",
  )
  .replace("    insideMacsec: erd-demo\n", `${bgp}${backs}`);
const second = good
  .slice(good.indexOf("  - name: hub-1"), good.indexOf("repair: off"))
  .replace("hub-1", "hub-2")
  .replace("address: 203.0.113.1", "address: 203.0.113.2")
  .replace(bgp, "    bgp: { local: 10.1.0.6, peer: 10.1.0.5 }\n");

function messages(text: string): readonly string[] {
  const parsed = parseConfig(text, "site.yaml");
  if (parsed.kind === "ok") return [];
  return parsed.complaints.map(({ path, what, why }) => `${path} ${what}: ${why}`);
}

describe("a tunnel that backs a group", () => {
  it("a tunnel that backs a group is accepted with BGP, alone or beside others", () => {
    expect(messages(good)).toEqual([]);
    expect(messages(good.replace("repair: off", `${second}repair: off`))).toEqual([]);
    expect(messages(good.replace(backs, `${backs}    prove: 10m\n`))).toEqual([]);
  });

  it.each<[string, string, string, string]>([
    ["no such group", backs, "    backs: erd\n", "is erd: there is no such group"],
    [
      "a group elsewhere",
      "device: edge-a\n        port",
      "device: edge-b\n        port",
      "has no link of it",
    ],
    ["no BGP", bgp, "", "without BGP inside nothing moves traffic"],
    ["a way inside of it", backs, `${backs}    insideMacsec: erd-demo\n`, "would be lost together"],
    [
      "IPv6",
      "remote: [10.100.0.0/16]",
      'remote: ["2001:db8::/32"]',
      "by which an IPv6 packet came in",
    ],
    [
      "another router",
      "driver: linux\n    charon: unix:/run/charon.vici",
      "driver: sim\n    address: unix:/run/site.sock",
      "cannot bind a block to a port",
    ],
    [
      "a tunnel beside it that does not",
      "repair: off",
      `${second.replace(backs, "")}repair: off`,
      "hub-2 on edge-a does not",
    ],
    ["proofs of nothing", backs, "    prove: 10m\n", "the tunnel is the backup of nothing"],
    ["proofs without a pause", backs, `${backs}    prove: 1s\n`, "tunnels[0].prove"],
  ])("a tunnel that backs a group is refused with %s", (_what, written, instead, complaint) => {
    expect(good).toContain(written);
    const all = messages(good.replace(written, instead)).join("\n");
    expect(all).toContain(complaint);
  });
});
