import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ping, received, routeTo } from "#drivers/eos/commands.ts";
import { type EosConfig, readConfig } from "#drivers/eos/config.ts";
import { eos } from "#drivers/eos/eos.ts";
import {
  readByPort,
  readFrames,
  readLicence,
  readMkpdus,
  readSession,
} from "#drivers/eos/macsec-parsers.ts";
import { type PortPlan, planOf } from "#drivers/eos/plan.ts";
import { renderChange } from "#drivers/eos/renderer.ts";
import {
  readBootTime,
  readClock,
  readInterfaces,
  readPeers,
  readResetTime,
  readRoutes,
  readRouteTo,
  readSessions,
  readSoftware,
} from "#drivers/eos/system-parsers.ts";
import { limits } from "#drivers/eos/tunnel-config.ts";
import { readConnections, readTunnelRoutes, tunnelStates } from "#drivers/eos/tunnel-parsers.ts";
import { tunnelCommands } from "#drivers/eos/tunnel-renderer.ts";
import { readPing } from "#drivers/platform/ping.ts";
import { planTunnels } from "#drivers/platform/tunnel-change.ts";
import { fillCommand } from "#drivers/transport/fill.ts";
import { LinksealError } from "#hal/error.ts";
import { preview } from "#hal/secret.ts";
import type { Instant } from "#hal/world.ts";
import type { Prng } from "#sim/base/prng.ts";
import { answered, isAnyUp, mutated, tryReaders } from "../hostile-kit.ts";
import { put, workOf } from "../tunnel-kit.ts";
import { actor, configOf, configText, participants, security } from "./eos-kit.ts";
import {
  bareText,
  connectionText,
  ike,
  routesText,
  tunnelConfig,
  tunnelText,
} from "./eos-tunnel-kit.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "eos";
const port = "Ethernet2";

// No peer in here is live: whatever is read from it, nothing is secured.
const answers = [
  configText,
  tunnelText(),
  connectionText("idle").replace("State: established", "State: idle"),
  routesText,
  security(),
  participants(actor([], true), actor([], false)),
  JSON.stringify({
    interfaces: {
      Ethernet2: {
        ...{ outPktsEncrypted: 7, inPktsDecrypted: 8, lineProtocolStatus: "up", bandwidth: 1e11 },
        countersDetail: { inPktsOK: 8, inPktsNoTag: 0, outPktsUntagged: 3 },
        interfaceStatistics: { inBitsRate: 1, inPktsRate: 1, outBitsRate: 1, outPktsRate: 1 },
      },
    },
  }),
  "Interface       Rx Success      Rx Failure      Tx Success      Tx Failure\nEthernet2 5 6 7 8\n",
  JSON.stringify({
    sessions: { "linkseal-1": { state: "completed" } },
    commitTimerSessionName: "x",
  }),
  JSON.stringify({
    utcTime: 5.5,
    version: "4.30.5M",
    modelName: "x",
    resetCauses: [{ timestamp: 5.5 }],
    bootupTimestamp: 4.5,
    licenseEnabled: true,
  }),
  JSON.stringify({
    vrfs: {
      default: {
        peers: { "192.0.2.2": { peerState: "Established" } },
        routes: { "0.0.0.0/0": { vias: [{ interface: "Ethernet1.5" }] } },
        bgpRouteEntries: { "10.0.0.0/8": { bgpRoutePaths: [{ routeType: { active: true } }] } },
      },
    },
  }),
  "5 packets transmitted, 5 received, 0% packet loss, time 48ms",
];

const bricks = [
  ...["\x1b[2J", "\0", "\r\n", "edge#", "edge(config)#", " --More-- ", "% Invalid input\n"],
  ...["{", "}", "[", "]", ",", ":", '"', "null", "true", "-1", "1e999", "9".repeat(60), "NaN"],
  ...['"__proto__":{"livePeerList":["a"]},', '"constructor":1,', '"interfaces":', '"Ethernet2":'],
  ...['"controlledPort":true,', '"cmds":{"a":{"cmds":', '"success":true,', "\u{202e}", "é"],
  "[".repeat(300),
];

const words = ["", "-1", "9".repeat(60), "Ethernet2", "Protected", "é", "\u0000", "a".repeat(5000)];

