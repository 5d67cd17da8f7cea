// What may honestly be said about a tunnel with static keys, and that it is always labelled.

import { describe, expect, it } from "vitest";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import type { TunnelEvidence } from "#agent/model/health.ts";
import { type IpsecSa, type IpsecTunnel, known, strongValue } from "#hal/model.ts";
import { at, tunnel as byIke, tunnelEvidence, tunnelLook } from "../health-evidence.ts";

const tunnel = {
  ...byIke,
  auth: { kind: "static", secret: "hub-1-keys" },
  life: { seconds: 1_000, kilobytes: 1_024 },
  weaknesses: ["static keys (RFC 8221, 3: SHOULD NOT)"],
} as const;

type Change = Partial<IpsecTunnel> & { readonly sa?: Partial<IpsecSa> };

function lookAt(ms: number, packets: number, { sa = {}, ...change }: Change = {}): IpsecTunnel {
  const told = tunnelLook(ms, packets);
  const sas = (strongValue(told.sas) ?? []).map((one) => ({ ...one, ...sa }));
  return { ...told, ike: known("static", at(ms)), sas: known(sas, at(ms)), ...change };
}

function judged(change: Change = {}, more: Partial<TunnelEvidence> = {}, packets = 900) {
  const looks = [lookAt(0, 100, change), lookAt(95_000, packets, change)];
  return deriveTunnelHealth(tunnelEvidence(looks, { tunnel, waiver: "stands", ...more }));
}

const codes = (...given: Parameters<typeof judged>): readonly string[] => {
  const { verdict, reasons } = judged(...given);
  return [verdict, ...reasons.map(({ code }) => code)];
};

describe("a tunnel with static keys", () => {
  it("is never protected without its label, which explains nothing else", () => {
    const causes = [{ code: "vault-denied", text: "no", next: "look" }] as const;
    const { verdict, reasons } = judged({}, { causes });
    expect(verdict).toBe("protected");
    expect(reasons).toEqual([
      {
        code: "static-keys",
        text: "hub-1 has static keys: no forward secrecy, and nobody renews them by himself",
        next: "linkseal explain static-keys",
      },
    ]);
  });

  it("is degraded once its waiver is over", () => {
    const { verdict, reasons } = judged({}, { waiver: "over" });
    expect(verdict).toBe("degraded");
    expect(reasons.map(({ code }) => code)).toEqual(["weak-policy", "static-keys"]);
    expect(reasons[0]?.text).toContain("static keys (RFC 8221, 3: SHOULD NOT)");
  });

  it("is unknown while no packet came by it", () => {
    expect(codes({ sa: { packets: 0n } })).toEqual([
      ...["unknown", "static-keys-unproven", "static-keys"],
    ]);
  });

  it("says what to do once its SAs are gone", () => {
    const { verdict, reasons } = judged({ sas: known([], at(95_000)) });
    expect(verdict).toBe("down");
    expect(reasons[0]).toMatchObject({
      code: "static-keys-over",
      text: expect.stringContaining(": put a version with new SPIs into the vault, at both ends"),
      next: "linkseal explain static-keys-over",
    });
  });

  it.each<[string, Partial<IpsecSa>, boolean]>([
    ["a fifth of its time is left", { endsInMs: 199_000 }, true],
    ["more time is left", { endsInMs: 201_000 }, false],
    ["four fifths of its octets are used", { octetsUsedRatio: 0.8 }, true],
    ["fewer are used", { octetsUsedRatio: 0.79 }, false],
  ])("warns a person in time: %s", (_name, sa, warned) => {
    expect(codes({ sa })).toEqual(
      warned ? ["degraded", "sa-ending", "static-keys"] : ["protected", "static-keys"],
    );
  });

  it("is not what IKE has made, nor the other way round", () => {
    expect(codes({ ike: known("established", at(95_000)) })).toContain("transform-mismatch");
    const swapped = deriveTunnelHealth(tunnelEvidence([lookAt(0, 100), lookAt(95_000, 900)]));
    expect([swapped.verdict, swapped.reasons[0]?.code]).toEqual(["degraded", "ike-down"]);
  });
});
