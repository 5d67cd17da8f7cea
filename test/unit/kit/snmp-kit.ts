// A simulated SNMP agent, an attacker between it and its client, and forged messages.

import { createSocket, type Socket } from "node:dgram";
import { SnmpAgents, type SnmpTimeouts } from "#drivers/transport/snmp.ts";
import type { SnmpLogin, Target } from "#hal/target.ts";
import type { SnmpReply } from "#hal/world.ts";
import type { SnmpObject } from "#sim/emulators/snmp.ts";
import { type SnmpServed, type SnmpUser, serveSnmp } from "#sim/serve/snmp.ts";

export const user: SnmpUser = {
  name: "linkseal",
  auth: "sha256",
  authPassphrase: "planted-canary-auth",
  privacy: "aes128",
  privacyPassphrase: "planted-canary-privacy",
};

/** References are the passphrases themselves. */
export const material = { passphrase: async (reference: string) => Buffer.from(reference) };

export const hasty: SnmpTimeouts = { attemptMs: 150, retries: 1 };
export const never: AbortSignal = new AbortController().signal;

const descriptions = "1.3.6.1.2.1.2.2.1.2";
export const names = "1.3.6.1.2.1.31.1.1.1.1";
export const octets = "1.3.6.1.2.1.31.1.1.1.6";
/** Its first arc is 1.0 and not 1.3. */
export const suites = "1.0.8802.1.1.3.1.1.1.1.9";
export const past53 = 2n ** 63n + 12_345n;

const textOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const held: readonly SnmpObject[] = [
  { oid: "1.3.6.1.2.1.1.3.0", type: "timeTicks", value: 4_200n },
  ...Array.from({ length: 70 }, (_, index): SnmpObject => {
    const oid = `${descriptions}.${index + 1}`;
    return { oid, type: "octets", value: textOf(`et-0/0/${index}`) };
  }),
  { oid: `${names}.1`, type: "octets", value: textOf("et-0/0/0") },
  { oid: `${names}.2`, type: "octets", value: textOf("et-0/0/1") },
  { oid: `${octets}.1`, type: "counter64", value: past53 },
  { oid: `${octets}.2`, type: "counter64", value: 0n },
  { oid: `${suites}.1`, type: "identifier", value: "1.0.8802.1.1.3.1.1.8.1.1.0.128" },
];

export { descriptions };

export function agentOf(over: Partial<Parameters<typeof serveSnmp>[0]> = {}): Promise<SnmpServed> {
  return serveSnmp({ port: 0, objects: () => held, users: [user], ...over });
}

export function targetOf(port: number, over: Partial<SnmpUser> = {}): Target {
  const { name, ...rest } = { ...user, ...over };
  const snmp: SnmpLogin = { access: "v3", port, user: name, ...rest };
  return { device: "edge-a", address: "127.0.0.1", snmp };
}

export async function ask(
  to: Target,
  roots: readonly string[] = [names],
  timeouts = hasty,
): Promise<SnmpReply> {
  using agents = new SnmpAgents(material, timeouts);
  return await agents.ask(to, { roots, leaves: [], valuesMax: 100 }, never);
}

/** The parts of a request that are readable without a key. */
export interface ReceivedMessage {
  readonly message: Buffer;
  readonly id: number;
  readonly security: number;
  readonly engine: Buffer;
}

/** Replaces a message on its way: each of the returned messages arrives there. */
export interface Way {
  question?: (received: ReceivedMessage) => readonly Buffer[] | "pass";
  reply?: (message: Buffer, received: ReceivedMessage) => readonly Buffer[] | "pass";
}

/** An attacker on the address that the client asks: it reads everything and knows no key. */
export class Interloper implements AsyncDisposable {
  readonly #near: Socket;
  readonly #far: Socket;
  /** An address of its own. */
  readonly #aside: Socket;
  readonly received: ReceivedMessage[] = [];
  way: Way = {};
  answersFromAside = false;
  #client = 0;

