// Routers that want to exhaust the agent: SSH servers on the loopback address that take any login,
// and then send what no router sends. Runs as a process of its own, which a test forks.

import net, { type AddressInfo } from "node:net";
import ssh2, { type Connection, type Server, type ServerChannel } from "ssh2";
import { hostKeyPair } from "#sim/serve/ssh.ts";
import { pinOf } from "../unit/kit/ssh-bench.ts";
import { servedSwollen, swollen } from "./swollen-router.ts";

/** What a test asks for: one server for each name. */
interface HostileOrder {
  readonly attacks: readonly string[];
}

/** A server that was asked for. */
export interface HostileServed {
  readonly attack: string;
  readonly port: number;
  readonly hostKey: string;
}

export type HostileNews = readonly HostileServed[];

interface Attack {
  readonly kind: "netconf" | "shell" | "raw";
  /** The prompt of a shell. */
  readonly prompt?: string;
  /** Called with the channel for each request, or with the socket of a raw server. */
  readonly play: (out: Out, request: string) => void | Promise<void>;
  /** Called as soon as the channel is open, in place of a greeting. */
  readonly greet?: (out: Out) => void | Promise<void>;
}

/** Octets beyond a window; they wait in this process. */
const overrunMax = 96 * 1024 * 1024;

/** The way to a client. */
class Out {
  readonly #stream: ServerChannel | net.Socket;

  constructor(stream: ServerChannel | net.Socket) {
    this.#stream = stream;
  }

  get isOpen(): boolean {
    return this.#stream.writable && !this.#stream.destroyed;
  }

  write(octets: string | Buffer): boolean {
    try {
      return this.isOpen && this.#stream.write(octets);
    } catch {
      return false;
    }
  }

  /** Sends a piece again and again, as fast as the client takes it. */
  async pour(piece: string, times = Number.POSITIVE_INFINITY): Promise<void> {
    const octets = Buffer.from(piece);
    for (let sent = 0; sent < times && this.isOpen; sent += 1) {
      if (!this.write(octets)) await this.#drained();
    }
  }

  /** Sends each octet in a packet of its own, and ignores the window of the channel. */
  async drizzle(piece: string): Promise<void> {
    const stream = this.#stream as ServerChannel & { outgoing: { window: number } };
    const octets = [...Buffer.from(piece)].map((octet) => Buffer.of(octet));
    while (this.isOpen) {
      for (const octet of octets) {
        stream.outgoing.window = 2 ** 31;
        this.write(octet);
      }
      await new Promise(setImmediate);
    }
  }

  /** Sends without regard to the window of the channel. */
  async overrun(piece: string): Promise<void> {
    const stream = this.#stream as ServerChannel & { outgoing: { window: number } };
    const octets = Buffer.from(piece);
    // The first octet alone, so that the window never is exactly zero.
    this.write(octets.subarray(0, 1));
    this.write(octets.subarray(1));
    for (let sent = 0; sent < overrunMax && this.isOpen; sent += octets.length) {
      stream.outgoing.window = 2 ** 31;
      this.write(octets);
      if (sent % (16 * octets.length) === 0) await new Promise(setImmediate);
    }
  }

  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#stream.once("drain", resolve).once("close", resolve);
    });
  }
}

const base = "urn:ietf:params:netconf:base";
const hello = (version: string): string =>
  `<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities><capability>${base}:1.0` +
  `</capability><capability>${base}:${version}</capability></capabilities></hello>]]>]]>`;

const chunk = (text: string): string => `\n#${Buffer.byteLength(text)}\n${text}`;
const message = (text: string): string => `${chunk(text)}\n##\n`;
const reply = (id: string, body: string): string =>
  message(`<rpc-reply message-id="${id}">${body}</rpc-reply>`);
/** The body of a reply, sent in chunks until the client gives up. */
const endless = (piece: string) => async (out: Out, id: string) => {
  out.write(chunk(`<rpc-reply message-id="${id}">`));
  await out.pour(chunk(piece.repeat(Math.ceil(16_384 / piece.length))));
};
const filled = (piece: string, octets: number): string =>
  piece.repeat(Math.ceil(octets / piece.length));
/** The longest reply that is taken, and no more. */
const longest = 5.9 * 1024 * 1024;
/** A whole reply with this body: of one without an end a reader never sees an octet. */
const longReply =
  (body: () => string) =>
  (out: Out, id: string): void =>
    void out.write(reply(id, body()));

const port = (name: string): string =>
  `<physical-interface><name>${name}</name><admin-status>up</admin-status><oper-status>up` +
  "</oper-status><speed>100Gbps</speed><traffic-statistics><input-packets>1</input-packets>" +
  "</traffic-statistics></physical-interface>";
