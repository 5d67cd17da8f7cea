// A version of a tunnel that is not confirmed leaves nothing, wherever it was interrupted, and what
// others put into the interface stays.

import { describe, expect, it } from "vitest";
import type { NetOperation } from "#drivers/linux/net/operation.ts";
import { never, refused, settled } from "../../../kit/site-bench.ts";
import { carry, NetHost } from "./net-host.ts";

const blocked = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "169.254.1.1/32", "169.254.1.5/32"];
const block: NetOperation = { kind: "ipsec.block", prefixes: blocked };
const [one = "", two = "", three = ""] = blocked;

const led = carry("hub-1", 42, [one, two]);
const paired = carry("hub-1", 42, [one, "169.254.1.1/32"], {
  ends: { local: "169.254.1.2", peer: "169.254.1.1" },
});
const pairedElsewhere = carry("hub-1", 42, [one, "169.254.1.5/32"], {
  ends: { local: "169.254.1.6", peer: "169.254.1.5" },
});

/** What leads into the interface, and the version that a boot would make. */
async function now(host: NetHost) {
  const { kernel } = host;
  const ways = kernel.policies.filter(({ action }) => action !== "block");
  return {
    ways: ways.map(({ selector }) => `${selector.destination}/${selector.destinationLength}`),
    routes: kernel.routes.map((r) => `${r.destination}/${r.destinationLength} ${r.protocol}`),
    addresses: kernel.addresses.map(({ local, address }) => `${local} ${address}`),
    stored: await host.storedLinks(),
  };
}

const sorted = ({ ways, routes, addresses, stored }: Awaited<ReturnType<typeof now>>) => ({
  ...{ ways: ways.toSorted(), routes: routes.toSorted(), addresses: addresses.toSorted(), stored },
});

async function withTunnel(version: NetOperation): Promise<NetHost> {
  const host = new NetHost();
  await host.start();
  await host.commit(block);
  await host.commit(version);
  return host;
}

/** The version that is confirmed, and the one that is interrupted. */
const changes = [
  ["that adds a prefix", led, carry("hub-1", 42, [one, two, three])],
  ["that takes another prefix", led, carry("hub-1", 42, [one, three])],
  ["with other addresses of BGP", paired, pairedElsewhere],
  ["with routes instead of BGP", paired, led],
  ["with BGP instead of routes", led, paired],
] as const;

const actsMax = 20;

describe("a version of a tunnel that was not confirmed", () => {
  // The interrupted version was not stored yet, so nothing of it was removed.
  it.each(changes)(
    "a tunnel's version %s leaves nothing if linkseal-net is killed",
    async (...row) => {
      const [, version, next] = row;
      let kills = 0;
      for (let act = 0; act < actsMax; act += 1) {
        const host = await withTunnel(version);
        const before = sorted(await now(host));
        const { kernel, clock } = host;
        kernel.diesAt = kernel.acts.length + act;
        const { token } = await settled(clock, host.server.prepare([next], never));
        void host.server.apply(token, 60_000, never);
        await clock.runFor(1_000);
        if (kernel.diesAt === kernel.acts.length) kills += 1;
        kernel.diesAt = undefined;
        await host.start();
        await clock.runFor(120_000);
        expect(sorted(await now(host)), `killed before act ${act}`).toEqual(before);
      }
      expect(kills).toBeGreaterThan(2);
      expect(kills).toBeLessThan(actsMax);
    },
  );

  it.each(changes)(
    "a tunnel's version %s leaves nothing if the kernel refuses it",
    async (...row) => {
      const [, version, next] = row;
      let refusals = 0;
      for (let act = 0; act < actsMax; act += 1) {
        const host = await withTunnel(version);
        const before = sorted(await now(host));
        host.kernel.refuses = host.kernel.acts.length + act;
        const applied = host.apply(next);
        const isRefused = await applied.then(
          () => false,
          () => true,
        );
        if (!isRefused) break;
        refusals += 1;
        const error = await refused(applied);
        expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
        expect(sorted(await now(host)), `refused act ${act}`).toEqual(before);
      }
      expect(refusals).toBeGreaterThan(2);
    },
  );

  it.each([
    ["routes", led, carry("hub-1", 42, [one])],
    [
      "BGP",
      paired,
      carry("hub-1", 42, [one], { ends: { local: "169.254.1.2", peer: "169.254.1.1" } }),
    ],
  ] as const)("a new version of a tunnel with %s leaves routes of others", async (...row) => {
    const [, version, next] = row;
    const host = await withTunnel(version);
    const { kernel } = host;
    const [made] = kernel.links;
    const [own] = (await withTunnel(led)).kernel.routes;
    const put = (destination: string, protocol: number) =>
      kernel.routes.push({ ...own, outputLink: made?.index, destination, protocol } as never);
    // BGP, the boot, an administrator: of prefixes of the tunnel, and of one that never was.
    for (const protocol of [186, 3]) for (const net of ["10.1.0.0", "10.2.0.0"]) put(net, protocol);
    put("10.9.0.0", 4);
    const others = kernel.routes.filter(({ protocol }) => protocol !== 4).concat();
    await host.commit(next);
    await host.clock.runFor(5_000);
    expect(kernel.routes).toEqual(expect.arrayContaining(others));
    const { routes } = await now(host);
    expect(routes).toContain("10.9.0.0/16 4");
    expect(routes).not.toContain("10.2.0.0/16 4");
  });
});
