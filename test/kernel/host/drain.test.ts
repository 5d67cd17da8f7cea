import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dumpLinks, readLink } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { dumpRoutes, readRoute } from "#drivers/linux/netlink/rtnetlink-route.ts";
import { drainGaps } from "#drivers/linux/routing/bgp-trouble.ts";
import { type BgpPort, readAdvertisements } from "#drivers/linux/routing/frr.ts";
import { NetlinkChannel } from "#drivers/transport/netlink.ts";
import type { Device } from "#hal/device.ts";
import { type DrainMeans, type Routing, strongValue } from "#hal/model.ts";
import {
  enterNetwork,
  found,
  leaveNetworks,
  native,
  netlinkFamilies,
  soon,
  until,
} from "../lab.ts";
import { PacedClock } from "./clock.ts";
import { Host } from "./host.ts";
import {
  buildPair,
  farAs,
  type Pair,
  password,
  type Router,
  startTraffic,
  stopRouter,
  type,
} from "./router.ts";

const ipv4 = 2;

let pair: Pair;
let host: Host;
let device: Device;
const sockets = new Map<string, NetlinkChannel>();

function socketIn({ network }: Router): NetlinkChannel {
  const open = sockets.get(network);
  if (open !== undefined) return open;
  enterNetwork(network);
  const socket = new NetlinkChannel(native, netlinkFamilies.route);
  sockets.set(network, socket);
  return socket;
}

