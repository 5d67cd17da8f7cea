// Tunnels whose SAs carry one way only, or that have too many of them, although IKE is up.

import { describe, expect, it } from "vitest";
import type { Desired, DesiredTunnel } from "#agent/model/desired.ts";
import { emptyMemory, pendingPlace } from "#agent/store/journal/memory.ts";
import type { Capabilities, RekeyWhat } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type IpsecSa, type IpsecTunnel, known } from "#hal/model.ts";
import { capabilities, sampleState, settled } from "../../../kit/site-bench.ts";
import { desired } from "../../../kit/snapshot-kit.ts";
import { Scene } from "../reconcile-kit.ts";

const host = {
  commit: { kind: "armedRevert" },
  ipsec: { ...capabilities.ipsec, blocks: true, parallel: true },
} as Capabilities;
const pollMs = 5_000;
const minuteMs = 60_000;
const { evidenceMs } = desired.health;

const [sampleTunnel] = sampleState("edge-a", 0 as never).ipsec;
const sampleSas = sampleTunnel?.sas.kind === "known" ? sampleTunnel.sas.value : [];
const [first] = desired.tunnels;
if (first === undefined || sampleSas.length === 0) throw new Error("no sample");

function wanted(count: number, over: Partial<DesiredTunnel> = {}): Desired {
  const tunnels = Array.from({ length: count }, (_, index): DesiredTunnel => {
    const remotePrefixes = [`10.100.${index}.0/24`];
    return {
      ...(first as DesiredTunnel),
      name: `hub-${index}`,
      ifId: index + 1,
      remotePrefixes,
      ...over,
    };
  });
  return { ...desired, tunnels, repair: "on" };
}

/** The SAs of a tunnel, as far as an end counts their packets. */
class Sas {
  pairs = 1;
  /** Packets that each observation finds more, by direction. */
  step = { in: 5n, out: 5n };
  ike: "established" | "down" = "established";
  /** Returns what each renewal leaves of the fault; absent = it is mended. */
  helps: (what: RekeyWhat) => boolean = () => true;
  #spi = 1_000;
  #packets = { in: 100n, out: 100n };

  renew(what: RekeyWhat): void {
    this.#spi += 100;
    this.#packets = { in: 0n, out: 0n };
    if (!this.helps(what)) return;
    this.pairs = 1;
    this.step = { in: 5n, out: 5n };
  }

  show(at: number): Partial<IpsecTunnel> {
    this.#packets.in += this.step.in;
    this.#packets.out += this.step.out;
    const sas = Array.from({ length: this.pairs }, (_, pair) =>
      (["in", "out"] as const).map((direction, index): IpsecSa => {
        const sample = sampleSas.find((sa) => sa.direction === direction);
        if (sample === undefined) throw new Error("no sample");
        const spi = this.#spi + 2 * pair + index;
        return { ...sample, spi, phase: "installed", packets: this.#packets[direction] };
      }),
    );
    return { ike: known(this.ike, at as never), sas: known(sas.flat(), at as never) };
  }
}

class RepairScene extends Scene {
  readonly sas = new Map<string, Sas>();

  constructor(config = wanted(1), offers = host) {
    super(config, offers);
    this.blocked = config.tunnels.flatMap(({ remotePrefixes }) => remotePrefixes);
    this.running = config.tunnels.map(({ name }) => name);
    this.memory = {
      ...emptyMemory,
      tunnels: Object.fromEntries(this.running.map((name) => [name, 1])),
    };
    for (const name of this.running) this.sas.set(name, new Sas());
    this.shows = (name) => this.of(name).show(this.clock.now());
    this.renews = (name, what) => this.of(name).renew(what);
  }

  of(name: string): Sas {
    const found = this.sas.get(name);
    if (found === undefined) throw new Error(`no tunnel ${name}`);
    return found;
  }

  /** Its gateway carries nothing back any more. */
  deafen(name: string, helps: Sas["helps"] = () => true): Sas {
    const sas = this.of(name);
    sas.step = { in: 0n, out: 5n };
    sas.helps = helps;
    return sas;
  }

  async runFor(ms: number): Promise<this> {
    for (const end = this.clock.now() + ms; this.clock.now() < end; ) {
      await this.begin();
      await this.clock.runFor(pollMs);
    }
    await settled(this.clock, this.reconciler.rested());
    return this;
  }

