// A port that lost its keys, and the other settings that a driver gets with a tunnel.

import { describe, expect, it } from "vitest";
import { standingOf } from "#agent/compare/plan.ts";
import { tunnelSpec } from "#agent/compare/tunnel-spec.ts";
import type { LinkSnapshot } from "#agent/model/link-snapshot.ts";
import { emptyMemory, type Memory, type UnsavedCommit } from "#agent/store/journal/memory.ts";
import type { Capabilities } from "#hal/device.ts";
import { known } from "#hal/model.ts";
import { keyOne } from "../../kit/campaign-kit.ts";
import { capabilities, ckn } from "../../kit/site-bench.ts";
import {
  at,
  bindingOf,
  clearPort,
  desired,
  linkNamed,
  peerOff,
  peerOn,
  routing,
  securedPort,
  snapshotOf,
  stateOf,
} from "../../kit/snapshot-kit.ts";

const now = at(0);
const bound: Memory = { ...emptyMemory, bindings: { "erd-demo/primary": bindingOf() } };

describe("a link whose router holds no key", () => {
  it("a bare port gets its key again, without asking if a restart removed it", () => {
    const next = "linkseal explain key-gone erd-demo/primary";
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
      next,
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
      expect(driftOf(snapshot)).toEqual({
        text: expect.any(String),
        repair: undefined,
        next: expect.stringMatching(
          /^linkseal (?:explain key-gone|retire link|ends) erd-demo\/primary/,
        ),
      });
    }
  });
});

describe("a link whose router was reloaded before its key was saved", () => {
  const old = ckn("b");
  const parts = [
    { kind: "macsec.addKey", port: "et-0/0/0", key: keyOne, role: "fallback" },
    { kind: "macsec.removeKey", port: "et-0/0/0", ckn: old },
  ] as const;
  const commit = { token: "t", since: at(0) as never, moves: [], parts };
  const memoryOf = (...unsaved: readonly UnsavedCommit[]): Memory => ({
    ...bound,
    unsaved: { "edge-a": unsaved },
  });
  const gone = memoryOf({ ...commit, gone: at(0) as never });
  const back = securedPort({ keys: known([{ ckn: old, role: "primary" }], now) });
  const macsec = { ...capabilities.macsec, overlap: "fallback" } as const;
  const offers: Capabilities = {
    ...{ ...capabilities, commit: { kind: "immediate" } },
    macsec: macsec as NonNullable<Capabilities["macsec"]>,
  };
  const driftOf = (memory: Memory, { peer = peerOn(), with: held = offers, port = back } = {}) => {
    const standing = standingOf(snapshotOf(stateOf(port), { peer }), memory, held);
    return standing.kind === "managed" ? standing.drift : [];
  };

  it("its key is put beside the one that came back, which is named", () => {
    const key = { kind: "macsec.addKey", port: "et-0/0/0", key: keyOne, role: "fallback" };
    expect(driftOf(gone)).toMatchObject([
      { repair: [key], by: "reload" },
      { text: expect.stringContaining("came back with a reload"), repair: undefined },
    ]);
  });

  it.each([
    ["no reload was seen", driftOf(memoryOf(commit))],
    ["a person took it off", driftOf(bound)],
    ["the far end moves", driftOf(gone, { peer: peerOn(keyOne, { provisioning: "updating" }) })],
    ["the far end has MACsec off", driftOf(gone, { peer: peerOff })],
    [
      "the router holds one key alone",
      driftOf(gone, { with: { ...offers, macsec: undefined } as never }),
    ],
    [
      "two keys came back",
      driftOf(gone, {
        port: securedPort({
          keys: known(
            [
              { ckn: old, role: "primary" },
              { ckn: ckn("c"), role: "fallback" },
            ],
            now,
          ),
        }),
      }),
    ],
  ])("nothing is put there where %s", (_, drift) => {
    expect(drift.map(({ repair }) => repair).filter((repair) => repair !== undefined)).toEqual([]);
  });

  it("an empty port gets it too, on a device that cannot revert by itself", () => {
    const empty = securedPort({ keys: known([], now) });
    expect(driftOf(gone, { port: empty })).toMatchObject([{ by: "reload" }]);
    expect(driftOf(bound, { port: empty })).toMatchObject([{ repair: undefined }]);
  });
});

describe("a link whose router holds neither key nor MACsec", () => {
  const session = (up: boolean) => ({ port: "et-0/0/0", peer: "192.0.2.2", up });
  const lostWith = (up: boolean) =>
    stateOf(clearPort(), { routing: known({ ...routing, sessions: [session(up)] }, now) });
  const driftOf = (snapshot: LinkSnapshot, offers: Capabilities = capabilities) => {
    const standing = standingOf(snapshot, bound, offers);
    return standing.kind === "managed" ? standing.drift : [];
  };

  it("a lost config is put back with its key, once BGP shows that nothing passes", () => {
    const found = driftOf(snapshotOf(lostWith(false), { peer: peerOn() }));
    expect(found).toMatchObject([
      { repair: [{ kind: "macsec.protect" }, { kind: "macsec.addKey" }] },
    ]);
    expect(found[0]?.text).toContain("MACsec and the key");
    const up = driftOf(snapshotOf(lostWith(true), { peer: peerOn() }));
    expect(up).toMatchObject([{ repair: undefined, waits: "no BGP session of the link is up" }]);
    const busy = peerOn(keyOne, { provisioning: "updating" });
    for (const peer of [busy, undefined]) {
      expect(driftOf(snapshotOf(lostWith(false), { peer }))[0]).toMatchObject({
        repair: undefined,
        waits: "its far end is read and settled",
      });
    }
  });

  it("no repair is promised at a device that cannot revert by itself", () => {
    const offers: Capabilities = { ...capabilities, commit: { kind: "immediate" } };
    const [found] = driftOf(snapshotOf(lostWith(false), { peer: peerOn() }), offers);
    expect(found).toMatchObject({ repair: undefined });
    expect(found).not.toHaveProperty("waits");
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
