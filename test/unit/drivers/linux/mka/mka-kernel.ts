// A kernel with one port and at most one SecY on it, as netlink shows it: it refuses what the real
// one refuses, and wipes nothing.

import { text, u8, u32, u64 } from "#drivers/linux/netlink/codecs.ts";
import { attribute, eachAttribute, netlinkFlags } from "#drivers/transport/netlink-wire.ts";
import type { CipherSuite } from "#hal/model.ts";
import type {
  Answer,
  NetlinkMessage,
  NetlinkRequest,
  NetlinkSocket,
  Octets,
  Reader,
  Refusal,
} from "#hal/netlink.ts";
import type { Secret } from "#hal/secret.ts";
import { hexOf, octetsOf } from "../../../kit/kay-recorded.ts";

const macsecNumber = 33;
const controlNumber = 16;
const portIndex = 2;

interface Sa {
  active: boolean;
  pn: bigint;
  readonly keyId: string;
  readonly sak: string;
}

export interface PretendSecy {
  readonly index: number;
  readonly suite: CipherSuite;
  readonly sci: string;
  includeSci: boolean;
  window: number | undefined;
  encodingSa: number;
  /** The count of every SA; undefined = not reported. */
  received?: number;
  readonly transmit: Map<number, Sa>;
  readonly receive: Map<string, Map<number, Sa>>;
}

const suiteIds: Readonly<Record<CipherSuite, bigint>> = {
  "gcm-aes-128": 0x0080c20001000001n,
  "gcm-aes-256": 0x0080c20001000002n,
  "gcm-aes-xpn-128": 0x0080c20001000003n,
  "gcm-aes-xpn-256": 0x0080c20001000004n,
};

const bytesOf = (octets: Octets): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(
    Buffer.concat(
      octets.map((part) =>
        part instanceof Uint8Array ? part : part.use((bytes) => Uint8Array.from(bytes)),
      ),
    ),
  );
const octet = (type: number, value: number): Octets => attribute(type, u8.write(value));
const nested = (type: number, ...parts: Octets[]): Octets => attribute(type, parts.flat());

export class PretendKernel {
  secy: PretendSecy | undefined;
  hasPort = true;
  /** The names of the requests, in order. */
  readonly log: string[] = [];
  readonly secrets: Secret[] = [];
  /** Returns the error of a request that is not carried out. */
  fault: (name: string) => string | undefined = () => undefined;
  #devices = 10;

  make(suite: CipherSuite, sci: string, window?: number): PretendSecy {
    this.#devices += 1;
    this.secy = {
      ...{ index: this.#devices, suite, sci, includeSci: true, window, encodingSa: 0 },
      transmit: new Map(),
      receive: new Map(),
    };
    return this.secy;
  }

  /** The names of the SAKs that frames leave under, and that they may come under. */
  get saks(): readonly (string | undefined)[] {
    const { transmit, receive, encodingSa } = this.secy ?? { encodingSa: 0 };
    const sending = transmit?.get(encodingSa);
    const taken = [...(receive?.values() ?? [])].flatMap((channel) => [...channel.values()]);
    const active = taken.filter((sa) => sa.active).map((sa) => sa.sak);
    return [sending?.active === true ? sending.sak : undefined, ...active];
  }

  get routes(): NetlinkSocket {
    return this.#socket(() => this.#links());
  }

  get generic(): NetlinkSocket {
    return this.#socket((request) => {
      if (request.type === controlNumber) {
        const id = attribute(1, [Uint8Array.of(macsecNumber, 0)]);
        return [message(controlNumber, [Uint8Array.of(1, 2, 0, 0), ...id])];
      }
      const { secy } = this;
      return secy === undefined ? [] : [message(macsecNumber, dumpOf(secy))];
    });
  }

  #socket(answers: (request: NetlinkRequest) => readonly NetlinkMessage[]): NetlinkSocket {
    return {
      ask: async <T>(request: NetlinkRequest, read: Reader<T>): Promise<Answer<T>> => {
        const found = answers(request).map(read);
        return { kind: "answered", found: found.filter((one) => one !== undefined) };
      },
      write: async (requests): Promise<readonly (Refusal | undefined)[]> =>
        [...requests].map((request) => {
          const name = this.#write(request);
          return name === undefined ? undefined : { name, text: undefined };
        }),
      [Symbol.dispose]: () => undefined,
    };
  }

  #links(): readonly NetlinkMessage[] {
    const header = (index: number): Octets => {
      const octets = new Uint8Array(16);
      new DataView(octets.buffer).setInt32(4, index, true);
      return [octets];
    };
    const port = [...header(portIndex), ...attribute(3, text.write("wire"))];
    const { secy } = this;
    if (!this.hasPort) return [];
    if (secy === undefined) return [message(16, port)];
    const { index, suite, sci, includeSci, window } = secy;
    const data = nested(
      2,
      attribute(1, [octetsOf(sci)]),
      attribute(4, u64.write(suiteIds[suite])),
      octet(9, includeSci ? 1 : 0),
      octet(12, window === undefined ? 0 : 1),
      ...(window === undefined ? [] : [attribute(5, u32.write(window))]),
    );
    const info = nested(18, attribute(1, text.write("macsec")), data);
    const name = attribute(3, text.write("ms-wire"));
    const link = attribute(5, u32.write(portIndex));
    return [message(16, port), message(16, [...header(index), ...name, ...link, ...info])];
  }

  #write(request: NetlinkRequest): string | undefined {
    for (const part of request.body) if (!(part instanceof Uint8Array)) this.secrets.push(part);
    const body = bytesOf(request.body);
    const isLink = request.type !== macsecNumber;
    const name = isLink ? "encode" : (names[body[0] ?? 0] ?? "?");
    const reported = attributesIn(body.subarray(isLink ? 16 : 4));
    const refused =
      this.fault(name) ?? (isLink ? this.#encode(reported) : this.#macsec(name, reported));
    this.log.push(refused === undefined ? name : `${name}: ${refused}`);
    return refused;
  }

  #encode(reported: Attributes): string | undefined {
    const data = attributesIn(attributesIn(reported.get(18) ?? none).get(2) ?? none);
    if (this.secy === undefined) return "ENODEV";
    this.secy.encodingSa = data.get(6)?.[0] ?? 0;
    return undefined;
  }

  #macsec(name: string, reported: Attributes): string | undefined {
    const { secy } = this;
    const index = u32.read(viewOf(reported.get(1) ?? none), 0, 4);
    if (secy === undefined || index !== secy.index) return "ENODEV";
    const sci = hexOf(attributesIn(reported.get(2) ?? none).get(1) ?? none);
    const sa = attributesIn(reported.get(3) ?? none);
    if (name === "addRxSc") {
      if (secy.receive.has(sci)) return "EEXIST";
      secy.receive.set(sci, new Map());
      return undefined;
    }
    if (name === "deleteRxSc") return secy.receive.delete(sci) ? undefined : "ENODEV";
    const sas = name.endsWith("TxSa") ? secy.transmit : secy.receive.get(sci);
    return sas === undefined ? "ENODEV" : change(name, sas, sa, secy.suite);
  }
}

