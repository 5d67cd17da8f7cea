// IPsec tunnels: rekeying never interrupts traffic, and a tunnel that is gone is reported as gone.

import { type RekeyWhat, rekeyWhats } from "#hal/device.ts";
import type { DeviceState, IpsecSa, Route } from "#hal/model.ts";
import type { DeviceBench, TunnelTruth } from "./bench.ts";
import {
  canonical,
  commit,
  type DeviceCase,
  ipsec,
  must,
  mustBe,
  type Need,
  never,
  observe,
  prepare,
  refusedChange,
  rekey,
  reported,
  revertMs,
  stepMs,
  timer,
  until,
} from "./kit.ts";
import { Untried } from "./untried.ts";

function tunnelTruth(bench: DeviceBench): TunnelTruth | undefined {
  return bench.truth().tunnels.find(({ name }) => name === bench.tunnel.name);
}

async function put(bench: DeviceBench): Promise<void> {
  await commit(bench, { kind: "ipsec.putTunnel", tunnel: bench.tunnel });
  await until(bench, "the tunnel", () => {
    const truth = tunnelTruth(bench);
    return truth !== undefined && (truth.up || !bench.gateway);
  });
}

async function raise(bench: DeviceBench): Promise<void> {
  if (!bench.gateway) throw new Untried("a gateway");
  await put(bench);
}

async function sasOf(bench: DeviceBench): Promise<readonly IpsecSa[]> {
  const tunnel = (await observe(bench)).ipsec.find(({ name }) => name === bench.tunnel.name);
  must(tunnel !== undefined, "the tunnel is not reported");
  must(reported(tunnel.ike, "the IKE SA") === "established", "the IKE SA is not established");
  return reported(tunnel.sas, "the IPsec SAs");
}

const spisIn = (sas: readonly IpsecSa[]): readonly number[] =>
  sas.filter(({ phase }) => phase === "installed").map(({ spi }) => spi);

const ascending = (spis: readonly number[]): readonly number[] => spis.toSorted((a, b) => a - b);

function routesIn({ ways, routing }: DeviceState): readonly Route[] {
  return ways === undefined
    ? reported(routing, "its routing").routes
    : reported(ways, "its routes");
}

function rekeyCase(what: RekeyWhat): DeviceCase {
  const renews = what !== "ike";
  return {
    ...rekey(what),
    name: `tunnel: ${what === "reauthenticate" ? what : `${what} rekey`} interrupts nothing`,
    why: "RFC 7296 2.8: the new SAs exist before the old ones go",
    async run(bench) {
      await raise(bench);
      await bench.wait(5_000);
      const before = spisIn(await sasOf(bench));
      await commit(bench, { kind: "ipsec.rekey", name: bench.tunnel.name, what });
      for (let second = 0; second < 20; second += 1) {
        must(tunnelTruth(bench)?.up === true, "the tunnel was interrupted");
        await bench.wait(1_000);
      }
      const after = spisIn(await sasOf(bench));
      must(after.length === 2, "there is not one pair of SAs in use");
      const kept = after.some((spi) => before.includes(spi));
      must(kept !== renews, renews ? "the SAs are the old ones" : "the SAs are not the old ones");
    },
  };
}

/** More time than a router takes to do what its timer says. */
const slackMs = 15_000;

const revertible: Need = {
  needs: (capabilities) => ipsec.needs(capabilities) && timer.needs(capabilities),
  attempt: (bench) =>
    ipsec.needs(bench.device.capabilities) ? timer.attempt(bench) : ipsec.attempt(bench),
};

