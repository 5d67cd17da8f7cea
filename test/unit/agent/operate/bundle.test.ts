// The bundle that goes to strangers: codes, numbers and our own words, whatever the agent says.

import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import { type BundleParts, bundleText } from "#agent/operate/doctor/bundle.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { siteConfig } from "../../kit/site-config.ts";

const cak = "5EC2E7A1".repeat(8);
const ckn = "0ddba11c".repeat(8);
const secretId = "https://kv-erd-dub.vault.azure.net/secrets/erd-dub-1-cak/0123456789abcdef";
const canaries = [cak, ckn, secretId, "dublin-edge", "et-0/0/7", "192.0.2.17", "kv-erd-dub"];

const reason = (code: string) => ({ code, text: `${cak} ${secretId}`, next: `linkseal ${ckn}` });

const status = {
  ...{ schema: "linkseal.status/1", site: "dublin-edge", at: "2026-11-24T10:00:00Z" },
  ...{ verdict: "degraded", reasons: [reason("not-configured")] },
  groups: [
    {
      ...{ name: "erd-dublin-edge", verdict: "degraded", rotation: { because: cak } },
      links: [
        {
          ...{ name: "primary-dublin-edge", device: "dublin-edge", port: "et-0/0/7" },
          ...{ verdict: "degraded", reasons: [reason("sci-mismatch")], suite: "gcm-aes-xpn-256" },
          ages: { controlPlaneMs: 800, dataPlaneMs: 801, farEndMs: null },
          ...{ ckn, keyVersion: secretId, keyAgeDays: 3 },
          mka: { livePeers: 1, principalCkn: ckn, keyServer: "peer" },
          ...{ frames: null, azure: null },
        },
      ],
    },
  ],
  tunnels: [{ name: "hub-dublin-edge", verdict: "protected", reasons: [], gateway: null }],
  warnings: [
    {
      ...{ code: "key-age", severity: "warning", about: "dublin-edge/primary", text: cak },
      ...{ since: "2026-11-24T09:00:00Z", absentSince: null, next: secretId },
    },
  ],
  unmanaged: [{ kind: "key", name: ckn, where: "dublin-edge", text: cak, next: "" }],
} as unknown as Status;

function partsWith(change: Partial<BundleParts> = {}): BundleParts {
  const parsed = parseConfig(siteConfig, "site.yaml");
  return {
    at: "2026-11-24T10:00:00Z",
    system: {
      ...{ kernel: "6.12.118+deb13-amd64", architecture: "x64", node: "24.21.0" },
      distribution: "debian 13",
    },
    host: {
      build: "0.1.0 build 0123456789ab",
      units: [
        {
          ...{ name: "linkseal-mka@et-0-0-7.service", active: "active", enabled: "enabled" },
          ...{ restarts: 2, build: "0.1.0 build 0123456789ab" },
        },
      ],
      ...{ groups: { "dublin-edge": [] }, folders: [], hasAddon: true, missingModules: [] },
      ...{ clock: "synchronised", freeMegabytes: 900, hasSwap: false },
      charon: undefined,
    },
    findings: [{ code: "sci-mismatch", severity: "error", about: "erd-dublin-edge/primary" }],
    agent: {
      ...{ status, journal: "whole" },
      events: [
        {
          ...{ schema: "linkseal.event/1", n: 1, at: "2026-11-24T09:00:00.5Z", severity: "info" },
          ...{ code: "campaign-draining", about: "dublin-edge", text: `${cak} 192.0.2.17` },
        },
      ],
      campaigns: [],
      desired: parsed.kind === "ok" ? parsed.desired : undefined,
    },
    ...change,
  };
}

describe("the bundle", () => {
  const text = bundleText(partsWith());

  it("holds no key, id, address or name, nor what links a CKN to a CAK", () => {
    for (const canary of canaries) expect(text, canary).not.toContain(canary);
    const { agent } = partsWith();
    for (const { name, key } of agent?.desired?.groups.flatMap((group) => group.links) ?? []) {
      for (const own of [`"${name}"`, key.cak, key.ckn]) expect(text, own).not.toContain(own);
    }
    expect(agent?.desired?.groups.length).toBeGreaterThan(0);
  });

  it("is of use all the same: codes, verdicts, ages and builds", () => {
    const seen = JSON.parse(text) as { readonly agent: { readonly status: unknown } };
    expect(seen).toMatchObject({
      schema: "linkseal.bundle/1",
      findings: [{ code: "sci-mismatch", severity: "error", about: "thing-2" }],
      host: { units: [{ unit: "linkseal-mka@thing-1", restarts: 2 }] },
      agent: {
        status: {
          groups: [
            { links: [{ suite: "gcm-aes-xpn-256", reasons: ["sci-mismatch"], livePeers: 1 }] },
          ],
        },
        events: [{ code: "campaign-draining" }],
        config: { cloud: "sim" },
      },
    });
  });

  it("calls one thing by one number throughout", () => {
    const seen = JSON.parse(text) as {
      readonly agent: {
        readonly status: { readonly groups: readonly { readonly name: string }[] };
      };
    };
    const again = JSON.parse(bundleText(partsWith())) as typeof seen;
    expect(again).toEqual(seen);
  });

  it.each([
    ["a code that is none", { code: cak, severity: "error" as const, about: "x" }],
    ["a severity that is none", { code: "sci-mismatch", severity: secretId as never, about: "x" }],
  ])("withholds %s", (_what, finding) => {
    const made = bundleText(partsWith({ findings: [finding] }));
    expect(made).toContain("(withheld)");
    for (const canary of canaries) expect(made).not.toContain(canary);
  });

  it("withholds every text of the agent that is not one of its own words", () => {
    const poisoned = poison(status) as Status;
    const { agent } = partsWith();
    if (agent === undefined) throw new Error("there is an agent");
    const made = bundleText(partsWith({ agent: { ...agent, status: poisoned } }));
    expect(made).not.toContain(cak);
  });
});

/** A copy whose every text is a key. */
function poison(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "string" ? cak : inner)),
  );
}
