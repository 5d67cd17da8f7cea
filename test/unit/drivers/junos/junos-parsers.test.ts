import { describe, expect, it } from "vitest";
import {
  byInterface,
  type ReportedElements,
  readChannels,
  readFrames,
  readMkpdus,
  readSession,
} from "#drivers/junos/macsec-parsers.ts";
import type { MacsecSettings } from "#hal/model.ts";
import { cknOf, read } from "../junos-kit.ts";

const settings: MacsecSettings = {
  suite: "gcm-aes-xpn-256",
  policy: "mustSecure",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: undefined,
  sakRekeyMs: undefined,
};

const connections = `<rpc-reply><macsec-connection-information>
  <macsec-interface-common-information><interface-name>et-0/0/0</interface-name>
    <cipher-suite>GCM-AES-XPN-256</cipher-suite></macsec-interface-common-information>
  <create-time seconds="5">5</create-time>
  <outbound-secure-channel><sci>02:00:5E:00:00:01/1</sci>
    <outgoing-packet-number>18446744073709551615</outgoing-packet-number>
    <outbound-secure-association><association-number>1</association-number>
      <association-number-status>inuse</association-number-status></outbound-secure-association>
    <outbound-secure-association><association-number>0</association-number>
      <association-number-status>standby</association-number-status></outbound-secure-association>
  </outbound-secure-channel>
  <inbound-secure-channel><inbound-secure-association><association-number>1</association-number>
      <association-number-status>inuse</association-number-status></inbound-secure-association>
  </inbound-secure-channel>
  <macsec-interface-common-information><interface-name>et-0/0/1</interface-name>
    <cipher-suite>GCM-AES-128</cipher-suite></macsec-interface-common-information>
  <outbound-secure-channel/>
</macsec-connection-information></rpc-reply>`;

const sessionOf = (state: string, ...more: readonly string[]): string => `<rpc-reply>
  <mka-session-information><interface-name>et-0/0/0</interface-name>
    <interface-state>${state}</interface-state><cak-name>${cknOf(7).toUpperCase()}</cak-name>
    <key-server>no</key-server><key-server-priority>16</key-server-priority>
    <latest-sak-an>1</latest-sak-an>
    <latest-sak-key-identifier>AABBCCDDEEFF001122334455/9</latest-sak-key-identifier>
    <previous-sak-an>0</previous-sak-an>
    <previous-sak-key-identifier>${"0".repeat(24)}/0</previous-sak-key-identifier>
    ${more.join("")}</mka-session-information></rpc-reply>`;
const peer = (status: string): string =>
  `<mka-peer><member-identifier>010203</member-identifier><x>${status}</x></mka-peer>`;
const cak = (n: number, status: string): string =>
  `<session-cak><cak-name>${cknOf(n)}</cak-name><cak-status>${status}</cak-status></session-cak>`;

async function reported(
  text: string,
  name: string,
  port = "et-0/0/0",
): Promise<ReportedElements | undefined> {
  return byInterface(await read(text), name)?.get(port);
}

async function session(...text: Parameters<typeof sessionOf>) {
  const channels = readChannels(
    (await reported(connections, "macsec-connection-information")) ?? [],
  );
  const found = await reported(sessionOf(...text), "mka-session-information");
  return readSession(found, settings, channels);
}

describe("channels", () => {
  it("channels belong to the interface whose name came last", async () => {
    const both = byInterface(await read(connections), "macsec-connection-information");
    expect(readChannels(both?.get("et-0/0/0") ?? [])).toEqual({
      suite: "gcm-aes-xpn-256",
      isEncrypted: undefined,
      nextPn: 18_446_744_073_709_551_615n,
      transmits: [1],
      receives: [1],
    });
    // A suite that is configured is in no use yet.
    expect(readChannels(both?.get("et-0/0/1") ?? [])?.suite).toBeUndefined();
  });
});

describe("encryption", () => {
  const encryptionIn = async (word: string) => {
    const suite = "<cipher-suite>GCM-AES-XPN-256</cipher-suite>";
    const text = connections.replace(suite, `${suite}<encryption>${word}</encryption>`);
    return readChannels((await reported(text, "macsec-connection-information")) ?? []);
  };

  it("a channel that is only authenticated is not encrypted", async () => {
    expect((await encryptionIn("off"))?.isEncrypted).toBe(false);
    expect((await encryptionIn("on"))?.isEncrypted).toBe(true);
    expect(await encryptionIn("partial")).toBeUndefined();
  });
});

