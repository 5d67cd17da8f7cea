// A port that lost its keys, and the other settings that a driver gets with a tunnel.

import { describe, expect, it } from "vitest";
import { standingOf } from "#agent/compare/plan.ts";
import { tunnelSpec } from "#agent/compare/tunnel-spec.ts";
import type { LinkSnapshot } from "#agent/model/link-snapshot.ts";
import { emptyMemory, type Memory } from "#agent/store/journal/memory.ts";
import { known } from "#hal/model.ts";
import { keyOne } from "../../kit/campaign-kit.ts";
import { capabilities, ckn } from "../../kit/site-bench.ts";
import {
  at,
  bindingOf,
  desired,
  linkNamed,
  peerOff,
  peerOn,
  securedPort,
  snapshotOf,
  stateOf,
} from "../../kit/snapshot-kit.ts";

const now = at(0);
const bound: Memory = { ...emptyMemory, bindings: { "erd-demo/primary": bindingOf() } };

describe("a link whose router holds no key", () => {
  it("a bare port gets its key again, without asking if a restart removed it", () => {
    const addKey = { kind: "macsec.addKey", port: "et-0/0/0", key: keyOne, role: "primary" };
    const bare = securedPort({ keys: known([], now) });
    const gone = { ...bare, keyLoss: known("restart" as const, now) };
    const driftOf = (snapshot: LinkSnapshot) => {
      const standing = standingOf(snapshot, bound, capabilities);
      const found = standing.kind === "managed" ? standing.drift : [];
      return found.find(({ text }) => text.includes("is gone"));
    };
    expect(driftOf(snapshotOf(stateOf(bare), { peer: peerOn() }))).toEqual({
      text: expect.any(String),
      repair: [addKey],
    });
    for (const peer of [peerOn(), undefined]) {
      expect(driftOf(snapshotOf(stateOf(gone), { peer }))).toMatchObject({
        repair: [addKey],
        by: "restart",
      });
    }
    const other = securedPort({ keys: known([{ ckn: ckn("b"), role: "primary" }], now) });
    const elsewhere = { ...keyOne, cakSecretId: `${keyOne.cakSecretId}9` };
    for (const snapshot of [
      snapshotOf(stateOf(other), { peer: peerOn() }),
      snapshotOf(stateOf(gone), { peer: peerOff }),
      snapshotOf(stateOf(gone), { peer: peerOn(elsewhere) }),
    ]) {
      expect(driftOf(snapshot)).toEqual({ text: expect.any(String), repair: undefined });
    }
  });
});

describe("a tunnel that has BGP inside, or backs a group", () => {
  it("a driver gets a tunnel's BGP and backed ports, and neither if there is none", () => {
    const [wanted] = desired.tunnels;
    const auth = { kind: "psk", secretId: "https://v/secrets/hub-1-psk/1" } as const;
    const bgp = { local: "169.254.21.2", peer: "169.254.21.1", asn: 65_515 };
    const links = [linkNamed("primary"), linkNamed("secondary")];
    if (wanted === undefined) throw new RangeError("the sample has a tunnel");
    const backs = { group: "erd-demo", links, proveMs: 60_000 };
    expect(tunnelSpec({ ...wanted, bgp, backs }, auth)).toMatchObject({
      bgp,
      backs: ["et-0/0/0", "et-0/0/1"],
    });
    const bare = Object.keys(tunnelSpec(wanted, auth));
    expect(bare.filter((name) => name === "bgp" || name === "backs")).toEqual([]);
  });
});
