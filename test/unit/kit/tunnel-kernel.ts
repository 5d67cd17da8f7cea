// A kernel that keeps links, routes, policies and SAs in memory, as netlink requests set them.

import { type Address, addAddress, readAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import { type Link, linkFlags, readLink } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { type Route, readRoute } from "#drivers/linux/netlink/rtnetlink-route.ts";
import { type Policy, readPolicy, readSa, type Sa } from "#drivers/linux/netlink/xfrm.ts";
import { xfrmAttributes } from "#drivers/linux/netlink/xfrm-attributes.ts";
import { fillOctets } from "#drivers/transport/octets.ts";
import type {
  Answer,
  NetlinkMessage,
  NetlinkRequest,
  NetlinkSocket,
  Reader,
  Refusal,
} from "#hal/netlink.ts";

function messageOf({ type, flags, body }: NetlinkRequest): NetlinkMessage {
  const octets = new Uint8Array(body.reduce((sum, part) => sum + part.byteLength, 0));
  fillOctets(body, octets);
  const view = new DataView(octets.buffer);
  return { type, flags, view, start: 0, end: octets.length };
}

/** The message by which a kernel reports a permanent address, which a snapshot keeps as it is. */
function messageOfAddress({ link, local, address, prefixLength }: Address): NetlinkMessage {
  const own = local ?? address ?? "";
  const want = { link, local: own, peer: address ?? own, prefixLength };
  const request = addAddress(want);
  const permanent = Uint8Array.of(8, 0, 8, 0, 0x80, 0, 0, 0);
  return messageOf({ ...request, body: [...request.body, permanent] });
}

const types = {
  route: {
    newLink: 16,
    deleteLink: 17,
    getLink: 18,
    newAddress: 20,
    deleteAddress: 21,
    getAddress: 22,
    newRoute: 24,
    deleteRoute: 25,
    getRoute: 26,
  },
  xfrm: {
    newSa: 0x10,
    deleteSa: 0x11,
    getSa: 0x12,
    newPolicy: 0x13,
    deletePolicy: 0x14,
    getPolicy: 0x15,
    updatePolicy: 0x19,
  },
} as const;

type Family = keyof typeof types;

const nameOf = (family: Family, type: number): string =>
  Object.entries(types[family]).find(([, one]) => one === type)?.[0] ?? `${family} ${type}`;

const sameSelector = (one: Policy, other: Policy): boolean =>
  one.direction === other.direction &&
  one.attributes.ifId === other.attributes.ifId &&
  JSON.stringify(one.selector) === JSON.stringify(other.selector);

/** A request for one setting names it by its number; a reply lists all settings in order. */
function settingOf({ perFamily }: Link): Link["perFamily"] {
  const { forwarding = 0, multicastForwarding: disablePolicy } = perFamily?.inet?.settings ?? {};
  if (forwarding >> 16 !== 16 || disablePolicy === undefined) return undefined;
  const inet = { unnamed: [], settings: { disablePolicy } };
  return { unnamed: [], inet };
}

export class TunnelKernel {
  links: Link[] = [];
  addresses: Address[] = [];
  routes: Route[] = [];
  policies: Policy[] = [];
  sas: Sa[] = [];
  /** Names of the changes, in order. */
  readonly acts: string[] = [];
  /** Each new SA as it arrived, with its keys. */
  readonly newSas: Buffer[] = [];
  /** Number of the change that is refused, `refusals` times in a row. */
  refuses: number | undefined;
  refusals = 1;
  /** Number of the change before which the process that makes it dies. */
  diesAt: number | undefined;
  #index = 10;
  #policies = 0;

  /** Adds an SA of interface 42, as charon would. */
  addSa(spi: number, direction: "in" | "out"): void {
    const aead = { name: "rfc4106(gcm(aes))", keyBits: 288, icvBits: 128 };
    const usage = { bytes: 0n, packets: 7n, addedAt: BigInt(spi), usedAt: 0n };
    const where = { source: "198.51.100.1", destination: "203.0.113.1", ipProtocol: 50 };
    const attributes = { unnamed: [], ifId: 42, direction, aead };
    const said = { limits: {}, replayWindow: 32, attributes };
    this.sas.push({ ...where, ...said, spi, usage } as unknown as Sa);
  }

  /**
   * Adds an entry for a packet that waits for an SA, or for an SPI that is reserved: it has no
   * keys.
   */
  addLarval(spi: number, direction: "in" | "out"): void {
    this.addSa(spi, direction);
    const last = this.sas.pop();
    if (last === undefined) return;
    const { aead: _, ...attributes } = last.attributes;
    this.sas.push({ ...last, attributes });
  }

  /** Returns a socket of one family. */
  socket(family: Family): NetlinkSocket {
    return {
      ask: async <T>({ type, body }: NetlinkRequest, read: Reader<T>): Promise<Answer<T>> => {
        const [ofFamily] = (body[0] as Uint8Array | undefined) ?? [];
        const name = nameOf(family, type);
        if (name === "getAddress") {
          const copies = this.addresses.map((address) => read(messageOfAddress(address)));
          return { kind: "answered", found: copies.filter((one) => one !== undefined) };
        }
        const found = this.#dump(name, ofFamily);
        return { kind: "answered", found: found as readonly T[] };
      },
      write: async (requests) => {
        const refusals: (Refusal | undefined)[] = [];
        for (const request of requests) {
          if (this.diesAt === this.acts.length) await new Promise<never>(() => {});
          const name = this.#refuses() ? "EPERM" : this.#act(nameOf(family, request.type), request);
          refusals.push(name === undefined ? undefined : { name, text: undefined });
        }
        return refusals;
      },
      [Symbol.dispose]: () => undefined,
    };
  }

  /** A change that is refused has no number. */
  #refuses(): boolean {
    if (this.refuses !== this.acts.length) return false;
    this.refusals -= 1;
    if (this.refusals > 0) return true;
    this.refuses = undefined;
    this.refusals = 1;
    return true;
  }

  #dump(name: string, family: number | undefined): readonly unknown[] {
    switch (name) {
      case "getLink":
        return this.links;
      case "getRoute":
        return this.routes.filter((route) => route.family === family);
      case "getSa":
        return this.sas;
      case "getPolicy":
        return this.policies;
      default:
        throw new Error(`no dump of ${name} is expected`);
    }
  }

  #act(name: string, request: NetlinkRequest): string | undefined {
    this.acts.push(name);
    const message = messageOf(request);
    switch (name) {
      case "newLink":
        return this.#newLink(readLink(message), message.view.getUint32(12, true));
      case "deleteLink": {
        const index = message.view.getInt32(4, true);
        this.links = this.links.filter((link) => link.index !== index);
        this.routes = this.routes.filter((route) => route.outputLink !== index);
        this.addresses = this.addresses.filter((address) => address.link !== index);
        return undefined;
      }
      case "newAddress": {
        const address = readAddress(message);
        if (address !== undefined) this.addresses.push(address);
        return undefined;
      }
      case "newRoute": {
        const route = readRoute(message);
        if (route !== undefined) this.routes.push(route);
        return undefined;
      }
      case "deleteAddress": {
        const gone = readAddress(message);
        this.addresses = this.addresses.filter(
          ({ link, local, address }) =>
            link !== gone?.link || local !== gone.local || address !== gone.address,
        );
        return undefined;
      }
      case "deleteRoute": {
        const gone = readRoute(message);
        const isIt = (one: Route): boolean =>
          one.outputLink === gone?.outputLink &&
          one.protocol === gone?.protocol &&
          one.destination === gone?.destination &&
          one.destinationLength === gone?.destinationLength;
        if (!this.routes.some(isIt)) return "ESRCH";
        this.routes = this.routes.filter((one) => !isIt(one));
        return undefined;
      }
      case "newSa":
        return this.#newSa(message);
      case "deleteSa": {
        const spi = message.view.getUint32(16);
        this.sas = this.sas.filter((sa) => sa.spi !== spi);
        return undefined;
      }
      case "newPolicy":
      case "updatePolicy": {
        const policy = readPolicy(message);
        if (policy === undefined) return "EINVAL";
        const before = this.policies.find((one) => sameSelector(one, policy));
        if (before !== undefined && name === "newPolicy") return "EEXIST";
        this.#policies += 1;
        // The index of a policy that is replaced stays; a newer one is higher.
        const index = before?.index ?? 8 * this.#policies;
        this.policies = [...this.policies.filter((one) => one !== before), { ...policy, index }];
        return undefined;
      }
      case "deletePolicy":
        return this.#deletePolicy(message);
      default:
        return "EOPNOTSUPP";
    }
  }

  #newSa(message: NetlinkMessage): string | undefined {
    const { view, start, end } = message;
    this.newSas.push(Buffer.from(view.buffer.slice(start, end)));
    const sa = readSa(message);
    if (sa === undefined) return "EINVAL";
    if (this.sas.some(({ spi }) => spi === sa.spi)) return "EEXIST";
    this.sas.push({ ...sa, usage: { ...sa.usage, addedAt: BigInt(this.sas.length) } });
    return undefined;
  }

  /** A kernel does so when a link goes down; those of IPv4 stay. */
  #forgetIpv6(index: number): void {
    const stays = ({ link, local }: Address): boolean => link !== index || !local?.includes(":");
    this.addresses = this.addresses.filter(stays);
  }

  /** `changed`: the flags that the request is about. */
  #newLink(link: Link | undefined, changed: number): string | undefined {
    if (link === undefined) return "EINVAL";
    const { name } = link;
    if (name === undefined) {
      const reported = settingOf(link);
      this.links = this.links.map((one) => {
        if (one.index !== link.index) return one;
        const perFamily = reported ?? one.perFamily;
        const flags = (one.flags & ~changed) | (link.flags & changed);
        if ((one.flags & ~flags & linkFlags.up) !== 0) this.#forgetIpv6(one.index);
        const kept = { hardware: one.hardware, flags, info: one.info ?? {}, perFamily };
        return { ...one, ...link, ...kept } as Link;
      });
      return undefined;
    }
    if (this.links.some((one) => one.name === name)) return "EEXIST";
    this.#index += 1;
    this.links.push({ ...link, index: this.#index });
    return undefined;
  }

  #deletePolicy({ view, end }: NetlinkMessage): string | undefined {
    const octets = new Uint8Array(168);
    octets.set(new Uint8Array(view.buffer, 0, 56));
    octets[160] = view.getUint8(60);
    const asked = readPolicy({
      ...{ type: types.xfrm.newPolicy, flags: 0, view: new DataView(octets.buffer), start: 0 },
      end: octets.length,
    });
    const before = this.policies.length;
    this.policies = this.policies.filter(
      (one) =>
        asked === undefined ||
        !sameSelector(one, { ...one, ...asked, attributes: xfrmAttributes.read(view, 64, end) }),
    );
    return this.policies.length === before ? "ENOENT" : undefined;
  }
}
