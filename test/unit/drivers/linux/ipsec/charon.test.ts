// The messages to charon, and the parsers of its answers.

import { describe, expect, it } from "vitest";
import { azureFields, policyFaults, profiles, transformsOf } from "#agent/config/ipsec-policy.ts";
import {
  bringUp,
  forget,
  observeCharon,
  rekey,
  stands,
  withCharon,
} from "#drivers/linux/ipsec/charon.ts";
import { childName, loadConnection, loadPpk, loadPsk } from "#drivers/linux/ipsec/messages.ts";
import { readConnections, readIkeSas, refusalOf } from "#drivers/linux/ipsec/parsers.ts";
import { espProposal, ikeProposal, reportedTransforms } from "#drivers/linux/ipsec/words.ts";
import { readMessage, type ViciMessage, writeMessage } from "#drivers/transport/vici-wire.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { SimClock } from "#sim/base/clock.ts";
import {
  at,
  type Disagreement,
  PretendCharon,
  textAt,
  tunnelSpec,
} from "../../../kit/charon-kit.ts";
import { never, refused, settled, wallStart } from "../../../kit/site-bench.ts";
import { bytesOf, TestCharon } from "../../../kit/vici-peer.ts";

const read = (message: ViciMessage) => readMessage(bytesOf(writeMessage(message)));
const psk = (text = "Azure_PSK+0123456789"): Secret =>
  Secret.take("psk", new TextEncoder().encode(text));

describe("algorithms", () => {
  it("the algorithms of every policy that Azure accepts have names for charon", () => {
    const names = {
      ikeEncryption: ["GCMAES256", "GCMAES128", "AES256", "AES192", "AES128", "DES3"],
      ikeIntegrity: ["SHA384", "SHA256", "SHA1"],
      dhGroup: ["DHGroup24", "ECP384", "ECP256", "DHGroup14", "DHGroup2"],
      ipsecEncryption: [
        "GCMAES256",
        "GCMAES192",
        "GCMAES128",
        "AES256",
        "AES192",
        "AES128",
        "DES3",
      ],
      pfsGroup: ["PFS24", "ECP384", "ECP256", "PFS2048", "PFS2", "None"],
    };
    const proposals = new Set<string | undefined>();
    for (const [field, values] of Object.entries(names)) {
      for (const value of values) {
        const policy = { ...profiles.strong, [field]: value };
        const ipsecIntegrity = policy.ipsecEncryption.startsWith("GCM")
          ? policy.ipsecEncryption
          : "SHA256";
        const whole = { ...policy, ipsecIntegrity };
        expect(azureFields.length - policyFaults(whole).length).toBe(8);
        const { ike, esp } = transformsOf(whole);
        proposals.add(`${ikeProposal(ike)} ${espProposal(esp)}`);
      }
    }
    expect([...proposals].join("\n")).not.toContain("undefined");
    expect(proposals.size).toBe(23);
  });

  it("proposals spell algorithms as charon does", () => {
    expect(ikeProposal(tunnelSpec.ike)).toBe("aes256gcm16-prfsha384-ecp384");
    expect(espProposal(tunnelSpec.transforms)).toBe("aes256gcm16-ecp384");
    const cbc = { encryption: "aes-256-cbc", integrity: "sha256", dhGroup: "modp-1024" };
    expect(ikeProposal({ ...cbc, prf: "sha256" })).toBe("aes256-sha256-prfsha256-modp1024");
    expect(espProposal({ ...cbc, dhGroup: "none" })).toBe("aes256-sha256");
    expect(espProposal({ ...cbc, encryption: "des-cbc" })).toBeUndefined();
    expect(ikeProposal({ ...cbc, prf: "md5" })).toBeUndefined();
  });

  it("charon's algorithms are translated, and unknown names stay as they are", () => {
    const reported = { cipher: "AES_CBC", keyBits: "256", integrity: "HMAC_SHA2_256_128" };
    expect(
      reportedTransforms({ ...reported, prf: "PRF_HMAC_SHA1", group: "MODP_2048_256" }),
    ).toEqual({
      encryption: "aes-256-cbc",
      integrity: "sha256",
      prf: "sha1",
      dhGroup: "modp-2048-256",
    });
    const odd = { cipher: "CHACHA20_POLY1305", keyBits: undefined, integrity: undefined };
    expect(reportedTransforms({ ...odd, prf: undefined, group: "CURVE_25519" })).toEqual({
      encryption: "CHACHA20_POLY1305",
      integrity: "none",
      prf: "none",
      dhGroup: "CURVE_25519",
    });
  });
});

