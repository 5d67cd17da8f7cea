import { describe, expect, it } from "vitest";
import type { SecyOperation } from "#drivers/linux/mka/operations.ts";
import { findSecy, SecyEdge } from "#drivers/linux/mka/secy-edge.ts";
import type { CipherSuite } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { PretendKernel } from "./mka-kernel.ts";

const [own, peer] = ["02000000000a0001", "02000000000b0001"];
const { signal } = new AbortController();
const keyId = "0102030405060708090a0b0c01000000";

async function edgeOn(suite: CipherSuite, window?: number) {
  const kernel = new PretendKernel();
  const secy = kernel.make(suite, own, window);
  const found = await findSecy(kernel.routes, "wire", signal);
  if (found.kind !== "found") throw new Error(found.kind);
  const edge = await SecyEdge.open(found.place, kernel, signal);
  if (edge === undefined) throw new Error("no edge");
  const carry = (operation: SecyOperation): Promise<string | undefined> =>
    edge.carryOut(operation, signal);
  return { kernel, secy, edge, carry };
}

function sa(an: number, suite: CipherSuite) {
  const sak = Secret.take("sak", new Uint8Array(suite.endsWith("256") ? 32 : 16).fill(7 + an));
  if (!suite.includes("xpn")) return { an, keyId, sak };
  return { an, keyId, sak, extended: { ssci: 1, salt: Secret.take("salt", new Uint8Array(12)) } };
}

const receive = (an: number, suite: CipherSuite, lowestPn = 1n): SecyOperation => ({
  kind: "installReceiveSa",
  sci: peer,
  lowestPn,
  ...sa(an, suite),
});
const transmit = (an: number, suite: CipherSuite): SecyOperation => ({
  kind: "installTransmitSa",
  nextPn: 1n,
  ...sa(an, suite),
});

const suites: readonly CipherSuite[] = [
  ...(["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"] as const),
];

