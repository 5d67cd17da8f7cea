// Tunnels whose keys the agent gives to their gateways, and the two tunnels of one connection.

import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import type { Desired } from "#agent/model/desired.ts";
import { sharersOf } from "#agent/model/tunnel-pair.ts";
import { siteConfig } from "../../kit/site-config.ts";

function desiredOf(text: string): Desired {
  const parsed = parseConfig(text, "site.yaml");
  if (parsed.kind === "ok") return parsed.desired;
  throw new Error(JSON.stringify(parsed.complaints));
}

const group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/net";
const network = `${group}/providers/Microsoft.Network`;
const connection = `${network}/connections/hub-1`;
const base = siteConfig
  .replace("  cloud: sim\n", "  cloud: public\n  identity: { kind: arc }\n")
  .replace("vault: unix:/run/site.sock", "vault: https://kv-erd.vault.azure.net")
  .replace("expressRoutePort: erd-demo", `expressRoutePort: ${network}/expressRoutePorts/erd-demo`)
  .replace("address: 203.0.113.1", `$&, azureConnection: ${connection}`);
const giving = (text: string): string =>
  text.replace("psk: hub-1-psk", "psk: hub-1-psk, farEnd: agent");

describe("tunnels whose keys the agent gives", () => {
  it("a tunnel whose key the agent sets names its connection", () => {
    const bare = giving(base).replace(`, azureConnection: ${connection}`, "");
    expect(() => desiredOf(bare)).toThrow("names no remote.azureConnection to write to");
  });

  /** `hub-1`, and for each number another tunnel of its connection. */
  const paired = (change: (other: string) => string = (other) => other, numbers = [2]): string => {
    const text = giving(base);
    const [, first = ""] = /( {2}- name: hub-1\n(?: {4}.*\n)+)/.exec(text) ?? [];
    const others = numbers.map((number) =>
      first
        .replace("name: hub-1", `name: hub-${number}`)
        .replaceAll("10.100.", `10.${99 + number}.`)
        .replace("203.0.113.1", `203.0.113.${number}`)
        .replace(connection, connection.replace("hub-1", "HUB-1")),
    );
    return text.replace(first, `${first}${change(others.join(""))}`);
  };

  it.each(["connections/hub-1", "vpnGateways/gw/vpnConnections/edge/vpnLinkConnections/first"])(
    "two tunnels to the instances of one gateway share a connection and its key: %s",
    (id) => {
      const text = paired().replaceAll(/connections\/hub-1/gi, id);
      const desired = desiredOf(text);
      expect(desired.tunnels.map((tunnel) => sharersOf(desired.tunnels, tunnel))).toEqual([
        desired.tunnels,
        desired.tunnels,
      ]);
      expect(desired.tunnels.map(({ azureConnection }) => azureConnection)).toEqual(
        Array(2).fill(`${network}/${id}`),
      );
    },
  );

  it.each([
    ["another key", ["psk: hub-1-psk", "psk: hub-2-psk"], "auth: the same at both"],
    ["a person at one", [", farEnd: agent", ""], "auth: the same at both"],
    ["another outer address", ["address: 198.51.100.1", "address: 198.51.100.9"], "local: the sa"],
    ["another version of IKE", ["protects:", "ike: v1\n    protects:"], "ike: the same at both"],
    ["one instance", ["203.0.113.2", "203.0.113.1"], "goes to the same address"],
  ] as const)("a connection whose tunnels have %s is refused", (_what, [from, to], says) => {
    const text = paired((other) => other.replace(from, to));
    expect(() => desiredOf(text)).toThrow(says);
  });

  it("a connection with three tunnels is refused", () => {
    expect(() => desiredOf(paired(undefined, [2, 3]))).toThrow(
      "hub-2 and hub-3 are of the same connection, whose gateway has two ends",
    );
  });
});