const names: Readonly<Record<number, string>> = {
  ...{ 1: "addRxSc", 2: "deleteRxSc", 4: "addTxSa", 5: "deleteTxSa", 6: "updateTxSa" },
  ...{ 7: "addRxSa", 8: "deleteRxSa", 9: "updateRxSa" },
};

function change(
  name: string,
  sas: Map<number, Sa>,
  reported: Attributes,
  suite: CipherSuite,
): string | undefined {
  const an = reported.get(1)?.[0] ?? -1;
  const sa = sas.get(an);
  const pn = reported.get(3);
  if (pn !== undefined && pn.length !== (suite.includes("xpn") ? 8 : 4)) return "EINVAL";
  const number = pn === undefined ? undefined : numberOf(pn);
  const active = reported.get(2)?.[0];
  if (name.startsWith("add")) {
    if (sa !== undefined) return "EBUSY";
    const [sak, keyId] = [4, 5].map((type) => hexOf(reported.get(type) ?? none));
    if (number === undefined || number === 0n) return "EINVAL";
    if (sak?.length !== (suite.endsWith("256") ? 64 : 32)) return "EINVAL";
    if (suite.includes("xpn") !== reported.has(8) || reported.has(8) !== reported.has(9))
      return "EINVAL";
    sas.set(an, { active: active === 1, pn: number, keyId: keyId ?? "", sak });
    return undefined;
  }
  if (sa === undefined) return "ENODEV";
  if (name.startsWith("delete")) {
    if (sa.active) return "EBUSY";
    sas.delete(an);
    return undefined;
  }
  if (active !== undefined) sa.active = active === 1;
  if (number !== undefined) sa.pn = number;
  return undefined;
}

type Attributes = ReadonlyMap<number, Uint8Array>;
const none = new Uint8Array(8);

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);

function numberOf(octets: Uint8Array): bigint {
  return octets.length === 4
    ? BigInt(viewOf(octets).getUint32(0, true))
    : viewOf(octets).getBigUint64(0, true);
}

function attributesIn(octets: Uint8Array): Attributes {
  const found = new Map<number, Uint8Array>();
  if (octets === none) return found;
  eachAttribute({ view: viewOf(octets), start: 0, end: octets.length }, (type, start, end) => {
    found.set(type, octets.subarray(start, end));
  });
  return found;
}

function message(type: number, body: Octets): NetlinkMessage {
  const octets = bytesOf(body);
  const flags = netlinkFlags.multi;
  return { type, flags, view: new DataView(octets.buffer), start: 0, end: octets.length };
}

function dumpOf({ index, suite, sci, includeSci, window, ...held }: PretendSecy): Octets {
  const wide = suite.includes("xpn");
  const { received } = held;
  const counted = received === undefined ? [] : nested(6, attribute(1, u32.write(received)));
  const saOf = ([an, { active, pn, keyId }]: [number, Sa]): Octets =>
    nested(
      an + 1,
      octet(1, an),
      octet(2, active ? 1 : 0),
      attribute(3, wide ? u64.write(pn) : u32.write(Number(pn))),
      attribute(5, [octetsOf(keyId)]),
      counted,
    );
  const sasOf = (sas: Map<number, Sa>): Octets => [...sas].flatMap(saOf);
  const secy = nested(
    4,
    attribute(1, [octetsOf(sci)]),
    octet(2, held.encodingSa),
    attribute(4, u64.write(suiteIds[suite])),
    octet(7, window === undefined ? 0 : 1),
    ...(window === undefined ? [] : [attribute(3, u32.write(window))]),
    octet(11, includeSci ? 1 : 0),
  );
  const channels = [...held.receive].map(([name, sas], at) =>
    nested(at + 1, attribute(1, [octetsOf(name)]), octet(2, 1), nested(3, sasOf(sas))),
  );
  return [
    Uint8Array.of(0, 1, 0, 0),
    ...attribute(1, u32.write(index)),
    ...secy,
    ...nested(5, sasOf(held.transmit)),
    ...nested(6, ...channels),
  ];
}
