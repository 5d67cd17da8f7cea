// What a change becomes on an EOS router: plans, lines of a session, and what is never asked.

import { describe, expect, it } from "vitest";
import { neighboursOn } from "#drivers/eos/config.ts";
import { eos } from "#drivers/eos/eos.ts";
import { planChange, planOf } from "#drivers/eos/plan.ts";
import { capabilitiesOf } from "#drivers/eos/quirks.ts";
import { renderChange } from "#drivers/eos/renderer.ts";
import type { DeviceChange } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type Command, preview, Secret } from "#hal/secret.ts";
import type { ByteChannel } from "#hal/world.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { placeOf, platforms, wayOf } from "../../../conformance/place.ts";
import { never, refused, settled } from "../../kit/site-bench.ts";
import { cknOf, keyOf } from "../junos-kit.ts";
import { commands, configLines, configOf, surroundings } from "./eos-kit.ts";

const settings = {
  suite: "gcm-aes-xpn-256",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 20,
  replayWindow: 64,
  sakRekeyMs: 1_800_000,
} as const;

function commandsFor(
  change: DeviceChange,
  over: Parameters<typeof surroundings>[1] = {},
): readonly string[] {
  const around = surroundings(change, over);
  return planChange(change, around).flatMap(({ before, after }) => {
    const rendered = renderChange(before, after, around.config);
    if (typeof rendered === "string") throw new Error(rendered);
    return rendered.sent.map((command) => preview(command));
  });
}

function refusal(change: DeviceChange, over: Parameters<typeof surroundings>[1] = {}): string {
  try {
    planChange(change, surroundings(change, over));
  } catch (error) {
    if (error instanceof LinksealError) return `${error.code}: ${error.message.split(": ").at(-1)}`;
    throw error;
  }
  throw new Error("it was taken");
}

describe("a change", () => {
  it("a change gives a bare port a profile of its own with an explicit must-secure", () => {
    const port = "Ethernet1";
    const change: DeviceChange = [
      { kind: "macsec.protect", port, settings: { ...settings, sakRekeyMs: undefined } },
      { kind: "macsec.addKey", port, key: keyOf(3), role: "primary" },
    ];
    expect(commandsFor(change)).toEqual([
      "mac security",
      "profile linkseal-Ethernet1",
      "cipher aes256-gcm-xpn",
      "mka key-server priority 20",
      "sci",
      "traffic unprotected drop",
      "no replay protection disabled",
      "replay protection window 64",
      `key ${cknOf(3)} 0 [secret cak]`,
      "exit",
      "exit",
      "interface Ethernet1",
      "mac security profile linkseal-Ethernet1",
      "exit",
    ]);
  });

  it("a change promotes a fallback by sending both keys again in order", () => {
    const [port, ckn] = ["Ethernet2", cknOf(2)];
    const keys = [keyOf(2), keyOf(1)];
    expect(commandsFor([{ kind: "macsec.promoteKey", port, ckn, keys }])).toEqual([
      "mac security",
      "profile TWO",
      `no key ${cknOf(1)}`,
      `no key ${cknOf(2)} fallback`,
      `key ${cknOf(1)} 0 [secret cak] fallback`,
      `key ${cknOf(2)} 0 [secret cak]`,
      "exit",
      "exit",
    ]);
    expect(refusal([{ kind: "macsec.promoteKey", port, ckn, keys: [keyOf(2)] }])).toBe(
      "device.rejected: a key gets another role, and the change does not contain it",
    );
  });

  it("a change back to the old key removes only the new one", () => {
    const port = "Ethernet2";
    const change: DeviceChange = [
      { kind: "macsec.promoteKey", port, ckn: cknOf(2), keys: [keyOf(2)] },
      { kind: "macsec.removeKey", port, ckn: cknOf(1) },
    ];
    expect(commandsFor(change).slice(2, -2)).toEqual([
      `no key ${cknOf(1)}`,
      `no key ${cknOf(2)} fallback`,
      `key ${cknOf(2)} 0 [secret cak]`,
    ]);
  });

  it("a change whose goal is reached sends nothing", () => {
    const port = "Ethernet2";
    const change: DeviceChange = [
      { kind: "macsec.protect", port, settings },
      { kind: "macsec.addKey", port, key: keyOf(1), role: "primary" },
      { kind: "macsec.removeKey", port, ckn: cknOf(7) },
      { kind: "port.open", port },
    ];
    expect(commandsFor(change)).toEqual([]);
  });

  it("a change never leaves should-secure", () => {
    const change: DeviceChange = [{ kind: "macsec.protect", port: "Ethernet3", settings }];
    expect(commandsFor(change)).toContain("traffic unprotected drop");
  });

  it.each([
    ["the key in use", cknOf(2), "the key is the principal one, in use now"],
    [
      "the primary key beside a fallback",
      cknOf(1),
      "no primary key would be left; promote the fallback first",
    ],
  ])("a change that removes %s is refused", (_, ckn, why) => {
    const change: DeviceChange = [{ kind: "macsec.removeKey", port: "Ethernet2", ckn }];
    const over = { principal: () => cknOf(2) };
    expect(refusal(change, over)).toBe(`device.rejected: ${why}`);
  });

  it.each([
    ["Ethernet4", "Ethernet5 shares its MACsec profile"],
    ["Ethernet6", "what is configured there is not understood"],
    ["Ethernet8", "there is no such port"],
  ])("a change of %s is refused", (port, why) => {
    const change: DeviceChange = [{ kind: "macsec.protect", port, settings }];
    expect(refusal(change)).toBe(`device.rejected: ${why}`);
  });

  it.each([
    [{ confidentialityOffset: 30 }, "EOS has no confidentiality offset but 0"],
    [{ sakRekeyMs: 29_000 }, "a SAK is renewed after 30 to 100000 s"],
    [{ sakRekeyMs: 60_500 }, "a SAK is renewed after 30 to 100000 s"],
    [{ replayWindow: 2 ** 32 }, "a replay window has at most 4294967295 frames"],
  ] as const)("a change with %j is refused", (over, why) => {
    const change: DeviceChange = [
      { kind: "macsec.protect", port: "Ethernet1", settings: { ...settings, ...over } },
    ];
    expect(refusal(change)).toBe(`device.rejected: ${why}`);
  });
});

