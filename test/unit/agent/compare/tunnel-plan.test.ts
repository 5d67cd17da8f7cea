// The plan for an existing tunnel, compared with its last applied config.

import { describe, expect, it } from "vitest";
import { type Plan, plan } from "#agent/compare/plan.ts";
import { tunnelComplaints } from "#agent/compare/tunnel-change.ts";
import type { Desired } from "#agent/model/desired.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import type { Capabilities } from "#hal/device.ts";
import type { DeviceState, IpsecTunnel } from "#hal/model.ts";
import { capabilities, sampleState } from "../../kit/site-bench.ts";
import { at, clearPort, desiredOf, snapshotOf, stateOf } from "../../kit/snapshot-kit.ts";

const tunnel = sampleState("edge-a", at(0)).ipsec[0] as IpsecTunnel;

describe("the plan of a tunnel that exists", () => {
  const state = (): DeviceState => stateOf(clearPort(), { ipsec: [tunnel] });
  const [made] = desiredOf().tunnels;
  const planned = (wanted: Desired, offers: Capabilities): Plan =>
    plan({
      desired: wanted,
      memory: emptyMemory,
      snapshot: (link) => ({ ...snapshotOf(stateOf(clearPort({ port: link.port }))), link }),
      state,
      capabilities: () => offers,
      made: () => made,
    });
  const tunnelSteps = (wanted: Desired) => {
    const { steps, notes } = planned(wanted, capabilities);
    return [steps.filter(({ does }) => does.includes("tunnel")), notes] as const;
  };

  it("the plan shows each setting that a newer config changes, and when the tunnel is down", () => {
    const longer = desiredOf((text) =>
      text.replace("remote: [10.100.0.0/16]", "remote: [10.100.0.0/16, 10.101.0.0/16]"),
    );
    const [[step]] = tunnelSteps(longer);
    expect(step).toMatchObject({
      does: "change the tunnel hub-1",
      preview: "~ ipsec hub-1 protects.remote 10.100.0.0/16 -> 10.100.0.0/16, 10.101.0.0/16",
      darkMs: { low: 0, high: 0 },
    });
    const ipsec = { ...capabilities.ipsec, rekeys: [] };
    const dark = planned(longer, { ...capabilities, ipsec } as Capabilities);
    const [change] = dark.steps.filter(({ does }) => does.includes("tunnel"));
    expect(change).toMatchObject({
      does: "change the tunnel hub-1, which is down meanwhile",
      darkMs: { high: 60_000 },
    });
  });

  it("the plan names the limits of IKEv1, and each setting of IKE that changes", () => {
    const wanted = desiredOf();
    const ppk = { secret: "hub-1-ppk", id: "hub", use: "required" } as const;
    const tunnels = wanted.tunnels.map((one) => ({
      ...{ ...one, ikeVersion: "v1", localId: "edge.example", remoteId: "gw.example" } as const,
      ...{ dpdSeconds: 60, auth: { ...one.auth, ppk } },
    }));
    const [[step], notes] = tunnelSteps({ ...wanted, tunnels });
    expect(step?.preview).toBe(
      "~ ipsec hub-1 auth.ppk none -> hub-1-ppk as hub, required, ike v2 -> v1, protects.local " +
        " -> 10.1.0.0/16, local.id default -> edge.example, remote.id default -> gw.example, " +
        "dpd default -> 60 s",
    );
    expect(notes).toContainEqual({
      about: "hub-1",
      text: expect.stringContaining("IKEv1 protects one pair of prefixes"),
      next: "set ike: v2 if the gateway has it",
    });
    expect(tunnelSteps(desiredOf())[1].filter(({ text }) => text.includes("IKEv1"))).toEqual([]);
  });

  it("the plan has no step for a tunnel without differences", () => {
    expect(tunnelSteps(desiredOf())[0]).toEqual([]);
  });

  it("the plan names a tunnel that cannot be changed in place, and has no step for it", () => {
    const moved = desiredOf();
    const tunnels = moved.tunnels.map((one) => ({ ...one, device: "edge-b" }));
    const [steps, notes] = tunnelSteps({ ...moved, tunnels });
    expect(steps).toEqual([]);
    expect(notes).toContainEqual({
      about: "hub-1",
      text:
        "hub-1 is on edge-a, and a tunnel does not move to another device: take hub-1 out of the " +
        "config, then linkseal retire tunnel hub-1",
      next: "linkseal tunnels hub-1",
      code: "config.conflict",
    });
  });

  it.each([
    ["tunnels:\n  - name: hub-10\n  - name: hub-1\n", 3],
    ["tunnels:\n  - { name: hub-10, device: edge-a }\n  - { name: hub-1 }\n", 3],
    ['tunnels:\n  - device: edge-a\n    name: "hub-1"\n', 3],
  ])(
    "a tunnel that cannot be changed is refused at its own line, not at that of hub-10",
    (text, line) => {
      const other = made && { ...made, device: "edge-z" };
      const complaints = tunnelComplaints(desiredOf(), () => other, { text, file: "x.yaml" });
      expect(complaints).toMatchObject([{ line, path: "tunnels hub-1" }]);
    },
  );
});
