import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import type { Desired } from "#agent/model/desired.ts";
import { siteConfig } from "../../kit/site-config.ts";

function desiredOf(text: string): Desired {
  const parsed = parseConfig(text, "site.yaml");
  if (parsed.kind === "ok") return parsed.desired;
  throw new Error(JSON.stringify(parsed.complaints));
}

describe("the quirks of a device", () => {
  it("a port of IOS XE with an XPN suite is shut while its key changes: CSCvt33018", () => {
    const vendor = (driver: string, suite: string, quirks = ""): readonly (readonly string[])[] => {
      const address = "    address: 192.0.2.1\n";
      const ssh = 'ssh: { user: linkseal, key: agent, hostKey: "file:/etc/known" }';
      const text = siteConfig
        .replace(/driver: sim\n.*\n/, `driver: ${driver}\n${address}    ${ssh}\n${quirks}`)
        .replaceAll("gcm-aes-xpn-256", suite)
        .replaceAll("speed: 100G", suite.includes("xpn") ? "speed: 100G" : "speed: 10G");
      return desiredOf(text).devices.map((each) => each.quirks);
    };
    const shut = ["shutBeforeKeyChange"];
    expect(vendor("iosxe", "gcm-aes-xpn-256")).toEqual([shut, []]);
    expect(vendor("iosxe", "gcm-aes-xpn-128")).toEqual([shut, []]);
    expect(vendor("iosxe", "gcm-aes-256")).toEqual([[], []]);
    expect(vendor("iosxr", "gcm-aes-xpn-256")).toEqual([[], []]);
    // What a config says already stays as it is.
    const messages = "    quirks: [shutBeforeKeyChange]\n";
    expect(vendor("iosxe", "gcm-aes-xpn-256", messages)).toEqual([shut, []]);
    expect(vendor("iosxe", "gcm-aes-256", messages)).toEqual([shut, []]);
    expect(vendor("iosxe", "gcm-aes-xpn-256", "    quirks: []\n")).toEqual([shut, []]);
    // The operator says that the router has no such fault.
    const open = "    quirks: [openDuringKeyChange]\n";
    expect(vendor("iosxe", "gcm-aes-xpn-256", open)).toEqual([["openDuringKeyChange"], []]);
  });

  it("a port is shut while its key changes, or it is not", () => {
    const quirks = "driver: sim\n    quirks: [shutBeforeKeyChange, openDuringKeyChange]";
    const parsed = parseConfig(siteConfig.replace("driver: sim", quirks), "site.yaml");
    if (parsed.kind !== "refused") throw new Error("it is accepted");
    expect(parsed.complaints).toMatchObject([
      { path: "devices[0].quirks", what: "names both", write: "quirks: [shutBeforeKeyChange]" },
    ]);
  });
});