const cbc = {
  ike: { encryption: "aes-256-cbc", integrity: "sha256", prf: "sha256", dhGroup: "modp-1024" },
  transforms: { encryption: "aes-256-cbc", integrity: "sha256", dhGroup: "none" },
} as const;

describe("the configuration of a tunnel for charon", () => {
  const reported = read(loadConnection(tunnelSpec));
  const child = (name: string) => at(reported, "hub-1", "children", childName(tunnelSpec), name);

  it("a connection has explicit lifetimes, and rekeys well before their ends", () => {
    expect(["rekey_time", "rand_time", "life_time"].map(child)).toEqual([
      "24300s",
      "1350s",
      "27000s",
    ]);
    expect(["rekey_bytes", "life_bytes"].map(child)).toEqual(["94371840000", "104857600000"]);
    expect(at(reported, "hub-1", "rekey_time")).toBe("25920s");
    expect(at(reported, "hub-1", "reauth_time")).toBe("0s");
  });

  it("a connection with a very short lifetime rekeys before its end", () => {
    const short = { ...tunnelSpec, life: { seconds: 300, kilobytes: 1024 } };
    const section = read(loadConnection(short));
    const seconds = (name: string): number =>
      Number.parseInt(textAt(section, "hub-1", "children", childName(short), name), 10);
    expect(seconds("rekey_time")).toBeLessThan(seconds("life_time"));
    expect(seconds("rand_time")).toBeLessThan(seconds("rekey_time"));
    expect(seconds("rekey_bytes")).toBeLessThan(seconds("life_bytes"));
  });

  it("a connection is bound to one interface, with anti-replay and a trap policy", () => {
    expect(["if_id_in", "if_id_out", "replay_window"].map(child)).toEqual(["42", "42", "4096"]);
    const actions = ["mode", "start_action", "dpd_action", "close_action"];
    expect(actions.map(child)).toEqual(["tunnel", "trap", "restart", "start"]);
    expect(at(reported, "hub-1", "version")).toBe("2");
    expect(at(reported, "hub-1", "dpd_delay")).toBe("5s");
    const patient = read(loadConnection({ ...tunnelSpec, dpdSeconds: 60 }));
    expect(at(patient, "hub-1", "dpd_delay")).toBe("60s");
    expect(at(reported, "hub-1", "proposals")).toEqual(["aes256gcm16-prfsha384-ecp384"]);
    expect(child("local_ts")).toEqual(["0.0.0.0/0"]);
    const six = { ...tunnelSpec, localAddress: "2001:db8::1", remoteAddress: "2001:db8::2" };
    expect(at(read(loadConnection(six)), "hub-1", "children", childName(six), "local_ts")).toEqual([
      "::/0",
    ]);
  });

  it("a connection with algorithms that charon is never offered is refused", () => {
    const odd = { ...tunnelSpec, transforms: { ...tunnelSpec.transforms, encryption: "des-cbc" } };
    expect(() => loadConnection(odd)).toThrow(LinksealError);
  });

  it("a connection and its PSK have the addresses as identities, or those of the config", () => {
    const idsOf = (spec: typeof tunnelSpec) => {
      const section = read(loadConnection(spec));
      return ["local", "remote"].map((end) => textAt(section, "hub-1", end, "id"));
    };
    expect(idsOf(tunnelSpec)).toEqual(["198.51.100.1", "203.0.113.1"]);
    const named = { ...tunnelSpec, localId: "192.0.2.9", remoteId: "gw.partner.example" };
    expect(idsOf(named)).toEqual(["192.0.2.9", "gw.partner.example"]);
    using key = psk();
    expect(loadPsk(named, key).owners).toEqual(["192.0.2.9", "gw.partner.example"]);
  });

  it("a connection with a certificate shows its subject, or the name of the config", () => {
    const auth = {
      ...({ kind: "certificate", peer: "gw.partner.example" } as const),
      ...{ secretId: "https://v/secrets/own/1", authoritiesId: "https://v/secrets/roots/1" },
    };
    const certificates = { own: ["own"], authorities: ["root"] } as const;
    const local = (spec: typeof tunnelSpec) =>
      at(read(loadConnection(spec, certificates)), "hub-1", "local", "id");
    expect(local({ ...tunnelSpec, auth })).toBeUndefined();
    expect(local({ ...tunnelSpec, auth, localId: "edge.example" })).toBe("edge.example");
    const section = read(loadConnection({ ...tunnelSpec, auth }, certificates));
    expect(at(section, "hub-1", "remote", "id")).toBe("gw.partner.example");
  });

  it("a connection of IKEv1 is main mode for its one pair of prefixes", () => {
    const spec = { ...tunnelSpec, ...cbc, ikeVersion: "v1" } as const;
    const section = read(loadConnection(spec));
    const of = (name: string) => at(section, "hub-1", name);
    expect(["version", "aggressive", "dpd_timeout"].map(of)).toEqual(["1", "no", "45s"]);
    // charon does not repeat a probe of IKEv1: the third one shows silence.
    expect(of("dpd_delay")).toBe("2s");
    expect(of("proposals")).toEqual(["aes256-sha256-prfsha256-modp1024"]);
    // charon subtracts the interval from the time-out, which must not be shorter.
    const patient = read(loadConnection({ ...spec, dpdSeconds: 60 }));
    expect(at(patient, "hub-1", "dpd_timeout")).toBe("103s");
    const selector = (end: string) => at(section, "hub-1", "children", childName(spec), end);
    expect(selector("local_ts")).toEqual(["10.1.0.0/16"]);
    expect(selector("remote_ts")).toEqual(["10.100.0.0/16"]);
    const two = { ...spec, remotePrefixes: ["10.100.0.0/16", "10.101.0.0/16"] };
    expect(() => loadConnection(two)).toThrow(/one local and one remote prefix/);
  });

  it("a connection has its PPK by its name, required or offered", () => {
    const ppk = { secretId: "https://v/secrets/hub-1-ppk/1", id: "hub-1.2026" };
    const withPpk = (use: "required" | "offered") => {
      const section = read(
        loadConnection({ ...tunnelSpec, auth: { ...tunnelSpec.auth, ppk: { ...ppk, use } } }),
      );
      return ["ppk_id", "ppk_required"].map((name) => at(section, "hub-1", name));
    };
    expect(withPpk("required")).toEqual(["hub-1.2026", "yes"]);
    expect(withPpk("offered")).toEqual(["hub-1.2026", "no"]);
    expect(at(reported, "hub-1", "ppk_id")).toBeUndefined();
    using key = psk("a".repeat(64));
    const message = loadPpk(tunnelSpec, { ...ppk, use: "required" }, key);
    expect(JSON.stringify(message)).not.toContain("aaaa");
    expect(message).toEqual({
      ...{ id: "linkseal-hub-1 ppk", type: "ppk", data: key, owners: ["hub-1.2026"] },
    });
  });

  it("a child has another name for each other identity, version, PPK and interval", () => {
    const ppk = { secretId: "https://v/secrets/p/1", id: "hub", use: "required" } as const;
    const specs: readonly (typeof tunnelSpec)[] = [
      tunnelSpec,
      { ...tunnelSpec, localId: "edge.example" },
      { ...tunnelSpec, remoteId: "edge.example" },
      { ...tunnelSpec, ikeVersion: "v1" },
      { ...tunnelSpec, ikeVersion: "v1", localPrefixes: ["10.2.0.0/16"] },
      { ...tunnelSpec, dpdSeconds: 60 },
      { ...tunnelSpec, auth: { ...tunnelSpec.auth, ppk } },
      { ...tunnelSpec, auth: { ...tunnelSpec.auth, ppk: { ...ppk, use: "offered" } } },
    ];
    expect(new Set(specs.map(childName)).size).toBe(specs.length);
    // The selectors of IKEv2 are the same for every prefix, so the SAs stay.
    expect(childName({ ...tunnelSpec, localPrefixes: ["10.2.0.0/16"] })).toBe(
      childName(tunnelSpec),
    );
  });

  it("the child of a tunnel that exists keeps its name under a newer version", () => {
    expect(childName(tunnelSpec)).toBe("hub-1.5144b3f1");
  });

  it("a PSK is sent as a secret, for the two addresses alone", () => {
    using key = psk();
    const message = loadPsk(tunnelSpec, key);
    expect(JSON.stringify(message)).not.toContain("Azure_PSK");
    expect(message).toMatchObject({ id: "linkseal-hub-1", type: "IKE", data: key });
    expect(message.owners).toEqual(["198.51.100.1", "203.0.113.1"]);
  });
});

