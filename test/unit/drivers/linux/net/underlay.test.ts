// What keeps a tunnel's packets on this host, by the messages of a kernel: recorded dumps, and the
// kernel's reply for one route, which has the form of a dumped one.

import { describe, expect, it } from "vitest";
import { underlayGap } from "#drivers/linux/net/underlay.ts";
import { type Address, readAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import { type Link, readLink } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { readRoute } from "#drivers/linux/netlink/rtnetlink-route.ts";
import { type Policy, readPolicy } from "#drivers/linux/netlink/xfrm.ts";
import { PretendSocket } from "../../../kit/netlink-kit.ts";
import { messagesIn, recorded, recordedOctets } from "../../../kit/recorded.ts";
import { never } from "../../../kit/site-bench.ts";

/** The recorded interface ipsec42 has a policy whose template is from 10.0.0.1 to 10.0.0.2. */
const ifId = 42;
const policies = recorded("policies", readPolicy);
const links = recorded("links", readLink);
const addresses = recorded("addresses", readAddress);

/** The reply for one route: the recorded message about this destination. */
function replyFor(destination: string): Uint8Array<ArrayBuffer>[] {
  return recordedOctets("routes-4").filter((octets) =>
    messagesIn(octets).some((message) => readRoute(message)?.destination === destination),
  );
}
const direct = replyFor("10.0.0.0");
const twoHops = replyFor("10.21.0.0");
const blackhole = replyFor("10.23.0.0");

interface World {
  readonly addresses: readonly Address[];
  readonly links: readonly Link[];
  readonly policies: readonly Policy[];
  readonly route: readonly Uint8Array<ArrayBuffer>[] | string;
}
const whole: World = { addresses, links, policies, route: direct };

async function gapIn(world: World): Promise<string | undefined> {
  const kernel = new PretendSocket();
  if (typeof world.route === "string") kernel.refusal = { name: world.route, text: undefined };
  else kernel.dump.set("26/2 one", world.route);
  const gap = await underlayGap(ifId, { ...world, routes: [] }, kernel, never);
  expect(gap?.kind).toBe(gap === undefined ? undefined : "outer");
  return gap?.text;
}

const changed = (names: readonly string[], over: Partial<Link>): readonly Link[] =>
  links.map((link) => (names.includes(link.name ?? "") ? { ...link, ...over } : link));
const without = (one: string): readonly Address[] => addresses.filter(({ local }) => local !== one);
const noCarrier = { carrier: false };
const shut = { flags: 0 };

const rows: readonly (readonly [what: string, change: Partial<World>, gap: string | undefined])[] =
  [
    ["has all of it", {}, undefined],
    [
      "has no outer address",
      { addresses: without("10.0.0.1") },
      "no interface has the outer address 10.0.0.1",
    ],
    [
      "has it on an interface that is shut",
      { links: changed(["ms0"], shut) },
      "the interface ms0 with the outer address 10.0.0.1 is down",
    ],
    ["has no route", { route: "ENETUNREACH" }, "no route leads to 10.0.0.2"],
    [
      "has a route that is set unreachable",
      { route: "EHOSTUNREACH" },
      "no route leads to 10.0.0.2",
    ],
    [
      "reaches it by an interface without carrier",
      { links: changed(["ms0"], noCarrier) },
      "the interface ms0, which leads to 10.0.0.2, has no link",
    ],
    [
      "has no carrier on both next hops",
      { route: twoHops, links: changed(["ms0", "d0"], noCarrier) },
      "the interface d0 and ms0, which leads to 10.0.0.2, has no link",
    ],
    [
      "has carrier on one of two next hops",
      { route: twoHops, links: changed(["ms0"], noCarrier) },
      undefined,
    ],
    [
      "has its address on another interface as well",
      {
        addresses: [...addresses, { ...(addresses[0] as Address), local: "10.0.0.1", link: 11 }],
        links: changed(["ms0"], shut),
        route: replyFor("10.2.0.0"),
      },
      undefined,
    ],
    ["is not told which route", { route: "EINVAL" }, undefined],
    ["is answered with no route at all", { route: [] }, undefined],
    ["is answered with a route without an interface", { route: blackhole }, undefined],
    [
      "is answered with an interface that it does not know",
      {
        links: links.filter(({ name }) => name !== "ms0"),
      },
      undefined,
    ],
    [
      "is not told about the carrier",
      { links: changed(["ms0"], { carrier: undefined as never }) },
      undefined,
    ],
    ["has no policy of the tunnel", { policies: [], addresses: [] }, undefined],
  ];

describe("the way of a tunnel's packets out of this host", () => {
  it.each(rows)("a host that %s reports exactly that of a tunnel", async (_what, change, gap) => {
    expect(await gapIn({ ...whole, ...change })).toBe(gap);
  });

  it("a tunnel with two pairs of outer addresses has a way out while one is whole", async () => {
    const other = policies.map((policy): Policy => {
      const { templates = [] } = policy.attributes;
      const moved = templates.map((one) => ({ ...one, source: "10.0.0.9" }));
      return { ...policy, attributes: { ...policy.attributes, templates: moved } };
    });
    expect(await gapIn({ ...whole, policies: [...other, ...policies] })).toBeUndefined();
    expect(await gapIn({ ...whole, policies: other })).toContain("10.0.0.9");
  });

  it("a template without an address says nothing of a tunnel's way out", async () => {
    const open = policies.map((policy): Policy => {
      const { templates = [] } = policy.attributes;
      const any = templates.map((one) => ({ ...one, source: "0.0.0.0" }));
      return { ...policy, attributes: { ...policy.attributes, templates: any } };
    });
    expect(await gapIn({ ...whole, policies: open, addresses: [] })).toBeUndefined();
  });
});