export const tunnelCases: readonly DeviceCase[] = [
  {
    ...ipsec,
    name: "tunnel: comes up and is reported as it is",
    why: "P7: a tunnel is judged by its SAs from the data plane",
    async run(bench) {
      await raise(bench);
      // After a rekey the old child still receives for 5 s (strongswan.conf(5),
      // delete_rekeyed_delay).
      await bench.wait(7_000);
      const sas = await sasOf(bench);
      must(sas.length === 2, "a tunnel has a pair of SAs");
      const directions = new Set(sas.map(({ direction }) => direction));
      must(directions.size === 2, "the SAs are not one each way");
      const wanted = canonical(bench.tunnel.transforms);
      must(
        sas.every((sa) => canonical(sa.transforms) === wanted),
        "the transforms are others",
      );
      const truth = ascending(tunnelTruth(bench)?.spis ?? []);
      must(canonical(ascending(spisIn(sas))) === canonical(truth), "the SPIs are reported wrongly");
      const routes = routesIn(await observe(bench));
      const ways = routes.filter(({ prefix }) => bench.tunnel.remotePrefixes.includes(prefix));
      must(
        ways.some(({ via }) => via.kind === "tunnel"),
        "no route leads into the tunnel",
      );
    },
  },
  {
    ...ipsec,
    name: "tunnel: put again changes nothing",
    why: "a repeated effect finds its goal reached",
    async run(bench) {
      await put(bench);
      const before = bench.truth();
      const spis = tunnelTruth(bench)?.spis ?? [];
      await commit(bench, { kind: "ipsec.putTunnel", tunnel: bench.tunnel });
      await bench.wait(5_000);
      must(bench.truth().effects === before.effects, "an unchanged tunnel was put again");
      const after = tunnelTruth(bench)?.spis ?? [];
      // A tunnel that had no answer before may have one now, and SAs that were being deleted may
      // have gone.
      const isSame = after.length > 0 && after.every((spi) => spis.includes(spi));
      must(spis.length === 0 || isSame, "an unchanged tunnel was restarted");
    },
  },
  {
    ...ipsec,
    name: "tunnel: other settings take effect",
    why: "an accepted change that a device does not make is worse than one that it refuses",
    async run(bench) {
      await put(bench);
      const { tunnel } = bench;
      const remotePrefixes = ["10.177.0.0/16"];
      const life = { ...tunnel.life, seconds: tunnel.life.seconds - 600 };
      const other = { ...tunnel, life, remotePrefixes };
      await commit(bench, { kind: "ipsec.putTunnel", tunnel: other });
      await until(bench, "the changed tunnel", () => {
        const truth = tunnelTruth(bench);
        return truth !== undefined && (truth.up || !bench.gateway);
      });
      const into = routesIn(await observe(bench)).filter(({ via }) => via.kind === "tunnel");
      const led = new Set(into.map(({ prefix }) => prefix));
      // A router has no route into a tunnel that is down.
      const isLed = led.has("10.177.0.0/16") || !bench.gateway;
      must(isLed, "no route leads what it protects now into it");
      const old = tunnel.remotePrefixes.find((prefix) => led.has(prefix));
      must(old === undefined, "a route leads into it what it does not protect any more");
      const { effects } = bench.truth();
      await commit(bench, { kind: "ipsec.putTunnel", tunnel: other });
      must(bench.truth().effects === effects, "a tunnel that is as it is wanted was put again");
    },
  },
  {
    ...ipsec,
    name: "tunnel: a change of its path leaves its SAs alone",
    why: "what no SA depends on must cost no packet",
    async run(bench) {
      await put(bench);
      await bench.wait(7_000);
      const { tunnel } = bench;
      const isBeside = bench.device.capabilities.ipsec?.rekeys.includes("reauthenticate") === true;
      const before = bench.gateway && isBeside ? spisIn(await sasOf(bench)) : [];
      const other = { ...tunnel, mtu: tunnel.mtu - 100, localPrefixes: ["10.178.0.0/16"] };
      await commit(bench, { kind: "ipsec.putTunnel", tunnel: other });
      await until(bench, "the changed tunnel", () => {
        const truth = tunnelTruth(bench);
        return truth !== undefined && (truth.up || !bench.gateway);
      });
      if (before.length > 0) {
        const after = spisIn(await sasOf(bench));
        must(
          before.every((spi) => after.includes(spi)),
          "SAs were replaced that are as they are wanted",
        );
      }
      const { effects } = bench.truth();
      await commit(bench, { kind: "ipsec.putTunnel", tunnel: other });
      must(bench.truth().effects === effects, "a tunnel that is as it is wanted was put again");
    },
  },
  {
    ...ipsec,
    name: "tunnel: removing one that is not there changes nothing",
    why: "a removal is repeated after an agent that died, and must find its goal reached",
    async run(bench) {
      await put(bench);
      const before = bench.truth();
      await commit(bench, { kind: "ipsec.removeTunnel", name: "no-such-tunnel" });
      must(bench.truth().effects === before.effects, "a removal of nothing had an effect");
      must(tunnelTruth(bench) !== undefined, "a removal of nothing took another tunnel");
    },
  },
  {
    ...ipsec,
    name: "tunnel: removed is gone",
    why: "P7: SAs of a removed tunnel must not seem alive",
    async run(bench) {
      await put(bench);
      if (bench.gateway) await sasOf(bench);
      await commit(bench, { kind: "ipsec.removeTunnel", name: bench.tunnel.name });
      must(tunnelTruth(bench) === undefined, "a removed tunnel still exists");
      const state = await observe(bench);
      const ghost = state.ipsec.some(({ name }) => name === bench.tunnel.name);
      must(!ghost, "a removed tunnel is reported");
      must(
        !routesIn(state).some(({ via }) => via.kind === "tunnel"),
        "a route leads into no tunnel",
      );
    },
  },
  {
    ...revertible,
    name: "tunnel: reverts in time without a confirm",
    why: "the revert timer covers what may cut the way to the router, a tunnel too",
    async run(bench) {
      const change = [{ kind: "ipsec.putTunnel", tunnel: bench.tunnel }] as const;
      const transaction = await prepare(bench, change);
      await transaction.apply(revertMs, never);
      must(tunnelTruth(bench) !== undefined, "a tunnel with a time to revert was not put");
      await bench.wait(revertMs + stepMs(bench.device.capabilities) + slackMs);
      must(tunnelTruth(bench) === undefined, "the tunnel was not taken back in its time");
      const reported = (await observe(bench)).ipsec.some(({ name }) => name === bench.tunnel.name);
      must(!reported, "a tunnel that was reverted is reported");
      await put(bench);
    },
  },
  ...rekeyWhats.map(rekeyCase),
  {
    ...rekey("child"),
    name: "tunnel: one that is not there cannot be rekeyed",
    why: "an emergency rekey that did nothing must not seem done",
    async run(bench) {
      await put(bench);
      const before = bench.truth();
      const what = "the rekey of a tunnel that is not there";
      const part = { kind: "ipsec.rekey", name: "no-such-tunnel", what: "child" } as const;
      mustBe(await refusedChange(bench, what, part), ["device.rejected"], what);
      must(bench.truth().effects === before.effects, `${what} had an effect`);
    },
  },
];