describe("charon's answers about its SAs", () => {
  const child = { state: "REKEYED", "spi-in": "c0000001", "spi-out": "0000000a" };

  it("SAs are read by connection, with the phase of each child", () => {
    const states = ["INSTALLED", "REKEYING", "REKEYED", "DELETED", "INSTALLING"];
    const children = states.map((state) => [state, { ...child, state }] as const);
    const sa = { uniqueid: "7", state: "REKEYING", "child-sas": Object.fromEntries(children) };
    const [ike] = readIkeSas(read({ "hub-1": sa }));
    expect(ike).toMatchObject({ name: "hub-1", id: "7", state: "established" });
    expect(ike?.children.map(({ phase }) => phase)).toEqual([
      ...["installed", "rekeying", "rekeyed", "deleting", "rising"],
    ]);
    expect(ike?.children[0]).toMatchObject({ spiIn: 0xc0000001, spiOut: 10 });
  });

  it("an SA is of the version that charon reports, with or without a PPK", () => {
    const kinds = [{}, { version: "2", ppk: "yes" }, { version: "1" }].map(
      (more) => readIkeSas(read({ a: { state: "ESTABLISHED", ...more } }))[0],
    );
    expect(kinds.map((sa) => [sa?.version, sa?.ppk])).toEqual([
      ["v2", "unused"],
      ["v2", "used"],
      ["v1", "unused"],
    ]);
  });

  it.each([
    ["CONNECTING", "connecting"],
    ["ESTABLISHED", "established"],
    ["DELETING", "down"],
    ["strange", "down"],
  ])("an IKE SA that charon calls %s is %s", (state, called) => {
    expect(readIkeSas(read({ a: { state } }))[0]?.state).toBe(called);
  });

  it("malformed SAs are refused, and malformed connections are left out", () => {
    const bad = { a: { "child-sas": { b: { ...child, "spi-in": "12345678z" } } } };
    expect(() => readIkeSas(read(bad))).toThrow(LinksealError);
    expect(() => readIkeSas(read({ a: { state: "x".repeat(200) } }))).toThrow(LinksealError);
    const connections = { a: { children: { x: {} } }, b: "no section", c: ["none"], d: {} };
    expect(readConnections(read(connections))).toEqual([
      ["a", ["x"]],
      ["d", []],
    ]);
  });

  it("an answer is a refusal unless it says yes, and its reason is printable", () => {
    expect(refusalOf(read({ success: "yes" }))).toBeUndefined();
    expect(refusalOf(read({ success: "no", errmsg: "no\u001b[2J match" }))).toBe("no [2J match");
    expect(refusalOf(read({}))).toBe("no reason");
  });
});