describe("a session", () => {
  it("a session is secured under the key that is live", async () => {
    const found = await session(
      "Secured - Preceding",
      peer("live"),
      cak(7, "live"),
      cak(8, "active"),
    );
    expect(found).toMatchObject({
      controlledPort: "secured",
      principalCkn: cknOf(7),
      livePeers: 1,
      keyServer: "peer",
      latestSak: { an: 1, keyId: "aabbccddeeff001122334455/9", receive: true, transmit: true },
      oldSak: undefined,
    });
    expect(found?.participants.map(({ state }) => state)).toEqual(["live", "active"]);
  });

  it("a session is not secured by the word alone", async () => {
    const found = await session("Secured - Primary", peer("potential"), cak(7, "active"));
    expect(found).toMatchObject({ controlledPort: "blocked", principalCkn: undefined });
  });

  it("a session that claims to be secured without evidence is not understood", async () => {
    expect(await session("Secured - Primary")).toBeUndefined();
    expect(await session("Up")).toBeUndefined();
    expect(await session("")).toBeUndefined();
  });

  it("a session counts a peer by the text behind its name as well", async () => {
    const words = "<peer-entry><member-identifier>0102 (live)</member-identifier></peer-entry>";
    const found = await session("Secured - Primary", `<peer-list>${words}</peer-list>`);
    expect(found).toMatchObject({ controlledPort: "secured", livePeers: 1 });
  });

  it.each([
    ["while MKA is suspended", "Secured-Suspended - Primary"],
    ["in a state with other words", "Secured for now"],
  ])("a session %s is not understood", async (_, state) => {
    expect(await session(state, peer("live"), cak(7, "live"))).toBeUndefined();
  });

  it("a session in the words of other releases is not secured", async () => {
    for (const state of ["Unsecured - Init", "Not Secured", "Not secured"]) {
      const found = await session(state, peer("live"), cak(7, "live"));
      expect(found?.controlledPort).toBe("blocked");
    }
  });

  it("a missing session leaves a must-secure port closed", () => {
    expect(readSession(undefined, settings, undefined)?.controlledPort).toBe("blocked");
    expect(readSession(undefined, undefined, undefined)?.controlledPort).toBe("unprotected");
  });
});

describe("a session with a list of peers below each CAK", () => {
  const ownCak = (n: number, status: string, ...peers: readonly string[]): string =>
    `<session-cak><cak-name>${cknOf(n)}</cak-name><cak-status>${status}</cak-status>
      <member-identifier>D${n}</member-identifier>
      ${peers.length === 0 ? "<peer-list/>" : peers.join("")}</session-cak>`;
  const listed = (mi: string, status: string, sci = "02:00:5E:00:00:02/1"): string =>
    `<peer-list><member-identifier>${mi}</member-identifier><peer-status>${status}</peer-status>
      <sci>${sci}</sci></peer-list>`;
  const live = (n: number): string =>
    `<session-live><cak-name>${cknOf(n).toUpperCase()}</cak-name></session-live>`;
  const secured = "Secured - Primary";

  it("a router with a participant below two CAKs is one live peer", async () => {
    const caks = [
      ownCak(7, "live", listed("A1", "live")),
      ownCak(8, "active", listed("B1", "live")),
    ];
    const found = await session(secured, live(7), ...caks);
    expect(found).toMatchObject({
      controlledPort: "secured",
      principalCkn: cknOf(7),
      livePeers: 1,
    });
    expect(found?.participants).toMatchObject([
      { ckn: cknOf(7), state: "live", livePeers: 1 },
      { ckn: cknOf(8), state: "live", livePeers: 1 },
    ]);
  });

  it("a router that is listed twice below one CAK is one live peer", async () => {
    const flat = [listed("A1", "live"), listed("B1", "live"), cak(7, "live"), cak(8, "active")];
    expect((await session(secured, ...flat))?.livePeers).toBe(1);
    const others = [listed("A1", "live"), listed("B1", "live", "02:00:5E:00:00:03/1")];
    expect((await session(secured, ...others, cak(7, "live")))?.livePeers).toBe(2);
  });

  it("a live peer of the fallback CAK alone does not secure the port", async () => {
    const caks = [ownCak(7, "live"), ownCak(8, "active", listed("B1", "live"))];
    const found = await session(secured, live(7), ...caks);
    expect(found).toMatchObject({ controlledPort: "blocked", livePeers: 0 });
  });

  it("a live CAK without any peer is no live peer", async () => {
    expect(await session(secured, live(7), ownCak(7, "live"))).toMatchObject({
      controlledPort: "blocked",
      livePeers: 0,
    });
    // Without a list of peers it is not known whether there is one.
    expect(await session(secured, cak(7, "live"))).toBeUndefined();
    expect(
      await session(secured, live(9), ownCak(7, "live", listed("A1", "live"))),
    ).toBeUndefined();
  });

  it("a secured state that names another type than its live CAK is not understood", async () => {
    const typed = (type: string): string =>
      ownCak(7, "live", listed("A1", "live")).replace(
        "<cak-status>",
        `<cak-type>${type}</cak-type>$&`,
      );
    expect(await session("Secured - Fallback", live(7), typed("primary"))).toBeUndefined();
    const found = await session("Secured - Fallback", live(7), typed("fallback"));
    expect(found?.controlledPort).toBe("secured");
  });

  it("a secured state with a live CAK that is in progress is not understood", async () => {
    const status = "<cak-status>in-progress</cak-status>";
    const pending = live(7).replace("</session-live>", `${status}<peer-list/></session-live>`);
    expect(await session(secured, pending)).toBeUndefined();
    expect(await session(secured, live(7), ownCak(7, "in-progress"))).toBeUndefined();
  });

  it("our own member identifier is no peer", async () => {
    const found = await session(secured, live(7), ownCak(7, "live", listed("D7", "live")));
    expect(found).toMatchObject({ controlledPort: "blocked", livePeers: 0 });
  });

  it("two CAKs in use, or one peer in two states, are not understood", async () => {
    const two = [ownCak(7, "live", listed("A1", "live")), ownCak(8, "live", listed("B1", "live"))];
    expect(await session(secured, ...two)).toBeUndefined();
    const states = [listed("A1", "live"), listed("A1", "potential")];
    expect(await session(secured, live(7), ownCak(7, "live", ...states))).toBeUndefined();
  });
});