describe("a drain", () => {
  const drain = (kind: "port.drain" | "port.restore", port: string): DeviceChange => [
    { kind, port, means: "prepend" },
  ];

  it("a drain prepends before the operator's route map, which comes from the peer group", () => {
    expect(commandsFor(drain("port.drain", "Ethernet1"))).toEqual([
      "route-map linkseal-drain-out-192.0.2.2 permit 10",
      "sub-route-map to-azure",
      "set as-path prepend 64512 64512 64512",
      "exit",
      "route-map linkseal-drain-in-192.0.2.2 permit 10",
      "sub-route-map from-azure",
      "set local-preference 50",
      "exit",
      "router bgp 64512",
      "neighbor 192.0.2.2 route-map linkseal-drain-out-192.0.2.2 out",
      "neighbor 192.0.2.2 route-map linkseal-drain-in-192.0.2.2 in",
      "exit",
    ]);
  });

  it("a drain ends with the operator's own route maps, in the VRF of the neighbour", () => {
    expect(commandsFor(drain("port.restore", "Ethernet7"))).toEqual([
      "router bgp 64512",
      "vrf BLUE",
      "neighbor 192.0.2.10 route-map own out",
      "no neighbor 192.0.2.10 route-map linkseal-drain-in-192.0.2.10 in",
      "exit",
      "exit",
      "no route-map linkseal-drain-out-192.0.2.10",
      "no route-map linkseal-drain-in-192.0.2.10",
    ]);
  });

  it("a drain in a VRF has names of its own: route maps belong to the whole router", () => {
    const blue = { "neighbor 192.0.2.10 remote-as 12076": null };
    const lines = { ...configLines["router bgp 64512"], "vrf BLUE": blue };
    const all = { ...configLines, "router bgp 64512": lines };
    const config = configOf(JSON.stringify({ cmds: commands(all) }));
    expect(commandsFor(drain("port.drain", "Ethernet7"), { config }).slice(-6)).toEqual([
      "router bgp 64512",
      "vrf BLUE",
      "neighbor 192.0.2.10 route-map linkseal-drain-out-BLUE-192.0.2.10 out",
      "neighbor 192.0.2.10 route-map linkseal-drain-in-BLUE-192.0.2.10 in",
      "exit",
      "exit",
    ]);
  });

  it("an aggregate counts as its port only without another member", () => {
    const member = { "channel-group 7 mode active": null };
    const one = {
      ...configLines,
      "interface Ethernet1": member,
      "interface Port-Channel7.9": { "ip address 192.0.2.1/30": null },
    };
    const configFor = (all: Parameters<typeof commands>[0]) =>
      configOf(JSON.stringify({ cmds: commands(all) }));
    expect(neighboursOn(configFor(one), "Ethernet1").map(({ address }) => address)).toEqual([
      "192.0.2.2",
    ]);
    const two = configFor({ ...one, "interface Ethernet3": member });
    expect(neighboursOn(two, "Ethernet1")).toEqual([]);
    expect(refusal(drain("port.drain", "Ethernet1"), { config: two })).toContain(
      "Port-Channel7 has 2 members",
    );
  });

  it("a drain without a neighbour is refused", () => {
    expect(refusal(drain("port.drain", "Ethernet3"))).toContain("no neighbour");
  });

  it("a drain is recognised by its route maps, and a shut peering by its line", () => {
    expect(planOf(configOf(), "Ethernet7").drains).toEqual(["prepend"]);
    expect(planOf(configOf(), "Ethernet2").drains).toEqual(["peeringShutdown"]);
    expect(planOf(configOf(), "Ethernet1").drains).toEqual([]);
  });
});

