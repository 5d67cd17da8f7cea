// A tunnel that cannot leave its own device is down for that, and the gateway is not blamed.

import { describe, expect, it } from "vitest";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import type { TunnelEvidence } from "#agent/model/health.ts";
import { type IpsecTunnel, known } from "#hal/model.ts";
import { at, tunnelEvidence, tunnelObservation } from "../health-evidence.ts";

const old = tunnelObservation(0, 100);
const text = "no route leads to 203.0.113.1";
const gaps: IpsecTunnel["gaps"] = [{ kind: "outer", text }];
const silent = { isSilent: true, trouble: "the gateway does not answer" };
const connecting = { ike: known("connecting" as const, at(95_000)), sas: known([], at(95_000)) };

function told(over: Partial<IpsecTunnel>, change: Partial<TunnelEvidence> = {}) {
  return deriveTunnelHealth(tunnelEvidence([old, tunnelObservation(95_000, 900, over)], change));
}

describe("the health of a tunnel without a way out of its device", () => {
  it.each([
    ["its SAs still count", {}],
    ["the gateway seems silent", silent],
    ["IKE is connecting and no SA is there", connecting],
  ])("a tunnel is down for its local cause alone while %s", (_while, over) => {
    const { verdict, reasons } = told({ ...over, gaps });
    expect([verdict, reasons.map(({ code }) => code)]).toEqual(["down", ["tunnel-underlay"]]);
    expect(reasons[0]?.text).toMatch(/^hub-1 has no way out of edge-a: no route leads to/);
    expect(reasons[0]?.text).not.toContain("gateway");
  });

  it.each([
    ["protected", {}, []],
    ["degraded", silent, ["ike-down"]],
    ["down", connecting, ["ike-down", "sa-missing"]],
  ])("a tunnel whose device tells nothing of it stays %s", (verdict, over, codes) => {
    const health = told(over);
    expect([health.verdict, health.reasons.map(({ code }) => code)]).toEqual([verdict, codes]);
  });

  it("a reading of a lost way that is too old makes a tunnel unknown, not down", () => {
    expect(told({ gaps }, { now: at(126_000) }).verdict).toBe("unknown");
  });

  it("a lost way is the consequence of the link that the tunnel rides on", () => {
    const reason = { code: "link-down", text: "no link", next: "linkseal links x" } as const;
    const carriers = [{ id: "erd-demo/primary", verdict: "down", reason, path: "taken" }] as const;
    const { reasons } = told({ gaps }, { carriers });
    expect(reasons[0]).toMatchObject({
      code: "tunnel-underlay",
      because: { code: "link-down", about: "erd-demo/primary" },
    });
  });
});
