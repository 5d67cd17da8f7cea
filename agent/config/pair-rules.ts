// Rules for tunnels whose keys the agent gives to their gateways, alone or in pairs.

import { encodeJson } from "#hal/json.ts";
import { type Finding, finding } from "./rule.ts";
import type { Config } from "./schema.ts";

type Tunnel = Config["tunnels"][number];

interface Fault {
  readonly why: string;
  readonly write: string;
}

/** Finds tunnels whose key the agent cannot give. */
export function* writtenKeys({ azure, tunnels }: Config): Generator<Finding> {
  for (const [i, tunnel] of tunnels.entries()) {
    if (tunnel.auth.farEnd !== "agent") continue;
    const id = connectionOf(tunnel);
    const others = tunnels.filter((other, j) => j !== i && connectionOf(other) === id);
    const fault = azure.cloud === "sim" ? simulated : faultOf(tunnel, others);
    if (fault === undefined) continue;
    yield finding(["tunnels", i, "auth", "farEnd"], "is agent", fault.why, fault.write);
  }
}

const simulated: Fault = { why: "a simulated site has no connection", write: "farEnd: manual" };
const unconnected: Fault = {
  why: "the tunnel names no remote.azureConnection to write to",
  write: "azureConnection: the connection's resource id",
};

const connectionOf = ({ remote }: Tunnel): string | undefined =>
  remote.azureConnection?.toLowerCase();

/** Why the key of a tunnel cannot be given; `others` are of the same connection. */
function faultOf(one: Tunnel, others: readonly Tunnel[]): Fault | undefined {
  if (connectionOf(one) === undefined) return unconnected;
  const [other, third] = others;
  if (other === undefined) return undefined;
  const { name } = other;
  if (third !== undefined) {
    const why = `${name} and ${third.name} are of the same connection, whose gateway has two ends`;
    return { why, write: "a connection of its own for the third" };
  }
  if (one.remote.address === other.remote.address) {
    const why = `${name} is of the same connection, and goes to the same address`;
    return { why, write: "the address of the gateway's other instance at one of them" };
  }
  const difference = shared.find(({ of }) => encodeJson(of(one)) !== encodeJson(of(other)));
  if (difference === undefined) return undefined;
  const why = `${name} is of the same connection, which has one key, and differs`;
  return { why, write: `${difference.what}: the same at both` };
}

/** What the two tunnels of a connection have in common. */
const shared: readonly { readonly what: string; readonly of: (tunnel: Tunnel) => unknown }[] = [
  { what: "device", of: ({ device }) => device },
  { what: "local", of: ({ local }) => [local.address, local.id] },
  { what: "ike", of: ({ ike }) => ike },
  { what: "auth", of: ({ auth }) => [auth.psk, auth.farEnd, auth.ppk, auth.ppkId, auth.ppkUse] },
];
