// Where a config says that a link's traffic is: its routing instance and its aggregate.

import { describe, expect, it } from "vitest";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import { siteConfig } from "../../kit/site-config.ts";
import { desiredOf, linkNamed } from "../../kit/snapshot-kit.ts";

const simulated = "driver: sim\n    address: unix:/run/site.sock";
const login = "ssh: { user: ann, key: agent, hostKey: file:/k }";

/** The config with a router of this driver at the first link, and more lines for both. */
function written(driver: string, device: string, link: string): string {
  return siteConfig
    .replace(simulated, `driver: ${driver}\n    address: 192.0.2.1\n    ${login}${device}`)
    .replace("port: et-0/0/0", `port: et-0/0/0${link}`);
}

function complaintsOf(text: string): readonly string[] {
  const parsed = parseConfig(text, "site.yaml", undefined);
  if (parsed.kind === "ok") return [];
  return parsed.complaints.map((one) => formatComplaint(one).split("\n")[0] ?? "");
}

const vrf = (name: string): string => `\n    vrf: ${name}`;
const linkVrf = (name: string): string => `\n        vrf: ${name}`;
const aggregate = (name: string): string => `\n        aggregate: ${name}`;

describe("the routing instance of a link", () => {
  it("a link has the VRF of its device unless it has one of its own", () => {
    const of = (device: string, link: string) =>
      linkNamed(
        "primary",
        desiredOf(() => written("junos", device, link)),
      ).vrf;
    expect(of("", "")).toBeUndefined();
    expect(of(vrf("azure"), "")).toBe("azure");
    expect(of(vrf("azure"), linkVrf("ms-peering"))).toBe("ms-peering");
    expect(of("", linkVrf("default"))).toBe("default");
  });

  it.each([
    ["iosxe", 32],
    ["iosxr", 32],
    ["nxos", 32],
    ["eos", 100],
    ["junos", 128],
  ])("the name of a VRF of %s has at most %i characters", (driver, most) => {
    const long = "v".repeat(most);
    expect(complaintsOf(written(driver, vrf(long), linkVrf(long)))).toEqual([]);
    const complaints = complaintsOf(written(driver, vrf(`${long}v`), linkVrf(`${long}v`)));
    expect(complaints).toHaveLength(2);
    for (const one of complaints) expect(one).toContain("vrf");
  });

  it.each(['"a b"', '"a;reload"', '"a|b"', '"a\\nb"', '"-a"', '""', '"a?"'])(
    "%s is not the name of a VRF",
    (name) => {
      const complaints = complaintsOf(written("iosxe", vrf(name), ""));
      expect(complaints).toHaveLength(1);
      expect(complaints[0]).toContain("devices[0].vrf");
    },
  );

  it("a simulated router has no VRF, and neither has its link", () => {
    const device = siteConfig.replace(simulated, `${simulated}${vrf("azure")}`);
    const link = siteConfig.replace("port: et-0/0/0", `port: et-0/0/0${linkVrf("azure")}`);
    for (const text of [device, link]) {
      expect(complaintsOf(text)).toHaveLength(1);
      expect(complaintsOf(text)[0]).toContain("vrf: is set");
    }
  });
});

describe("the aggregate of a link", () => {
  it.each([
    ["iosxe", "Port-channel1", "Port-Channel1"],
    ["iosxr", "Bundle-Ether65", "Port-channel1"],
    ["nxos", "port-channel65", "Port-channel1"],
    ["eos", "Port-Channel1", "ae0"],
    ["junos", "ae0", "Bundle-Ether1"],
  ])("an aggregate of %s is named %s and not %s", (driver, name, other) => {
    const good = written(driver, "", aggregate(name));
    expect(
      linkNamed(
        "primary",
        desiredOf(() => good),
      ).aggregate,
    ).toBe(name);
    const complaints = complaintsOf(written(driver, "", aggregate(other)));
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toContain(`aggregate: is "${other}"`);
  });

  it("a name that no platform has is answered with the naming of the device's platform", () => {
    for (const name of ["ae 0", "ae-x", "trunk"]) {
      const text = written("junos", "", aggregate(name));
      const parsed = parseConfig(text, "site.yaml", undefined);
      const all = parsed.kind === "ok" ? [] : parsed.complaints.map(formatComplaint);
      expect(all).toHaveLength(1);
      expect(all[0]).toContain("aggregate: ae0");
      expect(all[0]).not.toContain("Bundle-Ether1");
    }
  });

  it("an aggregate that two links of one device name is refused", () => {
    const both = (second: string): readonly string[] =>
      complaintsOf(
        written("junos", "", aggregate("ae0"))
          .replace("device: edge-b", "device: edge-a")
          .replace("port: et-0/0/1", `port: et-0/0/1${aggregate(second)}`),
      ).filter((one) => one.includes("aggregate"));
    expect(both("ae0")).toHaveLength(1);
    expect(both("ae0")[0]).toContain('links[1].aggregate: is "ae0"');
    expect(both("ae0")[0]).toContain("erd-demo/primary names it too");
    expect(both("ae1")).toEqual([]);
  });

  it("an aggregate on a Linux host or a simulated router is refused", () => {
    const linux = siteConfig.replace(simulated, "driver: linux\n    charon: unix:/run/charon.vici");
    for (const text of [siteConfig, linux]) {
      const bonded = text.replace("port: et-0/0/0", `port: et-0/0/0${aggregate("bond0")}`);
      expect(complaintsOf(bonded)).toHaveLength(1);
      expect(complaintsOf(bonded)[0]).toContain("aggregate: is set");
    }
  });
});
