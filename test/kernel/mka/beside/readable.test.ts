// wpa_supplicant that authenticates its frames and does not encrypt them, and a forger of such
// frames, before a real SecY: each second the verdict on its counters, beside what is on the wire.

import { setTimeout as rest } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { deriveLinkHealth } from "#agent/health/health.ts";
import { observeKernel } from "#drivers/linux/macsec/kernel-observation.ts";
import { readPort } from "#drivers/linux/macsec/port.ts";
import { NetlinkChannel } from "#drivers/transport/netlink.ts";
import { type MacsecPort, strongValue } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { WireWatch } from "../../../lab/wire.ts";
import { at, evidence, key, moving, portObservation } from "../../../unit/agent/health-evidence.ts";
import { enterNetwork, leaveNetworks, native, netlinkFamilies, soon, until } from "../../lab.ts";
import { forge, refusedIn } from "../forger.ts";
import { address, keyOf, makeSecy, Station, wire } from "../station.ts";
import { Supplicant } from "../supplicant.ts";
import { ping } from "../traffic.ts";

afterEach(leaveNetworks);

const suite = "gcm-aes-128";
const testKey = keyOf("c0ffee", 16);

/** Reads session and SecY as the driver does, and judges all that was read so far. */
class Judge {
  readonly #ours: Station;
  readonly #ports: MacsecPort[] = [];
  readonly #sockets: readonly [NetlinkChannel, NetlinkChannel];

  constructor(ours: Station) {
    this.#ours = ours;
    enterNetwork(ours.network);
    const { route, generic } = netlinkFamilies;
    this.#sockets = [new NetlinkChannel(native, route), new NetlinkChannel(native, generic)];
  }

  async look(): Promise<string> {
    const [routes, generic] = this.#sockets;
    const clock = { now: () => performance.now() as Instant };
    const kernel = await observeKernel({ routes, generic }, clock, soon());
    const frames = readPort("wire", kernel, undefined)?.port.frames;
    const observed = await this.#ours.observe();
    if (frames === undefined || observed.kind !== "bound") throw new Error("nothing to judge");
    const { session } = observed.kay;
    // The MKA process counts frames in the clear, by a socket of its own.
    const counted = strongValue(frames);
    const bend = counted === undefined ? {} : { frames: { ...counted, rxClear: 0n } };
    const port = portObservation(kernel.at, { session, ...bend });
    this.#ports.push(port);
    const { verdict, reasons, received } = deriveLinkHealth(
      evidence(moving, {
        expected: { ...key, ckn: testKey.ckn },
        settings: { pollMs: 1000, staleAfterMs: 11_000, evidenceMs: 20_000 },
        observations: this.#ports,
        device: { lastObservedAt: kernel.at, failing: undefined },
        now: at(kernel.at),
      }),
    );
    return [verdict, received ?? "-", ...reasons.map(({ code }) => code)].join(" ");
  }

  close(): void {
    for (const socket of this.#sockets) socket[Symbol.dispose]();
  }
}

/** One packet to the far end and back each second, and a verdict after it. */
async function watch(judge: Judge, network: string, seconds: number): Promise<readonly string[]> {
  const looks: string[] = [];
  for (let second = 0; second < seconds; second += 1) {
    await ping(network, "10.0.0.2", 1);
    await rest(1000);
    looks.push(await judge.look());
  }
  return looks;
}

it.each(["integrityOnly", "encrypted"] as const)(
  "wpa_supplicant sends %s: only readable frames are unprotected, 1,000 forged ones never",
  { timeout: 300_000 },
  async (sends) => {
    const [left, right] = wire();
    makeSecy(left, { suite, sci: "on" });
    address(left, 0);
    const far = { version: "2.11", network: right, key: testKey, priority: 32, suite } as const;
    using peer = new Supplicant(sends === "encrypted" ? far : { ...far, sends });
    await using ours = new Station(left, { keyServerPriority: 16 });
    await ours.add(testKey);
    await until(async () => (await ours.secured()) ?? undefined);
    address(right, 1, await peer.device());
    using onWire = new WireWatch(left, "wire");
    const judge = new Judge(ours);
    const looks = await watch(judge, left, 20);
    const { readable, sealed } = onWire;
    console.log(`${sends}: ${readable} of ${sealed} frames had E = 0:\n${looks.join("\n")}`);
    const before = refusedIn(left, "wire");
    forge({ network: left, port: "wire" }, { network: right, port: "wire" }, 1000);
    const later = await watch(judge, left, 10);
    const refused = refusedIn(left, "wire") - before;
    console.log(`${refused} forged frames refused:\n${later.join("\n")}`);
    judge.close();
    expect(refused).toBe(1000);
    if (sends === "encrypted") {
      expect(readable).toBe(0);
      expect(looks.slice(3).filter((look) => look !== "protected encrypted")).toEqual([]);
      expect(later.filter((look) => look !== "degraded unproven frames-not-valid")).toEqual([]);
      return;
    }
    expect(readable).toBe(sealed);
    expect(readable).toBeGreaterThan(15);
    expect([...looks, ...later].filter((look) => look.startsWith("protected"))).toEqual([]);
    const unprotected = "unprotected readable frames-readable";
    expect(looks.slice(3).filter((look) => look !== unprotected)).toEqual([]);
    expect(later.filter((look) => !look.startsWith(unprotected))).toEqual([]);
  },
);
