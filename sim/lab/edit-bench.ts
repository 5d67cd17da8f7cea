// One emulated router of a model and release, a driver that is connected to it, and a record of
// what the driver sends.

import { platforms, readers, type routerNames } from "#drivers/index.ts";
import type { Capabilities, Device, KeyResolver } from "#hal/device.ts";
import type { Ckn, PortName } from "#hal/model.ts";
import { type Command, Secret } from "#hal/secret.ts";
import {
  type ByteChannel,
  noFrames,
  noPrograms,
  noSnmp,
  noStreams,
  type World,
} from "#hal/world.ts";
import { routerPlatforms } from "../emulators/platforms.ts";
import type { Router } from "../router/router.ts";
import { buildSite, type Site } from "../site/site.ts";
import type { EditPlatform } from "./edit-list.ts";
import { channelTo } from "./emulator-channel.ts";

/** A driver whose devices are behind SSH. */
export type RouterName = (typeof routerNames)[number];

/** What an operator did on the port before the change. */
export type ByHand = "shouldSecure" | "secondKey";

const never = new AbortController().signal;
/** BGP is up by then, in virtual milliseconds. */
const settleMs = 30_000;
const longestMs = 3_600_000;
const edge = "edge-a";

/** Where the peerings of the router are, and what the router can do. */
export interface BenchOptions {
  /** The driver and the device that it is for. */
  readonly platform: EditPlatform & { readonly driver: RouterName };
  /** What the router can do. */
  readonly capabilities: Capabilities;
  /** The routing instance of its peerings; undefined = the default one. */
  readonly vrf: string | undefined;
  /** Whether a Junos router has a second routing engine. */
  readonly engines: "one" | "two";
}

/** A driver that is connected to a router with one port; each bench has a router of its own. */
export class EditBench implements AsyncDisposable {
  readonly port: PortName;
  readonly #site: Site;
  readonly #router: Router;
  readonly #sent: Command[];
  readonly #device: Device;

  private constructor(site: Site, router: Router, port: PortName, sent: Command[], device: Device) {
    this.#site = site;
    this.#router = router;
    this.port = port;
    this.#sent = sent;
    this.#device = device;
  }

  /**
   * Connects the driver to a router in the clear.
   * @throws LinksealError `device.*` for a release that the driver does not understand
   */
  static async open(options: BenchOptions): Promise<EditBench> {
    const { platform, capabilities, vrf, engines } = options;
    // The parser of XML comes from a file, and virtual time does not wait for it.
    await readers.junos.read("get-software-information", new TextEncoder().encode("<a/>"));
    const { emulator: emulatorOf, model: usual } = routerPlatforms[platform.driver];
    const { portName = "et-0/0/0" } = usual;
    const model = { capabilities, portName };
    const one = {
      seed: "edits",
      name: "edits",
      groups: 1,
      tunnels: 0,
      start: "clear",
    } as const;
    const site = buildSite({ ...one, models: () => model });
    const router = site.routers.get(edge);
    if (router === undefined) throw new RangeError("the site has no router");
    const wiring = vrf === undefined ? {} : { vrf };
    const { model: named, release } = platform;
    const emulator = emulatorOf(router, { model: named, release, wiring, engines });
    await site.clock.runFor(settleMs);
    const sent: Command[] = [];
    const channel = (): ByteChannel =>
      recorded(
        channelTo(edge, (wire) => emulator.connect(wire)),
        sent,
      );
    const { driver } = platforms[platform.driver];
    const target = { device: edge, address: "192.0.2.1" };
    const opened = driver.open(target, worldOf(site, channel), () => undefined, never);
    return new EditBench(site, router, portName, sent, await settled(site, opened));
  }

  /** What the driver offers for this model and release. */
  get capabilities(): Capabilities {
    return this.#device.capabilities;
  }

  /** Runs a call on the device in virtual time. */
  async run<T>(call: (device: Device, keys: KeyResolver) => Promise<T>): Promise<T> {
    return await settled(this.#site, call(this.#device, keysOf(this.capabilities)));
  }

  /** Runs a call, and returns what was sent for it. */
  async sentFor(call: (device: Device) => Promise<void>): Promise<readonly Command[]> {
    this.#sent.length = 0;
    await this.run(call);
    return [...this.#sent];
  }

  /** Changes the router's configuration as an operator would. */
  async byHand(what: ByHand): Promise<void> {
    this.#router.manualEdit((config) => {
      const port = config.ports.get(this.port);
      const [key] = port?.keys ?? [];
      if (port?.macsec === undefined) throw new RangeError("the port has no MACsec");
      if (what === "shouldSecure") port.macsec = { ...port.macsec, policy: "shouldSecure" };
      else if (key !== undefined) port.keys.push({ ...key, ckn: byHandCkn });
    });
    await this.#site.clock.runFor(settleMs);
  }

  /** Makes the router refuse whatever changes its configuration. */
  refuseLines(): void {
    this.#router.setFault("errorWithSuccess", true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await settled(this.#site, Promise.resolve(this.#device[Symbol.asyncDispose]()));
  }
}

/** The CKN of a key that an operator added. */
export const byHandCkn = "0c".repeat(32) as Ckn;
const pskOctets = 24;
/** A CAK with this word in its name has 128 bits. */
export const shortMark = "short";

/** The octets of keys of an emulated router; the label is what is printed in their place. */
function keysOf({ macsec }: Capabilities): KeyResolver {
  const isLong = macsec?.suites.some((suite) => suite.endsWith("256")) === true;
  return async (ref) => {
    const id = ref.kind === "cak" ? ref.key.cakSecretId : ref.secretId;
    const name = id.split("/").at(-2) ?? "";
    const cakOctets = isLong && !name.includes(shortMark) ? 32 : 16;
    // A PSK is text, so the octets of all keys are letters.
    const letter = "a".charCodeAt(0) + (name.length % 26);
    const octets = new Uint8Array(ref.kind === "cak" ? cakOctets : pskOctets).fill(letter);
    return Secret.take(`KEY-OF-${name}`, octets);
  };
}

function recorded(inner: ByteChannel, sent: Command[]): ByteChannel {
  return {
    read: (signal) => inner.read(signal),
    async write(text, signal) {
      sent.push(text);
      await inner.write(text, signal);
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

function worldOf(site: Site, open: () => ByteChannel): World {
  const nowhere = async (): Promise<never> => {
    throw new RangeError("an emulated router is all that there is");
  };
  return {
    clock: site.clock,
    entropy: site.prng.fork("driver"),
    disk: { read: nowhere, list: nowhere, append: nowhere, replace: nowhere },
    dial: {
      ...{ http: nowhere, routeTo: nowhere, resolve: nowhere, exec: noPrograms, snmp: noSnmp },
      ...{ framed: noFrames, stream: noStreams, channel: async () => open() },
    },
    log: { write: () => undefined },
  };
}

/** Lets virtual time pass until the promise has settled. */
async function settled<T>(site: Site, promise: Promise<T>): Promise<T> {
  let isDone = false;
  const mark = (): void => {
    isDone = true;
  };
  promise.then(mark, mark);
  await site.clock.runFor(longestMs, () => isDone);
  if (!isDone) throw new RangeError("the driver has not ended within an hour of virtual time");
  return await promise;
}
