// A charon in memory: it loads, initiates, rekeys and terminates on request, and logs it.

import type { Charon } from "#drivers/linux/ipsec/charon.ts";
import { childName } from "#drivers/linux/ipsec/messages.ts";
import type { ViciMessage, ViciSection, ViciValue } from "#drivers/transport/vici-wire.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { Clock } from "#hal/world.ts";
import type { TunnelKernel } from "./tunnel-kernel.ts";
import { type Asked, type CharonReply, TestCharon } from "./vici-peer.ts";

export const tunnelSpec: TunnelSpec = {
  name: "hub-1",
  localAddress: "198.51.100.1",
  remoteAddress: "203.0.113.1",
  localPrefixes: ["10.1.0.0/16"],
  remotePrefixes: ["10.100.0.0/16"],
  ike: { encryption: "aes-256-gcm", integrity: "none", prf: "sha384", dhGroup: "ecp-384" },
  transforms: { encryption: "aes-256-gcm", integrity: "none", dhGroup: "ecp-384" },
  life: { seconds: 27_000, kilobytes: 102_400_000 },
  mtu: 1400,
  ifId: 42,
  auth: { kind: "psk", secretId: "https://v/secrets/hub-1-psk/1" },
};

export function at(section: ViciSection, ...path: readonly string[]): ViciValue | undefined {
  let value: ViciValue | undefined = section;
  for (const step of path) value = value instanceof Map ? value.get(step) : undefined;
  return value;
}

/** Returns a value that is text. */
export function textAt(section: ViciSection, ...path: readonly string[]): string {
  const value = at(section, ...path);
  if (typeof value === "string") return value;
  throw new Error(`no text at ${path.join(".")}`);
}

interface Child {
  readonly name: string;
  /** Id of its IKE SA. */
  readonly ike: number;
  readonly spiIn: number;
  readonly spiOut: number;
  readonly dhGroup: string | undefined;
}

/** Errors of the daemon on a request; `said` has the log lines of each. */
export type Disagreement = "psk" | "ikeProposal" | "espProposal" | "pfsGroup" | "peerSilent";

const logLines: Readonly<Record<Disagreement, readonly string[]>> = {
  psk: ["received AUTHENTICATION_FAILED notify error"],
  ikeProposal: ["received NO_PROPOSAL_CHOSEN notify error"],
  espProposal: [
    "IKE_SA hub-1[1] established between 198.51.100.1[a]...203.0.113.1[b]",
    "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built",
  ],
  pfsGroup: ["received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"],
  peerSilent: ["giving up after 3 retransmits"],
};

export class PretendCharon {
  readonly asked: string[] = [];
  readonly loaded = new Map<string, ViciSection>();
  readonly shared = new Map<string, string>();
  /** Ids of private keys. */
  readonly keys: string[] = [];
  readonly children: Child[] = [];
  ikeId = 0;
  disagreement: Disagreement | undefined;
  /** True if it accepts every request and answers none. */
  hangs = false;
  /** True if it is working on its IKE SAs, as it does at each rekey and dead peer detection. */
  isBusy = false;
  /** True if it takes requests for a rekey, and none of them leads to anything. */
  isDeaf = false;
  onInitiate: () => void = () => undefined;
  /** Called with each command before it is carried out. */
  onAsked: (command: string) => void = () => undefined;
  /** More of what it reports about each IKE SA. */
  more: Readonly<Record<string, string>> = {};
  /** Seconds since the newest packet from the gateway; undefined = there was none. */
  quietS: number | undefined;
  /** True if it refuses every connection. */
  away = false;
  /** More that it reports of each IKE SA. */
  ike: Readonly<Record<string, string>> = {};
  /** The connection for which each IKE SA was made, by the id of the IKE SA. */
  readonly #ikes = new Map<number, string>();
  readonly #kernel: TunnelKernel | undefined;
  readonly #daemons: TestCharon[] = [];
  #spi = 0xc0000000;

  constructor(kernel?: TunnelKernel) {
    this.#kernel = kernel;
  }

  /** Ends the daemon; its objects in the kernel stay there. */
  die(): void {
    this.children.length = 0;
    this.#ikes.clear();
    this.ikeId = 0;
    this.loaded.clear();
    this.shared.clear();
    this.keys.length = 0;
  }