  private constructor(near: Socket, far: Socket, aside: Socket, read: "v3" | "plain") {
    this.#near = near;
    this.#far = far;
    this.#aside = aside;
    near.on("message", (message, from) => {
      this.#client = from.port;
      const received = read === "v3" ? readQuestion(message) : unread(message);
      this.received.push(received);
      const made = this.way.question?.(received) ?? "pass";
      if (made === "pass") this.#far.send(message);
      else for (const one of made) this.#answer(one);
    });
    far.on("message", (message) => {
      const asked = this.received.at(-1);
      if (asked === undefined) return;
      const made = this.way.reply?.(message, asked) ?? "pass";
      for (const one of made === "pass" ? [message] : made) this.#answer(one);
    });
  }

  static async before(agent: number, read: "v3" | "plain" = "v3"): Promise<Interloper> {
    const [near, far, aside] = [1, 2, 3].map(() => createSocket("udp4")) as [
      Socket,
      Socket,
      Socket,
    ];
    await Promise.all(
      [near, aside].map(
        (socket) => new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve)),
      ),
    );
    await new Promise<void>((resolve) => far.connect(agent, "127.0.0.1", resolve));
    return new Interloper(near, far, aside, read);
  }

  get port(): number {
    return this.#near.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of [this.#near, this.#far, this.#aside]) socket.close();
  }

  #answer(message: Buffer): void {
    const socket = this.answersFromAside ? this.#aside : this.#near;
    socket.send(message, this.#client, "127.0.0.1");
  }
}

function ber(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const head = length < 0x80 ? [length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), body]);
}

function integer(value: number): Buffer {
  const body = Buffer.alloc(4);
  body.writeInt32BE(value);
  return ber(2, body);
}

const text = (value: string | Buffer): Buffer => ber(4, Buffer.from(value));

function identifier(oid: string): Buffer {
  const [first = 0, second = 0, ...rest] = oid.split(".").map(Number);
  const septets = rest.flatMap((part) => {
    const groups = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return ber(6, Buffer.from([first * 40 + second, ...septets]));
}

export interface Forgery {
  readonly id: number;
  readonly engine: Buffer;
  /** 0 = neither authenticated nor encrypted, 1 = as if authenticated. */
  readonly flags: 0 | 1;
  readonly pdu: "response" | "report";
  readonly oid: string;
  readonly value: string;
}

/** Returns a message as RFC 3412 defines it, but without a valid key. */
export function forge({ id, engine, flags, pdu, oid, value }: Forgery): Buffer {
  const header = ber(0x30, integer(id), integer(65_507), text(Buffer.from([flags])), integer(3));
  const mac = Buffer.alloc(flags === 1 ? 24 : 0, 0x5a);
  const parameters = ber(
    0x30,
    ...[text(engine), integer(7), integer(70_000), text(user.name), text(mac), text("")],
  );
  const bound = ber(
    0x30,
    identifier(oid),
    pdu === "report" ? ber(0x41, Buffer.from([1])) : text(value),
  );
  const body = ber(
    pdu === "report" ? 0xa8 : 0xa2,
    ...[integer(1), integer(0), integer(0), ber(0x30, bound)],
  );
  const scoped = ber(0x30, text(engine), text(""), body);
  return ber(0x30, integer(3), header, text(parameters), scoped);
}

const unread = (message: Buffer): ReceivedMessage => ({
  ...{ message, id: 0, security: 0 },
  engine: Buffer.alloc(0),
});

/** Reads a request of the library; every length must have the form that the library writes. */
function readQuestion(message: Buffer): ReceivedMessage {
  const after = (at: number): number => {
    const first = message[at + 1] ?? 0;
    return first < 0x80 ? at + 2 : at + 2 + (first & 0x7f);
  };
  const end = (at: number): number => {
    const from = after(at);
    const first = message[at + 1] ?? 0;
    return from + (first < 0x80 ? first : message.readUIntBE(at + 2, first & 0x7f));
  };
  const version = after(0);
  const header = end(version);
  const id = after(header);
  const size = end(id);
  const flags = end(size);
  const parameters = end(header);
  const engine = after(after(parameters));
  return {
    message,
    id: message.readIntBE(after(id), end(id) - after(id)),
    security: (message[after(flags)] ?? 0) & 3,
    engine: message.subarray(after(engine), end(engine)),
  };
}
