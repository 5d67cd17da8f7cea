// The same cases behind a real SSH server, with the dialer of the agent.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lengthOf } from "#drivers/transport/fill.ts";
import { Shells } from "#drivers/transport/shell.ts";
import { readXml } from "#drivers/transport/xml.ts";
import { deviceCases, runDeviceCase, type Verdict } from "#hal/conformance.ts";
import type { ByteChannel, Dialer } from "#hal/world.ts";
import type { FaceSession, Wire } from "#sim/faces/netconf.ts";
import { paceClock } from "#sim/serve.ts";
import { serveSsh } from "#sim/serve-ssh.ts";
import { anyKey } from "../unit/ssh-bench.ts";
import { placeOf, platforms, wayOf } from "./junos-place.ts";
import { benchOf } from "./rig.ts";
import { failures, formatRows, type Row } from "./table.ts";

/** Octets under way on one channel. */
interface Pair {
  toRouter: number;
  toAgent: number;
  isOver: boolean;
}

/** Virtual time stands while octets travel: a slow machine must not look like a slow router. */
class Travel {
  readonly #pairs: Pair[] = [];
  /** Opened by the agent, and not met by the router yet. */
  readonly #coming: Pair[] = [];

  readonly hold = (): boolean =>
    this.#coming.length > 0 ||
    this.#pairs.some(({ toRouter, toAgent, isOver }) => !isOver && toRouter + toAgent > 0);

  async open(dial: () => Promise<ByteChannel>): Promise<ByteChannel> {
    const pair: Pair = { toRouter: 0, toAgent: 0, isOver: false };
    this.#pairs.push(pair);
    this.#coming.push(pair);
    try {
      return agentEnd(await dial(), pair);
    } finally {
      const at = this.#coming.indexOf(pair);
      if (at >= 0) this.#coming.splice(at, 1);
    }
  }

  routerEnd(connect: (wire: Wire) => FaceSession | undefined) {
    return (wire: Wire): FaceSession | undefined => {
      const [pair] = this.#coming;
      if (pair === undefined) throw new RangeError("a channel that nobody opened");
      const session = connect({
        send: (octets) => {
          pair.toAgent += octets.length;
          wire.send(octets);
        },
        close: () => wire.close(),
      });
      return (
        session && {
          receive: (octets) => {
            pair.toRouter -= octets.length;
            session.receive(octets);
          },
          gone: () => {
            pair.isOver = true;
            session.gone();
          },
        }
      );
    };
  }
}

function agentEnd(inner: ByteChannel, pair: Pair): ByteChannel {
  return {
    write: async (text, signal) => {
      pair.toRouter += lengthOf(text);
      await inner.write(text, signal);
    },
    read: async (signal) => {
      const octets = await inner.read(signal);
      pair.toAgent -= octets?.length ?? 0;
      if (octets === undefined) pair.isOver = true;
      return octets;
    },
    [Symbol.asyncDispose]: async () => {
      pair.isOver = true;
      await inner[Symbol.asyncDispose]();
    },
  };
}

const platform = platforms["ptx10008 23.4R2"];

async function served(one: (typeof deviceCases)[number]): Promise<Verdict> {
  const place = placeOf(platform);
  const { rig, face } = place;
  const travel = new Travel();
  const connect = travel.routerEnd((wire) => face.connect(wire));
  const server = await serveSsh({ port: 0, connect });
  await using shells = new Shells(anyKey);
  const { port, hostKey } = server;
  const ssh = { user: "linkseal", port, key: "file:/key", hostKey };
  const target = { device: rig.router.name, address: "127.0.0.1", ssh };
  const dial: Dialer["channel"] = (to, kind, signal) =>
    travel.open(() => shells.channel(to, kind, signal));
  const pace = paceClock(rig.clock, { speed: Number.POSITIVE_INFINITY, hold: travel.hold });
  try {
    return await runDeviceCase(one, await benchOf(rig, wayOf(place, platform, target, dial)));
  } finally {
    await pace.stop();
    await server.close();
  }
}

describe("junos behind a real SSH server", () => {
  const rows: Row[] = [];
  beforeAll(async () => {
    await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  });
  afterAll(() => {
    console.log(formatRows("junos, real SSH", rows));
  });

  it("ptx10008 23.4R2", { timeout: 600_000 }, async () => {
    const verdicts = new Map<string, Verdict>();
    const left = [...deviceCases];
    // Most of a case is waiting for a turn of the event loop, which several can share.
    const worker = async (): Promise<void> => {
      for (let one = left.shift(); one !== undefined; one = left.shift()) {
        verdicts.set(one.name, await served(one));
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(verdicts.size).toBe(deviceCases.length);
    const row = { profile: "ptx10008 23.4R2", verdicts };
    rows.push(row);
    expect(failures(row)).toEqual([]);
  });
});