describe("capabilities", () => {
  it.each([
    ["DCS-7280CR3K-32P4-F", "4.15.4F", false],
    ["DCS-7280CR3K-32P4-F", "4.21.8M", true],
    ["DCS-7280CR3K-32P4-F", "4.30.5M", true],
    ["DCS-7804-CH", "4.34.2.1F-DPE-CTNR", true],
    ["DCS-7280CR3K-32P4-F", "devbuild", true],
    ["AWE-5510-16S-F", "4.32.2F", false],
    ["vEOS-lab", "4.32.2F", false],
    ["", "4.32.2F", false],
  ])("the capabilities of a %s with %s include MACsec: %s", (model, version, offers) => {
    const { macsec } = capabilitiesOf(eos.offers, { model, version });
    expect(macsec !== undefined).toBe(offers);
  });
});

describe("the command line of a router", () => {
  it("a command line never gets a query that prints keys, and a change is saved", async () => {
    const place = placeOf(platforms["7280CR3MK 4.30.5M"]);
    const { clock, router } = place.rig;
    const lines: string[] = [];
    const noted = (inner: ByteChannel): ByteChannel => ({
      ...inner,
      write: async (text: Command, signal) => {
        lines.push(preview(text).trim());
        await inner.write(text, signal);
      },
    });
    const target = { device: router.name, address: "192.0.2.1" };
    const way = wayOf(place, target, async (to) =>
      noted(channelTo(to.device, (wire) => place.emulator.connect(wire))),
    );
    const device = await settled(clock, way.open());
    const keys = async () => Secret.take("cak", new Uint8Array(32).fill(7));
    const [port] = place.platform.ports;
    const apply = async (change: DeviceChange, within: number | "final"): Promise<void> => {
      const transaction = await settled(clock, device.prepare(change, keys, never));
      await settled(clock, transaction.apply(within, never));
      if (within !== "final") {
        // A boot must still begin with what was there before.
        expect(place.emulator.isSaved()).toBe(false);
        await settled(clock, transaction.confirm(never));
      }
      expect(place.emulator.isSaved()).toBe(true);
    };
    await apply(
      [
        { kind: "macsec.protect", port, settings },
        { kind: "macsec.addKey", port, key: keyOf(1), role: "primary" },
      ],
      "final",
    );
    await apply([{ kind: "macsec.addKey", port, key: keyOf(2), role: "fallback" }], 60_000);
    await settled(clock, device.observe(never));
    await device[Symbol.asyncDispose]();
    const telling =
      /running-config(?! sanitized)|startup-config|session-config|show .*secret|^more |^bash/;
    const asked = lines.filter((one) => one.startsWith("show") || telling.test(one));
    expect(asked.length).toBeGreaterThan(10);
    expect(asked.filter((one) => telling.test(one))).toEqual([]);
  });

  it("a device that closes while a session opens gives waiting callers a code", async () => {
    const place = placeOf(platforms["7280CR3MK 4.30.5M"]);
    const { clock, router } = place.rig;
    const target = { device: router.name, address: "192.0.2.1" };
    let cut = async (): Promise<void> => undefined;
    const way = wayOf(place, target, async (to) => {
      const channel = channelTo(to.device, (wire) => place.emulator.connect(wire));
      cut = async () => channel[Symbol.asyncDispose]();
      return channel;
    });
    const device = await settled(clock, way.open());
    await cut();
    await refused(settled(clock, device.observe(never)));
    const waits = [device.observe(never), device.routesTo("192.0.2.10", never)];
    const codes = waits.map(async (one) => (await refused(one)).code);
    await clock.runFor(15);
    await Promise.all([settled(clock, Promise.all(codes)), device[Symbol.asyncDispose]()]);
    expect(await Promise.all(codes)).toEqual(["transport.closed", "transport.closed"]);
  });

  it("a session that was tried or left by a broken connection is dropped", async () => {
    const place = placeOf(platforms["7280R3 4.34.1F"]);
    const { clock, router } = place.rig;
    const target = { device: router.name, address: "192.0.2.1" };
    const way = wayOf(place, target, async (to) =>
      channelTo(to.device, (wire) => place.emulator.connect(wire)),
    );
    const device = await settled(clock, way.open());
    const keys = async () => Secret.take("cak", new Uint8Array(32).fill(7));
    place.emulator.open("linkseal-00");
    place.emulator.open("operator");
    const change: DeviceChange = [{ kind: "port.shut", port: place.platform.ports[0] }];
    await settled(clock, device.prepare(change, keys, never));
    // What was tried is listed as aborted, as the router does; an operator's session stays open.
    const open = [...place.emulator.sessions.values()].filter(({ state }) => state !== "aborted");
    expect(open.map(({ name }) => name)).toEqual(["operator"]);
    await device[Symbol.asyncDispose]();
  });
});