class Scene {
  readonly clock = new SimClock(wallStart);
  readonly daemon = new PretendCharon();
  readonly charon = this.daemon.face(this.clock);

  async up(spec = tunnelSpec): Promise<void> {
    using secret = psk();
    const shown = {
      ...{ secret, ppk: undefined, certificates: undefined },
      [Symbol.dispose]: () => undefined,
    };
    await this.run((client) => bringUp(this.charon, client, spec, shown, never));
  }

  run<T>(use: Parameters<typeof withCharon<T>>[2]): Promise<T> {
    return settled(this.clock, withCharon(this.charon, never, use));
  }
}

describe("the end of an operation", () => {
  it("a charon that hangs by then holds up the result for a second at most", async () => {
    const clock = new SimClock(wallStart);
    const peer = new TestCharon(() => ({ answer: {} }));
    const charon = { clock, path: "/run/charon.vici", stream: async () => peer.channel };
    const begun = clock.now();
    const result = withCharon(charon, never, async (client) => {
      await client.hear("log", () => undefined, never);
      peer.isHung = true;
      return "applied";
    });
    expect(await settled(clock, result)).toBe("applied");
    expect(clock.now() - begun).toBeLessThanOrEqual(1_000);
    expect(peer.channel.closed).toBe(true);
  });
});

