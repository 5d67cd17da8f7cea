import { describe, expect, it } from "vitest";
import { neighboursOn, portOf } from "#drivers/junos/config.ts";
import { junos } from "#drivers/junos/junos.ts";
import { startOf, startText } from "#drivers/junos/names.ts";
import { ping } from "#drivers/junos/operations.ts";
import { planChange, planOf, slotsOf } from "#drivers/junos/plan.ts";
import { capabilitiesOf } from "#drivers/junos/quirks.ts";
import { renderChange } from "#drivers/junos/renderer.ts";
import { writeXml, type XmlOut } from "#drivers/transport/xml.ts";
import type { DeviceChange, PortChange } from "#hal/device.ts";
import type { LinksealError } from "#hal/error.ts";
import { preview } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import { protect, refusalIn } from "../change-kit.ts";
import { cknOf, configOf, configText, keyOf, surroundings, wall } from "../junos-kit.ts";

const written = (trees: readonly XmlOut[]): readonly string[] =>
  trees.map((tree) => preview(writeXml(tree)));

async function rendered(...change: DeviceChange) {
  const around = await surroundings(change);
  const all = planChange(change, around).map(({ before, after }) =>
    renderChange(before, after, around.config, () => "64512"),
  );
  return {
    trees: all.flatMap((one) => written(one?.sent ?? [])),
    lines: all.flatMap((one) => one?.lines ?? []),
  };
}

async function refusal(
  change: DeviceChange,
  over: Parameters<typeof surroundings>[1] = {},
): Promise<LinksealError> {
  const around = await surroundings(change, over);
  return refusalIn(() => planChange(change, around));
}

describe("what is configured", () => {
  it("a configuration is read without a key, whatever is beside it", async () => {
    const config = await configOf();
    expect(planOf(config, "et-0/0/1")).toMatchObject({
      admin: "down",
      settings: { policy: "mustSecure", includeSci: true, keyServerPriority: 20, replayWindow: 64 },
      drains: ["peeringShutdown"],
    });
    expect(planOf(config, "et-0/0/2").settings).toEqual({
      suite: "gcm-aes-128",
      policy: "shouldSecure",
      includeSci: false,
      confidentialityOffset: 0,
      keyServerPriority: 16,
      replayWindow: undefined,
      sakRekeyMs: 600_000,
    });
    expect(planOf(config, "et-0/0/0").settings).toBeUndefined();
  });

  it("a configuration has its keys by their start, with the future one apart", async () => {
    const plan = planOf(await configOf(), "et-0/0/1");
    expect(slotsOf(plan, wall)).toEqual([
      { ckn: cknOf(1), role: "primary" },
      { ckn: cknOf(2), role: "primary" },
    ]);
    const earlier = (wall - 60_000) as WallTime;
    expect(slotsOf(plan, earlier)[1]).toEqual({
      ckn: cknOf(2),
      role: "scheduled",
      startsAt: Date.UTC(2026, 10, 25, 17, 59, 30),
    });
  });

  it("the port of a neighbour is found only by its subnet", async () => {
    const config = await configOf();
    const at = (address: string, instance?: string) => portOf(config, { address, instance });
    expect(at("192.0.2.2")).toEqual({ port: "et-0/0/0", unit: "et-0/0/0.100" });
    expect(at("192.0.2.2", "azure")).toBeUndefined();
    expect(neighboursOn(config, "et-0/0/1").map(({ address }) => address)).toEqual(["2001:db8::2"]);
    expect(at("198.51.100.9")).toBeUndefined();
  });

  it.each([
    ["2026-11-25.18:00:00+0000", Date.UTC(2026, 10, 25, 18)],
    ["2026-11-25.18:00:00 +0000", Date.UTC(2026, 10, 25, 18)],
    ["2026-1-5.08:30", Date.UTC(2026, 0, 5, 8, 30)],
    ['"2026-11-25.18:00:00 -0700"', Date.UTC(2026, 10, 26, 1)],
    ["2026-11-25.18:00:00+0530", Date.UTC(2026, 10, 25, 12, 30)],
    ["tomorrow", undefined],
    ["2026-11-25", undefined],
  ])("the start %s is read", (text, at) => {
    expect(startOf(text)).toBe(at);
  });

  it("a start that is written is read back", () => {
    expect(startText(wall)).toBe("2026-11-25.18:00:00+0000");
    expect(startOf(startText(wall))).toBe(wall - 250);
  });
});

