// Two networks with two links between them and FRR at both ends: the edge router that linkseal
// manages, and a stand-in for the far end.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { BgpPort, Frr } from "#drivers/linux/routing/frr.ts";
import { runProgram } from "#drivers/transport/exec.ts";
import { addNetwork, ip, ipBatch } from "../lab.ts";
import type { TrafficCounters } from "./traffic.ts";

export interface Router {
  readonly network: string;
  readonly frr: Frr;
  readonly loopback: string;
}

export interface Pair {
  readonly edge: Router;
  readonly far: Router;
  readonly ports: readonly [BgpPort, BgpPort];
}

const daemons = ["mgmtd", "zebra", "bgpd"] as const;
export const password = "of-this-lab";
export const edgeAs = 65010;
export const farAs = 12076;

/**
 * Builds both routers, which run when it returns; their sessions come up by themselves. With a VRF,
 * the ports of the edge and their sessions are in it, and its default instance has the same
 * addresses on links that are no ports.
 */
export async function buildPair(vrf?: string): Promise<Pair> {
  const [edge, far] = [addNetwork(), addNetwork()];
  makeRoom();
  // Flows are spread by their ports.
  for (const network of [edge, far]) {
    ip("netns", "exec", network, "sysctl", "-qw", "net.ipv4.fib_multipath_hash_policy=1");
  }
  const inVrf = (link: number): readonly string[] => [
    `link set p${link} master ${vrf}`,
    `link add d${link} type dummy`,
    `addr add 192.0.2.${link * 4 - 3}/30 dev d${link}`,
    `link set d${link} up`,
  ];
  ipBatch(
    [
      ...(vrf === undefined ? [] : [`link add ${vrf} type vrf table 10`, `link set ${vrf} up`]),
      ...[1, 2].flatMap((link) => [
        `link add p${link} type veth peer name m${link} netns ${far}`,
        ...(vrf === undefined ? [] : inVrf(link)),
        `addr add 192.0.2.${link * 4 - 3}/30 dev p${link}`,
        `link set p${link} up`,
      ]),
    ],
    "-n",
    edge,
  );
  ipBatch(
    [1, 2].flatMap((link) => [
      `addr add 192.0.2.${link * 4 - 2}/30 dev m${link}`,
      `link set m${link} up`,
    ]),
    "-n",
    far,
  );
  const port = (link: number): BgpPort => ({
    port: `p${link}`,
    neighbours: [`192.0.2.${link * 4 - 2}`],
    ...(vrf === undefined ? {} : { vrf }),
  });
  const [edgeRouter, farRouter] = await Promise.all([
    startRouter(edge, "198.51.100.1", edgeConfig(vrf), vrf),
    startRouter(far, "203.0.113.1", farConfig()),
  ]);
  return { edge: edgeRouter, far: farRouter, ports: [port(1), port(2)] };
}

/**
 * Makes room for packets that a late turn of traffic sends at once; only the first network may set
 * it.
 */
export function makeRoom(): void {
  // A socket may hold the packets of a long turn.
  writeFileSync("/proc/sys/net/core/rmem_max", "8000000");
  // They arrive at once, and a device between the two queues only a thousand by default.
  writeFileSync("/proc/sys/net/core/netdev_max_backlog", "20000");
}

// A daemon keeps the outputs of the program that started it open, so only the end of that program
// counts.
async function run(program: string, argv: readonly string[]): Promise<void> {
  const [status] = (await once(spawn(program, argv, { stdio: "ignore" }), "exit")) as [
    number | null,
  ];
  if (status !== 0) throw new Error(`${program} ${argv.join(" ")}: ${status}`);
}

export async function startRouter(
  network: string,
  loopback: string,
  config: string,
  home = "lo",
): Promise<Router> {
  ip("-n", network, "addr", "add", `${loopback}/32`, "dev", home);
  const folders = [`/etc/frr/${network}`, `/var/run/frr/${network}`];
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  writeFileSync(join(folders[0] ?? "", "frr.conf"), config);
  writeFileSync(join(folders[0] ?? "", "vtysh.conf"), "");
  execFileSync("chown", ["-R", "frr:frr", "/etc/frr", "/var/run/frr"]);
  for (const daemon of daemons) {
    const argv = [`/usr/lib/frr/${daemon}`, "-d", "-N", network, "-P", "0"];
    await run("ip", ["netns", "exec", network, ...argv]);
  }
  await run("vtysh", ["-N", network, "-b"]);
  return {
    network,
    loopback,
    frr: {
      shell: ["vtysh", "-N", network],
      // FRR's own sockets are in the file system; only the kernel's state belongs to a network.
      exec: (argv, stdin, signal) =>
        runProgram(
          argv[0] === "cat" ? ["ip", "netns", "exec", network, ...argv] : argv,
          stdin,
          signal,
        ),
    },
  };
}

export function stopRouter({ network }: Router): void {
  for (const daemon of daemons) {
    process.kill(Number(readFileSync(`/var/run/frr/${network}/${daemon}.pid`, "utf8")), "SIGKILL");
  }
}

/** Runs an operator's vtysh commands and returns FRR's output. */
export function type({ network }: Router, ...commands: readonly string[]): string {
  const argv = commands.flatMap((command) => ["-c", command]);
  return execFileSync("vtysh", ["-N", network, ...argv], { encoding: "utf8" });
}

