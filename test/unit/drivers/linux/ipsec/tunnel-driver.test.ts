// The Linux driver's tunnels: the block comes before the SA and a proof at the end, and nothing
// remains of what failed.

import { describe, expect, it } from "vitest";
import { childName } from "#drivers/linux/ipsec/messages.ts";
import type { Link } from "#drivers/linux/netlink/rtnetlink-link.ts";
import type { Route } from "#drivers/linux/netlink/rtnetlink-route.ts";
import { putPolicy } from "#drivers/linux/netlink/xfrm.ts";
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
  it("a tunnel's prefixes are blocked before charon is configured for it", async () => {
    const bench = await TunnelBench.open();
    const transaction = await bench.prepare([put]);
    expect(transaction.preview.split("\n")).toEqual([
      "+ block 10.100.0.0/16 outside of tunnels",
      "+ IKEv2 hub-1 198.51.100.1 to 203.0.113.1, aes-256-gcm/sha384/ecp-384 [secret psk]",
      "+ ESP aes-256-gcm/none/ecp-384, 27000 s or 102400000 kB",
      "+ xfrm interface hub-1, number 42, mtu 1400",
      "+ route 10.100.0.0/16 into hub-1",
    ]);
    expect(bench.kernel.acts).toEqual([]);
    let initiated = 0;
    bench.charon.onInitiate = () => {
      initiated += 1;
      const states = bench.kernel.policies.map(({ action }) => action);
      expect(states.filter((action) => action === "block")).toHaveLength(3);
      expect(bench.kernel.links).toEqual([]);
    };
    await settled(bench.clock, transaction.apply(120_000, never));
    expect(initiated).toBe(1);
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
    // FRR reports sessions, and there is no FRR.
    expect(routing.kind).toBe("unknown");
    expect(wiped(bench)).toBe(true);
  });

  it("a tunnel with BGP blocks its neighbour too, and leaves the routes to BGP", async () => {
    const bench = await TunnelBench.open();
    const bgp = { local: "169.254.21.2", peer: "169.254.21.1", asn: 65_515 };
    const tunnel = { ...tunnelSpec, bgp };
    const { preview } = await bench.prepare([{ kind: "ipsec.putTunnel", tunnel }]);
    const [first, second, , , ...rest] = preview.split("\n");
    expect([first, second, ...rest]).toEqual([
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
    // The gateway's BGP address may be inside the protected prefixes, or be the only one.
    const own = { ...tunnel, remotePrefixes: ["169.254.21.1/32"] };
    const inside = await bench.prepare([{ kind: "ipsec.putTunnel", tunnel: own }]);
    expect(inside.preview).not.toContain("block");
  });

  it("a backup tunnel's prefixes are exempt on its ports until it is put without", async () => {
    const bench = await TunnelBench.open();
    const secy = { validation: "strict", protect: true, encrypt: true };
    bench.kernel.links = [
      { index: 1, name: "p1", hardware: 1, flags: 1, unnamed: [] },
      { index: 2, name: "ms", link: 1, flags: 1, info: { kind: "macsec", macsec: secy } },
    ] as unknown as typeof bench.kernel.links;
    const tunnel = { ...tunnelSpec, backs: ["p1"] };
    const { preview } = await bench.prepare([{ kind: "ipsec.putTunnel", tunnel }]);
    expect(preview.split("\n")[0]).toBe(
      "+ pass 10.100.0.0/16 under the MACsec of p1, while it is tight",
    );
    await bench.put(tunnel);
    const { blocked, backed } = await bench.observe();
    expect(blocked).toMatchObject({ value: ["10.100.0.0/16"] });
    expect(backed).toMatchObject({
      value: [{ prefix: "10.100.0.0/16", ports: ["p1"], open: ["p1"] }],
    });
    bench.kernel.links = bench.kernel.links.filter(({ name }) => name !== "ms");
    bench.server?.noteChange();
    await bench.clock.runFor(100);
    expect((await bench.observe()).backed).toMatchObject({ value: [{ open: [] }] });
    expect(bench.kernel.policies.filter(({ selector }) => selector.link === 2)).toEqual([]);
    await bench.put();
    expect(await bench.observe()).not.toHaveProperty("backed");
  });

  it("a tunnel's preview names version, identities and PPK, and no secret", async () => {
    const bench = await TunnelBench.open();
    const ppk = { secretId: "https://v/secrets/p/1", id: "hub", use: "required" } as const;
    const tunnel = {
      ...{ ...tunnelSpec, localId: "192.0.2.9", remoteId: "gw.partner.example" },
      auth: { ...tunnelSpec.auth, ppk },
    };
    const { preview } = await bench.prepare([{ kind: "ipsec.putTunnel", tunnel }]);
    expect(preview.split("\n").slice(1, 3)).toEqual([
      "+ IKEv2 hub-1 198.51.100.1 to 203.0.113.1, aes-256-gcm/sha384/ecp-384 [secret psk, ppk hub]",
      "+ identities 192.0.2.9 to gw.partner.example",
    ]);
    expect(preview).not.toContain(bench.psk);
    await bench.clock.runFor(150_000);
    expect(bench.psks).toHaveLength(2);
    expect(wiped(bench)).toBe(true);
  });

  it("a tunnel reports whether charon uses its PPK", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    expect((await bench.tunnel())?.ppk).toBe("unused");
    bench.charon.ike = { ppk: "yes" };
    expect((await bench.tunnel())?.ppk).toBe("used");
    bench.charon.die();
    expect(await bench.tunnel()).not.toHaveProperty("ppk");
  });

  it("a new authentication of IKEv1 is refused, because a failure would end the SAs", async () => {
    const bench = await TunnelBench.open();
    bench.charon.ike = { version: "1" };
    await bench.put();
    const again = { kind: "ipsec.rekey", name, what: "reauthenticate" } as const;
    const before = bench.charon.ikeId;
    const transaction = await bench.prepare([again]);
    const error = await refused(settled(bench.clock, transaction.apply(120_000, never)));
    expect(error).toMatchObject({ code: "device.rejected", effect: "none", where: name });
    expect(error.message).toContain("would end the SAs of hub-1");
    expect(bench.charon.ikeId).toBe(before);
    await bench.commit({ ...again, what: "ike" });
    expect(bench.charon.ikeId).toBe(before + 1);
  });

  it("a tunnel that is put again unchanged changes nothing", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    const [acts, spis] = [bench.kernel.acts.length, bench.charon.children];
    await bench.put();
    expect(bench.kernel.acts).toHaveLength(acts);
    expect(bench.charon.children).toEqual(spis);
    expect(bench.charon.asked.filter((one) => one === "initiate")).toHaveLength(1);
  });

  // The routes to an open prefix were left out, so that no route past its tunnel was named.
  it("routes to a prefix whose block a policy precedes are reported, with the policy", async () => {
    const bench = await TunnelBench.open();
    const { kernel } = bench;
    kernel.links.push({ index: 2, name: "p1", hardware: 1, flags: 1 } as Link);
    const to = { family: 2, destination: "10.100.0.0", destinationLength: 16 };
    kernel.routes.push({ ...to, outputLink: 2, kind: 1, protocol: 4, table: 254 } as Route);
    const pass = { source: "0.0.0.0/0", destination: "10.100.0.0/17", priority: 0 } as const;
    await kernel.socket("xfrm").write([putPolicy({ ...pass, direction: "out" })], never);
    bench.charon.disagreement = "psk";
    await refused(bench.put());
    const { blocked, opened, ways } = await bench.observe();
    expect(blocked).toMatchObject({ value: [] });
    expect(ways).toMatchObject({ value: [{ via: { kind: "port", port: "p1" }, best: true }] });
    const by = "the xfrm policy 0.0.0.0/0 -> 10.100.0.0/17, dir out, priority 0";
    expect(opened).toEqual([{ prefix: "10.100.0.0/16", by }]);
  });

  it("a tunnel whose ends disagree leaves only its block, and reports why", async () => {
    for (const cause of ["psk", "pfsGroup"] as const) {
      const bench = await TunnelBench.open();
      bench.charon.disagreement = cause;
      const error = await refused(bench.put());
      expect([error.code, error.effect]).toEqual(["device.rejected", "applied"]);
      expect(error.message).toMatch(cause === "psk" ? /pre-shared/ : /groups for rekeying/);
      expect(error.message).toContain("the block of what it protects was left in place");
      expect([bench.kernel.links, bench.kernel.sas]).toEqual([[], []]);
      const state = await bench.observe();
      expect(state.blocked).toMatchObject({ value: tunnelSpec.remotePrefixes });
      expect(bench.charon.loaded.size + bench.charon.shared.size).toBe(0);
      expect(state.control).toMatchObject({ value: { commitPending: false } });
      expect(wiped(bench)).toBe(true);
    }
  });

  it("a tunnel whose gateway is silent exists, and is down", async () => {
    const bench = await TunnelBench.open();
    bench.charon.disagreement = "peerSilent";
    await bench.put();
    const tunnel = await bench.tunnel();
    expect(tunnel?.ike).toMatchObject({ value: "down" });
    expect(tunnel?.trouble).toBe("the gateway does not answer");
    expect((await bench.observe()).blocked).toMatchObject({ value: ["10.100.0.0/16"] });
  });

  it("a refused change of a tunnel without SAs does not claim that some go on", async () => {
    const bench = await TunnelBench.open();
    bench.charon.disagreement = "peerSilent";
    await bench.put();
    bench.charon.disagreement = "ikeProposal";
    const error = await refused(bench.put({ ...tunnelSpec, remoteAddress: "203.0.113.7" }));
    expect(error.message).toContain("it had no SAs, and charon has the new settings");
  });

  it("a tunnel with new settings is made beside the old SAs, which end afterwards", async () => {
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

  it("new settings that the gateway refuses leave SAs and routes, and the new block", async () => {
    for (const disagreement of ["psk", "ikeProposal", "espProposal", "pfsGroup"] as const) {
      const bench = await TunnelBench.open();
      await bench.put();
      const before = bench.charon.children.map(({ spiIn }) => spiIn);
      const remotePrefixes = ["10.101.0.0/16"];
      const remoteAddress = "203.0.113.7";
      bench.charon.disagreement = disagreement;
      const error = await refused(bench.put({ ...tunnelSpec, remoteAddress, remotePrefixes }));
      expect([error.code, error.effect]).toEqual(["device.rejected", "applied"]);
      expect(error.message).toContain("its present SAs go on");
      expect(bench.charon.children.map(({ spiIn }) => spiIn)).toEqual(before);
      const led = bench.kernel.routes.map(({ destination }) => destination);
      expect(led).toEqual(["10.100.0.0"]);
      const value = ["10.100.0.0/16", ...remotePrefixes];
      expect((await bench.observe()).blocked).toMatchObject({ value });
    }
  });

  it("a tunnel changed to BGP has two addresses and no route, and changes back", async () => {
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

  it("an unconfirmed tunnel is reverted, also by a successor, and its block stays", async () => {
    const bench = await TunnelBench.open();
    const transaction = await bench.prepare([put]);
    await settled(bench.clock, transaction.apply(60_000, never));
    await bench.restart();
    await bench.clock.runFor(61_000);
    expect([bench.kernel.links, bench.kernel.sas]).toEqual([[], []]);
    expect((await bench.observe()).blocked).toMatchObject({ value: tunnelSpec.remotePrefixes });
  });

  it('a tunnel that charon forgot is "forgotten", and repaired without orphaned SAs', async () => {
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

  it("a tunnel is not called down where charon does not answer", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    bench.charon.away = true;
    const tunnel = await bench.tunnel();
    expect(tunnel?.ike).toMatchObject({ kind: "unknown", why: "queryFailed" });
    expect(tunnel?.sas.kind).toBe("known");
  });

  it("a tunnel is observed in time although charon hangs", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    bench.charon.hangs = true;
    const before = bench.clock.now();
    expect((await bench.tunnel())?.ike).toMatchObject({ kind: "unknown", why: "queryFailed" });
    expect(bench.clock.now() - before).toBeLessThanOrEqual(6_000);
    await bench.prepare([put]);
  });

  it("a removed tunnel goes at its confirmation, and stays without one", async () => {
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

  it("a tunnel that is up gets another secret, and its SAs are not touched", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    const [before, asked] = [await bench.tunnel(), bench.charon.asked.length];
    bench.psk = "Azure_PSK_of_another_version";
    await bench.put();
    expect([...bench.charon.shared.values()]).toEqual(["Azure_PSK_of_another_version"]);
    const reported = bench.charon.asked
      .slice(asked)
      .filter((command) => !command.startsWith("list-"));
    expect(reported).toEqual(["load-shared"]);
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

  it("a tunnel is rekeyed if it exists", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    const before = bench.charon.children[0]?.spiIn;
    await bench.commit({ kind: "ipsec.rekey", name, what: "child" });
    expect(bench.charon.children[0]?.spiIn).not.toBe(before);
    const absent = bench.commit({ kind: "ipsec.rekey", name: "hub-9", what: "child" });
    expect((await refused(absent)).effect).toBe("none");
  });

  it("a tunnel's prefixes are blocked although another change is pending", async () => {
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

  it("a tunnel is negotiated beside a pending change, and made once it is confirmed", async () => {
    const bench = await TunnelBench.open();
    const other = await bench.prepare([
      { kind: "ipsec.putTunnel", tunnel: { ...tunnelSpec, name: "hub-2", ifId: 43 } },
    ]);
    bench.charon.disagreement = "peerSilent";
    await settled(bench.clock, other.apply(60_000, never));
    bench.charon.disagreement = undefined;
    const transaction = await bench.prepare([put]);
    const applied = transaction.apply(60_000, never);
    await bench.clock.runFor(5_000);
    expect(bench.charon.children).toHaveLength(1);
    expect(bench.kernel.links.map((link) => link.name)).toEqual(["hub-2"]);
    await settled(bench.clock, other.confirm(never));
    await settled(bench.clock, applied);
    await settled(bench.clock, transaction.confirm(never));
    expect(bench.kernel.links.map((link) => link.name)).toEqual(["hub-2", "hub-1"]);
  });

  it("a tunnel is taken back if another change stays pending for too long", async () => {
    const bench = await TunnelBench.open();
    const other = await bench.prepare([
      { kind: "ipsec.putTunnel", tunnel: { ...tunnelSpec, name: "hub-2", ifId: 43 } },
    ]);
    bench.charon.disagreement = "peerSilent";
    await settled(bench.clock, other.apply(60_000, never));
    bench.charon.disagreement = undefined;
    const transaction = await bench.prepare([put]);
    const error = await refused(settled(bench.clock, transaction.apply(60_000, never)));
    expect([error.code, error.effect]).toEqual(["device.locked", "none"]);
    expect(bench.charon.loaded.has(name)).toBe(false);
  });

  it("a refused interface leaves no connection, and reports its effect", async () => {
    // The acts of the kernel: three block policies, the interface, its way, its settings.
    for (const refuses of [3, 5]) {
      const bench = await TunnelBench.open();
      bench.kernel.refuses = refuses;
      const first = await refused(bench.put());
      expect([first.code, first.effect]).toEqual(["device.rejected", "applied"]);
      expect([bench.kernel.links, bench.charon.loaded.size]).toEqual([[], 0]);
      bench.kernel.refuses = bench.kernel.acts.length + refuses - 3;
      const again = await refused(bench.put());
      expect([again.code, again.effect]).toEqual(["device.rejected", "none"]);
      expect(bench.kernel.links).toEqual([]);
    }
  });

  it("blocks that the kernel puts in part are reported as put", async () => {
    const bench = await TunnelBench.open();
    bench.kernel.refuses = 1;
    const blocks = [{ prefix: "10.101.0.0/16", ports: [] }];
    const transaction = await bench.prepare([{ kind: "ipsec.block", blocks }]);
    const error = await refused(settled(bench.clock, transaction.apply("final", never)));
    expect([error.code, error.effect]).toEqual(["device.rejected", "applied"]);
    expect(error.message).toContain("the blocks that were put before stay");
  });

  it("a change whose key is no longer kept reports what is left of it", async () => {
    const bench = await TunnelBench.open();
    const transaction = await bench.prepare([put]);
    bench.charon.disagreement = "psk";
    await refused(settled(bench.clock, transaction.apply(60_000, never)));
    bench.charon.disagreement = undefined;
    const error = await refused(settled(bench.clock, transaction.apply(60_000, never)));
    expect(error).toMatchObject({ code: "device.rejected", effect: "applied" });
    expect(error.message).toContain("its key is no longer kept");
    expect(error.message).toContain("was left in place");
    expect(bench.kernel.links).toEqual([]);
  });

  it("a rekey that is refused changed nothing, and one without an answer may have", async () => {
    const bench = await TunnelBench.open();
    await bench.put();
    const rekeyed = () => refused(bench.commit({ kind: "ipsec.rekey", name, what: "child" }));
    bench.charon.disagreement = "pfsGroup";
    expect((await rekeyed()).effect).toBe("none");
    bench.charon.isDeaf = true;
    expect((await rekeyed()).effect).toBe("unknown");
  });

  it("a tunnel that does not exist is removed without an effect", async () => {
    const bench = await TunnelBench.open();
    await bench.commit(remove);
    expect(bench.kernel.acts).toEqual([]);
    // What an agent left that died before it made the interface.
    bench.charon.loaded.set(name, new Map());
    await bench.commit(remove);
    expect(bench.charon.loaded.size).toBe(0);
  });

  it("a change of a tunnel is refused beside a change of another kind", async () => {
    const bench = await TunnelBench.open();
    const mixed = bench.prepare([put, { kind: "port.shut", port: "p1" }]);
    expect((await refused(mixed)).code).toBe("device.unsupported");
  });

  it("a staged PSK is wiped after the time in which it may be applied", async () => {
    const bench = await TunnelBench.open();
    await bench.prepare([put]);
    expect(wiped(bench)).toBe(false);
    await bench.clock.runFor(121_000);
    expect(wiped(bench)).toBe(true);
  });
});
