// Tunnels that an operator drains and returns to service, one of a bundle at a time.

import { describe, expect, it } from "vitest";
import type { Desired } from "#agent/model/desired.ts";
import type { Undrained } from "#agent/runtime/campaigns/manual-drain.ts";
import { RoundTripLog } from "#agent/runtime/polling/round-trips.ts";
import { TunnelTraffic } from "#agent/runtime/tunnels/tunnel-traffic.ts";
import { emptyMemory, remember } from "#agent/store/journal/memory.ts";
import type { Capabilities, Device, DeviceChange } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, known, type Route, type Routing, unknown } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { never, refused, settled, wallStart } from "../../../kit/site-bench.ts";
import { routing, tunnelObservation } from "../../health-evidence.ts";
import { bundle, hub } from "../../tunnel-bundle-kit.ts";

const [one = hub(1), two = hub(2)] = bundle;
const late = {
  ...{ code: "transport.timeout", text: "late", next: "look", since: 0 as Instant },
} as const;
const refusal = new LinksealError("transport.timeout", "no answer of FRR", {
  ...{ effect: "unknown", where: "edge-a", next: "look" },
});
const drain = { means: ["prepend"], settleMs: 10_000 } as const;

class Scene {
  readonly clock = new SimClock(wallStart);
  readonly roundTrips = new RoundTripLog(this.clock);

  /** The tunnel answered once, and not since. */
  silence(name: string): void {
    for (const answered of [5, 0, 0]) {
      this.roundTrips.add(name, { under: "", isOpen: true }, { sent: 5, answered });
    }
  }
  readonly lines: string[] = [];
  readonly asked: DeviceChange[] = [];
  readonly drained = new Set<string>();
  /** Tunnels whose BGP is down. */
  readonly down = new Set<string>();
  /** The number of observations for which a route stays after a drain. */
  stays = 2;
  unreadable = false;
  /** True if FRR takes no change. */
  broken = false;
  /** True if the router does not report its routes. */
  silent = false;
  /** Packets per second that the gateway sends into hub-1, while it is drained and before. */
  readonly incoming = { drained: 2, before: 200 };
  /** How long the gateway takes to learn of the drain, in milliseconds. */
  quietsMs = 0;
  #drainedAt: number | undefined;
  capabilities: Capabilities | undefined = { commit: { kind: "armedRevert" }, drain };
  memory = emptyMemory;
  readonly tunnels = [one, two];

  readonly drains: TunnelTraffic;