describe("a change", () => {
  it("a change of a bare port makes an association, a chain and a binding", async () => {
    const add = {
      kind: "macsec.addKey",
      port: "et-0/0/0",
      key: keyOf(1),
      role: "primary",
    } as const;
    const { trees, lines } = await rendered(protect("et-0/0/0"), add);
    expect(trees).toEqual([
      "<security><macsec><connectivity-association><name>linkseal-et-0-0-0</name>" +
        "<security-mode>static-cak</security-mode><cipher-suite>gcm-aes-xpn-256</cipher-suite>" +
        "<include-sci/><replay-protect><replay-window-size>64</replay-window-size>" +
        "</replay-protect><mka><key-server-priority>16</key-server-priority></mka>" +
        "<pre-shared-key-chain>linkseal-et-0-0-0</pre-shared-key-chain>" +
        "</connectivity-association></macsec></security>",
      "<security><macsec><interfaces><name>et-0/0/0</name>" +
        "<connectivity-association>linkseal-et-0-0-0</connectivity-association>" +
        "</interfaces></macsec></security>",
      "<security><authentication-key-chains><key-chain><name>linkseal-et-0-0-0</name>" +
        `<key><name>0</name><secret>[secret cak]</secret><key-name>${cknOf(1)}</key-name>` +
        "<start-time>2026-11-25.18:00:00+0000</start-time></key>" +
        "</key-chain></authentication-key-chains></security>",
    ]);
    expect(lines).toContain("+ et-0/0/0 pre-shared key 0000…0001 [secret cak]");
  });

  it("a change whose goal is reached sends nothing", async () => {
    const there = protect("et-0/0/1", { keyServerPriority: 20 });
    expect(await rendered(there, { kind: "port.shut", port: "et-0/0/1" })).toEqual({
      trees: [],
      lines: [],
    });
  });

  it("a change never leaves should-secure, nor a key outside the chain beside one", async () => {
    const { trees } = await rendered(protect("et-0/0/2"), {
      kind: "macsec.replaceKey",
      port: "et-0/0/2",
      key: keyOf(1),
    });
    expect(trees.join("")).toContain('<should-secure operation="delete"/>');
    expect(trees.join("")).toContain('<pre-shared-key operation="delete"/>');
    expect(trees.join("")).toContain("<pre-shared-key-chain>linkseal-et-0-0-2");
  });

  it("a change never leaves no-encryption in an association", async () => {
    const own = "<cipher-suite>gcm-aes-xpn-256</cipher-suite>";
    const text = configText.replace(own, `${own}<no-encryption/>`);
    const there = protect("et-0/0/1", { keyServerPriority: 20 });
    const around = await surroundings([there], { config: await configOf(text) });
    const [plan] = planChange([there], around);
    if (plan === undefined) throw new Error("no plan");
    const change = renderChange(plan.before, plan.after, around.config, () => undefined);
    expect(written(change?.sent ?? []).join("")).toContain('<no-encryption operation="delete"/>');
    expect(change?.lines[0]).toContain("encryption off");
    expect(change?.lines[1]).not.toContain("encryption off");
  });

  it("a change removes the key from the chain by its number", async () => {
    const { trees } = await rendered({
      kind: "macsec.removeKey",
      port: "et-0/0/1",
      ckn: cknOf(2),
    });
    expect(trees).toEqual([
      "<security><authentication-key-chains><key-chain><name>linkseal-et-0-0-1</name>" +
        '<key operation="delete"><name>3</name></key>' +
        "</key-chain></authentication-key-chains></security>",
    ]);
  });

  const add = (n: number, port: string): PortChange => ({
    kind: "macsec.addKey",
    port,
    key: keyOf(n),
    role: "primary",
  });
  it.each<{ what: string; change: DeviceChange; why: string }>([
    { what: "a port that does not exist", change: [protect("et-9/9/9")], why: "no such port" },
    { what: "a shared association", change: [protect("et-0/0/3")], why: "shares" },
    { what: "what is not understood", change: [protect("et-0/0/5")], why: "not understood" },
    { what: "a third key", change: [add(3, "et-0/0/1")], why: "two keys" },
    {
      what: "a second key beside one outside a chain",
      change: [add(1, "et-0/0/2")],
      why: "outside a key",
    },
    { what: "a key without settings", change: [add(1, "et-0/0/0")], why: "no MACsec settings" },
    {
      what: "a window that is too large",
      change: [protect("et-0/0/0", { replayWindow: 65_536 as never })],
      why: "65535",
    },
    {
      what: "a SAK renewed too seldom",
      change: [protect("et-0/0/0", { sakRekeyMs: 86_401_000 as never })],
      why: "86400",
    },
    {
      what: "a drain without a neighbour",
      change: [{ kind: "port.drain", port: "et-0/0/2", means: "prepend" }],
      why: "no neighbour",
    },
  ])("a change of $what is refused", async ({ change, why }) => {
    const error = await refusal(change);
    expect([error.code, error.effect]).toEqual(["device.rejected", "none"]);
    expect(error.message).toContain(why);
  });

  it("a change of the key in use is refused while the port is open", async () => {
    const remove = { kind: "macsec.removeKey", port: "et-0/0/1", ckn: cknOf(1) } as const;
    const inUse = { principal: () => cknOf(1) };
    const open = [{ kind: "port.open", port: "et-0/0/1" } as const, remove];
    expect((await refusal(open, inUse)).message).toContain("in use now");
    expect(planChange([remove], await surroundings([remove], inUse))).toHaveLength(1);
  });
});

