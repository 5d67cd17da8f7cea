// The key in use during a campaign, as the scorecard judges it.

import { describe, expect, it } from "vitest";
import { blindEstate } from "#agent/evidence/scorecard/estate.ts";
import type { EdgeLink } from "#agent/evidence/scorecard/facts.ts";
import { keysInVault } from "#agent/evidence/scorecard/macsec-checks.ts";

const vault = "https://kv-1.vault.azure.net";
const ids = ["cak", "ckn"].map((what) => `${vault}/secrets/erd-${what}/${"a".repeat(32)}`);

function judged(key: Pick<NonNullable<EdgeLink["observed"]>, "ckn" | "meant" | "next">) {
  const observed = { verdict: "protected", codes: [], ...key } as const;
  const link: EdgeLink = { name: "erd/primary", observed, farEnd: { admin: "up", ids } };
  const outcome = keysInVault({
    ...{ links: [link], tunnels: [], ports: [], connections: [] },
    vaults: { kind: "named", addresses: [vault] },
    estate: blindEstate("the vault was not read", "linkseal doctor"),
  });
  return [outcome.verdict === "failed", outcome.evidence.join("; ")] as const;
}

describe("the key in use", () => {
  it("the key that a campaign brings in is no other key than the vault's", () => {
    const [isFailed, evidence] = judged({ ckn: "b1", meant: "a1", next: "b1" });
    expect(isFailed).toBe(false);
    expect(evidence).toContain("erd/primary uses the key of the vault that its campaign brings in");
    // The first key of a link has no accepted one before it.
    expect(judged({ ckn: "b1", meant: null, next: "b1" })[0]).toBe(false);
    expect(judged({ ckn: "a1", meant: "a1", next: "b1" })[0]).toBe(false);
  });

  it("any other key fails, with and without a campaign", () => {
    for (const next of ["b1", null]) {
      const [isFailed, evidence] = judged({ ckn: "c1", meant: "a1", next });
      expect(isFailed).toBe(true);
      expect(evidence).toContain("erd/primary uses another key than the vault's");
    }
  });
});
