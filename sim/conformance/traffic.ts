// Traffic: a drain is judged by the traffic that moved, not by the configuration; a probe counts
// the packets that came back.

import type { BfdState, DrainMeans, MacsecFrames, Routing } from "#hal/model.ts";
import type { DeviceBench } from "./bench.ts";
import {
  always,
  commit,
  type DeviceCase,
  drain,
  macsec,
  must,
  never,
  observe,
  observePort,
  probe,
  reported,
  secure,
  truthOf,
  until,
} from "./kit.ts";

const means: readonly DrainMeans[] = ["prepend", "gracefulShutdown", "peeringShutdown"];

async function routing(bench: DeviceBench): Promise<Routing> {
  return reported((await observe(bench)).routing, "its routing");
}

async function sharing(bench: DeviceBench): Promise<void> {
  await until(bench, "traffic on both ports", () =>
    bench.ports.every((port) => truthOf(bench, port).offeredPps > 0),
  );
}

function drainCase(by: DrainMeans): DeviceCase {
  return {
    ...drain(by),
    name: `drain: ${by} moves the traffic away and back`,
    why: "P2: nothing is taken from a link before its traffic has left",
    async run(bench) {
      const [port, other] = bench.ports;
      const { settleMs = 0 } = bench.device.capabilities.drain ?? {};
      await sharing(bench);
      const lost = truthOf(bench, other).lostFrames;
      await commit(bench, { kind: "port.drain", port, means: by });
      await bench.wait(settleMs + 2_000);
      must(truthOf(bench, port).offeredPps === 0, "the traffic is still there once settled");
      must(truthOf(bench, other).offeredPps > 0, "the traffic is on no port");
      must(truthOf(bench, other).lostFrames === lost, "the other port lost frames");
      const { drains, sessions } = await routing(bench);
      const reported = drains.find((one) => one.port === port);
      must(reported?.means === by, "the drain is not reported, or reported as another");
      must(
        !drains.some((one) => one.port === other),
        "a drain is reported of a port that has none",
      );
      const session = sessions.find((one) => one.port === port);
      must(session?.up === (by !== "peeringShutdown"), "the peering of the drained port is wrong");
      await commit(bench, { kind: "port.restore", port, means: by });
      await sharing(bench);
      const after = await routing(bench);
      must(after.drains.length === 0, "a drain is reported after the restore");
    },
  };
}

async function sentFrames(bench: DeviceBench): Promise<MacsecFrames | undefined> {
  if (!macsec.needs(bench.device.capabilities)) return undefined;
  const { frames } = await observePort(bench, bench.ports[0]);
  return frames.kind === "known" ? frames.value : undefined;
}

export const trafficCases: readonly DeviceCase[] = [
  ...means.map(drainCase),
  {
    ...drain("peeringShutdown"),
    name: "routing: sessions are reported as they are",
    why: "P7, P2: the sibling counts as carrying by its BGP session",
    async run(bench) {
      const [port, other] = bench.ports;
      await sharing(bench);
      const up = async (at: string): Promise<boolean | undefined> =>
        (await routing(bench)).sessions.find((one) => one.port === at)?.up;
      must((await up(port)) === true, "an established session is reported as down");
      await commit(bench, { kind: "port.drain", port, means: "peeringShutdown" });
      await bench.wait(2_000);
      must((await up(port)) === false, "a session that is shut down is reported as up");
      must((await up(other)) === true, "the session of the other port is reported as down");
    },
  },
  {
    ...always(),
    name: "routing: a session without BFD is never reported as one with BFD",
    why: "P7: doctor names a peering that notices a loss late, and believes the router",
    troubles: ["bfdOff"],
    async run(bench) {
      const [port] = bench.ports;
      await sharing(bench);
      const bfd = async (): Promise<BfdState | undefined> =>
        (await routing(bench)).sessions.find((one) => one.port === port)?.bfd;
      const before = await bfd();
      must(before === undefined || before === "up", `BFD that is up is reported as ${before}`);
      bench.strike("bfdOff");
      const after = await bfd();
      must(after === undefined || after === "off", `BFD that is off is reported as ${after}`);
    },
  },
  {
    ...probe,
    name: "probe: counts what came back",
    why: "P3: an idle link is proven by it",
    async run(bench) {
      const [port] = bench.ports;
      if (macsec.needs(bench.device.capabilities)) await secure(bench, port);
      await until(bench, "the link", () => truthOf(bench, port).carries);
      await bench.wait(5_000);
      const before = await sentFrames(bench);
      const packets = bench.probePackets;
      const result = await bench.device.probe?.(port, packets, never);
      must(result?.sent === packets, `a probe of ${packets} packets sent ${result?.sent}`);
      must(result.answered === result.sent, "answers of a sound link are missing");
      const after = await sentFrames(bench);
      if (before === undefined || after === undefined) return;
      must(after.txProtected - before.txProtected >= BigInt(packets), "the probe did not leave");
      must(after.rxOk - before.rxOk >= BigInt(packets), "the answers did not come back protected");
    },
  },
  {
    ...probe,
    name: "probe: a link that carries nothing does not answer",
    why: "P3: an answer that came by another way proves nothing",
    async run(bench) {
      const [port] = bench.ports;
      await commit(bench, { kind: "port.shut", port });
      await bench.wait(5_000);
      const result = await bench.device.probe?.(port, 20, never);
      must(result?.answered === 0, "a link that carries nothing answered a probe");
    },
  },
  {
    ...always(),
    name: "route: the ports to an address, or not known",
    why: "management path: an unknown one is a risk to accept by name, a guessed one cuts access",
    async run(bench) {
      const { known, unknown } = bench.routes;
      const ports = await bench.device.routesTo(known.address, never);
      const isRight = ports?.length === 1 && ports[0] === known.port;
      must(isRight, `the way to ${known.address} is reported as ${shown(ports)}`);
      const guess = await bench.device.routesTo(unknown, never);
      must(guess === undefined, `an unknown way is reported as ${shown(guess)}`);
    },
  },
];

function shown(ports: readonly string[] | undefined): string {
  return ports === undefined ? "not known" : ports.join(", ");
}