  get renewals(): readonly string[] {
    return this.log.filter((line) => / of hub-\d/.test(line));
  }
}

describe("a tunnel whose packets leave and never come back", () => {
  it("a rekey of its child that helps is made once, drained, and told", async () => {
    const scene = await new RepairScene().runFor(2 * evidenceMs);
    expect(scene.log).toEqual([]);
    scene.deafen("hub-0");
    await scene.runFor(evidenceMs - pollMs);
    expect(scene.log).toEqual([]);
    await scene.runFor(20 * minuteMs);
    expect(scene.log).toEqual([
      ...["drain hub-0 for repair", "child of hub-0", "confirm", "undrain hub-0"],
    ]);
    const mended = "hub-0 got no packet back, and carries in both directions again";
    const text = `${mended} after a rekey of its child`;
    expect(scene.events).toEqual([`tunnel-repaired hub-0 ${text} info`]);
    expect(scene.memory.pending).toEqual({});
  });

  it("a new authentication follows if the rekey did not help in the evidence time", async () => {
    const scene = await new RepairScene().runFor(2 * evidenceMs);
    scene.deafen("hub-0", (what) => what === "reauthenticate");
    await scene.runFor(evidenceMs + 3 * pollMs);
    expect(scene.renewals).toEqual(["child of hub-0"]);
    await scene.runFor(evidenceMs - 4 * pollMs);
    expect(scene.renewals).toEqual(["child of hub-0"]);
    await scene.runFor(20 * minuteMs);
    expect(scene.renewals).toEqual(["child of hub-0", "reauthenticate of hub-0"]);
    expect(scene.events.map((event) => event.split(" ")[0])).toEqual(["tunnel-repaired"]);
    expect(scene.events[0]).toContain("after a rekey of its child and a new authentication");
  });

  it("the agent gives up if nothing helps, says so, and tries again ever more seldom", async () => {
    const scene = await new RepairScene().runFor(2 * evidenceMs);
    scene.deafen("hub-0", () => false);
    await scene.runFor(4 * evidenceMs);
    expect(scene.renewals).toEqual(["child of hub-0", "reauthenticate of hub-0"]);
    expect(scene.events).toEqual([
      "tunnel-repair-failed hub-0 hub-0: its packets leave and none comes back, also after a " +
        "rekey of its child and a new authentication; the agent tries again after 5 min at the " +
        "earliest. Next: linkseal explain tunnel-one-way hub-0 warning",
    ]);
    await scene.runFor(6 * 60 * minuteMs);
    const tried = scene.renewals.filter((line) => line.startsWith("child")).length;
    expect([tried > 7, tried < 12]).toEqual([true, true]);
    expect(scene.events.at(-1)).toContain("after 60 min at the earliest");
  });

  it("a fault that returns at once is not mended again at once", async () => {
    const scene = await new RepairScene().runFor(2 * evidenceMs);
    for (let time = 0; time < 3; time += 1) {
      scene.deafen("hub-0");
      await scene.runFor(4 * minuteMs);
    }
    expect(scene.renewals).toHaveLength(2);
  });

  it("a refused rekey is followed by a new authentication, and told if that fails", async () => {
    const scene = await new RepairScene().runFor(2 * evidenceMs);
    scene.deafen("hub-0");
    scene.renews = (name) => {
      scene.before = undefined;
      const details = { effect: "none", where: name, next: "look" } as const;
      throw new LinksealError("device.rejected", "the gateway refuses it", details);
    };
    await scene.runFor(4 * evidenceMs);
    expect(scene.renewals).toEqual(["child of hub-0", "reauthenticate of hub-0"]);
    expect(scene.log.filter((line) => line.startsWith("undrain"))).toHaveLength(2);
    expect(scene.events).toHaveLength(1);
    expect(scene.events[0]).toContain("a new authentication (the gateway refuses it); the agent");
  });

  it("a tunnel of IKEv1 gets a new main mode instead, with new SAs under it", async () => {
    const scene = await new RepairScene(wanted(1, { ikeVersion: "v1" })).runFor(2 * evidenceMs);
    scene.deafen("hub-0", () => false);
    await scene.runFor(4 * evidenceMs);
    expect(scene.renewals).toEqual(["child of hub-0", "ike of hub-0", "child of hub-0"]);
  });

  it("two of them are mended one after the other", async () => {
    const scene = await new RepairScene(wanted(3)).runFor(2 * evidenceMs);
    scene.deafen("hub-0");
    scene.deafen("hub-2");
    await scene.runFor(3 * evidenceMs);
    expect(scene.log).toEqual([
      ...["drain hub-0 for repair", "child of hub-0", "confirm", "undrain hub-0"],
      ...["drain hub-2 for repair", "child of hub-2", "confirm", "undrain hub-2"],
    ]);
  });
});

describe("a tunnel with more than one pair of SAs", () => {
  it("its child is rekeyed, and the ends never authenticate anew for that", async () => {
    const scene = await new RepairScene().runFor(2 * evidenceMs);
    const sas = scene.of("hub-0");
    sas.pairs = 3;
    sas.helps = () => false;
    await scene.runFor(4 * evidenceMs);
    expect(scene.renewals).toEqual(["child of hub-0"]);
    expect(scene.events[0]).toMatch(
      /^tunnel-repair-failed .* more than one pair of SAs, also after/,
    );
    sas.helps = () => true;
    await scene.runFor(10 * minuteMs);
    const mended = "hub-0 had more than one pair of SAs, and has one again";
    const text = `${mended} after a rekey of its child`;
    expect(scene.events.at(-1)).toBe(`tunnel-repaired hub-0 ${text} info`);
  });
});

describe("a tunnel whose fault becomes another one", () => {
  it("pairs that a rekey leaves one way only are mended as that", async () => {
    const scene = await new RepairScene().runFor(2 * evidenceMs);
    const sas = scene.of("hub-0");
    sas.pairs = 3;
    sas.helps = (what) => {
      sas.step = { in: 0n, out: 5n };
      return what === "reauthenticate";
    };
    await scene.runFor(6 * evidenceMs);
    expect(scene.renewals).toEqual(["child of hub-0", "child of hub-0", "reauthenticate of hub-0"]);
    expect(scene.events.map((event) => event.split(" ")[0])).toEqual(["tunnel-repaired"]);
    expect([sas.pairs, sas.step.in]).toEqual([1, 5n]);
  });
});

describe("a tunnel that is left alone", () => {
  const auth = { kind: "psk", secretId: "https://v/secrets/a/1" } as const;
  it.each<{ readonly name: string; readonly when: (scene: RepairScene) => void }>([
    {
      name: "a campaign runs on its device",
      when: (scene) => {
        scene.leave = "none";
      },
    },
    {
      name: "its IKE is down",
      when: (scene) => {
        scene.of("hub-0").ike = "down";
      },
    },
    {
      name: "nothing is sent into it",
      when: (scene) => {
        scene.of("hub-0").step = { in: 0n, out: 0n };
      },
    },
    {
      name: "an operator drained it",
      when: (scene) => {
        const drains = { "hub-0": { by: "ann", since: 0 as never } };
        scene.memory = { ...scene.memory, drains };
      },
    },
    {
      name: "its gateway may have another key",
      when: (scene) => {
        const reason = { code: "tunnel.giving.put" } as const;
        const next = { auth, state: "giving", since: 0 as never, reason } as const;
        scene.memory = { ...scene.memory, auths: { "hub-0": { auth, next } } };
      },
    },
  ])("no SA is renewed while $name", async ({ when }) => {
    const scene = await new RepairScene().runFor(2 * evidenceMs);
    scene.deafen("hub-0");
    when(scene);
    await scene.runFor(10 * minuteMs);
    expect([scene.log, scene.events]).toEqual([[], []]);
  });

  it("repair: off renews nothing", async () => {
    const scene = new RepairScene({ ...wanted(1), repair: "off" });
    scene.deafen("hub-0");
    await scene.runFor(10 * minuteMs);
    expect([scene.log, scene.events]).toEqual([[], []]);
  });

  it("a device that renews nothing on demand is asked for nothing", async () => {
    const ipsec = { ...capabilities.ipsec, blocks: true, rekeys: [] };
    const scene = new RepairScene(wanted(1), { ...host, ipsec } as Capabilities);
    scene.deafen("hub-0");
    await scene.runFor(10 * minuteMs);
    expect(scene.log).toEqual([]);
  });

  it("a repair that waits for another tunnel is dropped if it is not needed then", async () => {
    const scene = await new RepairScene().runFor(2 * evidenceMs);
    scene.deafen("hub-0");
    const other = scene.alone(evidenceMs + minuteMs);
    await scene.begin();
    for (let turn = 0; turn < (evidenceMs + 2 * pollMs) / pollMs; turn += 1) {
      await scene.clock.runFor(pollMs);
      await scene.begin();
    }
    scene.of("hub-0").step = { in: 5n, out: 5n };
    await scene.clock.runFor(pollMs);
    await scene.begin();
    await settled(scene.clock, other);
    await settled(scene.clock, scene.reconciler.rested());
    expect(scene.log).toEqual([]);
  });

  it("a rekey that a predecessor left pending is settled first", async () => {
    const scene = new RepairScene();
    scene.memory = { ...scene.memory, pending: { [pendingPlace("edge-a", "hub-0")]: "t-9" } };
    scene.deafen("hub-0");
    await scene.runFor(2 * evidenceMs);
    expect(scene.renewals).toEqual(["child of hub-0"]);
    expect(scene.memory.pending).toEqual({});
  });
});