const numbered = (make: (name: string) => string, octets: number): string => {
  const parts: string[] = [];
  for (let length = 0; length < octets; length += parts.at(-1)?.length ?? 1) {
    parts.push(make(`et-${parts.length >> 8}/0/${parts.length & 255}`));
  }
  return parts.join("");
};

/** Each request is answered by the same element, of 900 kB, so that all together are taken. */
const many = (root: string, make: (name: string) => string) => {
  const body = `<${root}>${numbered(make, 900_000)}</${root}>`;
  return (out: Out, id: string): void => void out.write(reply(id, body));
};

const netconf = (play: Attack["play"], greet?: Attack["greet"]): Attack => ({
  ...{ kind: "netconf", play },
  ...(greet !== undefined && { greet }),
});

const netconfAttacks: Readonly<Record<string, Attack>> = {
  "chunks of one octet": netconf((out) => out.pour("\n#1\nX".repeat(13_000))),
  "one chunk without an end": netconf(async (out) => {
    out.write("\n#4294967295\n");
    await out.pour("x".repeat(65_536));
  }),
  elements: netconf(endless("<a/>")),
  "elements with an attribute": netconf(longReply(() => filled('<a b=""/>', longest))),
  "attributes of one element": netconf(
    longReply(() => `<a ${Array.from({ length: 500_000 }, (_, n) => `a${n}=""`).join(" ")}/>`),
  ),
  depth: netconf(longReply(() => filled("<a>", longest))),
  "depth behind a quoted end": netconf(longReply(() => filled('<a b="/>">', longest))),
  "open tags": netconf(endless("<a")),
  "comments in a text": netconf(endless("a<!---->")),
  "a text without an end": netconf(endless("A")),
  "the longest text": netconf(longReply(() => filled("A", longest))),
  "the longest text of references": netconf(longReply(() => filled("&lt;", longest))),
  "the longest text of line ends": netconf(longReply(() => `x${filled("\r", longest)}`)),
  "the longest value of tabs": netconf(longReply(() => `<a b="${filled("\t", longest)}"/>`)),
  "the longest instruction": netconf(longReply(() => `<?a ${filled(" ", longest)}?>`)),
  "the most elements": netconf(longReply(() => filled("<a>b</a>", longest))),
  "the longest error": netconf((out, id) => {
    const text = filled("no \u009b ", longest);
    out.write(reply(id, `<rpc-error><error-message>${text}</error-message></rpc-error>`));
  }),
  "very many ports": netconf(many("interface-information", port)),
  "very many sessions": netconf(
    many("mka-session-information", (name) => `<interface-name>${name}</interface-name>`),
  ),
  "very many neighbours": netconf(
    many("bgp-information", (name) => {
      const own = `<peer-address>192.0.2.1+179</peer-address><local-as>65001</local-as>`;
      return `<bgp-peer>${own}<peer-state>Established</peer-state><x>${name}</x></bgp-peer>`;
    }),
  ),
  "replies to nothing": netconf((out) => out.pour(reply("9999999", "<ok/>").repeat(600))),
  notifications: netconf((out) => out.pour(message("<notification/>").repeat(1_500))),
  "packets of one octet": netconf((out) => out.drizzle("\n#100000\n".padEnd(2_000, "x"))),
  "more than the window": netconf((out) => out.overrun("\n#8000000\n".padEnd(32_768, "x"))),
  "a greeting without an end": netconf(
    () => undefined,
    (out) => out.pour(`<capability>${base}:1.0</capability>`.repeat(600)),
  ),
  silence: netconf(() => undefined),
};

const shell = (prompt: string, play: Attack["play"], greet?: Attack["greet"]): Attack => ({
  ...{ kind: "shell", prompt, play },
  ...(greet !== undefined && { greet }),
});

const prompts = { iosxe: "edge-a#", iosxr: "RP/0/RP0/CPU0:edge-a#", eos: "edge-a#" } as const;

/** Output for a command and the prompt behind it. */
const screen = (make: (prompt: string) => string): ((prompt: string) => Attack["play"]) => {
  return (prompt) => (out, line) => void out.write(`${line}\r\n${make(prompt)}\r\n${prompt}`);
};

const ciscoPort = (name: string): string =>
  `${name} is up, line protocol is up\r\n  Hardware is 4x100G, address is 2c33.11ff.311f\r\n` +
  "  MTU 1500 bytes, BW 100000000 Kbit/sec, DLY 10 usec,\r\n     0 packets input, 0 bytes\r\n";
