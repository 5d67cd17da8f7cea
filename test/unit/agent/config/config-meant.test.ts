// What a complaint proposes to write where a vendor, or the name of a vault, was written.

import { expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import { siteConfig } from "../../kit/site-config.ts";

function proposed(path: string, ...changes: readonly (readonly [string, string])[]): unknown {
  const text = changes.reduce((all, [before, after]) => {
    expect(all).toContain(before);
    return all.replace(before, after);
  }, siteConfig);
  const parsed = parseConfig(text, "site.yaml");
  const complaints = parsed.kind === "refused" ? parsed.complaints : [];
  return complaints.find((one) => one.path === path)?.write;
}

it.each([
  ["juniper", "driver: junos"],
  ["arista", "driver: eos"],
  ["ios-xe", "driver: iosxe"],
  ["sym", "driver: sim"],
])("for the driver %s a complaint proposes %s", (word, write) => {
  expect(proposed("devices[0].driver", ["driver: sim", `driver: ${word}`])).toBe(write);
});

it.each([
  ["public", "kv-erd-dub", "vault: https://kv-erd-dub.vault.azure.net"],
  ["public", "http://kv-erd-dub.vault.azure.net/", "vault: https://kv-erd-dub.vault.azure.net"],
  ["usgovernment", "kv-erd-dub", "vault: https://kv-erd-dub.vault.usgovcloudapi.net"],
  ["china", "https://KV-ERD.vault.azure.net", "vault: https://kv-erd.vault.azure.cn"],
])("in the cloud %s the vault %s is proposed as %s", (cloud, vault, write) => {
  const inCloud = ["  cloud: sim", `  cloud: ${cloud}`] as const;
  const named = ["vault: unix:/run/site.sock", `vault: ${vault}`] as const;
  expect(proposed("azure.vault", inCloud, named)).toBe(write);
});

it("a key that was pasted for the name of a vault is never proposed", () => {
  const named = ["vault: unix:/run/site.sock", `vault: ${"a1".repeat(32)}`] as const;
  const write = proposed("azure.vault", ["  cloud: sim", "  cloud: public"], named);
  expect(write).not.toContain("a1a1");
});