describe("parts of a reply", () => {
  const part = (port: string): string =>
    `<mka-session-information>${port && `<interface-name>${port}</interface-name>`}
      <interface-state>Secured - Primary</interface-state></mka-session-information>`;
  const portsIn = async (...parts: readonly string[]) => {
    const reply = await read(`<r>${parts.join("")}</r>`);
    return [...(byInterface(reply, "mka-session-information") ?? [])].map(([port]) => port);
  };

  it("parts of two nodes of a cluster are kept apart by their ports", async () => {
    const node = (name: string, inside: string): string =>
      `<multi-routing-engine-item><re-name>${name}</re-name>${inside}</multi-routing-engine-item>`;
    const both = [node("node0", part("et-0/0/0")), node("node1", part("et-7/0/0"))];
    expect(await portsIn(...both)).toEqual(["et-0/0/0", "et-7/0/0"]);
    const empty = node("node1", "<mka-session-information/>");
    expect(await portsIn(node("node0", part("et-0/0/0")), empty)).toEqual(["et-0/0/0"]);
  });

  it("two parts about one port, or a part about none, are not understood", async () => {
    const reply = (...parts: readonly string[]) => read(`<r>${parts.join("")}</r>`);
    for (const parts of [
      [part("et-0/0/0"), part("et-0/0/0")],
      [part("et-0/0/0"), part("et-0/0/0.0")],
      [part("et-0/0/0"), part("")],
    ]) {
      expect(byInterface(await reply(...parts), "mka-session-information")).toBeUndefined();
    }
  });
});

describe("counters", () => {
  const statistics = (more: string): string => `<rpc-reply><macsec-statistics>
    <interface-name>et-0/0/0</interface-name>
    <secure-channel-sent><encrypted-packets>70</encrypted-packets>
      <protected-packets>5</protected-packets></secure-channel-sent>
    <secure-association-sent><encrypted-packets>9999</encrypted-packets></secure-association-sent>
    <secure-channel-received><ok-packets>80</ok-packets><notvalid-packets>2</notvalid-packets>
      <invalid-packets>1</invalid-packets></secure-channel-received>${more}
    <interface-name>et-0/0/1</interface-name><untagged-packets>55</untagged-packets>
    </macsec-statistics></rpc-reply>`;

  it("counters are those of the channels, and undefined if they are not printed", async () => {
    const frames = readFrames(
      (await reported(statistics(""), "macsec-statistics")) ?? [],
      undefined,
    );
    expect(frames).toMatchObject({ txProtected: 70n, rxOk: 80n, rxNotValid: 3n });
    expect([frames?.rxClear, frames?.rxLate, frames?.nextPn]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("counters of two peers, or of two ports whose name was lost, are not understood", async () => {
    const two =
      "<secure-channel-sent><encrypted-packets>1</encrypted-packets></secure-channel-sent>";
    const elements = await reported(statistics(two), "macsec-statistics");
    expect(readFrames(elements ?? [], undefined)).toBeUndefined();
    const channels = `<r><macsec-connection-information><macsec-interface-common-information>
      <interface-name>et-0/0/0</interface-name></macsec-interface-common-information>
      <outbound-secure-channel/><outbound-secure-channel/></macsec-connection-information></r>`;
    const found = await reported(channels, "macsec-connection-information");
    expect(readChannels(found ?? [])).toBeUndefined();
  });

  it("untagged frames are clear data only if control frames are counted apart", async () => {
    const clear = async (more: string) =>
      readFrames((await reported(statistics(more), "macsec-statistics")) ?? [], undefined)?.rxClear;
    const untagged = "<untagged-packets>4</untagged-packets>";
    expect(await clear(untagged)).toBeUndefined();
    expect(await clear(`${untagged}<control-packets>90</control-packets>`)).toBe(4n);
  });

  it.each(["", "-1", "1e5", "0x10", "99999999999999999999999"])(
    "the counter %j is not a number",
    async (count) => {
      const text = `<rpc-reply><mka-statistics><mka-interface-statistics>
      <interface-name>et-0/0/0</interface-name><sent-packets>${count}</sent-packets>
      <received-packets>1</received-packets></mka-interface-statistics></mka-statistics>
      </rpc-reply>`;
      expect(readMkpdus((await reported(text, "mka-statistics")) ?? [])).toBeUndefined();
    },
  );
});
