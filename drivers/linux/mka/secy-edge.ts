// Translates the KaY's operations into requests of the kernel, and the kernel's SecY into the terms
// of the KaY.

import type { CipherSuite } from "#hal/model.ts";
import type { NetlinkRequest, NetlinkSocket } from "#hal/netlink.ts";
import { type KernelSockets, linksNow } from "../macsec/kernel-observation.ts";
import {
  dumpMacsec,
  type MacsecDevice,
  type MacsecWriter,
  macsecFamily,
  macsecWriter,
  readMacsec,
} from "../macsec/macsec.ts";
import { askFamily, readFamily } from "../netlink/genetlink.ts";
import { changeMacsecLink, type Link } from "../netlink/rtnetlink-link.ts";
import type { HeldSecy, HeldTransmitSa, SecyOperation } from "./operations.ts";
import { suites } from "./suite.ts";

/** Identifies a SecY, with the settings of it that the KaY must know. */
export interface SecyPlace {
  /** The index of the port below. */
  readonly port: number;
  readonly device: number;
  readonly name: string;
  readonly sci: string;
  readonly suite: CipherSuite;
  readonly includeSci: boolean;
  /** Undefined = replay protection is off. */
  readonly replayWindow: number | undefined;
}

export type FoundSecy =
  | { readonly kind: "found"; readonly place: SecyPlace }
  | { readonly kind: "noPort" | "noSecy" }
  /** Several SecYs on one port, or one whose settings are not understood. */
  | { readonly kind: "unclear" };

export async function findSecy(
  socket: NetlinkSocket,
  port: string,
  signal: AbortSignal,
): Promise<FoundSecy> {
  return secyIn(await linksNow(socket, signal), port);
}

function secyIn(links: readonly Link[], port: string): FoundSecy {
  const below = links.find(({ name }) => name === port)?.index;
  if (below === undefined) return { kind: "noPort" };
  // The index of a link in another network belongs to another port.
  const found = links.filter(
    ({ info, link, linkNamespace }) =>
      info?.kind === "macsec" && link === below && linkNamespace === undefined,
  );
  const [secy] = found;
  if (secy === undefined) return { kind: "noSecy" };
  const { sci, cipherSuite: suite, includeSci, replayProtect, window } = secy.info?.macsec ?? {};
  const { name, index: device } = secy;
  if (found.length > 1 || name === undefined || sci === undefined || suite === undefined) {
    return { kind: "unclear" };
  }
  if (includeSci === undefined) return { kind: "unclear" };
  const replayWindow = replayProtect === true ? window : undefined;
  return {
    kind: "found",
    place: { port: below, device, name, sci, suite, includeSci, replayWindow },
  };
}

export interface SecyObservation extends HeldSecy {
  /** Valid frames that came under the SAK in use; undefined = not reported. */
  readonly received: bigint | undefined;
}

export class SecyEdge {
  #place: SecyPlace;
  readonly #sockets: KernelSockets;
  readonly #family: number;
  readonly #writer: MacsecWriter;

  private constructor(place: SecyPlace, sockets: KernelSockets, family: number) {
    this.#place = place;
    this.#sockets = sockets;
    this.#family = family;
    this.#writer = macsecWriter(family);
  }

  /** Returns undefined if the kernel has no MACsec any more, and so no SecY either. */
  static async open(
    place: SecyPlace,
    sockets: KernelSockets,
    signal: AbortSignal,
  ): Promise<SecyEdge | undefined> {
    const asked = await sockets.generic.ask(askFamily(macsecFamily), readFamily, signal);
    const number = asked.kind === "answered" ? asked.found[0]?.id : undefined;
    return number === undefined ? undefined : new SecyEdge(place, sockets, number);
  }

  get place(): SecyPlace {
    return this.#place;
  }

  /** Changes the settings of the same device. */
  change(place: SecyPlace): void {
    this.#place = place;
  }

  get #isExtended(): boolean {
    return suites[this.#place.suite].packetNumber === "64 bit";
  }

  /**
   * Carries out an operation and wipes its secrets. Returns undefined if it is done, else the name
   * of the kernel's error.
   */
  async carryOut(operation: SecyOperation, signal: AbortSignal): Promise<string | undefined> {
    try {
      return await this.#carryOut(operation, signal);
    } finally {
      wipe(operation);
    }
  }

  async #carryOut(operation: SecyOperation, signal: AbortSignal): Promise<string | undefined> {
    const link = this.#place.device;
    const writer = this.#writer;
    switch (operation.kind) {
      case "createReceiveSc":
        return await this.#send(writer.addRxSc({ link, sci: operation.sci }), signal);
      case "deleteReceiveSc":
        return await this.#send(writer.deleteRxSc({ link, sci: operation.sci }), signal);
      case "installReceiveSa": {
        const { sci, lowestPn, ...sa } = operation;
        const nextPn = lowestPn;
        return await this.#send(writer.addRxSa({ link, sci }, { ...sa, nextPn }), signal);
      }
      case "enableReceive":
        // The SA was installed active: the kernel has no use for one that is not.
        return undefined;
      case "installTransmitSa":
        return (
          (await this.#leave(operation.an, signal)) ??
          (await this.#send(writer.addTxSa(link, operation), signal))
        );
      case "enableTransmit":
        return await this.#encodeUnder(operation.an, signal);
      case "raiseLowestPn":
        return await this.#raise(operation, signal);
      case "deleteReceiveSa": {
        const { sci, an } = operation;
        const off = writer.updateRxSa({ link, sci }, { an, active: false });
        return await this.#delete(off, writer.deleteRxSa({ link, sci }, an), signal);
      }
      case "deleteTransmitSa": {
        const { an } = operation;
        const off = writer.updateTxSa(link, { an, active: false });
        return await this.#delete(off, writer.deleteTxSa(link, an), signal);
      }
    }
  }

  async #send(request: NetlinkRequest, signal: AbortSignal): Promise<string | undefined> {
    const [refusal] = await this.#sockets.generic.write([request], signal);
    return refusal?.name;
  }