/** The neighbour of et-0/0/0 once more in another instance, behind et-0/0/6. */
const inInstance = configText
  .replace(
    "<interface><name>lo0</name>",
    `<interface><name>et-0/0/6</name><unit><name>7</name><family><inet>
      <address><name>192.0.2.1/30</name></address></inet></family></unit></interface>
      <interface><name>lo0</name>`,
  )
  .replace(
    "<policy-options>",
    `<routing-instances><instance><name>azure</name><interface><name>et-0/0/6.7</name></interface>
      <protocols><bgp><group><name>msee</name><neighbor><name>192.0.2.2</name></neighbor></group>
      </bgp></protocols></instance></routing-instances><policy-options>`,
  );

describe("a routing instance", () => {
  it("a drain in a routing instance is configured there, and in no other", async () => {
    const config = await configOf(inInstance);
    const turn = { kind: "port.drain", port: "et-0/0/6", means: "gracefulShutdown" } as const;
    const around = await surroundings([turn], { config, ports: new Set(["et-0/0/6"]) });
    const [plan] = planChange([turn], around);
    const trees = plan && renderChange(plan.before, plan.after, config, () => "64512")?.sent;
    expect(written(trees ?? [])).toEqual([
      "<routing-instances><instance><name>azure</name><protocols><bgp><group><name>msee</name>" +
        "<neighbor><name>192.0.2.2</name><graceful-shutdown><sender>" +
        "<local-preference>0</local-preference></sender></graceful-shutdown></neighbor>" +
        "</group></bgp></protocols></instance></routing-instances>",
    ]);
    expect(neighboursOn(config, "et-0/0/0").map(({ group }) => group)).toEqual(["azure"]);
    const [one] = neighboursOn(config, "et-0/0/6");
    if (one === undefined) throw new Error("it has no neighbour");
    const [asked] = written([ping(one, "et-0/0/6.7", 5)]);
    expect(asked).toContain("<routing-instance>azure</routing-instance>");
  });

  it("an aggregate counts as its port only without another member", async () => {
    const member = (name: string): string =>
      `<interface><name>${name}</name><gigether-options><ieee-802.3ad><bundle>ae7</bundle>
        </ieee-802.3ad></gigether-options></interface>`;
    const aggregated = (...members: readonly string[]) =>
      configText
        .replace("<interface><name>et-0/0/0</name>", "<interface><name>ae7</name>")
        .replace("<interface><name>lo0</name>", `${members.join("")}<interface><name>lo0</name>`);
    const one = await configOf(aggregated(member("et-0/0/0")));
    expect(portOf(one, { address: "192.0.2.2", instance: undefined })).toEqual({
      ...{ port: "et-0/0/0", unit: "ae7.100" },
    });
    const two = await configOf(aggregated(member("et-0/0/0"), member("et-0/0/6")));
    const change = [{ kind: "port.drain", port: "et-0/0/0", means: "prepend" }] as const;
    expect((await refusal(change, { config: two })).message).toContain("ae7 has 2 members");
  });
});

