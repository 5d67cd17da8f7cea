// The SNMP agent of a simulated router on the loopback address: SNMPv3, and a community only where
// one is asked for.

import { createSocket, type Socket } from "node:dgram";
import snmp from "net-snmp";
import type { SnmpAuth, SnmpPrivacy } from "#hal/target.ts";
import type { SnmpObject } from "../emulators/snmp.ts";

export interface SnmpServeOptions {
  /** The UDP port; 0 asks for any that is free. */
  readonly port: number;
  /** Reads the router's objects; undefined if the router does not answer. */
  readonly objects: () => readonly SnmpObject[] | undefined;
  readonly users: readonly SnmpUser[];
  /** The SNMPv2c community; if absent, only the users of SNMPv3 get answers. */
  readonly community?: string;
}

export interface SnmpUser {
  readonly name: string;
  readonly auth: SnmpAuth;
  readonly authPassphrase: string;
  readonly privacy: SnmpPrivacy;
  readonly privacyPassphrase: string;
}

/** A running SNMP agent. */
export interface SnmpServed {
  /** The UDP port that it listens on. */
  readonly port: number;
  /** Closes the socket. */
  close(): Promise<void>;
}

const types = {
  integer: snmp.ObjectType.Integer,
  gauge: snmp.ObjectType.Gauge,
  timeTicks: snmp.ObjectType.TimeTicks,
  counter32: snmp.ObjectType.Counter,
  counter64: snmp.ObjectType.Counter64,
  octets: snmp.ObjectType.OctetString,
  identifier: snmp.ObjectType.OID,
} as const satisfies Record<SnmpObject["type"], number>;

const auths = {
  sha224: snmp.AuthProtocols.sha224,
  sha256: snmp.AuthProtocols.sha256,
  sha384: snmp.AuthProtocols.sha384,
  sha512: snmp.AuthProtocols.sha512,
} as const satisfies Record<SnmpAuth, number>;

const privacies = {
  aes128: snmp.PrivProtocols.aes,
  aes256b: snmp.PrivProtocols.aes256b,
  aes256r: snmp.PrivProtocols.aes256r,
} as const satisfies Record<SnmpPrivacy, number>;

const host = "127.0.0.1";

/** Serves the objects of a simulated router over SNMP. */
export async function serveSnmp(options: SnmpServeOptions): Promise<SnmpServed> {
  const socket = await bound(options.port);
  const agent = snmp.createAgent(
    {
      port: options.port,
      address: host,
      accessControlModelType: snmp.AccessControlModelType.Simple,
      dgramModule: { createSocket: () => readFirst(socket, () => refresh(agent, options.objects)) },
    },
    () => undefined,
  );
  // The library begins with 0 boots, which a manager takes for an agent without a clock.
  agent.engine.engineBoots = 1;
  const authorizer = agent.getAuthorizer();
  for (const { name, auth, authPassphrase, privacy, privacyPassphrase } of options.users) {
    authorizer.addUser({
      name,
      level: snmp.SecurityLevel.authPriv,
      authProtocol: auths[auth],
      authKey: authPassphrase,
      privProtocol: privacies[privacy],
      privKey: privacyPassphrase,
    });
  }
  if (options.community !== undefined) authorizer.addCommunity(options.community);
  return {
    port: socket.address().port,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function bound(port: number): Promise<Socket> {
  const socket = createSocket("udp4");
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, host, () => {
      socket.removeListener("error", reject);
      resolve(socket);
    });
  });
}

/** Makes each query find the router as it is at that moment; the library gets a bound socket. */
function readFirst(socket: Socket, refreshed: () => "answers" | "silent") {
  return {
    bind: () => undefined,
    on(event: string, listener: (...words: unknown[]) => void) {
      if (event !== "message") {
        socket.on(event, listener);
        return;
      }
      socket.on("message", (message, from) => {
        if (refreshed() === "answers") listener(message, from);
      });
    },
    send: (...words: Parameters<Socket["send"]>) => socket.send(...words),
    address: () => socket.address(),
    close: () => socket.close(),
  };
}

interface MibTree {
  addProviderToNode(provider: object): object;
  addNodesForOid(oid: string): { valueType?: number; value?: unknown };
}

function refresh(
  agent: { setMib(mib: object): void },
  objects: SnmpServeOptions["objects"],
): "answers" | "silent" {
  const held = objects();
  if (held === undefined) return "silent";
  const mib: MibTree = snmp.createMib();
  const readOnly = snmp.MaxAccess["read-only"];
  for (const { oid, type, value } of held) {
    // Each value gets a provider of its own: rows come and go, and their indices have many forms.
    const name = oid.slice(0, oid.lastIndexOf("."));
    mib.addProviderToNode({
      name,
      oid: name,
      type: snmp.MibProviderType.Scalar,
      scalarType: types[type],
      maxAccess: readOnly,
    });
    const node = mib.addNodesForOid(oid);
    node.valueType = types[type];
    node.value = wireValue(type, value);
  }
  agent.setMib(mib);
  return "answers";
}

function wireValue(type: SnmpObject["type"], value: SnmpObject["value"]): unknown {
  if (typeof value === "string") return value;
  if (typeof value !== "bigint") return Buffer.from(value);
  if (type !== "counter64") return Number(value);
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64BE(value);
  return octets;
}
