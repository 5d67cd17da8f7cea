// How a link compares with the intent, and which drift can be mended.

import { describe, expect, it } from "vitest";
import { standingOf } from "#agent/compare/plan.ts";
import type { LinkSnapshot } from "#agent/model/link-snapshot.ts";
import { emptyMemory, type Memory } from "#agent/store/journal/memory.ts";
import type { Capabilities } from "#hal/device.ts";
import { known, unknown } from "#hal/model.ts";
import { keyOne } from "../../kit/campaign-kit.ts";
import { capabilities, ckn } from "../../kit/site-bench.ts";
import {
  at,
  bindingOf,
  clearPort,
  link,
  peerOff,
  peerOn,
  securedPort,
  settings,
  snapshotOf,
  stateOf,
} from "../../kit/snapshot-kit.ts";

const now = at(0);
const bound: Memory = {
  ...emptyMemory,
  bindings: { "erd-demo/primary": bindingOf() },
};
const on = snapshotOf(stateOf(securedPort()), { peer: peerOn() });
const unread = unknown("queryFailed", now);

describe("how a link compares with the intent", () => {
  const cells: readonly {
    readonly name: string;
    readonly snapshot: LinkSnapshot;
    readonly memory: Memory;
    readonly kind: string;
    readonly why: string;
  }[] = [
    {
      name: "clear at both ends",
      snapshot: snapshotOf(stateOf(clearPort())),
      memory: emptyMemory,
      kind: "clear",
      why: "",
    },
    {
      name: "router unread",
      snapshot: snapshotOf(undefined),
      memory: emptyMemory,
      kind: "unreadable",
      why: "edge-a cannot be read",
    },
    {
      name: "no such port",
      snapshot: snapshotOf(stateOf(clearPort({ port: "et-9" }))),
      memory: emptyMemory,
      kind: "unreadable",
      why: "no port",
    },
    {
      name: "keys unread",
      snapshot: snapshotOf(stateOf(clearPort({ keys: unread }))),
      memory: emptyMemory,
      kind: "unreadable",
      why: "settings",
    },
    {
      name: "settings unread",
      snapshot: snapshotOf(stateOf(clearPort({ settings: unread }))),
      memory: emptyMemory,
      kind: "unreadable",
      why: "settings",
    },
    {
      name: "far end unread",
      snapshot: snapshotOf(stateOf(clearPort()), { peer: undefined }),
      memory: emptyMemory,
      kind: "unreadable",
      why: "far end",
    },
    {
      name: "a key on the router",
      snapshot: on,
      memory: emptyMemory,
      kind: "unmanaged",
      why: "router already",
    },
    {
      name: "a key without settings",
      snapshot: snapshotOf(stateOf(securedPort({ settings: known(undefined, now) }))),
      memory: emptyMemory,
      kind: "unmanaged",
      why: "router already",
    },
    {
      name: "must-secure, no key",
      snapshot: snapshotOf(stateOf(clearPort({ settings: known(settings, now) }))),
      memory: emptyMemory,
      kind: "unmanaged",
      why: "router already",
    },
    {
      name: "a key on the far end alone",
      snapshot: snapshotOf(stateOf(clearPort()), { peer: peerOn() }),
      memory: emptyMemory,
      kind: "unmanaged",
      why: "far end already",
    },
    { name: "ours", snapshot: on, memory: bound, kind: "managed", why: "" },
    {
      name: "ours, far end unread",
      snapshot: snapshotOf(stateOf(securedPort()), { peer: undefined }),
      memory: bound,
      kind: "managed",
      why: "",
    },
  ];
  it.each(cells)("a link compared with the intent: $name", ({ snapshot, memory, kind, why }) => {
    const standing = standingOf(snapshot, memory, capabilities);
    expect(standing.kind).toBe(kind);
    expect("why" in standing ? standing.why : "").toContain(why);
  });

  const drifts: readonly {
    readonly name: string;
    readonly snapshot: LinkSnapshot;
    readonly texts: readonly string[];
    readonly mendable: boolean;
  }[] = [
    { name: "none", snapshot: on, texts: [], mendable: false },
    {
      name: "a leaf that is hitless",
      snapshot: snapshotOf(
        stateOf(securedPort({ settings: known({ ...settings, sakRekeyMs: undefined }, now) })),
        { peer: peerOn() },
      ),
      texts: ["sakRekeyMs is off"],
      mendable: true,
    },
    {
      name: "a leaf that is not",
      snapshot: snapshotOf(
        stateOf(securedPort({ settings: known({ ...settings, suite: "gcm-aes-128" }, now) })),
        { peer: peerOn() },
      ),
      texts: ["suite is gcm-aes-128"],
      mendable: false,
    },
    {
      name: "one of each: not mended by halves",
      snapshot: snapshotOf(
        stateOf(
          securedPort({
            settings: known({ ...settings, suite: "gcm-aes-128", sakRekeyMs: undefined }, now),
          }),
        ),
        { peer: peerOn() },
      ),
      texts: ["suite", "sakRekeyMs"],
      mendable: false,
    },
    {
      name: "MACsec gone",
      snapshot: snapshotOf(stateOf(clearPort()), { peer: peerOn() }),
      texts: ["MACsec and the key"],
      mendable: false,
    },
    {
      name: "the key is gone",
      snapshot: snapshotOf(
        stateOf(securedPort({ keys: known([{ ckn: ckn("f"), role: "primary" }], now) })),
        {
          peer: peerOn(),
        },
      ),
      texts: ["is gone", "another key (ffffffff…) exists beside"],
      mendable: false,
    },
    {
      name: "far end off",
      snapshot: snapshotOf(stateOf(securedPort()), { peer: peerOff }),
      texts: ["MACsec off", "suite none", "SCI off"],
      mendable: false,
    },
    {
      name: "far end with another key",
      snapshot: snapshotOf(stateOf(securedPort()), {
        peer: peerOn({ ...keyOne, cakSecretId: "https://v/secrets/a/2" }),
      }),
      texts: ["another CAK"],
      mendable: false,
    },
    {
      name: "far end shut",
      snapshot: snapshotOf(stateOf(securedPort()), { peer: peerOn(keyOne, { admin: "down" }) }),
      texts: ["administratively down"],
      mendable: false,
    },
  ];
  it.each(drifts)(
    "a managed link that differs from the intent is drift: $name",
    ({ snapshot, texts, mendable }) => {
      const standing = standingOf(snapshot, bound, capabilities);
      const drift = standing.kind === "managed" ? standing.drift : [];
      expect(drift.map(({ text }) => text)).toEqual(
        texts.map((text) => expect.stringContaining(text)),
      );
      expect(drift.some(({ repair }) => repair !== undefined)).toBe(mendable);
    },
  );

  it("drift on a device with unknown capabilities has no repair", () => {
    const port = securedPort({ settings: known({ ...settings, sakRekeyMs: undefined }, now) });
    const snapshot = snapshotOf(stateOf(port), { peer: peerOn() });
    const { macsec: _macsec, ...unable } = capabilities;
    for (const able of [undefined, unable]) {
      expect(standingOf(snapshot, bound, able)).toMatchObject({ drift: [{ repair: undefined }] });
    }
  });

  it("several differing settings are mended by one change, with the intent's settings", () => {
    const port = securedPort({ settings: known({ ...settings, sakRekeyMs: undefined }, now) });
    const snapshot = snapshotOf(stateOf(port), { peer: peerOn() });
    expect(standingOf(snapshot, bound, capabilities)).toMatchObject({
      drift: [{ repair: [{ kind: "macsec.protect", port: "et-0/0/0", settings: link.settings }] }],
    });
  });

  it("missing MACsec is not restored while BGP may pass, even if the policy is hitless", () => {
    const { macsec } = capabilities;
    if (macsec === undefined) throw new Error("the sample device has no MACsec");
    const able: Capabilities = { ...capabilities, macsec: { ...macsec, hitless: ["policy"] } };
    const snapshot = snapshotOf(stateOf(clearPort()), { peer: peerOn() });
    const standing = standingOf(snapshot, bound, able);
    expect(standing).toMatchObject({ drift: [{ repair: undefined }] });
  });

  it("a far end that cannot be read is not drift", () => {
    const snapshot = snapshotOf(stateOf(securedPort()), { peer: undefined });
    expect(standingOf(snapshot, bound, capabilities)).toMatchObject({ kind: "managed", drift: [] });
  });

  it("the far end's SCI is compared with the wanted one", () => {
    const bare = { ...link, settings: { ...link.settings, includeSci: false } };
    const port = securedPort({ settings: known({ ...settings, includeSci: false }, now) });
    const drift = (sci: "on" | "off"): unknown =>
      standingOf(
        snapshotOf(stateOf(port), { link: bare, peer: peerOn(keyOne, { sci }) }),
        bound,
        capabilities,
      );
    expect(drift("off")).toMatchObject({ drift: [] });
    expect(drift("on")).toMatchObject({ drift: [{ text: "link1: the far end has SCI on" }] });
  });
});
