// A newer key of one of two tunnels, whose agent is killed at every call to router and journal: its
// successor changes the key, and returns the traffic that was moved away for it.

import { describe, expect, it } from "vitest";
import type { Desired } from "#agent/model/desired.ts";
import { RoundTripLog } from "#agent/runtime/polling/round-trips.ts";
import { TunnelChanges } from "#agent/runtime/tunnels/tunnel-changes.ts";
import { TunnelTraffic } from "#agent/runtime/tunnels/tunnel-traffic.ts";
import { emptyMemory, type Memory, remember } from "#agent/store/journal/memory.ts";
import { fromStored } from "#agent/store/journal/stored.ts";
import type { Capabilities, Device, DeviceChange } from "#hal/device.ts";
import { type DeviceState, known, type Route } from "#hal/model.ts";
import { SimClock } from "#sim/base/clock.ts";
import { noRights } from "../../../kit/rights-kit.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { desired as site, wall } from "../../../kit/snapshot-kit.ts";
import { routing, tunnelObservation } from "../../health-evidence.ts";
import { bundle, hub } from "../../tunnel-bundle-kit.ts";
import { id, psk, version } from "./tunnel-change-kit.ts";

const [one = hub(1), two = hub(2)] = bundle;
const capabilities: Capabilities = {
  commit: { kind: "armedRevert" },
  drain: { means: ["prepend"], settleMs: 10_000 },
  ipsec: {
    ...{ keying: ["ike"], authentication: ["psk"], atomicReplace: false },
    rekeys: ["reauthenticate"],
  },
};

class Death extends Error {}
type When = "before" | "after";

class Place {
  readonly clock = new SimClock(wallStart);
  memory: Memory = { ...emptyMemory, auths: { "hub-1": { auth: psk(1) } } };
  /** The version on the router, and the version before a change that was never confirmed. */
  shows = id(1);
  #before: string | undefined;
  readonly drained = new Set<string>();
  /** Violations of the invariants. */
  readonly wrong: string[] = [];
  #spi = 100;
  /** Calls of the present process so far. */
  calls = 0;
  doom: { readonly call: number; readonly when: When } | undefined;
  #isDead = false;

  /** Runs one effect of the agent; after its death there are no more. */
  async #call(effect: () => void): Promise<void> {
    if (this.#isDead) throw new Death();
    this.calls += 1;
    const isLast = this.doom?.call === this.calls;
    if (!isLast || this.doom?.when === "after") effect();
    if (!isLast) return;
    this.#isDead = true;
    throw new Death();
  }

  /** Starts a process: the router reverts what the predecessor left unconfirmed. */
  live(): () => Promise<void> {
    this.#isDead = false;
    this.calls = 0;
    this.shows = this.#before ?? this.shows;
    this.#before = undefined;
    this.memory = { ...this.memory, pending: {} };
    const parts = {
      world: { clock: this.clock, log: { write: () => undefined } },
      desired: { ...site, tunnels: [one, two] } satisfies Desired,
      deviceCache: {
        observe: async () => this.#state(),
        state: () => this.#state(),
        failure: () => undefined,
        capabilities: () => capabilities,
        roundTrips: new RoundTripLog(this.clock),
        device: async () => this.#device(),
      },
      vault: {
        versions: async (name: string) => (name === "hub-1-psk" ? [version(1), version(2)] : []),
        read: () => Promise.reject(new Error("no value is asked for here")),
      },
      gatewayKey: () => undefined,
      rights: noRights,
      inCampaign: () => false,
      keys: () => async () => Promise.reject(new Error("no value is asked for here")),
      memory: () => this.memory,
      write: (record: Parameters<typeof remember>[1]) =>
        this.#call(() => {
          this.memory = remember(this.memory, record);
        }),
    };
    const traffic = new TunnelTraffic(parts);
    const auths = new TunnelChanges({ ...parts, traffic });
    return async () => {
      await traffic.turn(never);
      const state = this.memory.auths["hub-1"]?.next?.state;
      const isAsked = state === "waiting" || state === "held";
      if (isAsked) await auths.proceed(one, "ann", never);
      else await auths.turn(never);
    };
  }

  #state(): DeviceState {
    const at = this.clock.now();
    const seen = tunnelObservation(at, at);
    const ipsec = [one, two].map(({ name }) => {
      const rate = this.drained.has(name) ? 1_000 : 1;
      const sas = tunnelObservation(at, Math.floor(at / rate)).sas;
      if (sas.kind !== "known") throw new Error("the kit knows its SAs");
      const first = name === one.name ? this.#spi : 1;
      const own = sas.value.map((sa) => ({ ...sa, spi: first + (sa.direction === "in" ? 0 : 1) }));
      return { ...seen, name, sas: known(own, at) };
    });
    const routes = [one, two].map(({ name }): Route => {
      const via = { kind: "tunnel", name } as const;
      return { prefix: "10.100.0.0/16", via, best: !this.drained.has(name) };
    });
    const reported = {
      ...{ ...routing, routes },
      drains: [...this.drained].map((port) => ({ port, means: "prepend" as const })),
      tunnelSessions: [one, two].map(({ name, bgp }) => ({
        ...{ tunnel: name, peer: bgp?.peer ?? "", asn: 65_515, up: true },
      })),
    };
    const control = { wall, bootId: "1", configId: "1", commitPending: false };
    const both = { control: known(control, at), routing: known(reported, at) };
    return { ...{ device: "edge-a", at, macsec: [], ipsec }, ...both };
  }

  #device(): Device {
    return {
      capabilities,
      prepare: async (change: DeviceChange) => ({
        token: `t-${this.calls}`,
        apply: () =>
          this.#call(() => {
            for (const part of change) this.#apply(part);
          }),
        confirm: () =>
          this.#call(() => {
            this.#before = undefined;
          }),
      }),
    } as unknown as Device;
  }

  #apply(part: DeviceChange[number]): void {
    if (part.kind === "port.drain") this.drained.add(part.port);
    if (part.kind === "port.restore") this.drained.delete(part.port);
    if (part.kind === "ipsec.putTunnel") {
      this.#before = this.shows;
      this.shows = part.tunnel.auth.secretId;
    }
    if (part.kind === "ipsec.rekey") {
      if (this.shows !== id(2)) this.wrong.push("it authenticates by the old key");
      if (!this.drained.has(one.name)) this.wrong.push("it authenticates under traffic");
      this.#spi += 2;
    }
    if (this.drained.has(two.name)) this.wrong.push("its sibling is drained");
  }

  /** Runs turns until the agent is at rest or the process dies. */
  async run(turn: () => Promise<void>): Promise<void> {
    for (let turns = 0; turns < 80; turns += 1) {
      try {
        await settled(this.clock, turn());
      } catch (error) {
        if (error instanceof Death) return;
        throw error;
      }
      if (this.isDone() && turns > 0) return;
      await this.clock.runFor(5_000);
    }
  }

  isDone(): boolean {
    const { auth, next } = this.memory.auths["hub-1"] ?? {};
    const isTaken = auth?.secretId === id(2) && next === undefined && this.shows === id(2);
    return isTaken && this.drained.size === 0 && Object.keys(this.memory.drains).length === 0;
  }
}