/** The first lines of each router's configuration. */
export const firstLines: readonly string[] = ["frr defaults traditional"];

/** FRR's lines for the routing of an AS. */
export const asLines = (as: number, instance = ""): readonly string[] => [
  `router bgp ${as}${instance}`,
  " timers bgp 3 9",
];

/** FRR's lines for a peer; those of one AS have no password. */
export const session = (peer: string, as: number, own?: number): readonly string[] => [
  ` neighbor ${peer} remote-as ${as}`,
  ...(as === own ? [] : [` neighbor ${peer} password ${password}`]),
  ` neighbor ${peer} timers connect 1`,
];

/**
 * FRR's lines for an operator's own policy: routes from the far end are not sent back, and a
 * preference that a drain has to override.
 */
export const ownPolicy: readonly string[] = [
  "ip prefix-list own seq 5 permit 198.51.100.0/24 le 32",
  "route-map own-out permit 10",
  " match ip address prefix-list own",
  "route-map own-in permit 10",
  " set local-preference 200",
];

/** FRR's lines by which a peer gets this policy. */
export const policyFor = (peer: string): readonly string[] => [
  `  neighbor ${peer} route-map own-in in`,
  `  neighbor ${peer} route-map own-out out`,
];

function edgeConfig(vrf: string | undefined): string {
  // Sessions with the same addresses, which have no answer.
  const others = [
    `router bgp ${edgeAs}`,
    ...["192.0.2.2", "192.0.2.6"].map((peer) => ` neighbor ${peer} remote-as 64999`),
    "exit",
  ];
  return [
    ...firstLines,
    ...ownPolicy,
    ...(vrf === undefined ? [] : others),
    ...asLines(edgeAs, vrf === undefined ? "" : ` vrf ${vrf}`),
    ...session("192.0.2.2", farAs),
    ...session("192.0.2.6", farAs),
    " address-family ipv4 unicast",
    "  network 198.51.100.1/32",
    ...["192.0.2.2", "192.0.2.6"].flatMap(policyFor),
    "",
  ].join("\n");
}

function farConfig(): string {
  return [
    ...firstLines,
    ...asLines(farAs),
    " no bgp ebgp-requires-policy",
    ...session("192.0.2.1", edgeAs),
    ...session("192.0.2.5", edgeAs),
    " address-family ipv4 unicast",
    "  network 203.0.113.1/32",
    "",
  ].join("\n");
}

/**
 * Starts traffic; both ends listen before one sends. The returned function stops both and returns
 * the counts of both ends.
 */
export function startTraffic({
  edge,
  far,
}: Pair): Promise<() => Promise<readonly TrafficCounters[]>> {
  return startFlows([edge.network, edge.loopback], [far.network, far.loopback]);
}

/** Starts traffic on each link, between the addresses of its subnet, in both directions. */
export async function startLinkTraffic({
  edge,
  far,
  ports,
}: Pair): Promise<() => Promise<readonly TrafficCounters[]>> {
  const stops = await Promise.all(
    ports.map(({ neighbours: [peer = ""] }) => {
      const own = peer.replace(/\d+$/, (last) => String(Number(last) - 1));
      return startFlows([edge.network, own], [far.network, peer], 40);
    }),
  );
  return async () => (await Promise.all(stops.map((stop) => stop()))).flat();
}

type End = readonly [network: string, address: string];

/**
 * Starts traffic: by default 200 packets a second in both directions, in sixteen flows each. With
 * four flows the seed of a kernel's hash puts all on one of two paths in one boot of eight. Those
 * of one `turnMs` leave together, in one flow.
 */
export async function startFlows(
  a: End,
  b: End,
  everyMs = 5,
  flows = 16,
  turnMs = everyMs,
): Promise<() => Promise<readonly TrafficCounters[]>> {
  const pace = [everyMs, flows, turnMs].map(String);
  const ends = await Promise.all([openEnd(a, b, pace), openEnd(b, a, pace)]);
  for (const end of ends) end.begin();
  return async () => await Promise.all(ends.map((end) => end.stop()));
}

/**
 * Counts in each direction, from the first end and to it, the packets that one end sent and the
 * other did not receive.
 */
export function lostOf([a, b]: readonly TrafficCounters[]): readonly [there: number, back: number] {
  if (a === undefined || b === undefined) throw new Error("two ends have two tallies");
  return [a.sent - b.received, b.sent - a.received];
}

async function openEnd([network, own]: End, [, far]: End, pace: readonly string[]) {
  const script = join(import.meta.dirname, "traffic.ts");
  const argv = ["netns", "exec", network, process.execPath, script, own, far, ...pace];
  const child = spawn("ip", argv, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const { done } = await lines.next();
  if (done === true) throw new Error(`the traffic of ${own} in ${network} did not begin`);
  return {
    begin: () => child.stdin.write("\n"),
    async stop(): Promise<TrafficCounters> {
      child.stdin.end();
      const { value, done: ended } = await lines.next();
      if (ended === true) throw new Error(`the traffic of ${own} in ${network} ended untold`);
      return JSON.parse(value) as TrafficCounters;
    },
  };
}