  constructor() {
    const device = {
      prepare: async (change: DeviceChange) => ({
        apply: async () => {
          if (this.broken) throw refusal;
          this.asked.push(change);
          for (const part of change) {
            if (part.kind === "port.drain") {
              this.drained.add(part.port);
              this.#drainedAt = this.clock.now();
            }
            if (part.kind === "port.restore") this.drained.delete(part.port);
          }
        },
      }),
    } as unknown as Device;
    this.drains = new TunnelTraffic({
      world: {
        clock: this.clock,
        log: { write: (_level, _code, text) => void this.lines.push(text) },
      },
      desired: { tunnels: this.tunnels } as unknown as Desired,
      deviceCache: {
        observe: async () => (this.unreadable ? undefined : this.#state()),
        state: () => this.#state(),
        failure: () => (this.unreadable ? late : undefined),
        capabilities: () => this.capabilities,
        roundTrips: this.roundTrips,
        device: async () => device,
      },
      keys: () => async () => {
        throw new Error("a drain asks for no key");
      },
      memory: () => this.memory,
      write: async (record) => {
        if (record.kind !== "handDrain") throw new Error(record.kind);
        this.memory = remember(this.memory, record);
      },
    });
  }

  #state(): DeviceState {
    const at = this.clock.now();
    if (this.drained.size > 0) this.stays -= 1;
    const routes = this.tunnels.map(({ name }): Route => {
      const best = !this.drained.has(name) || this.stays > 0;
      return { prefix: "10.100.0.0/16", via: { kind: "tunnel", name }, best };
    });
    const peers = this.tunnels.map(({ name, bgp }): Route => {
      return { prefix: `${bgp?.peer}/32`, via: { kind: "tunnel", name }, best: true };
    });
    const reported: Routing = {
      ...routing,
      routes: [...routes, ...peers],
      drains: [...this.drained].map((port) => ({ port, means: "prepend" as const })),
      tunnelSessions: this.tunnels.map(({ name, bgp }) => ({
        ...{ tunnel: name, peer: bgp?.peer ?? "", asn: 65_515, up: !this.down.has(name) },
      })),
    };
    return {
      ...{ device: "edge-a", at, control: unknown("notSupported", at), macsec: [] },
      ipsec: this.tunnels.map(({ name }) => ({
        ...tunnelObservation(at, this.#received(at)),
        name,
      })),
      routing: this.silent ? unknown("queryFailed", at) : known(reported, at),
    };
  }

  #received(at: Instant): number {
    const left = Math.min(at, (this.#drainedAt ?? at) + this.quietsMs);
    const { before, drained } = this.incoming;
    return Math.round((before * left + drained * (at - left)) / 1_000);
  }

  drainForChange(tunnel = one): Promise<void> {
    return settled(this.clock, this.drains.drainForChange(tunnel, "policy", never));
  }

  undrainAfterChange(tunnel = one): Promise<void> {
    return settled(this.clock, this.drains.undrainAfterChange(tunnel, never));
  }

  /** Sets the state of the newer key for which the tunnel is drained. */
  auth(state: "switching" | "held" | undefined): void {
    const auth = { kind: "psk", secretId: "https://v/secrets/hub-1-psk/1" } as const;
    const since = this.clock.wall();
    const reason = { code: "recorded", text: "told" } as const;
    const next = state === undefined ? {} : { next: { auth, state, since, reason } };
    const inUse = { auth, ...next };
    this.memory = remember(this.memory, { kind: "auth", name: "hub-1", inUse });
  }

  drain(tunnel = one): Promise<void> {
    return settled(this.clock, this.drains.drain(tunnel, "ann", never));
  }

  undrain(tunnel = one): Promise<Undrained> {
    return settled(this.clock, this.drains.undrain(tunnel, never));
  }

  turn(): Promise<void> {
    return settled(this.clock, this.drains.turn(never));
  }
}

describe("a tunnel that is drained manually", () => {
  it("a drain is journaled, and done once no best route leads into the tunnel", async () => {
    const scene = new Scene();
    scene.stays = 4;
    await scene.drain();
    expect(scene.asked).toEqual([[{ kind: "port.drain", port: "hub-1", means: "prepend" }]]);
    expect(Object.keys(scene.memory.drains)).toEqual(["hub-1"]);
    expect(scene.clock.now()).toBeGreaterThan(1_000);
    await scene.undrain();
    expect(scene.asked.at(-1)).toEqual([{ kind: "port.restore", port: "hub-1", means: "prepend" }]);
    expect(scene.memory.drains).toEqual({});
  });

  it("A5: the undrain of a tunnel that is not drained sends and writes nothing", async () => {
    const scene = new Scene();
    expect(await scene.undrain()).toBe("nothing");
    expect([scene.asked, scene.memory.drains]).toEqual([[], {}]);
  });

  it("a drain after which routes stay reports so", async () => {
    const scene = new Scene();
    scene.stays = 1_000;
    const error = await refused(scene.drain());
    expect(error).toMatchObject({ code: "verify.timeout", effect: "applied" });
    expect(error.message).toContain("a best route still leads into it");
  });

  it("a drain of the second tunnel of a bundle is refused", async () => {
    const scene = new Scene();
    await scene.drain();
    const error = await refused(scene.drain(two));
    expect(error).toMatchObject({ code: "gate.busy", effect: "none" });
    expect(error.next).toBe("linkseal undrain hub-1");
    expect(error.message).toBe(
      "hub-2 is not drained: hub-1 is drained, and one of a bundle is taken out at a time",
    );
    // An operator drained it on the router as well.
    scene.memory = emptyMemory;
    expect(await refused(scene.drain(two))).toMatchObject({ code: "gate.busy" });
    expect((await refused(scene.drain(one))).message).toContain("it is drained already");
    expect(scene.asked).toHaveLength(1);
  });

  it.each<{
    readonly name: string;
    readonly bend: (scene: Scene) => void;
    readonly code: string;
    readonly why: string;
  }>([
    {
      name: "a sibling whose BGP is down",
      bend: (scene) => scene.down.add("hub-2"),
      code: "gate.siblingUnhealthy",
      why: "BGP over hub-2 is not up",
    },
    {
      name: "a sibling that may lose what is sent into it",
      bend: (scene) => scene.silence("hub-2"),
      code: "gate.siblingUnhealthy",
      why: "nothing shows that what is sent arrives",
    },
    {
      name: "no sibling",
      bend: (scene) => {
        scene.tunnels.splice(1);
      },
      code: "gate.siblingUnhealthy",
      why: "no other tunnel of its device has BGP to the same prefixes",
    },
    {
      name: "no means",
      bend: (scene) => {
        scene.capabilities = { commit: { kind: "armedRevert" } };
      },
      code: "device.unsupported",
      why: "no means to move traffic",
    },
    {
      name: "a device that cannot be read",
      bend: (scene) => {
        scene.unreadable = true;
      },
      code: "gate.stale",
      why: "edge-a cannot be read",
    },
  ])("a tunnel stays in service beside $name", async ({ bend, code, why }) => {
    const scene = new Scene();
    bend(scene);
    const error = await refused(scene.drain());
    expect(error).toMatchObject({ code, effect: "none" });
    expect(error.message).toContain(why);
    expect([scene.asked, scene.memory.drains]).toEqual([[], {}]);
  });

  it("a manually drained tunnel returns by itself only once no sibling carries", async () => {
    const scene = new Scene();
    await scene.drain();
    await scene.turn();
    expect(scene.asked).toHaveLength(1);
    scene.down.add("hub-2");
    scene.unreadable = true;
    await scene.turn();
    expect(scene.asked).toHaveLength(1);
    scene.unreadable = false;
    scene.silent = true;
    await scene.turn();
    expect(scene.asked).toHaveLength(1);
    scene.silent = false;
    await scene.turn();
    expect(scene.asked.at(-1)).toMatchObject([{ kind: "port.restore" }]);
    expect(scene.lines).toEqual(["hub-1 gets its traffic back: BGP over hub-2 is not up"]);
    expect(scene.memory.drains).toEqual({});
    await scene.turn();
    expect(scene.asked).toHaveLength(2);
  });
});

describe("a tunnel that authenticates anew", () => {
  const away = [{ kind: "port.drain", port: "hub-1", means: "prepend" }];
  const back = [{ kind: "port.restore", port: "hub-1", means: "prepend" }];

  it("a tunnel that authenticates anew is empty first, and returns afterwards", async () => {
    const scene = new Scene();
    scene.quietsMs = 5_000;
    scene.auth("switching");
    await scene.drainForChange();
    expect(scene.asked).toEqual([away]);
    expect(scene.clock.now()).toBeGreaterThan(5_000);
    expect(scene.memory.drains["hub-1"]).toMatchObject({ by: "policy", until: "authenticated" });
    // The agent's successor gives the same result.
    await scene.undrainAfterChange();
    await scene.turn();
    await scene.drainForChange();
    expect(scene.asked).toEqual([away]);
    scene.auth("held");
    await scene.undrainAfterChange();
    expect([scene.asked, scene.memory.drains]).toEqual([[away, back], {}]);
    await scene.undrainAfterChange();
    expect(scene.asked).toHaveLength(2);
  });

  it("silence of the sibling gives a drained tunnel no traffic back, and holds none", async () => {
    const scene = new Scene();
    await scene.drain();
    scene.silence("hub-2");
    await scene.turn();
    expect(scene.asked).toHaveLength(1);
    scene.down.add("hub-2");
    await scene.turn();
    expect(scene.asked.at(-1)).toMatchObject([{ kind: "port.restore" }]);
  });

  it("a drained tunnel returns at the next turn if no earlier step returned it", async () => {
    const scene = new Scene();
    scene.auth("switching");
    await scene.drainForChange();
    scene.auth(undefined);
    await scene.turn();
    expect([scene.asked, scene.memory.drains]).toEqual([[away, back], {}]);
  });

  it.each([
    ["once that is over", (scene: Scene): void => scene.auth("held")],
    ["once its sibling is lost", (scene: Scene): void => void scene.down.add("hub-2")],
  ])(
    "a tunnel whose router fails %s returns at a later turn, and delays no other",
    async (_, bend) => {
      const scene = new Scene();
      scene.auth("switching");
      await scene.drainForChange();
      bend(scene);
      scene.broken = true;
      await scene.undrainAfterChange();
      await scene.turn();
      expect(scene.lines.at(-1)).toBe("no answer of FRR");
      expect([scene.asked, scene.memory.drains["hub-1"]?.by]).toEqual([[away], "policy"]);
      scene.broken = false;
      await scene.turn();
      expect([scene.asked, scene.memory.drains]).toEqual([[away, back], {}]);
    },
  );

  it("a tunnel authenticates under traffic if its gateway keeps sending", async () => {
    const scene = new Scene();
    scene.incoming.drained = 50;
    await scene.drainForChange();
    expect(scene.lines).toEqual([
      expect.stringMatching(/^hub-1 gets new SAs under traffic: .* its gateway still sends/),
    ]);
    expect(scene.clock.now()).toBeLessThan(60_000);
    await scene.undrainAfterChange();
    expect(scene.asked).toEqual([away, back]);
  });

  it.each<[string, (scene: Scene) => void]>([
    ["its sibling does not carry", (scene) => scene.down.add("hub-2")],
    ["it carries nothing itself", (scene) => scene.down.add("hub-1")],
    ["it has no sibling", (scene) => void scene.tunnels.splice(1)],
    [
      "its device has no means",
      (scene) => {
        scene.capabilities = undefined;
      },
    ],
    ["its sibling is drained", (scene) => scene.drained.add("hub-2")],
  ])("a tunnel that authenticates anew stays in service where %s", async (_why, bend) => {
    const scene = new Scene();
    bend(scene);
    await scene.drainForChange();
    expect([scene.asked, scene.memory.drains, scene.lines]).toEqual([[], {}, []]);
  });

  it("a tunnel whose settings change returns once the change has ended", async () => {
    const scene = new Scene();
    await scene.drainForChange();
    expect(scene.asked).toEqual([away]);
    await scene.undrainAfterChange();
    expect([scene.asked, scene.memory.drains]).toEqual([[away, back], {}]);
  });

  it("a fresh authentication leaves a manually drained tunnel drained", async () => {
    const scene = new Scene();
    await scene.drain();
    scene.auth("switching");
    await scene.drainForChange();
    scene.auth(undefined);
    await scene.undrainAfterChange();
    await scene.turn();
    expect([scene.asked, scene.memory.drains["hub-1"]?.by]).toEqual([[away], "ann"]);
  });
});