const ciscoPorts = (octets: number): string => {
  const parts: string[] = [];
  for (let length = 0; length < octets; length += parts.at(-1)?.length ?? 1) {
    parts.push(ciscoPort(`HundredGigE${parts.length >> 8}/0/0/${parts.length & 255}`));
  }
  return parts.join("");
};

const shellPlays: Readonly<Record<string, (prompt: string) => Attack["play"]>> = {
  "empty lines": () => (out) => out.pour("\r\n".repeat(8_192)),
  lines: () => (out) => out.pour("A line of a router.\r\n".repeat(800)),
  "one line without an end": () => (out) => out.pour("A".repeat(16_384)),
  "escape sequences": () => (out) => out.pour("\x1b[31m\x1b]0;title\x07".repeat(1_000)),
  "a line that is written over": () => (out) => out.pour(`${"A".repeat(60)}\r`.repeat(260)),
  "pages without an end": () => (out) => out.pour("\r --More-- ", 200_000),
  "prompts in every line": (prompt) => (out) => out.pour(`${prompt}\r\n`.repeat(600)),
  "packets of one octet": () => (out) => out.drizzle("A line.\r\n"),
  "more than the window": () => (out) => out.overrun("A line of a router.\r\n".repeat(1_500)),
  "the longest lines": screen(() => filled(`${"A".repeat(60_000)}\r\n`, 5_900_000)),
  "the most lines": screen(() => filled("%\r\n", 460_000)),
  "very many ports": screen(() => ciscoPorts(1_000_000)),
  "lists in lists": screen(() => filled(`[${"[],".repeat(300)}[]],\r\n`, 5_000_000)),
  "a deep list": screen(() => "[".repeat(60_000)),
};

const shellAttacks = Object.entries(prompts).flatMap(([driver, prompt]) =>
  Object.entries(shellPlays).map(
    ([name, play]) => [`${driver}: ${name}`, shell(prompt, play(prompt))] as const,
  ),
);

const idleAttacks = Object.entries(prompts).map(
  ([driver, prompt]) =>
    [
      `${driver}: a greeting without an end`,
      shell(
        prompt,
        () => undefined,
        (out) => out.pour("Welcome\r\n".repeat(1_800)),
      ),
    ] as const,
);

const hostileText = "\x1b]0;pwned\x07\x1b[2J\x1b[31mEVIL\nline2\u0085\u009b31m\u202e";

function packet(payload: Buffer): Buffer {
  const padding = 8 - ((payload.length + 5) % 8) + 8;
  const octets = Buffer.alloc(5 + payload.length + padding);
  octets.writeUInt32BE(1 + payload.length + padding);
  octets[4] = padding;
  payload.copy(octets, 5);
  return octets;
}

function text(value: string): Buffer {
  const octets = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(octets.length);
  return Buffer.concat([length, octets]);
}

const disconnect = (description: string): Buffer =>
  packet(Buffer.concat([Buffer.of(1, 0, 0, 0, 2), text(description), text("")]));

function keyExchange(methods: string, ciphers: string): Buffer {
  const lists = [
    methods,
    "ssh-ed25519",
    ciphers,
    ciphers,
    ciphers,
    ciphers,
    "none",
    "none",
    "",
    "",
  ];
  const tail = Buffer.alloc(5);
  return packet(Buffer.concat([Buffer.of(20), Buffer.alloc(16), ...lists.map(text), tail]));
}

const raw = (play: (out: Out) => void | Promise<void>): Attack => ({ kind: "raw", play });
const ident = "SSH-2.0-evil\r\n";

/** Before the host key is known. */
const rawAttacks: Readonly<Record<string, Attack>> = {
  "ssh: a hostile identification": raw((out) => void out.write(`SSH-1.5-${hostileText}\r\n`)),
  "ssh: a long disconnect": raw((out) => {
    out.write(ident);
    out.write(disconnect(hostileText + "A".repeat(20_000)));
  }),
  "ssh: a disconnect in Chinese": raw((out) => {
    out.write(ident);
    out.write(disconnect("再见".repeat(8_000)));
  }),
  "ssh: long lists of methods": raw((out) => {
    out.write(ident);
    out.write(keyExchange(`${hostileText.replaceAll("\n", "")},${"k".repeat(20_000)}`, "a"));
  }),
  "ssh: long lists of ciphers": raw((out) => {
    out.write(ident);
    out.write(keyExchange("curve25519-sha256", `${hostileText},${"c".repeat(6_000)}`));
  }),
  "ssh: lines before the identification": raw((out) =>
    out.pour(`${"x".repeat(200)}\r\n`.repeat(300)),
  ),
  "ssh: a line without an end": raw((out) => out.pour("S".repeat(65_536))),
  "ssh: debug messages": raw(async (out) => {
    out.write(ident);
    await out.pour(
      packet(Buffer.concat([Buffer.of(4, 1), text("d".repeat(30_000)), text("")])).toString(
        "latin1",
      ),
    );
  }),
  "ssh: a length that lies": raw((out) => {
    out.write(ident);
    const octets = Buffer.alloc(64);
    octets.writeUInt32BE(0x7f_ff_ff_ff);
    out.write(octets);
  }),
  "ssh: it closes at once": raw((out) => void out.write(ident)),
};

