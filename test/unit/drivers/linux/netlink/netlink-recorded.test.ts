import { describe, expect, it } from "vitest";
import { readMacsec } from "#drivers/linux/macsec/macsec.ts";
import { readAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import { readLink } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { readRoute, readRule } from "#drivers/linux/netlink/rtnetlink-route.ts";
import { readPolicy, readSa } from "#drivers/linux/netlink/xfrm.ts";
import {
  addressAsIp,
  linkAsIp,
  macsecAsIp,
  type NameOf,
} from "../../../../kernel/netlink/links-as-ip.ts";
import { unnamedIn } from "../../../../kernel/netlink/plain.ts";
import { routeAsIp, ruleAsIp } from "../../../../kernel/netlink/routes-as-ip.ts";
import { policyAsIp, saAsIp } from "../../../../kernel/netlink/xfrm-as-ip.ts";
import { macsecNumber, recorded, wordsOfIp } from "../../../kit/recorded.ts";

const links = recorded("links", readLink);
const nameOf: NameOf = (index) => links.find((link) => link.index === index)?.name;
const jsonOf = (name: string): object[] => JSON.parse(wordsOfIp(name)) as object[];
const linesOf = (name: string): string[] =>
  wordsOfIp(name)
    .trimEnd()
    .split("\n")
    .map((line) => line.trimEnd());

describe("recorded messages of the kernel are read as ip read them", () => {
  it("recorded links are decoded as ip shows them", () => {
    const theirs = jsonOf("links") as { readonly flags: readonly string[] }[];
    const sorted = theirs.map((link) => ({ ...link, flags: link.flags.toSorted() }));
    expect(links.map((link) => linkAsIp(link, nameOf))).toEqual(sorted);
    expect(unnamedIn(links)).toEqual([]);
  });

  it("recorded addresses are decoded as ip shows them", () => {
    const all = recorded("addresses", readAddress);
    const theirs = jsonOf("addresses") as { readonly addr_info: readonly object[] }[];
    const ours = links.map(({ index }) =>
      all.filter(({ link }) => link === index).map(addressAsIp),
    );
    expect(ours).toEqual(theirs.map((link) => link.addr_info));
    expect(unnamedIn(all)).toEqual([]);
  });

  it.each(["routes-4", "routes-6"])("recorded routes are decoded as ip shows them: %s", (name) => {
    const all = recorded(name, readRoute);
    const theirs = jsonOf(name).map((route) => ({ ...route, nh_info: undefined }));
    expect(all.map((route) => routeAsIp(route, nameOf))).toEqual(theirs);
    expect(unnamedIn(all)).toEqual([]);
  });

  it.each(["rules-4", "rules-6"])("recorded rules are decoded as ip shows them: %s", (name) => {
    const all = recorded(name, readRule);
    expect(all.map(ruleAsIp)).toEqual(jsonOf(name));
    expect(unnamedIn(all)).toEqual([]);
  });

  it("recorded SecYs are decoded as ip shows them", () => {
    const all = recorded("macsec", readMacsec(macsecNumber));
    expect(all.map((device) => macsecAsIp(device, nameOf))).toEqual(jsonOf("macsec"));
    expect(unnamedIn(all)).toEqual([]);
  });

  it("recorded SAs and policies are decoded as ip shows them", () => {
    const [sas, policies] = [recorded("sas", readSa), recorded("policies", readPolicy)];
    expect(sas.flatMap(saAsIp)).toEqual(linesOf("sas"));
    expect(policies.flatMap(policyAsIp)).toEqual(linesOf("policies"));
    expect(unnamedIn([sas, policies])).toEqual([]);
  });
});