beforeAll(async () => {
  pair = await buildPair();
  const { network, frr } = pair.edge;
  const pathspace = frr.shell.at(-1) ?? "";
  host = await Host.open({ network, pathspace, clock: new PacedClock(1), ports: [] });
  device = await host.device();
  await isBack();
}, 120_000);
afterAll(async () => {
  await device[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
  for (const socket of sockets.values()) socket[Symbol.dispose]();
  for (const router of [pair.edge, pair.far]) stopRouter(router);
  leaveNetworks();
});

async function observe(): Promise<Routing> {
  const { routing } = await device.observe(soon());
  const value = strongValue(routing);
  if (value === undefined) throw new Error("the routing is not known");
  return value;
}

const noKeys = (): never => {
  throw new Error("a drain asks for no key");
};

async function turn(kind: "port.drain" | "port.restore", port: string, means: DrainMeans) {
  const transaction = await device.prepare([{ kind, port, means }], noKeys, soon());
  expect(transaction.preview).toContain(port);
  await transaction.apply("final", soon());
}

/** Returns the numbers of the links on which each kernel sends to the other. */
async function linksInUse(): Promise<readonly string[]> {
  const { edge, far } = pair;
  return await Promise.all([
    linksTo(far.loopback, socketIn(edge)),
    linksTo(edge.loopback, socketIn(far)),
  ]);
}

// Asks the kernel without a process: in an emulator a process takes time from FRR.
async function linksTo(address: string, socket: NetlinkChannel): Promise<string> {
  const routes = found(await socket.ask(dumpRoutes(ipv4), readRoute, soon()));
  const links = found(await socket.ask(dumpLinks(), readLink, soon()));
  const names = new Map(links.map(({ index, name }) => [index, name]));
  return routes
    .filter(({ destination }) => destination === address)
    .flatMap(({ outputLink, nextHops }) => nextHops?.map(({ link }) => link) ?? [outputLink])
    .map((link) => names.get(link ?? 0)?.slice(1) ?? "?")
    .sort()
    .join();
}

const usesOnly = (links: string) => async (): Promise<true | undefined> =>
  (await linksInUse()).every((one) => one === links) ? true : undefined;
const isBack = () => until(usesOnly("1,2"));

/** Returns the packets per second over a port, of the busier direction. */
async function rateOf(port: string): Promise<number> {
  const socket = socketIn(pair.edge);
  const count = async () => {
    const links = found(await socket.ask(dumpLinks(), readLink, soon()));
    const { rxPackets, txPackets } = links.find(({ name }) => name === port)?.statistics ?? {};
    if (rxPackets === undefined || txPackets === undefined) throw new Error(`no ${port}`);
    return { at: performance.now(), rx: rxPackets, tx: txPackets };
  };
  const before = await count();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const after = await count();
  const most = Math.max(Number(after.rx - before.rx), Number(after.tx - before.tx));
  return (most * 1000) / (after.at - before.at);
}

/** At 200 packets/s each way, with some reserve. */
const trafficMs = 24_000;

async function timed(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return Math.round(performance.now() - start);
}

async function expectDrained(port: BgpPort, means: DrainMeans): Promise<void> {
  const [routing, sent, rate] = await Promise.all([
    observe(),
    readAdvertisements(pair.edge.frr, port, soon()),
    rateOf(port.port),
  ]);
  expect(drainGaps(sent, means)).toEqual([]);
  const best = routing.routes.filter(({ best: isBest }) => isBest).map(({ via }) => via);
  expect(best).not.toContainEqual({ kind: "port", port: port.port });
  expect(routing.drains).toEqual([{ port: port.port, means }]);
  // The operator's policy stays in force all the time.
  const gone = means === "peeringShutdown";
  expect(sent.map(({ prefix }) => prefix)).toEqual(gone ? [] : ["198.51.100.1/32"]);
  expect(rate).toBeLessThan(100);
}

async function leadAwayAndBack(port: BgpPort, means: DrainMeans): Promise<string> {
  const other = port.port === "p1" ? "2" : "1";
  const away = await timed(async () => {
    await turn("port.drain", port.port, means);
    await until(usesOnly(other));
  });
  await expectDrained(port, means);
  const back = await timed(async () => {
    await turn("port.restore", port.port, means);
    await isBack();
  });
  return `${port.port} ${means}: away in ${away} ms, back in ${back} ms`;
}

describe("BGP through FRR, between two routers with two links", { timeout: 120_000 }, () => {
  it("each link is drained and restored under traffic without a loss", async () => {
    const { edge, ports } = pair;
    const config = type(edge, "show running-config");
    const stop = await startTraffic(pair);
    const begun = performance.now();
    const lines: string[] = [];
    // On a quick machine one round is less than 4,000 packets.
    do {
      for (const means of ["prepend", "gracefulShutdown"] as const) {
        for (const port of ports) lines.push(await leadAwayAndBack(port, means));
      }
      lines.push(await leadAwayAndBack(ports[0], "peeringShutdown"));
    } while (performance.now() - begun < trafficMs);
    const [there, back] = await stop();
    console.log([...lines, JSON.stringify({ edge: there, far: back })].join("\n"));
    expect(there?.sent).toBeGreaterThan(4000);
    expect(back?.sent).toBeGreaterThan(4000);
    expect(there?.received).toBe(back?.sent);
    expect(back?.received).toBe(there?.sent);
    expect(type(edge, "show running-config")).toBe(config);
  });

  it("a wrong MD5 password is named as such, and so is one that is missing", async () => {
    const { far, ports } = pair;
    const [peer] = ports[0].neighbours;
    const trouble = (part: string) =>
      until(async () => {
        const [first, second] = (await observe()).sessions;
        expect(second).toMatchObject({ up: true });
        return first?.trouble?.includes(part) === true ? first.trouble : undefined;
      });
    const set = (line: string) =>
      type(far, "configure terminal", `router bgp ${farAs}`, `${line} neighbor 192.0.2.1 password`);
    type(far, "configure terminal", `router bgp ${farAs}`, "neighbor 192.0.2.1 password another");
    expect(await trouble("wrong MD5")).toMatch(`${peer}: wrong MD5 password (RFC 2385): `);
    set("no");
    expect(await trouble("no MD5")).toMatch(`${peer}: no MD5 password at the far end: `);
    const own = `neighbor 192.0.2.1 password ${password}`;
    type(far, "configure terminal", `router bgp ${farAs}`, own);
    await isBack();
    const healed = await until(async () => {
      const { sessions } = await observe();
      return sessions.every(({ up }) => up) ? sessions : undefined;
    });
    expect(healed.map(({ trouble: left }) => left)).toEqual([undefined, undefined]);
  });
});
