// The plan for an existing tunnel, compared with its last applied config.

import { describe, expect, it } from "vitest";
import { type Plan, plan } from "#agent/compare/plan.ts";
import { tunnelComplaints } from "#agent/compare/tunnel-change.ts";
import type { Desired, DesiredTunnel } from "#agent/model/desired.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import type { Capabilities } from "#hal/device.ts";
import { type DeviceState, type IpsecTunnel, known, unknown } from "#hal/model.ts";
import { capabilities, sampleState } from "../../kit/site-bench.ts";
import { at, clearPort, desiredOf, routing, snapshotOf, stateOf } from "../../kit/snapshot-kit.ts";
import { tunnelObservation } from "../health-evidence.ts";
import { bundle } from "../tunnel-bundle-kit.ts";

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
      acceptsRisk: () => false,
      sends: () => undefined,
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
      does: "change the tunnel hub-1; its SAs are not touched",
      preview: "~ ipsec hub-1 protects.remote 10.100.0.0/16 -> 10.100.0.0/16, 10.101.0.0/16",
      darkMs: { low: 0, high: 0 },
    });
    const ipsec = { ...capabilities.ipsec, rekeys: [] };
    const dark = planned(longer, { ...capabilities, ipsec } as Capabilities);
    const [change] = dark.steps.filter(({ does }) => does.includes("tunnel"));
    expect(change).toMatchObject({
      does: "change the tunnel hub-1, which is down meanwhile",
      risk: "breakBeforeMake",
      darkMs: { high: 60_000 },
    });
  });

  it.each<{
    readonly name: string;
    readonly over: Partial<DesiredTunnel>;
    readonly preview: string;
    readonly does: string;
    readonly risk: string | null;
  }>([
    {
      name: "another remote address",
      over: { remoteAddress: "203.0.113.77" },
      preview: "remote.address 203.0.113.1 -> 203.0.113.77",
      does: ": new SAs are made and proven beside the present ones",
      risk: "noDrain",
    },
    {
      name: "a certificate in place of its key",
      over: { auth: { kind: "certificate", secret: "c", authorities: "a", peer: "CN=gw" } },
      preview: "auth psk -> certificate of CN=gw",
      does: ": new SAs are made and proven beside the present ones",
      risk: "noDrain",
    },
    {
      name: "other local prefixes",
      over: { localPrefixes: ["10.7.0.0/16"] },
      preview: "protects.local 10.1.0.0/16 -> 10.7.0.0/16",
      does: ": only its verdict depends on this",
      risk: null,
    },
    {
      name: "another MTU",
      over: { mtu: 1_300 },
      preview: "mtu 1400 -> 1300",
      does: "; its SAs are not touched",
      risk: null,
    },
  ])("the plan shows $name with its way, its risk and the time without traffic", (row) => {
    const wanted = desiredOf();
    const tunnels = wanted.tunnels.map((one) => ({ ...one, ...row.over }));
    const [[step]] = tunnelSteps({ ...wanted, tunnels });
    expect(step).toMatchObject({
      does: `change the tunnel hub-1${row.does}`,
      preview: `~ ipsec hub-1 ${row.preview}`,
      risk: row.risk,
      darkMs: { high: row.risk === null ? 0 : 500 },
    });
  });

  it("the plan names the limits of IKEv1, and each setting of IKE that changes", () => {
    const wanted = desiredOf();
    const ppk = { secret: "hub-1-ppk", id: "hub", use: "required" } as const;
    const tunnels = wanted.tunnels.map((one) => ({
      ...({ ...one, ikeVersion: "v1", localId: "edge.example", remoteId: "gw.example" } as const),
      ...{ dpdSeconds: 60, auth: { ...one.auth, ppk } },
    }));
    const [[step], notes] = tunnelSteps({ ...wanted, tunnels });
    expect(step?.preview).toBe(
      "~ ipsec hub-1 local.id default -> edge.example, remote.id default -> gw.example, " +
        "ike v2 -> v1, dpd default -> 60 s, auth.ppk none -> hub-1-ppk as hub, required",
    );
    expect(notes).toContainEqual({
      about: "hub-1",
      text: expect.stringContaining("IKEv1 protects one pair of prefixes"),
      next: "set ike: v2 if the gateway has it",
      kind: "limit",
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
        "hub-1 is on edge-a, and a tunnel does not move to another device: apply a config " +
        "without hub-1; if it then goes on, linkseal retire tunnel hub-1",
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

describe("the plan of a bundle of tunnels", () => {
  const at0 = at(0);
  const observed = (name: string): IpsecTunnel => ({ ...tunnelObservation(at0, 5), name });
  const session = ({ name, bgp }: DesiredTunnel, up: boolean) => ({
    ...{ tunnel: name, peer: bgp?.peer ?? "", asn: 65_515, up },
  });
  const stepsBeside = (up: boolean): readonly string[] => {
    const reported = known(
      { ...routing, tunnelSessions: bundle.map((one) => session(one, one.name === "hub-1" || up)) },
      at0,
    );
    const state = stateOf(clearPort(), {
      ipsec: bundle.map(({ name }) => observed(name)),
      routing: reported,
    });
    const [first, ...others] = bundle;
    if (first === undefined) throw new Error("no tunnel");
    const tunnels = [{ ...first, remoteAddress: "203.0.113.77" }, ...others];
    const { steps } = plan({
      desired: { ...desiredOf(), groups: [], tunnels },
      memory: emptyMemory,
      snapshot: () => {
        throw new Error("there is no link");
      },
      state: () => state,
      capabilities: () => capabilities,
      made: (name) => bundle.find((one) => one.name === name),
      acceptsRisk: () => false,
      sends: () => undefined,
    });
    return steps.map(({ does, risk }) => `${does} (${risk})`);
  };

  it("a tunnel is drained before its SAs are replaced, if a sibling carries", () => {
    expect(stepsBeside(true)).toEqual([
      "move the traffic of hub-1 to its siblings (null)",
      "change the tunnel hub-1: new SAs are made and proven beside the present ones (null)",
      "bring the traffic of hub-1 back (null)",
    ]);
    expect(stepsBeside(false)).toEqual([
      "change the tunnel hub-1: new SAs are made and proven beside the present ones (noDrain)",
    ]);
  });
});

describe("the plan of a tunnel that no config names any more", () => {
  const [made] = desiredOf().tunnels;
  const auth = { kind: "psk", secretId: "https://v/secrets/a/1" } as const;
  const blocking = { ...capabilities.ipsec, blocks: true };
  const blocked = known(["10.100.0.0/16"], at(0));
  const planOf = (over: Partial<Parameters<typeof plan>[0]>) =>
    plan({
      desired: { ...desiredOf(), groups: [], tunnels: [] },
      memory: { ...emptyMemory, tunnels: { "hub-1": 1 }, auths: { "hub-1": { auth } } },
      snapshot: () => {
        throw new Error("there is no link");
      },
      state: (device) =>
        stateOf(clearPort(), { ipsec: [tunnel], ...(device === "edge-a" ? { blocked } : {}) }),
      capabilities: () => ({ ...capabilities, ipsec: blocking }) as Capabilities,
      made: () => made,
      acceptsRisk: () => false,
      sends: () => undefined,
      ...over,
    });

  it("its removal is a step, and what stays blocked is named", () => {
    const { steps, notes } = planOf({});
    expect(steps).toMatchObject([
      { where: "edge-a", does: "remove the tunnel hub-1", preview: "- ipsec hub-1", risk: null },
    ]);
    expect(notes).toEqual([
      {
        about: "edge-a",
        text: "10.100.0.0/16 stays blocked, and no tunnel of this config protects it",
        next: "linkseal guard --release 10.100.0.0/16",
        kind: "limit",
      },
    ]);
  });

  // A tunnel that never came up left its prefix blocked, and no plan named it.
  it("each prefix that stays blocked is named, also if no tunnel ever carried it", () => {
    const left = ["10.105.0.0/16", "10.106.0.0/16"];
    const { steps, notes } = planOf({
      memory: emptyMemory,
      state: () => stateOf(clearPort(), { blocked: known(left, at(0)) }),
      desired: { ...desiredOf(), groups: [], tunnels: made === undefined ? [] : [made] },
    });
    expect(steps.map(({ does }) => does)).toEqual(["set up the tunnel hub-1, which is down"]);
    const on = ["edge-a", "edge-b"];
    expect(notes.map(({ about, next }) => `${about}: ${next}`)).toEqual(
      on.flatMap((device) => left.map((prefix) => `${device}: linkseal guard --release ${prefix}`)),
    );
  });

  // A change of a tunnel that never came up was shown as a new tunnel.
  it("a change of a tunnel that is down shows its settings, without a risk", () => {
    if (made === undefined) throw new Error("no sample");
    const wanted = { ...made, remoteAddress: "203.0.113.77" };
    const planned = planOf({
      memory: emptyMemory,
      made: () => undefined,
      inForce: () => made,
      state: () => stateOf(clearPort()),
      desired: { ...desiredOf(), groups: [], tunnels: [wanted] },
    });
    expect(planned.steps).toMatchObject([
      {
        does: "set up the tunnel hub-1, which is down",
        preview: "~ ipsec hub-1 remote.address 203.0.113.1 -> 203.0.113.77",
        risk: null,
        darkMs: { low: 0, high: 0 },
      },
    ]);
  });

  it("the plan says that blocks which cannot be read are not known", () => {
    const unread = unknown("queryFailed", at(0));
    const { notes } = planOf({
      memory: emptyMemory,
      state: () => stateOf(clearPort(), { blocked: unread }),
    });
    expect(notes[0]?.text).toContain("it is not known which prefixes stay blocked");
  });

  it("prefixes that another tunnel protects are not named as left blocked", () => {
    const other = made === undefined ? [] : [{ ...made, name: "hub-2" }];
    const { notes } = planOf({ desired: { ...desiredOf(), groups: [], tunnels: other } });
    expect(notes).toEqual([]);
  });

  it.each<[string, Partial<Parameters<typeof plan>[0]>, string, string]>([
    [
      "without blocks",
      { capabilities: () => capabilities },
      "edge-a blocks nothing",
      "linkseal retire tunnel hub-1 --accept-risk=clear-after-retire",
    ],
    [
      "that linkseal did not set up",
      { memory: { ...emptyMemory, tunnels: { "hub-1": 1 } } },
      "linkseal did not set it up",
      "linkseal retire tunnel hub-1",
    ],
    [
      "whose config is gone",
      { made: () => undefined },
      "is not stored any more",
      "linkseal retire tunnel hub-1",
    ],
  ])("a tunnel %s goes on, and the plan shows the command", (_name, over, why, next) => {
    const { steps, notes } = planOf(over);
    expect(steps).toEqual([]);
    expect(notes.slice(0, 1)).toMatchObject([{ text: expect.stringContaining(why), next }]);
  });

  it("a tunnel without blocks is removed at its accepted risk", () => {
    const { steps } = planOf({ capabilities: () => capabilities, acceptsRisk: () => true });
    expect(steps.map(({ does }) => does)).toEqual(["remove the tunnel hub-1"]);
  });
});
