// The Linux driver's tunnels: the block before the SA, a proof before the end, and nothing left of
// what failed.

import { describe, expect, it } from "vitest";
import { childName } from "#drivers/linux/ipsec/messages.ts";
import { strongValue } from "#hal/model.ts";
import { tunnelSpec } from "../../../kit/charon-kit.ts";
import { never, refused, settled } from "../../../kit/site-bench.ts";
import { TunnelBench } from "../../../kit/tunnel-bench.ts";

const name = tunnelSpec.name;
const put = { kind: "ipsec.putTunnel", tunnel: tunnelSpec } as const;
const remove = { kind: "ipsec.removeTunnel", name } as const;

function wiped(bench: TunnelBench): boolean {
  return bench.psks.every((psk) => {
    try {
      psk.use(() => undefined);
      return false;
    } catch {
      return true;
    }
  });
}

describe("a tunnel of a Linux host", () => {
  it("is blocked around before charon hears of it, and told as it is", async () => {
    const bench = await TunnelBench.open();
    const transaction = await bench.prepare([put]);
    expect(transaction.preview.split("\n")).toEqual([
      "+ IKEv2 hub-1 198.51.100.1 to 203.0.113.1, aes-256-gcm/sha384/ecp-384 [secret psk]",
      "+ ESP aes-256-gcm/none/ecp-384, 27000 s or 102400000 kB",
      "+ block 10.100.0.0/16 outside of tunnels",
      "+ xfrm interface hub-1, number 42, mtu 1400",
      "+ route 10.100.0.0/16 into hub-1",
    ]);
    expect(bench.kernel.acts).toEqual([]);
    bench.charon.onInitiate = () => {
      const states = bench.kernel.policies.map(({ action }) => action);
      expect(states.filter((action) => action === "block")).toHaveLength(3);
    };
    await settled(bench.clock, transaction.apply(120_000, never));
    expect((await bench.observe()).control).toMatchObject({ value: { commitPending: true } });
    await settled(bench.clock, transaction.confirm(never));
    const tunnel = await bench.tunnel();
    expect(tunnel).toMatchObject({ name, ike: { kind: "known", value: "established" } });
    const sas = tunnel === undefined ? undefined : strongValue(tunnel.sas);
    expect(sas?.map(({ direction }) => direction).toSorted()).toEqual(["in", "out"]);
    expect(sas?.[0]?.transforms).toEqual(tunnelSpec.transforms);
    const { blocked, ways, routing } = await bench.observe();
    expect(blocked).toMatchObject({ value: ["10.100.0.0/16"] });
    const via = { kind: "tunnel", name };
    expect(ways).toMatchObject({ value: [{ prefix: "10.100.0.0/16", via }] });
    // Sessions are FRR's to tell, and there is none.
    expect(routing.kind).toBe("unknown");
    expect(wiped(bench)).toBe(true);
  });

  it("with BGP inside blocks its neighbour too, and leaves the routes to BGP", async () => {
    const bench = await TunnelBench.open();
    const bgp = { local: "169.254.21.2", peer: "169.254.21.1", asn: 65_515 };
    const tunnel = { ...tunnelSpec, bgp };
    const { preview } = await bench.prepare([{ kind: "ipsec.putTunnel", tunnel }]);
    expect(preview.split("\n").slice(2)).toEqual([
      "+ block 10.100.0.0/16 outside of tunnels",
      "+ block 169.254.21.1/32 outside of tunnels",
      "+ xfrm interface hub-1, number 42, mtu 1400",
      "+ address 169.254.21.2 on hub-1, opposite 169.254.21.1: BGP brings the routes",
    ]);
    await bench.put(tunnel);
    expect(bench.kernel.routes).toEqual([]);
    expect(bench.kernel.addresses).toMatchObject([{ local: bgp.local, address: bgp.peer }]);
    const { blocked } = await bench.observe();
    expect(blocked).toMatchObject({ value: ["10.100.0.0/16", "169.254.21.1/32"] });
    // The gateway's BGP address may lie inside of what is protected, and be it alone.
    const own = { ...tunnel, remotePrefixes: ["169.254.21.1/32"] };
    const inside = await bench.prepare([{ kind: "ipsec.putTunnel", tunnel: own }]);
    expect(inside.preview).not.toContain("block");
  });

  it("is the backup of ports from before its block on, until it is put without them", async () => {
    const bench = await TunnelBench.open();
    const secy = { validation: "strict", protect: true, encrypt: true };
    bench.kernel.links = [
      { index: 1, name: "p1", hardware: 1, flags: 1, unnamed: [] },
      { index: 2, name: "ms", link: 1, flags: 1, info: { kind: "macsec", macsec: secy } },
    ] as unknown as typeof bench.kernel.links;
    const tunnel = { ...tunnelSpec, backs: ["p1"] };
    const { preview } = await bench.prepare([{ kind: "ipsec.putTunnel", tunnel }]);
    expect(preview.split("\n")[2]).toBe(
      "+ pass 10.100.0.0/16 under the MACsec of p1, while it is tight",
    );
    await bench.put(tunnel);
    const { blocked, backed } = await bench.observe();
    expect(blocked).toMatchObject({ value: ["10.100.0.0/16"] });
    expect(backed).toMatchObject({
      value: [{ prefix: "10.100.0.0/16", ports: ["p1"], open: ["p1"] }],
    });
    bench.kernel.links = bench.kernel.links.filter(({ name }) => name !== "ms");
    bench.desk?.noteChange();
    await bench.clock.runFor(100);
    expect((await bench.observe()).backed).toMatchObject({ value: [{ open: [] }] });
    expect(bench.kernel.policies.filter(({ selector }) => selector.link === 2)).toEqual([]);
    await bench.put();
    expect(await bench.observe()).not.toHaveProperty("backed");
  });

  it("put again changes nothing", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    const [acts, spis] = [bench.kernel.acts.length, bench.charon.children];
    await bench.put();
    expect(bench.kernel.acts).toHaveLength(acts);
    expect(bench.charon.children).toEqual(spis);
    expect(bench.charon.asked.filter((one) => one === "initiate")).toHaveLength(1);
  });

  it("that the ends do not agree on leaves its block and nothing else, and says why", async () => {
    for (const cause of ["psk", "pfsGroup"] as const) {
      const bench = await TunnelBench.open();
      bench.charon.disagreement = cause;
      const error = await refused(bench.put());
      expect([error.code, error.effect]).toEqual(["device.rejected", "none"]);
      expect(error.message).toMatch(cause === "psk" ? /pre-shared/ : /groups for rekeying/);
      expect([bench.kernel.links, bench.kernel.sas]).toEqual([[], []]);
      const state = await bench.observe();
      expect(state.blocked).toMatchObject({ value: tunnelSpec.remotePrefixes });
      expect(bench.charon.loaded.size + bench.charon.shared.size).toBe(0);
      expect(state.control).toMatchObject({ value: { commitPending: false } });
      expect(wiped(bench)).toBe(true);
    }
  });

  it("whose gateway is silent is there, and down", async () => {
    const bench = await TunnelBench.open();
    bench.charon.disagreement = "peerSilent";
    await bench.put();
    const tunnel = await bench.tunnel();
    expect(tunnel?.ike).toMatchObject({ value: "down" });
    expect(tunnel?.trouble).toBe("the gateway does not answer");
    expect((await bench.observe()).blocked).toMatchObject({ value: ["10.100.0.0/16"] });
  });

  it("put with other settings is made beside what carries, which ends after that", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    const [before] = bench.charon.children;
    const life = { ...tunnelSpec.life, seconds: 3_600 };
    const remotePrefixes = ["10.101.0.0/16", "10.102.0.0/16"];
    const other = { ...tunnelSpec, life, remotePrefixes, mtu: 1_300 };
    bench.charon.onInitiate = () => {
      expect(bench.charon.children.map(({ spiIn }) => spiIn)).toEqual([before?.spiIn]);
      expect(bench.kernel.policies.filter(({ action }) => action === "block")).toHaveLength(9);
    };
    await bench.put(other);
    expect(bench.charon.children.map(({ name }) => name)).toEqual([childName(other)]);
    expect(bench.kernel.sas).toHaveLength(2);
    const led = bench.kernel.routes.map(({ destination }) => destination);
    expect(led).toEqual(["10.101.0.0", "10.102.0.0"]);
    expect(bench.kernel.links).toMatchObject([{ name, mtu: 1_300 }]);
    const value = ["10.100.0.0/16", ...remotePrefixes];
    expect((await bench.observe()).blocked).toMatchObject({ value });
    const initiated = bench.charon.asked.filter((one) => one === "initiate");
    await bench.put(other);
    expect(bench.charon.asked.filter((one) => one === "initiate")).toEqual(initiated);
  });

  it("put with what the gateway refuses keeps its SAs and routes, and the new block", async () => {
    for (const disagreement of ["psk", "ikeProposal", "espProposal", "pfsGroup"] as const) {
      const bench = await TunnelBench.open();
      await bench.put();
      const before = bench.charon.children.map(({ spiIn }) => spiIn);
      const remotePrefixes = ["10.101.0.0/16"];
      const remoteAddress = "203.0.113.7";
      bench.charon.disagreement = disagreement;
      const error = await refused(bench.put({ ...tunnelSpec, remoteAddress, remotePrefixes }));
      expect([error.code, error.effect]).toEqual(["device.rejected", "none"]);
      expect(bench.charon.children.map(({ spiIn }) => spiIn)).toEqual(before);
      const led = bench.kernel.routes.map(({ destination }) => destination);
      expect(led).toEqual(["10.100.0.0"]);
      const value = ["10.100.0.0/16", ...remotePrefixes];
      expect((await bench.observe()).blocked).toMatchObject({ value });
    }
  });

  it("put with BGP inside has a pair of addresses and no route, and back", async () => {
    const bench = await TunnelBench.open();
    const bgp = { local: "169.254.21.2", peer: "169.254.21.1", asn: 65_515 };
    await bench.put();
    await bench.put({ ...tunnelSpec, bgp });
    expect([bench.kernel.routes, bench.kernel.addresses.length]).toEqual([[], 1]);
    await bench.put({ ...tunnelSpec, bgp: { ...bgp, local: "169.254.21.6" } });
    expect(bench.kernel.addresses).toMatchObject([{ local: "169.254.21.6" }]);
    await bench.put();
    expect([bench.kernel.routes.length, bench.kernel.addresses]).toEqual([1, []]);
  });

  it("that is not confirmed is undone, also by a successor, and its block stays", async () => {
    const bench = await TunnelBench.open();
    const transaction = await bench.prepare([put]);
    await settled(bench.clock, transaction.apply(60_000, never));
    await bench.restart();
    await bench.clock.runFor(61_000);
    expect([bench.kernel.links, bench.kernel.sas]).toEqual([[], []]);
    expect((await bench.observe()).blocked).toMatchObject({ value: tunnelSpec.remotePrefixes });
  });

  it("that charon forgot is told so, and is mended without an SA that nobody owns", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    bench.charon.die();
    expect(bench.kernel.sas).toHaveLength(2);
    expect((await bench.tunnel())?.ike).toMatchObject({ value: "forgotten" });
    await bench.put();
    expect((await bench.tunnel())?.ike).toMatchObject({ value: "established" });
    const { spiIn, spiOut } = bench.charon.children[0] ?? {};
    expect(bench.kernel.sas.map(({ spi }) => spi)).toEqual([spiIn, spiOut]);
  });

  it("is not called down where charon does not answer", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    bench.charon.away = true;
    const tunnel = await bench.tunnel();
    expect(tunnel?.ike).toMatchObject({ kind: "unknown", why: "queryFailed" });
    expect(tunnel?.sas.kind).toBe("known");
  });

  it("is looked at in time beside a charon that hangs", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    bench.charon.hangs = true;
    const before = bench.clock.now();
    expect((await bench.tunnel())?.ike).toMatchObject({ kind: "unknown", why: "queryFailed" });
    expect(bench.clock.now() - before).toBeLessThanOrEqual(6_000);
    await bench.prepare([put]);
  });

  it("removed is gone at its confirm, and comes back without it", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    const transaction = await bench.prepare([remove]);
    await settled(bench.clock, transaction.apply(60_000, never));
    expect(await bench.tunnel()).toBeUndefined();
    await settled(bench.clock, transaction.rollback(never));
    expect((await bench.tunnel())?.ike).toMatchObject({ value: "established" });
    await bench.commit(remove);
    expect(await bench.tunnel()).toBeUndefined();
    expect([bench.kernel.sas, bench.charon.loaded.size]).toEqual([[], 0]);
    expect((await bench.observe()).blocked).toMatchObject({ value: ["10.100.0.0/16"] });
  });

  it("that stands is given another secret without a word to its SAs", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    const [before, asked] = [await bench.tunnel(), bench.charon.asked.length];
    bench.psk = "Azure_PSK_of_another_version";
    await bench.put();
    expect([...bench.charon.shared.values()]).toEqual(["Azure_PSK_of_another_version"]);
    const told = bench.charon.asked.slice(asked).filter((command) => !command.startsWith("list-"));
    expect(told).toEqual(["load-shared"]);
    const sasOf = (tunnel: typeof before) => tunnel?.sas.kind === "known" && tunnel.sas.value;
    expect(sasOf(await bench.tunnel())).toEqual(sasOf(before));
    expect(wiped(bench)).toBe(true);
    await bench.commit({ kind: "ipsec.rekey", name, what: "reauthenticate" });
    bench.charon.disagreement = "psk";
    const error = await refused(
      bench.commit({ kind: "ipsec.rekey", name, what: "reauthenticate" }),
    );
    expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
    expect(error.message).toContain("different pre-shared keys");
  });

  it("is rekeyed if it is there", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    const before = bench.charon.children[0]?.spiIn;
    await bench.commit({ kind: "ipsec.rekey", name, what: "child" });
    expect(bench.charon.children[0]?.spiIn).not.toBe(before);
    const absent = bench.commit({ kind: "ipsec.rekey", name: "hub-9", what: "child" });
    expect((await refused(absent)).effect).toBe("none");
  });

  it("is blocked around while a change of another one waits for its confirm", async () => {
    const bench = await TunnelBench.open();
    const first = await bench.prepare([put]);
    await settled(bench.clock, first.apply(60_000, never));
    const blocks = [{ prefix: "10.101.0.0/16", ports: [] }];
    const second = await bench.prepare([{ kind: "ipsec.block", blocks }]);
    expect(second.preview).toBe("+ block 10.101.0.0/16 outside of tunnels");
    await settled(bench.clock, second.apply("final", never));
    await settled(bench.clock, first.rollback(never));
    const value = ["10.100.0.0/16", "10.101.0.0/16"];
    expect((await bench.observe()).blocked).toMatchObject({ value });
    expect((await bench.prepare([{ kind: "ipsec.block", blocks }])).preview).toBe("");
  });

  it("takes no other change along", async () => {
    const bench = await TunnelBench.open();
    const mixed = bench.prepare([put, { kind: "port.shut", port: "p1" }]);
    expect((await refused(mixed)).code).toBe("device.unsupported");
  });

  it("keeps its PSK no longer than somebody may come to apply it", async () => {
    const bench = await TunnelBench.open();
    await bench.prepare([put]);
    expect(wiped(bench)).toBe(false);
    await bench.clock.runFor(121_000);
    expect(wiped(bench)).toBe(true);
  });
});
