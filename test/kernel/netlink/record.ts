// `npm run record` runs this in the machine: it writes the kernel's messages about the site,
// without the octets of keys, and beside them the output of `ip` about the same objects.

import { writeFileSync } from "node:fs";
import { dumpMacsec, macsecFamily, readMacsec } from "#drivers/linux/macsec/macsec.ts";
import { askFamily, readFamily } from "#drivers/linux/netlink/genetlink.ts";
import { dumpAddresses, readAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import { dumpLinks, readLink } from "#drivers/linux/netlink/rtnetlink-link.ts";
import {
  dumpRoutes,
  dumpRules,
  readRoute,
  readRule,
} from "#drivers/linux/netlink/rtnetlink-route.ts";
import { dumpPolicies, dumpSas, readPolicy, readSa } from "#drivers/linux/netlink/xfrm.ts";
import { NetlinkChannel } from "#drivers/transport/netlink.ts";
import type { NetlinkRequest, Reader } from "#hal/netlink.ts";
import {
  addNetwork,
  enterNetwork,
  found,
  ip,
  leaveNetworks,
  native,
  netlinkFamilies,
  soon,
} from "../lab.ts";
import { buildSite } from "./site.ts";

const folder = "/run/machine/results";
const headerBytes = 16;

async function record(
  socket: NetlinkChannel,
  name: string,
  request: NetlinkRequest,
  read: Reader<unknown>,
  words: string,
): Promise<void> {
  const messages = await socket.ask(
    request,
    (message) => {
      // The reader wipes the keys in the message.
      read(message);
      const { view, start, end } = message;
      return Buffer.from(view.buffer, start - headerBytes, end - start + headerBytes).toString(
        "hex",
      );
    },
    soon(),
  );
  writeFileSync(`${folder}/${name}.hex`, `${found(messages).join("\n")}\n`);
  const hidden = words.replaceAll(/ 0x(5a)+ /g, " KEY ");
  writeFileSync(`${folder}/${name}.ip`, hidden.endsWith("\n") ? hidden : `${hidden}\n`);
}

const ipv4 = 2;
const ipv6 = 10;
const json = (...argv: string[]): string => ip("-j", "-p", "-d", "-s", ...argv);

enterNetwork(addNetwork());
buildSite();
const route = new NetlinkChannel(native, netlinkFamilies.route);
const generic = new NetlinkChannel(native, netlinkFamilies.generic);
const xfrm = new NetlinkChannel(native, netlinkFamilies.xfrm);
const [family] = found(await generic.ask(askFamily(macsecFamily), readFamily, soon()));
const number = family?.id ?? 0;
const table = ["route", "show", "table", "all"];
await record(route, "links", dumpLinks(), readLink, json("link"));
await record(route, "addresses", dumpAddresses(), readAddress, json("addr"));
await record(route, "routes-4", dumpRoutes(ipv4), readRoute, json("-4", ...table));
await record(route, "routes-6", dumpRoutes(ipv6), readRoute, json("-6", ...table));
await record(route, "rules-4", dumpRules(ipv4), readRule, json("-4", "rule"));
await record(route, "rules-6", dumpRules(ipv6), readRule, json("-6", "rule"));
const macsec = json("macsec", "show");
await record(generic, "macsec", dumpMacsec(number), readMacsec(number), macsec);
await record(xfrm, "sas", dumpSas(), readSa, ip("-s", "xfrm", "state"));
await record(xfrm, "policies", dumpPolicies(), readPolicy, ip("-s", "xfrm", "policy"));
for (const socket of [route, generic, xfrm]) socket[Symbol.dispose]();
leaveNetworks();