/** Still JSON: other values, fields that are gone or stand elsewhere. */
function misshapen(prng: Prng, text: string): string {
  let changed = text;
  for (let change = prng.between(1, 4); change > 0; change -= 1) {
    const fields = [...changed.matchAll(/"([\w-]+)":("[^"]*"|\d+(?:\.\d+)?|true|false)/g)];
    if (fields.length === 0) return changed;
    const [field, name] = prng.pick(fields);
    const value = prng.pick([
      ...words.map((word) => JSON.stringify(word)),
      "true",
      "{}",
      "[]",
      "7",
    ]);
    const others = [`"${name}":${value}`, `"x":${value}`, `${field},"${name}":${value}`];
    changed = changed.replace(field, () => prng.pick(others));
  }
  return changed;
}

/** Every reader on every answer: whether any understood something, and whether all seems well. */
function readAll(text: string): { readonly understood: number; readonly secured: boolean } {
  const config = readConfig(text);
  if (config !== undefined) planOf(config, port);
  const times = [readBootTime, readClock, readResetTime];
  const readers = [...times, readInterfaces, readPeers, readSessions];
  const reported: unknown[] = [config, ...readers.map((reader) => reader(text))];
  reported.push(readSoftware(text), readLicence(text), readMkpdus(text), readRouteTo(text));
  reported.push(readRoutes(text, "default", port), readPing(text, {}));
  const fields = readByPort(text);
  reported.push(fields, readFrames(fields?.get(port)));
  const { settings } = planOf(config ?? known, port);
  const own = { security: fields?.get(port), participants: fields?.get(port) };
  const sessions = [
    readSession(own, settings),
    readSession({ ...own, participants: noPeers }, settings),
    readSession({ ...own, security: secured }, settings),
  ];
  const connections = readConnections(text);
  reported.push(connections, readTunnelRoutes(text, new Map([["Tunnel3", "hub-1"]])));
  const configs = [config ?? known, standing];
  return {
    understood: reported.some((one) => one !== undefined) ? 1 : 0,
    secured:
      sessions.some((one) => one?.controlledPort === "secured") ||
      configs.map(({ tunnels }) => isUp(tunnels, connections)).includes(true),
  };
}

const isUp = (
  tunnels: EosConfig["tunnels"],
  reported: ReturnType<typeof readConnections>,
): boolean => isAnyUp(tunnelStates(tunnels, answered(reported), 0 as Instant));

const known = configOf();
const standing = tunnelConfig();
const noPeers = readByPort(participants(actor([], true), actor([], false)))?.get(port);
const secured = readByPort(security())?.get(port);

describe("hostile answers", () => {
  tryReaders({
    ...{ vendor: "EOS", seed, read: readAll, oneOf: 20 },
    next(prng) {
      const text = prng.pick(answers);
      return prng.chance(0.5) ? misshapen(prng, text) : mutated(prng, text, bricks);
    },
  });
});

describe("whatever a config accepts", () => {
  const portName = fc.stringMatching(/^[A-Za-z0-9/:._-]{1,64}$/);
  const name = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 });
  const bare: PortPlan = {
    port: "",
    admin: "up",
    profile: undefined,
    settings: undefined,
    keys: [],
    drains: [],
  };

  function linesOf(before: PortPlan, after: PortPlan, config = known): readonly string[] | string {
    try {
      const rendered = renderChange(before, after, config);
      return typeof rendered === "string" ? rendered : rendered.sent.map((one) => preview(one));
    } catch (error) {
      if (error instanceof LinksealError && error.code === "device.rejected") return "refused";
      throw error;
    }
  }

  it("a value that a config accepts is one token to the device, or is refused", () => {
    let taken = 0;
    fc.assert(
      fc.property(portName, (own) => {
        const before = { ...bare, port: own };
        const lines = linesOf(before, { ...before, admin: "down" });
        if (lines === "refused") return;
        taken += 1;
        expect(lines).toEqual([`interface ${own}`, "shutdown", "exit"]);
        expect(own).toMatch(/^(?:\w|::[0-9a-f])/i);
      }),
      { numRuns: 2000 },
    );
    expect(taken).toBeGreaterThan(500);
  });

  it("a tunnel's value is one word and its PSK is unchanged, or it is refused", () => {
    const called = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);
    const psk = fc.oneof(
      fc.stringMatching(/^[!-,./-}]{16,128}$/),
      fc.stringMatching(/^[A-Za-z0-9/+=]{16,128}$/),
    );
    const expected = new Set<string>();
    fc.assert(
      fc.property(called, psk, fc.ipV4(), (own, key, remoteAddress) => {
        const change = [put({ name: own, remoteAddress, ike })];
        const work = workOf(change, eos.offers, key);
        const changed = planTunnels(change, { work, limits, standing: new Map() });
        try {
          const { tunnels } = tunnelConfig(bareText);
          const commands = tunnelCommands(changed, tunnels, "edge-a");
          const lines = commands.map((one) => new TextDecoder().decode(fillCommand(one)));
          expected.add(lines.map((one) => one.split(" ").length).join());
          expect(lines).toContain(`shared-key 0 ${key}`);
          expect(lines).toContain(`tunnel destination ${remoteAddress}`);
          expect(lines).toContain(`tunnel ipsec profile ${own}`);
        } catch (error) {
          if (!(error instanceof LinksealError)) throw error;
          expect(error.code).toBe("vault.malformedKey");
          expect(key).toMatch(/[^A-Za-z0-9_.:/@+,=]/);
        }
      }),
      { numRuns: 1_000 },
    );
    expect(expected.size).toBe(1);
  });

  it("a name that the device itself uses is sent back as one word, or not at all", () => {
    let taken = 0;
    const drained = { ...bare, port: "Ethernet1", drains: ["prepend"] as const };
    fc.assert(
      fc.property(fc.oneof(name, portName), (map) => {
        const own = JSON.stringify(`neighbor AZURE route-map ${map} out`);
        const text = configText.replace('"neighbor AZURE route-map to-azure out"', () => own);
        const lines = linesOf({ ...drained, drains: [] }, drained, configOf(text));
        if (typeof lines === "string") return;
        taken += 1;
        expect([11, 12]).toContain(lines.length);
        const called = lines.filter((one) => one.startsWith("sub-route-map "));
        expect(called.every((one) => /^sub-route-map [\w.:/@+,=-]+$/.test(one))).toBe(true);
      }),
      { numRuns: 1000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it("a value stays one word in a query", () => {
    fc.assert(
      fc.property(name, (word) => {
        for (const ask of [
          () => routeTo(word),
          () => received("ipv4", word, word),
          () => ping(word, word, word, 5),
        ]) {
          try {
            const words = preview(ask()).split(" ");
            expect(words.length).toBeLessThanOrEqual(10);
            expect(words).toContain(word);
          } catch (error) {
            if (!(error instanceof LinksealError)) throw error;
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});