export const attacks: ReadonlyMap<string, Attack> = new Map([
  ...Object.entries(netconfAttacks).map(([name, attack]) => [`junos: ${name}`, attack] as const),
  ...shellAttacks,
  ...idleAttacks,
  ...Object.entries(rawAttacks),
]);

/** Calls `each` for every request of NETCONF, with its number. */
function hearNetconf(stream: ServerChannel, each: (id: string) => void): void {
  let heard = "";
  stream.on("data", (octets: Buffer) => {
    heard += octets.toString("latin1");
    for (;;) {
      const found = /message-id="(\d+)"/.exec(heard);
      if (found === null) break;
      heard = heard.slice(found.index + found[0].length);
      each(found[1] ?? "");
    }
    heard = heard.slice(-40);
  });
}

function serveChannel(name: string, attack: Attack, stream: ServerChannel): void {
  stream.on("error", () => undefined).on("close", () => undefined);
  const out = new Out(stream);
  if (attack.greet !== undefined) {
    count(name);
    void attack.greet(out);
    stream.resume();
    return;
  }
  if (attack.kind === "netconf") {
    out.write(hello("1.1"));
    let isOn = false;
    hearNetconf(stream, (id) => {
      // One flood is enough for a session; a complete reply comes for each request.
      if (!isOn) count(name);
      const played = isOn ? undefined : attack.play(out, id);
      isOn = played instanceof Promise;
    });
    return;
  }
  const { prompt = "" } = attack;
  let typed = "";
  out.write(`\r\n${prompt}`);
  stream.on("data", (octets: Buffer) => {
    typed += octets.toString("latin1");
    for (let end = typed.indexOf("\n"); end >= 0; end = typed.indexOf("\n")) {
      const line = typed.slice(0, end).trim();
      typed = typed.slice(end + 1);
      if (/^show (?!clock \| include [0-9a-f]{16})/.test(line)) {
        count(name);
        void attack.play(out, line);
      } else out.write(`${line}\r\n${prompt}`);
    }
  });
}

function sshServer(name: string, attack: Attack, key: string): Server {
  return new ssh2.Server({ hostKeys: [key] }, (client: Connection) => {
    client.on("error", () => undefined);
    client.on("authentication", (attempt) => attempt.accept());
    client.on("session", (accept) => {
      const session = accept();
      session.on("pty", (allow) => allow?.());
      session.on("shell", (open) => serveChannel(name, attack, open()));
      session.on("subsystem", (open) => serveChannel(name, attack, open()));
    });
  });
}

/** How often each attack was begun so far, which a test may ask for: a login alone is none. */
export type HostileCounts = Readonly<Record<string, number>>;

const begun: Record<string, number> = {};

function count(name: string): void {
  begun[name] = (begun[name] ?? 0) + 1;
}

async function served(name: string): Promise<HostileServed> {
  const long = swollen.get(name);
  if (long !== undefined) {
    return { attack: name, ...(await servedSwollen(long, () => count(name))) };
  }
  const attack = attacks.get(name);
  if (attack === undefined) throw new RangeError(`no attack ${name}`);
  const pair = hostKeyPair();
  const server =
    attack.kind === "raw"
      ? net.createServer((socket) => {
          socket.on("error", () => undefined).resume();
          count(name);
          void attack.play(new Out(socket), "");
        })
      : sshServer(name, attack, pair.private);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port: at } = server.address() as AddressInfo;
  return { attack: name, port: at, hostKey: pinOf(pair.public) };
}

if (process.argv[1] === import.meta.filename) {
  process.on("disconnect", () => process.exit());
  process.on("message", () => process.send?.(begun));
  const order = JSON.parse(process.argv[2] ?? "") as HostileOrder;
  const all = await Promise.all(order.attacks.map(served));
  process.send?.(all.map(({ attack, port: at, hostKey }) => ({ attack, port: at, hostKey })));
}