  #end(isMeant: (child: Child) => boolean = () => true): void {
    const gone = this.children.filter(isMeant);
    const own = new Set(gone.flatMap(({ spiIn, spiOut }) => [spiIn, spiOut]));
    this.children.splice(0, this.children.length, ...this.children.filter((one) => !isMeant(one)));
    const kernel = this.#kernel;
    if (kernel !== undefined) kernel.sas = kernel.sas.filter(({ spi }) => !own.has(spi));
  }

  #terminate(message: ViciSection): void {
    const [ike, child] = [message.get("ike-id"), message.get("child-id")];
    if (typeof child === "string") this.#end(({ spiIn }) => `${spiIn}` === child);
    else if (typeof ike === "string") {
      this.#ikes.delete(Number(ike));
      this.#end((one) => `${one.ike}` === ike);
    } else {
      this.#end();
      this.#ikes.clear();
      this.ikeId = 0;
    }
  }

  face(clock: Clock): Charon {
    const stream: Charon["stream"] = async () => {
      if (this.away) throw new Error("no daemon answers");
      const daemon = new TestCharon((asked) => this.#answer(asked));
      this.#daemons.push(daemon);
      return daemon.channel;
    };
    return { path: "/run/charon.vici", stream, clock };
  }

  /** Closes all connections of clients, as a daemon that ends does. */
  hangUp(): void {
    for (const { channel } of this.#daemons) channel[Symbol.dispose]();
  }

  /** Ends the children, or also their IKE SAs, as when the gateway deletes them. */
  lose(what: "children" | "all"): void {
    this.#end();
    if (what === "all") this.#ikes.clear();
  }

  /** Makes an IKE SA without a child, as charon lists it while it tries. */
  connect(): void {
    this.ikeId += 1;
    this.#ikes.set(this.ikeId, this.#shown());
    this.ike = { state: "CONNECTING" };
  }

  /** Logs a line about an IKE SA of the tunnel, the newest if none is named. */
  log(line: string, ikeSa = this.ikeId): void {
    this.#log(line, ikeSa);
  }

  /** Adds a child as if it had been up before. */
  stand(dhGroup?: string, name = childName(tunnelSpec)): void {
    const shown = this.#shown();
    // An IKE SA of the very same connection takes another child.
    if (!this.#ikes.has(this.ikeId) || this.#ikes.get(this.ikeId) !== shown) {
      this.ikeId += 1;
      this.#ikes.set(this.ikeId, shown);
    }
    this.#addChild(dhGroup, name);
  }

  /** Returns the connection without its children, by which IKE SAs are told apart. */
  #shown(): string {
    const [loaded = new Map()] = this.loaded.values();
    const rest = [...loaded].filter(([key]) => key !== "children");
    return JSON.stringify(rest, (_key, value) => (value instanceof Map ? [...value] : value));
  }

  #addChild(dhGroup: string | undefined, name: string): void {
    this.#spi += 2;
    const { ikeId: ike } = this;
    this.children.push({ name, ike, spiIn: this.#spi, spiOut: this.#spi + 1, dhGroup });
    this.#kernel?.addSa(this.#spi, "in");
    this.#kernel?.addSa(this.#spi + 1, "out");
  }

  #answer({ command, message }: Asked): CharonReply {
    this.asked.push(command);
    this.onAsked(command);
    if (this.hangs) return "silence";
    const yes = { answer: { success: "yes" } };
    switch (command) {
      case "load-shared":
        this.shared.set(textAt(message, "id"), textAt(message, "data"));
        return yes;
      case "load-conn":
        for (const [name, value] of message) this.loaded.set(name, value as ViciSection);
        return yes;
      case "load-cert":
        return yes;
      case "load-key":
        this.keys.push(`${this.keys.length}`.padStart(40, "a"));
        return yes;
      case "get-keys":
        return { answer: { keys: [...this.keys] } };
      case "unload-key":
        this.keys.splice(this.keys.indexOf(textAt(message, "id")), 1);
        return yes;
      case "unload-conn":
        return this.loaded.delete(textAt(message, "name")) ? yes : no("not found");
      case "unload-shared":
        return this.shared.delete(textAt(message, "id")) ? yes : no("not found");
      case "initiate":
        return this.#initiate(textAt(message, "child"));
      case "rekey":
        return this.#rekey(message);
      case "terminate":
        this.#terminate(message);
        return yes;
      case "list-conns":
        return {
          events: [...this.loaded.keys()].map((name) => ({
            name: "list-conn",
            message: { [name]: this.#connection(name) },
          })),
          answer: {},
        };
      case "list-sas":
        return {
          events: this.#sas(message).map((sa) => ({ name: "list-sa", message: sa })),
          answer: {},
        };
      default:
        return "unknown";
    }
  }

  #connection(name: string): ViciMessage {
    const children = at(this.loaded.get(name) ?? new Map(), "children");
    const names = children instanceof Map ? [...children.keys()] : [];
    return {
      ...{ version: "IKEv2", "local-1": { class: this.#classOf(name) } },
      children: Object.fromEntries(names.map((child) => [String(child), { mode: "TUNNEL" }])),
    };
  }

  #classOf(name: string): string {
    const connection = this.loaded.get(name);
    const auth = connection === undefined ? undefined : at(connection, "local", "auth");
    return auth === "pubkey" ? "public key" : "pre-shared key";
  }

  #initiate(child: string): CharonReply {
    this.onInitiate();
    this.#log("initiating IKE_SA hub-1[1] to 203.0.113.1");
    if (this.disagreement !== undefined && this.disagreement !== "pfsGroup") {
      for (const line of logLines[this.disagreement]) this.#log(line);
    } else this.stand(undefined, child);
    return { answer: { success: "yes" } };
  }

  #rekey(message: ViciSection): CharonReply {
    if (this.ikeId === 0) return { answer: { success: "no", errmsg: "no match" } };
    if (this.isDeaf) return { answer: { success: "yes", matches: "1" } };
    if (this.disagreement === "pfsGroup") {
      for (const line of logLines.pfsGroup) this.#log(line);
    } else if (this.disagreement === "psk" && message.has("reauth")) {
      for (const line of logLines.psk) this.#log(line);
    } else if (message.has("child-id")) {
      const id = textAt(message, "child-id");
      const meant = this.children.find(({ spiIn }) => `${spiIn}` === id);
      if (meant === undefined) return no("no match");
      this.#end((child) => child === meant);
      this.#addChild("ECP_384", meant.name);
    } else {
      const [before, shown] = [this.ikeId, this.#shown()];
      this.ikeId += 1;
      this.#ikes.delete(before);
      this.#ikes.set(this.ikeId, shown);
      this.children.splice(
        ...([0, this.children.length] as const),
        ...this.children.map((child) => ({ ...child, ike: this.ikeId })),
      );
    }
    return { answer: { success: "yes", matches: "1" } };
  }

  #log(msg: string, ikeSa = this.ikeId): void {
    const sa = { "ikesa-name": "hub-1", "ikesa-uniqueid": `${ikeSa}` };
    const line = { group: "IKE", level: "1", ...sa, msg };
    for (const daemon of this.#daemons) daemon.emit("log", line);
  }

  #sas(asked: ViciSection): readonly ViciMessage[] {
    // Any value of this key keeps charon from waiting for an IKE SA that is in use (vici README).
    if (asked.has("noblock") && this.isBusy) return [];
    return [...this.#ikes.keys()].map((id) => this.#sa(id));
  }

  #sa(id: number): ViciMessage {
    const cipher = { "encr-alg": "AES_GCM_16", "encr-keysize": "256" };
    const own = this.children.filter(({ ike }) => ike === id);
    const children = own.map(({ name, spiIn, spiOut, dhGroup }) => [
      `${name}-${spiIn}`,
      {
        ...{ name, uniqueid: `${spiIn}`, state: "INSTALLED", ...cipher },
        ...{ "spi-in": spiIn.toString(16), "spi-out": spiOut.toString(16) },
        ...(dhGroup === undefined ? {} : { "dh-group": dhGroup }),
        ...(this.quietS === undefined ? {} : { "use-in": `${this.quietS}` }),
      },
    ]);
    const ike = { uniqueid: String(id), state: "ESTABLISHED", ...cipher, ...this.ike };
    const more = { "prf-alg": "PRF_HMAC_SHA2_384", "dh-group": "ECP_384" };
    const all = { ...ike, ...more, ...this.more };
    return { "hub-1": { ...all, "child-sas": Object.fromEntries(children) } };
  }
}

const no = (errmsg: string): CharonReply => ({ answer: { success: "no", errmsg } });