  // The kernel does not delete an active SA.
  async #delete(
    off: NetlinkRequest,
    away: NetlinkRequest,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const refusals = await this.#sockets.generic.write([off, away], signal);
    return refusals[1]?.name;
  }

  async #encodeUnder(encodingSa: number, signal: AbortSignal): Promise<string | undefined> {
    const change = changeMacsecLink(this.#place.device, { encodingSa });
    const [refusal] = await this.#sockets.routes.write([change], signal);
    return refusal?.name;
  }

  // Frames would leave as soon as an SA exists under the AN that the device encodes under, which is
  // 0 in a new one, before the peer can receive them. Nothing leaves under an AN without an SA.
  async #leave(an: number, signal: AbortSignal): Promise<string | undefined> {
    const device = await this.#dump(signal);
    if (device === undefined) return "ENODEV";
    if (device.secy?.encodingSa !== an) return undefined;
    const taken = new Set((device.txSas ?? []).map((sa) => sa.an));
    if (taken.has(an)) return undefined;
    const free = [1, 2, 3].map((step) => (an + step) % 4).find((other) => !taken.has(other));
    return free === undefined ? "EBUSY" : await this.#encodeUnder(free, signal);
  }

  // The kernel's packet number of a receive SA is the one behind the highest that came, and it
  // accepts frames up to a window below. The kernel would also accept a lower number, which would
  // let in again what was refused before.
  async #raise(
    { sci, an, lowestPn }: SecyOperation & { kind: "raiseLowestPn" },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const device = await this.#dump(signal);
    const { replay, window } = device?.secy ?? {};
    const channel = device?.rxScs?.find((one) => one.sci === sci);
    const pn = channel?.sas?.find((sa) => sa.an === an)?.pn;
    if (pn === undefined) return "ENODEV";
    // No frame is ever too late if replay protection is off.
    if (replay !== true || window === undefined) return undefined;
    const wanted = lowestPn + BigInt(window);
    // A frame carries the low half alone. The kernel takes a number that is far below its own for
    // one after the next wrap, never for one before the last.
    const last = lowestPn | 0xffffffffn;
    const nextPn = wanted > last ? last : wanted;
    if (nextPn <= pn) return undefined;
    const change = { an, nextPn, extended: this.#isExtended };
    return await this.#send(
      this.#writer.updateRxSa({ link: this.#place.device, sci }, change),
      signal,
    );
  }

  async #dump(signal: AbortSignal): Promise<MacsecDevice | undefined> {
    const family = this.#family;
    const answer = await this.#sockets.generic.ask(dumpMacsec(family), readMacsec(family), signal);
    if (answer.kind === "refused") return undefined;
    return answer.found.find(({ link }) => link === this.#place.device);
  }

  /** Reads the SecY; undefined = the device is gone. */
  async observe(signal: AbortSignal): Promise<SecyObservation | undefined> {
    const device = await this.#dump(signal);
    return device === undefined ? undefined : heldIn(device);
  }
}

function heldIn({ secy, txSas, rxScs }: MacsecDevice): SecyObservation {
  const channels = rxScs ?? [];
  const inUse = channels
    .flatMap(({ sas }) => sas ?? [])
    .filter(({ an }) => an === secy?.encodingSa);
  return {
    received: inUse[0]?.statistics?.inPktsOk,
    encodingAn: secy?.encodingSa ?? 0,
    transmitSas: (txSas ?? []).flatMap((sa): HeldTransmitSa[] => {
      const { an, keyId, active, pn } = sa;
      if (an === undefined || keyId === undefined || pn === undefined) return [];
      return [{ an, keyId, active: active === true, nextPn: pn }];
    }),
    receiveScis: channels.flatMap(({ sci, active }) => (active === true ? (sci ?? []) : [])),
    receiveSas: channels.flatMap(({ sci, active: open, sas }) =>
      (sas ?? []).flatMap(({ an, keyId, active, pn: nextPn }) => {
        if (sci === undefined || an === undefined || keyId === undefined) return [];
        if (nextPn === undefined) return [];
        return [{ sci, an, keyId, active: open === true && active === true, nextPn }];
      }),
    ),
  };
}

/** Wipes the secrets of an operation that is not carried out. */
export function wipe(operation: SecyOperation): void {
  if (!("sak" in operation)) return;
  operation.sak[Symbol.dispose]();
  operation.extended?.salt[Symbol.dispose]();
}
