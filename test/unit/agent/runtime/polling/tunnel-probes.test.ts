// Round trips through tunnels: through each that has a BGP neighbour, several within an evidence
// window; a backup is proven by the answer and by the SAs of both directions, at each interval.

import { describe, expect, it } from "vitest";
import type { Desired, DesiredTunnel } from "#agent/model/desired.ts";
import { TunnelProbes } from "#agent/runtime/polling/tunnel-probes.ts";
import type { Capabilities, Device, ProbeResult } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, type IpsecSa, known, unknown } from "#hal/model.ts";
import { SimClock } from "#sim/base/clock.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { link, tunnel } from "../../health-evidence.ts";

const minute = 60_000;
const bgp = { local: "169.254.21.2", peer: "169.254.21.1", asn: 65_515 };
const backs = { group: "erd-demo", links: [link], proveMs: 5 * minute };
const plain = { ...tunnel, name: "hub-2" };

class Scene {
  readonly clock = new SimClock(wallStart);
  isBackup = true;
  /** `off`: the device says that it sends no probes, so that only proofs are tried. */
  standing: "on" | "off" = "off";
  /** Each probe: when, through which tunnel, how many packets. */
  readonly probes: string[] = [];
  /** How much each answered packet adds to the SAs' counters. */
  rise = { in: 1n, out: 1n };
  result: ProbeResult | "late" | "none" = { sent: 5, answered: 5 };
  sas: "told" | "untold" | "rekeyed" | "absent" = "told";
  #count = { in: 10n, out: 10n };
  #spi = 1;
  proofs = this.successor(undefined);

  successor(before: TunnelProbes | undefined): TunnelProbes {
    const health = { pollMs: 5_000, staleAfterMs: 30_000, evidenceMs: 90_000 };
    const tunnels = [{ ...tunnel, bgp, ...(this.isBackup ? { backs } : {}) }, plain];
    const desired = { health, tunnels } as unknown as Desired;
    const deviceCache = {
      observe: async () => this.#state(),
      state: () => this.#state(),
      capabilities: () => (this.standing === "on" ? { probe: true } : {}) as Capabilities,
      probeTunnel: async ({ name }: DesiredTunnel, count: number) =>
        await this.#device().probe?.(name, count, never),
    };
    const world = { clock: this.clock, log: { write: () => undefined } };
    return new TunnelProbes({ world, desired, deviceCache }, before);
  }

  #device(): Device {
    if (this.result === "none") return {} as Device;
    const probe = async (port: string, count: number): Promise<ProbeResult> => {
      this.probes.push(`${Math.round(this.clock.now() / minute)} ${port} ${count}`);
      if (this.result === "late" || this.result === "none") {
        const details = { effect: "none", where: "edge-a", next: "wait" } as const;
        throw new LinksealError("transport.timeout", "it takes too long", details);
      }
      const answered = BigInt(this.result.answered);
      if (this.sas === "rekeyed") {
        this.#count = { in: 0n, out: 0n };
        this.#spi += 2;
      }
      const { in: back, out } = this.#count;
      this.#count = { in: back + this.rise.in * answered, out: out + this.rise.out * answered };
      return this.result;
    };
    return { probe } as Partial<Device> as Device;
  }

  #state(): DeviceState {
    const at = this.clock.now();
    const { in: back, out } = this.#count;
    const common = {
      phase: "installed",
      transforms: tunnel.transforms,
      sequence: undefined,
    } as const;
    const sas: readonly IpsecSa[] = [
      { ...common, spi: this.#spi, direction: "in", packets: back },
      { ...common, spi: this.#spi + 1, direction: "out", packets: out },
    ];
    const reported = this.sas === "untold" ? unknown("queryFailed", at) : known(sas, at);
    const ipsec = [{ name: tunnel.name, ike: known("established", at), sas: reported }];
    return { at, ipsec: this.sas === "absent" ? [] : ipsec } as unknown as DeviceState;
  }

  /** Runs a turn every minute. */
  async minutes(count: number): Promise<void> {
    for (let done = 0; done < count; done += 1) {
      await settled(this.clock, this.proofs.turn(never));
      await this.clock.runFor(minute);
    }
  }

  get log() {
    return this.proofs.log(tunnel.name);
  }
}