async function clean(): Promise<number> {
  const place = new Place();
  await place.run(place.live());
  expect([place.isDone(), place.wrong]).toEqual([true, []]);
  return place.calls;
}

describe("a newer key of one of two tunnels", () => {
  it.each(["before", "after"] as const)(
    "an agent that changes a key and dies %s each call leaves both tunnels sound",
    async (when) => {
      const calls = await clean();
      expect(calls).toBeGreaterThanOrEqual(14);
      for (let call = 1; call <= calls; call += 1) {
        const place = new Place();
        place.doom = { call, when };
        await place.run(place.live());
        place.doom = undefined;
        const what = `killed ${when} call ${call} of ${calls}`;
        await place.run(place.live());
        expect([what, place.isDone(), place.wrong]).toEqual([what, true, []]);
      }
    },
  );
});

/** What a version that told its reasons in sentences left in its journal, and on the router. */
const leftBehind = [
  { state: "waiting", shows: 1, because: "the vault has a newer version" },
  { state: "giving", shows: 1, because: "it is being given", trouble: "its answer was lost" },
  { state: "switching", shows: 1, because: "the gateway has it" },
  { state: "switching", shows: 2, because: "our end has it" },
  { state: "returning", shows: 2, because: "it is withdrawn", trouble: "no new SA came up" },
  { state: "returning", shows: 1, because: "it is withdrawn", trouble: "no new SA came up" },
  { state: "held", shows: 1, because: "it went back", trouble: "no new SA came up" },
] as const;

function leftPlace({ shows, ...left }: (typeof leftBehind)[number]): Place {
  const place = new Place();
  place.shows = id(shows);
  const next = { ...left, auth: psk(2), since: wall };
  const entry = { kind: "auth", name: "hub-1", inUse: { auth: psk(1), next } };
  place.memory = remember(place.memory, fromStored(entry));
  return place;
}

describe("a change of a key that an older version began, whose journal has sentences", () => {
  it.each(leftBehind)(
    "ends whole from $state with key $shows, killed at any call",
    async (left) => {
      const whole = leftPlace(left);
      expect(whole.memory.auths["hub-1"]?.next).toMatchObject({ state: left.state, reason: {} });
      await whole.run(whole.live());
      expect([whole.isDone(), whole.wrong]).toEqual([true, []]);
      expect(whole.calls).toBeGreaterThan(3);
      for (let call = 1; call <= whole.calls; call += 1) {
        for (const when of ["before", "after"] as const) {
          const place = leftPlace(left);
          place.doom = { call, when };
          await place.run(place.live());
          place.doom = undefined;
          await place.run(place.live());
          const what = `killed ${when} call ${call} of ${whole.calls}`;
          expect([what, place.isDone(), place.wrong]).toEqual([what, true, []]);
        }
      }
    },
  );
});