describe("a drain", () => {
  const turn = (kind: "port.drain" | "port.restore", means = "prepend"): PortChange =>
    ({ kind, port: "et-0/0/0", means }) as PortChange;

  it("a drain by prepending puts our policy before what the neighbour inherits", async () => {
    const { trees } = await rendered(turn("port.drain"));
    expect(trees.slice(-2)).toEqual([
      "<protocols><bgp><group><name>azure</name><neighbor><name>192.0.2.2</name>" +
        "<export>linkseal-drain-out-64512</export><export>to-azure</export><export>rest</export>" +
        "</neighbor></group></bgp></protocols>",
      "<protocols><bgp><group><name>azure</name><neighbor><name>192.0.2.2</name>" +
        "<import>linkseal-drain-in</import><import>from-azure</import>" +
        "</neighbor></group></bgp></protocols>",
    ]);
    expect(trees[0]).toContain("<as-path-prepend>64512 64512 64512</as-path-prepend>");
    expect(trees.join("")).not.toContain("<accept");
  });

  it("a drain is refused if BGP does not report its own AS", async () => {
    const around = await surroundings([turn("port.drain")]);
    const [plan] = planChange([turn("port.drain")], around);
    if (plan === undefined) throw new Error("no plan");
    expect(renderChange(plan.before, plan.after, around.config, () => undefined)).toBeUndefined();
    expect(renderChange(plan.before, plan.after, around.config, () => "x")).toBeUndefined();
  });

  it("a drain by graceful shutdown or by the peering is applied and taken back", async () => {
    expect((await rendered(turn("port.drain", "gracefulShutdown"))).trees[0]).toContain(
      "<graceful-shutdown><sender><local-preference>0</local-preference></sender>",
    );
    expect((await rendered(turn("port.drain", "peeringShutdown"))).trees[0]).toContain(
      '<neighbor inactive="inactive"><name>192.0.2.2</name></neighbor>',
    );
    const back = { kind: "port.restore", port: "et-0/0/1", means: "peeringShutdown" } as const;
    expect((await rendered(back)).trees).toEqual([
      '<protocols><bgp><group><name>azure</name><neighbor active="active">' +
        "<name>2001:db8::2</name></neighbor></group></bgp></protocols>",
    ]);
  });
});

describe("a platform", () => {
  it.each([
    ["ptx10008", "20.3R1-EVO", "keychain"],
    ["ptx10008", "23.4R2-S1.5-EVO", "keychain"],
    // Junos itself, which is not Junos Evolved.
    ["ptx10008", "21.4R3", "none"],
    ["ptx10008", "20.2R3-EVO", "none"],
    ["ptx10016", "21.2R1-EVO", "none"],
    ["ptx10016", "21.2R2-S3-EVO", "keychain"],
    ["acx7100-32c", "24.2R1-EVO", "keychain"],
    ["acx7024", "22.4R1-EVO", "none"],
    ["acx7348", "24.2R1-EVO", "none"],
    ["qfx5130-32cd", "23.4R2-EVO", "none"],
    ["qfx5130-48cm", "23.4R2-EVO", "keychain"],
    ["qfx5700e", "23.4R2-EVO", "keychain"],
    ["mx480", "24.4R1", "none"],
    // Without a source, or with leaves that do not exist yet, it is only observed.
    ["mx480", "19.4R3", undefined],
    ["vsrx3", "24.2R1.17", undefined],
    ["vmx", "22.2R1.9", undefined],
    ["ptx10008", "unknown", undefined],
    ["", "", undefined],
  ] as const)("%s %s can have a second key: %s", (model, version, overlap) => {
    expect(capabilitiesOf(junos.offers, { model, version }).macsec?.overlap).toBe(overlap);
  });
});