describe("the edge to the kernel", () => {
  it.each(suites)("the edge installs, uses and deletes SAs under %s", async (suite) => {
    const { secy, carry, edge, kernel } = await edgeOn(suite);
    const done = async (operation: SecyOperation): Promise<void> =>
      expect(await carry(operation), operation.kind).toBeUndefined();
    await done({ kind: "createReceiveSc", sci: peer });
    await done(receive(1, suite));
    await done({ kind: "enableReceive", sci: peer, an: 1 });
    await done(transmit(1, suite));
    await done({ kind: "enableTransmit", an: 1 });
    expect(await edge.observe(signal)).toEqual({
      encodingAn: 1,
      transmitSas: [{ an: 1, keyId, active: true, nextPn: 1n }],
      receiveScis: [peer],
      receiveSas: [{ sci: peer, an: 1, keyId, active: true, nextPn: 1n }],
      received: undefined,
    });
    secy.received = 7;
    expect(await edge.observe(signal)).toMatchObject({ received: 7n });
    await done({ kind: "deleteReceiveSa", sci: peer, an: 1 });
    await done({ kind: "deleteTransmitSa", an: 1 });
    await done({ kind: "deleteReceiveSc", sci: peer });
    expect([secy.transmit.size, secy.receive.size]).toEqual([0, 0]);
    for (const secret of kernel.secrets) expect(() => secret.copy()).toThrow("already wiped");
  });

  it("the edge lets no frame leave too early, though a new device encodes under AN 0", async () => {
    const { secy, carry, kernel } = await edgeOn("gcm-aes-128");
    await carry(transmit(0, "gcm-aes-128"));
    expect(kernel.log).toEqual(["encode", "addTxSa"]);
    expect(kernel.saks).toEqual([undefined]);
    expect(secy.encodingSa).toBe(1);
    await carry({ kind: "enableTransmit", an: 0 });
    expect(kernel.saks).toHaveLength(1);
    // The edge also never changes an AN that frames leave under.
    await carry(transmit(1, "gcm-aes-128"));
    expect(secy.encodingSa).toBe(0);
    expect(await carry(transmit(0, "gcm-aes-128"))).toBe("EBUSY");
    expect(secy.encodingSa).toBe(0);
    // An AN is used again after its SA was deleted, beside an unused SA.
    await carry({ kind: "deleteTransmitSa", an: 0 });
    await carry(transmit(0, "gcm-aes-128"));
    expect(secy.encodingSa).toBe(2);
    expect(kernel.saks).toEqual([undefined]);
  });

  it("the edge wipes the secrets of operations that fail or are not carried out", async () => {
    const { kernel, carry } = await edgeOn("gcm-aes-xpn-256");
    expect(await carry(receive(0, "gcm-aes-xpn-256"))).toBe("ENODEV");
    kernel.fault = (name) => (name === "encode" ? "EPERM" : undefined);
    const asked = transmit(0, "gcm-aes-xpn-256") as SecyOperation & { kind: "installTransmitSa" };
    expect(await carry(asked)).toBe("EPERM");
    expect(kernel.log).not.toContain("addTxSa");
    for (const secret of [...kernel.secrets, asked.sak, asked.extended?.salt]) {
      expect(() => secret?.copy()).toThrow("already wiped");
    }
    kernel.secy = undefined;
    expect(await carry(transmit(0, "gcm-aes-xpn-256"))).toBe("ENODEV");
    expect(await carry({ kind: "deleteTransmitSa", an: 0 })).toBe("ENODEV");
    expect(await carry({ kind: "raiseLowestPn", sci: peer, an: 0, lowestPn: 9n })).toBe("ENODEV");
  });

  interface Raised {
    readonly suite: CipherSuite;
    /** Absent = replay protection is off. */
    readonly window?: number;
    readonly from: bigint;
    readonly lowestPn: bigint;
    readonly pn: bigint;
  }
  const raised: readonly Raised[] = [
    { suite: "gcm-aes-128", from: 5n, lowestPn: 100n, pn: 5n },
    { suite: "gcm-aes-128", window: 0, from: 5n, lowestPn: 100n, pn: 100n },
    { suite: "gcm-aes-128", window: 64, from: 5n, lowestPn: 100n, pn: 164n },
    // The highest packet number that came is above what is refused anyway: a lower one would let in
    // again what came before.
    { suite: "gcm-aes-128", window: 0, from: 200n, lowestPn: 100n, pn: 200n },
    { suite: "gcm-aes-128", window: 64, from: 165n, lowestPn: 100n, pn: 165n },
    { suite: "gcm-aes-256", window: 64, from: 5n, lowestPn: 0xfffffff0n, pn: 0xffffffffn },
    // The number must not wrap in its low half: late frames of this turn would count as the next
    // one's.
    { suite: "gcm-aes-xpn-128", window: 64, from: 5n, lowestPn: 0xfffffff0n, pn: 0xffffffffn },
    { suite: "gcm-aes-xpn-128", window: 64, from: 5n, lowestPn: 0x100000005n, pn: 0x100000045n },
    {
      suite: "gcm-aes-xpn-256",
      window: 0,
      from: 0x100000005n,
      lowestPn: 0x100000009n,
      pn: 0x100000009n,
    },
  ];
  it.each(raised)(
    "under $suite with window $window the packet number $from is raised for $lowestPn to $pn",
    async ({ suite, window, from, lowestPn, pn }) => {
      const { secy, carry } = await edgeOn(suite, window);
      await carry({ kind: "createReceiveSc", sci: peer });
      await carry(receive(2, suite, from));
      const raise = { kind: "raiseLowestPn", sci: peer, an: 2, lowestPn } as const;
      expect(await carry(raise)).toBeUndefined();
      expect(secy.receive.get(peer)?.get(2)?.pn).toBe(pn);
    },
  );

  it("the edge finds the SecY of a port in the kernel", async () => {
    const kernel = new PretendKernel();
    const find = async (port = "wire"): Promise<string> =>
      (await findSecy(kernel.routes, port, signal)).kind;
    expect(await find()).toBe("noSecy");
    kernel.make("gcm-aes-256", own, 32);
    expect(await findSecy(kernel.routes, "wire", signal)).toMatchObject({
      place: { name: "ms-wire", sci: own, suite: "gcm-aes-256", replayWindow: 32 },
    });
    expect(await find("other")).toBe("noPort");
  });
});
