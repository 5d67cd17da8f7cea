// Many new tunnels of one host, of which every fifth is refused: how soon the others are up, what
// the processes take, and that a tunnel that carries is never stale meanwhile.

import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { effort } from "../../effort.ts";
import { ip, ipBatch } from "../lab.ts";
import { AgentSite } from "./agent-site.ts";
import { gatewayPsk, loadAzure, strong } from "./site.ts";
import { usedByPrograms } from "./used.ts";

const count = effort(10, 50);
const isBad = (index: number): boolean => index % 5 === 0;

let all: AgentSite;

beforeAll(async () => {
  all = await AgentSite.open();
  const { edge, gateway, far } = all.tunnels;
  const each = Array.from({ length: count }, (_, at) => at + 1);
  const addresses = (first: number): readonly string[] =>
    each.map((index) => `addr add 198.51.100.${first + index}/24 dev wire`);
  ipBatch(addresses(10), "-n", edge);
  ipBatch(addresses(110), "-n", gateway);
  for (const index of each) {
    const [peer, own] = [`198.51.100.${10 + index}`, `198.51.100.${110 + index}`];
    const name = `far-${index}`;
    const data = isBad(index) ? "another_PSK_of_16+" : gatewayPsk;
    await far.ask("load-shared", { id: name, type: "IKE", data, owners: [own, peer] });
    const ends = [
      { auth: "psk", id: own },
      { auth: "psk", id: peer },
    ] as const;
    await loadAzure(far, strong, ends, { name, own, peer, ifId: 200 + index });
  }
}, 400_000);
afterAll(() => all.close());

function tunnelLines(index: number): readonly string[] {
  return [
    `  - name: new-${index}`,
    "    device: edge",
    `    local: { address: 198.51.100.${10 + index} }`,
    `    remote: { address: 198.51.100.${110 + index} }`,
    `    protects: { local: [10.1.0.0/16], remote: [10.${120 + index}.0.0/16] }`,
    "    auth: { psk: hub-1-psk }",
  ];
}

describe("many new tunnels", { timeout: 1_200_000 }, () => {
  it("healthy tunnels come up and stay fresh while others are refused", async () => {
    await all.apply(all.config());
    await all.untilVerdict("protected");
    const lines = Array.from({ length: count }, (_, at) => tunnelLines(at + 1)).flat();
    const begun = performance.now();
    await all.apply(all.config("10.100.0.0/16", lines));
    const wanted = 1 + count - Math.floor(count / 5);
    const observed: string[] = [];
    for (let up = 0; up < wanted; await rest(1_000)) {
      const { tunnels } = await all.status();
      up = tunnels.filter(({ verdict }) => verdict === "protected").length;
      observed.push(tunnels.find(({ name }) => name === "hub-1")?.verdict ?? "absent");
    }
    const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
    console.log(`${count} new tunnels, ${wanted - 1} of them up after ${seconds} s`);
    for (const [what, { processorMs, megabytes }] of usedByPrograms()) {
      console.log(`${what}: ${processorMs} ms, ${megabytes} MB`);
    }
    expect(new Set(observed)).toEqual(new Set(["protected"]));
    const links = ip("-n", all.tunnels.edge, "link", "show", "type", "xfrm");
    expect(links).not.toContain("new-5:");
    const { tunnels } = await all.status();
    const bad = tunnels.filter(({ verdict }) => verdict !== "protected");
    expect(bad.map(({ name }) => name)).toEqual(
      tunnels.map(({ name }) => name).filter((name) => isBad(Number(name.slice(4)) || 1)),
    );
  });
});