describe("a backup", () => {
  it("a backup is tested at once and then once per interval, and no other tunnel is", async () => {
    const scene = new Scene();
    expect(scene.log).toBeUndefined();
    await scene.minutes(12);
    expect(scene.probes).toEqual(["0 hub-1 5", "5 hub-1 5", "10 hub-1 5"]);
    expect(scene.log).toMatchObject({ failures: 0, cause: undefined, since: 0 });
    expect(scene.log?.proven).toEqual({ at: 10 * minute, wall: wallStart + 10 * minute });
    expect(scene.proofs.log(plain.name)).toBeUndefined();
  });

  it("a failed backup is tested again sooner, and proven by a test that succeeds", async () => {
    const scene = new Scene();
    await scene.minutes(1);
    scene.result = { sent: 5, answered: 0 };
    await scene.minutes(7);
    expect(scene.probes.map((line) => line.split(" ")[0])).toEqual(["0", "5", "6", "7"]);
    expect(scene.log).toMatchObject({ failures: 3, proven: { at: 0 } });
    scene.result = { sent: 5, answered: 3 };
    await scene.minutes(1);
    expect(scene.log).toMatchObject({ failures: 0, cause: undefined, proven: { at: 8 * minute } });
  });

  it.each<[string, Partial<Scene>, string]>([
    [
      "no answer",
      { result: { sent: 5, answered: 0 } },
      "none of 5 packets to 169.254.21.1 through hub-1 was answered",
    ],
    ["nothing sent", { result: { sent: 0, answered: 0 } }, "no packet could be sent"],
    ["an answer by another way in", { rise: { in: 0n, out: 1n } }, "its SAs counted 5 out, 0 in"],
    ["another way out", { rise: { in: 1n, out: 0n } }, "its SAs counted 0 out, 5 in"],
    ["SAs that the device does not report", { sas: "untold" }, "edge-a does not show its SAs"],
    ["a device that takes too long", { result: "late" }, "it takes too long"],
    ["a device without probes", { result: "none" }, "it lacks FRR or ping"],
  ])("a backup is not proven with %s", async (_what, change, cause) => {
    const scene = Object.assign(new Scene(), change);
    await scene.minutes(1);
    expect(scene.log).toMatchObject({ failures: 1, proven: undefined });
    expect(scene.log?.cause).toContain(cause);
  });

  it("a backup is proven over a rekey during the test", async () => {
    const scene = Object.assign(new Scene(), { sas: "rekeyed" });
    await scene.minutes(1);
    expect(scene.log).toMatchObject({ failures: 0, proven: { at: 0 } });
  });

  it("an absent backup is not tested, and is tested as soon as it exists", async () => {
    const scene = Object.assign(new Scene(), { sas: "absent" });
    await scene.minutes(3);
    expect([scene.probes, scene.log?.failures]).toEqual([[], 0]);
    expect(scene.log?.since).toBe(2 * minute);
    scene.sas = "told";
    await scene.minutes(1);
    expect(scene.log).toMatchObject({ failures: 0, proven: { at: 3 * minute } });
  });

  it("a successor takes over the proofs of its predecessor", async () => {
    const scene = new Scene();
    await scene.minutes(3);
    scene.proofs = scene.successor(scene.proofs);
    await scene.minutes(3);
    expect(scene.probes.map((line) => line.split(" ")[0])).toEqual(["0", "5"]);
  });
});

describe("a tunnel that backs nothing up", () => {
  const scene = (change: Partial<Scene> = {}): Scene => {
    const made = Object.assign(new Scene(), { isBackup: false, standing: "on", ...change });
    made.proofs = made.successor(undefined);
    return made;
  };

  it("a tunnel with a BGP neighbour is tried in each window, none without", async () => {
    const one = scene();
    for (let second = 0; second < 90; second += 5) {
      await settled(one.clock, one.proofs.turn(never));
      await one.clock.runFor(5_000);
    }
    expect(one.probes.length).toBeGreaterThanOrEqual(3);
    expect(new Set(one.probes.map((line) => line.split(" ")[1]))).toEqual(new Set(["hub-1"]));
    expect(one.log).toBeUndefined();
  });

  it.each<[string, Partial<Scene>]>([
    ["its device sends no probes", { standing: "off" }],
    ["its device does not list it", { sas: "absent" }],
  ])("a tunnel is not tried while %s", async (_, change) => {
    const one = scene(change);
    await one.minutes(3);
    expect(one.probes).toEqual([]);
  });

  it("a round trip that could not be tried delays none of the later ones", async () => {
    const one = scene({ result: "late" });
    await one.minutes(3);
    expect(one.probes).toHaveLength(3);
  });
});
