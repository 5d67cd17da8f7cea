// The SAs of an xfrm interface, from the messages of a kernel.

import { describe, expect, it } from "vitest";
import { tunnelsOf } from "#drivers/linux/net/tunnels.ts";
import { readAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import { readLink } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { readSa, type Sa } from "#drivers/linux/netlink/xfrm.ts";
import { type IpsecSa, strongValue } from "#hal/model.ts";
import type { Instant, WallTime } from "#hal/world.ts";
import { recorded } from "../../../kit/recorded.ts";

const at = 5_000 as Instant;
const moment = { at, wall: 1_800_000_000_000 as WallTime };
const links = recorded("links", readLink);
const addresses = recorded("addresses", readAddress);
const all = recorded("sas", readSa);
/** Every recorded SA, as if the interface had them all. */
const joined = all.map((sa): Sa => ({ ...sa, attributes: { ...sa.attributes, ifId: 42 } }));

function sasOf(sas: readonly Sa[] | undefined): readonly IpsecSa[] {
  const [tunnel] = tunnelsOf(links, addresses, sas, moment);
  if (tunnel === undefined) throw new Error("no tunnel");
  return strongValue(tunnel.sas) ?? [];
}

const spiOf = (spi: number, among = sasOf(joined)): IpsecSa | undefined =>
  among.find((sa) => sa.spi === spi);

describe("an xfrm interface", () => {
  it("an xfrm interface is a tunnel with the SAs of its number, and unknown IKE", () => {
    expect(tunnelsOf(links, addresses, all, moment)).toEqual([
      {
        name: "ipsec42",
        ike: { kind: "unknown", why: "notSupported", at },
        sas: {
          kind: "known",
          at,
          value: [
            {
              spi: 0x1001,
              direction: "out",
              phase: "installed",
              transforms: { encryption: "aes-256-gcm", integrity: "none", dhGroup: "unknown" },
              packets: 0n,
              sequence: 0n,
            },
          ],
        },
      },
    ]);
  });

  it("the SAs of a tunnel are unknown where the kernel does not dump them", () => {
    expect(tunnelsOf(links, addresses, undefined, moment)[0]?.sas).toEqual({
      kind: "unknown",
      why: "queryFailed",
      at,
    });
  });

  it("the transforms of an SA have the config's names, or the kernel's", () => {
    expect(spiOf(0x1003)?.transforms).toMatchObject({
      encryption: expect.stringMatching(/^aes-\d+-cbc$/),
    });
    expect(spiOf(0x1003)?.transforms.integrity).toMatch(/^sha\d+$/);
    const odd = joined.map((sa): Sa => {
      const aead = { name: "rfc7539esp(chacha20,poly1305)", keyBits: 288, icvBits: 128 };
      return { ...sa, attributes: { ...sa.attributes, aead } };
    });
    expect(sasOf(odd)[0]?.transforms.encryption).toBe("rfc7539esp(chacha20,poly1305)");
    const des = joined.map((sa): Sa => {
      const { aead: _none, ...attributes } = sa.attributes;
      return {
        ...sa,
        attributes: { ...attributes, crypt: { name: "cbc(des3_ede)", keyBits: 192 } },
      };
    });
    expect(sasOf(des)[0]?.transforms.encryption).toBe("3des-cbc");
  });

  it("the direction of an SA follows from the host's addresses if it is not reported", () => {
    const silent = joined.map((sa): Sa => {
      const { direction: _direction, ...attributes } = sa.attributes;
      return { ...sa, attributes };
    });
    expect(spiOf(0x1002)?.direction).toBe("in");
    const [first] = silent;
    const own = addresses.find(({ local }) => local !== undefined)?.local ?? "";
    const here = first === undefined ? [] : [{ ...first, destination: own }];
    expect(sasOf(here)[0]?.direction).toBe("in");
    expect(sasOf(first === undefined ? [] : [first])[0]?.direction).toBe("out");
  });

  it.each([
    { how: "on by its window", replayWindow: 32, extended: undefined, antiReplay: "on" },
    { how: "off without one", replayWindow: 0, extended: undefined, antiReplay: "off" },
    {
      how: "on by the window beside extended numbers",
      replayWindow: 0,
      extended: 128,
      antiReplay: "on",
    },
    { how: "off by that one", replayWindow: 32, extended: 0, antiReplay: "off" },
  ] as const)(
    "the anti-replay of an inbound SA is $how",
    ({ replayWindow, extended, antiReplay }) => {
      const inbound = joined.find(({ spi }) => spi === 0x1002);
      if (inbound === undefined) throw new Error("no SA");
      const { extendedReplay: _numbers, ...attributes } = inbound.attributes;
      const numbers = { in: 0n, out: 0n, bitmap: "", replayWindow: extended ?? 0 };
      const reported = extended === undefined ? {} : { extendedReplay: numbers };
      const sa: Sa = { ...inbound, replayWindow, attributes: { ...attributes, ...reported } };
      expect(sasOf([sa])[0]?.antiReplay).toBe(antiReplay);
      expect(spiOf(0x1001)).not.toHaveProperty("antiReplay");
    },
  );

  it.each([
    [undefined, undefined],
    [90n, 30_000],
    [60n, 0],
    [10n, 0],
  ])("an SA with a hard lifetime of %s s, a minute old, ends in %s ms", (hard, endsInMs) => {
    const [first] = joined;
    if (first === undefined) throw new Error("no SA");
    const usage = { ...first.usage, addedAt: 1_800_000_000n - 60n };
    const sa: Sa = { ...first, usage, limits: { ...first.limits, hardAddSeconds: hard } };
    expect(sasOf([sa])[0]?.endsInMs).toBe(endsInMs);
  });

  it("a tunnel has no more SAs than an observation takes, and the newest of them", () => {
    const [first] = joined;
    if (first === undefined) throw new Error("no SA");
    const many = Array.from({ length: 100 }, (_, index): Sa => {
      return { ...first, spi: index, usage: { ...first.usage, addedAt: BigInt(index) } };
    });
    const reported = sasOf(many).map(({ spi }) => spi);
    expect([reported.length, reported[0], reported.at(-1)]).toEqual([64, 99, 36]);
  });

  it("only xfrm interfaces are tunnels, with the SAs of their own number", () => {
    const others = all.filter(({ attributes }) => attributes.ifId !== 42);
    expect(sasOf(others)).toEqual([]);
    const none = links.filter(({ info }) => info?.kind !== "xfrm");
    expect(tunnelsOf(none, addresses, all, moment)).toEqual([]);
  });
});