describe("a tunnel at charon", () => {
  it("a tunnel is found while charon works on its IKE SA, as at each rekey", async () => {
    const scene = new Scene();
    await scene.up();
    scene.daemon.isBusy = true;
    const { sas } = await scene.run((client) => observeCharon(client, never));
    expect(sas.map(({ name, state }) => [name, state])).toEqual([["hub-1", "established"]]);
  });

  it("a tunnel is loaded, brought up, and proven by a rekey of its child", async () => {
    const scene = new Scene();
    await scene.up();
    expect(scene.daemon.asked.filter((one) => !one.startsWith("list"))).toEqual([
      ...["load-shared", "load-conn", "initiate", "rekey"],
    ]);
    expect(scene.daemon.shared.get("linkseal-hub-1")).toBe("Azure_PSK+0123456789");
    const observation = await scene.run((client) => observeCharon(client, never));
    expect(stands(tunnelSpec, observation)).toBe(true);
  });

  it("a tunnel's certificates are loaded; its key goes once no connection needs it", async () => {
    const scene = new Scene();
    const auth = {
      ...({ kind: "certificate", peer: "CN=gateway" } as const),
      ...{ secretId: "https://v/secrets/own/1", authoritiesId: "https://v/secrets/roots/1" },
    };
    const certificates = { own: ["own", "between"], authorities: ["root"] } as const;
    const shown = {
      ...{ secret: psk(), ppk: undefined, certificates },
      [Symbol.dispose]: () => undefined,
    };
    const spec = { ...tunnelSpec, auth };
    await scene.run((client) => bringUp(scene.charon, client, spec, shown, never));
    expect(scene.daemon.asked.filter((one) => !one.startsWith("list"))).toEqual([
      ...["load-cert", "load-key", "load-conn", "initiate", "rekey"],
    ]);
    const loaded = scene.daemon.loaded.get("hub-1") ?? new Map();
    expect(at(loaded, "local", "certs")).toEqual(["own"]);
    expect(at(loaded, "remote", "cacerts")).toEqual(["root"]);
    expect(textAt(loaded, "remote", "id")).toBe("CN=gateway");
    scene.daemon.loaded.set("another-tunnel", loaded);
    await scene.run((client) => forget(client, "hub-1", never));
    expect(scene.daemon.keys).toHaveLength(1);
    await scene.run((client) => forget(client, "another-tunnel", never));
    expect(scene.daemon.keys).toHaveLength(0);
  });

  it("a tunnel of IKEv1 needs no rekey as a proof: quick mode has its group at once", async () => {
    const scene = new Scene();
    scene.daemon.disagreement = "pfsGroup";
    await scene.up({ ...tunnelSpec, ikeVersion: "v1" });
    expect(scene.daemon.asked).toContain("initiate");
    expect(scene.daemon.asked).not.toContain("rekey");
  });

  it("a tunnel's PPK is loaded beside its PSK, and forgotten with it", async () => {
    const scene = new Scene();
    const ppk = { secretId: "https://v/secrets/p/1", id: "hub", use: "required" } as const;
    const shown = {
      ...{ secret: psk(), ppk: psk("b".repeat(64)), certificates: undefined },
      [Symbol.dispose]: () => undefined,
    };
    const spec = { ...tunnelSpec, auth: { ...tunnelSpec.auth, ppk } };
    await scene.run((client) => bringUp(scene.charon, client, spec, shown, never));
    expect(scene.daemon.asked.filter((one) => one.startsWith("load"))).toEqual([
      ...["load-shared", "load-shared", "load-conn"],
    ]);
    expect(scene.daemon.shared.get("linkseal-hub-1 ppk")).toBe("b".repeat(64));
    await scene.run((client) => forget(client, "hub-1", never));
    expect([...scene.daemon.shared.keys()]).toEqual([]);
  });

  it("a tunnel that is up is not brought up again", async () => {
    const scene = new Scene();
    scene.daemon.stand();
    await scene.up();
    expect(scene.daemon.asked).not.toContain("initiate");
    expect(scene.daemon.asked).toContain("rekey");
  });

  it("a tunnel with other algorithms than wanted is made anew", async () => {
    const scene = new Scene();
    scene.daemon.stand();
    scene.daemon.children.splice(0);
    await scene.up();
    const asked = scene.daemon.asked.filter((one) => !one.startsWith("l"));
    expect(asked).toEqual(["terminate", "initiate", "rekey"]);
  });

  it.each<[Disagreement, RegExp]>([
    ["psk", /different pre-shared keys/],
    ["ikeProposal", /no algorithms for IKE/],
    ["espProposal", /no algorithms for ESP/],
    ["pfsGroup", /different groups for rekeying/],
  ])("a tunnel whose ends disagree on %s fails with that reason", async (disagreement, why) => {
    const scene = new Scene();
    scene.daemon.disagreement = disagreement;
    const error = await refused(scene.up());
    expect([error.code, error.effect]).toEqual(["device.rejected", "applied"]);
    expect(error.message).toMatch(why);
    expect(error.message).not.toContain("Azure_PSK");
  });

  it("a tunnel whose gateway is silent stays loaded, and charon tries again", async () => {
    const scene = new Scene();
    scene.daemon.disagreement = "peerSilent";
    await scene.up();
    expect(scene.daemon.loaded.has("hub-1")).toBe(true);
  });

  it("a tunnel is up only with its connection and exactly the wanted algorithms", async () => {
    const scene = new Scene();
    await scene.up();
    const observation = await scene.run((client) => observeCharon(client, never));
    const { ike, transforms } = tunnelSpec;
    expect(stands({ ...tunnelSpec, ike: { ...ike, dhGroup: "ecp-256" } }, observation)).toBe(false);
    expect(stands({ ...tunnelSpec, ike: { ...ike, prf: "sha256" } }, observation)).toBe(false);
    const other = { ...transforms, encryption: "aes-128-gcm" };
    expect(stands({ ...tunnelSpec, transforms: other }, observation)).toBe(false);
    expect(stands(tunnelSpec, { ...observation, connections: new Map() })).toBe(false);
    expect(stands(tunnelSpec, { ...observation, sas: [] })).toBe(false);
  });

  it.each(["child", "ike", "reauthenticate"] as const)("an SA is rekeyed: %s", async (what) => {
    const scene = new Scene();
    await scene.up();
    const before = scene.daemon.ikeId;
    await scene.run((client) => rekey(scene.charon, client, "hub-1", what, never));
    expect(scene.daemon.ikeId).toBe(what === "child" ? before : before + 1);
  });

  it("a rekey renews the newest of several children, and ends the others after it", async () => {
    const scene = new Scene();
    await scene.up();
    scene.daemon.stand();
    const renewed = () =>
      scene.run((client) => rekey(scene.charon, client, "hub-1", "child", never));
    scene.daemon.disagreement = "pfsGroup";
    await refused(renewed());
    const before = scene.daemon.children.map(({ spiIn }) => spiIn);
    scene.daemon.disagreement = undefined;
    await renewed();
    const after = scene.daemon.children.map(({ spiIn }) => spiIn);
    expect([before.length, after]).toEqual([2, [Math.max(...before) + 2]]);
    expect(scene.daemon.asked.filter((one) => one === "terminate")).toHaveLength(1);
  });

  it("a tunnel that does not exist cannot be rekeyed", async () => {
    const scene = new Scene();
    const run = scene.run((client) => rekey(scene.charon, client, "hub-1", "child", never));
    expect((await refused(run)).message).toContain("no SA of it");
  });

  it("a tunnel is forgotten with its key and SAs, and a second time without error", async () => {
    const scene = new Scene();
    await scene.up();
    for (let twice = 0; twice < 2; twice += 1) {
      await scene.run((client) => forget(client, "hub-1", never));
      expect([scene.daemon.loaded.size, scene.daemon.shared.size]).toEqual([0, 0]);
      expect(scene.daemon.children).toEqual([]);
    }
  });
});
