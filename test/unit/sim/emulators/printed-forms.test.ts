// Real routers of one vendor print an answer in several forms. The emulators print each of them, by
// seed, and the drivers read each of them alike.

import { beforeAll, describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import type { DeviceState, MacsecPort, MkaSession } from "#hal/model.ts";
import { secure } from "#sim/conformance/kit.ts";
import { EosEmulator } from "#sim/emulators/eos.ts";
import { JunosEmulator } from "#sim/emulators/junos.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import {
  type Place,
  type Platform,
  placeOf,
  platforms,
  wayOf,
} from "../../../conformance/place.ts";
import { benchOf, drive } from "../../../conformance/rig.ts";

const never = new AbortController().signal;
const seeds = Array.from({ length: 12 }, (_, index) => `forms-${index}`);

/** An observation with one port protected, and all that the router sent for it. */
interface Observed {
  readonly state: DeviceState;
  readonly truth: DeviceState;
  readonly sent: string;
}

async function observed(place: Place): Promise<Observed> {
  const { rig, emulator } = place;
  const sent: string[] = [];
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const way = wayOf(place, target, async (to) => {
    const channel = channelTo(to.device, (wire) => emulator.connect(wire));
    const read: typeof channel.read = async (signal) => {
      const octets = await channel.read(signal);
      if (octets !== undefined) sent.push(new TextDecoder().decode(octets));
      return octets;
    };
    return { ...channel, read };
  });
  const run = async (): Promise<Observed> => {
    const bench = await benchOf(rig, way);
    // A release that is too old for MACsec is only observed.
    if (bench.device.capabilities.macsec !== undefined) await secure(bench, bench.ports[0]);
    sent.splice(0);
    const state = await bench.device.observe(never);
    return { state, truth: rig.router.state(), sent: sent.join("") };
  };
  return await drive(rig.clock, run());
}

const sessionOf = ({ session }: MacsecPort): Partial<MkaSession> | string => {
  if (session.kind === "unknown") return session.why;
  const { controlledPort, principalCkn, livePeers } = session.value;
  return { controlledPort, livePeers, ...(principalCkn !== undefined && { principalCkn }) };
};

/** What must be read alike, whatever the form. */
const read = ({ macsec, control }: DeviceState) => ({
  control: control.kind,
  ports: macsec.map((port) => [port.port, port.linkUp.kind, port.rate.kind, sessionOf(port)]),
});

/** Observes a router for each seed, and returns how often each form was in what it sent. */
async function formsOf(platform: Platform, forms: Readonly<Record<string, RegExp>>) {
  const counts = Object.fromEntries(Object.keys(forms).map((name) => [name, 0]));
  for (const seed of seeds) {
    const { state, truth, sent } = await observed(placeOf(platform, seed));
    expect(read(state)).toEqual(read(truth));
    expect(read(state).ports[0]?.[3]).toMatchObject({ controlledPort: "secured", livePeers: 1 });
    for (const [name, pattern] of Object.entries(forms)) {
      if (pattern.test(sent)) counts[name] = (counts[name] ?? 0) + 1;
    }
  }
  return Object.entries(counts);
}

// The parser comes from a file, and virtual time does not wait for one.
beforeAll(async () => {
  await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
});

describe("forms of Junos", () => {
  it("the peers of a session are read below each CAK and below the interface", async () => {
    const ownPeers = /<session-cak>(?:(?!<\/session-cak>)[\s\S])*<peer-list>/;
    const forms = { perCak: ownPeers, perInterface: /<\/peer-list>\s*<session-live>/ };
    const counts = await formsOf(platforms["ptx10008 23.4R2"], forms);
    expect(counts.filter(([, count]) => count === 0)).toEqual([]);
    expect(counts.reduce((sum, [, count]) => sum + count, 0)).toBe(seeds.length);
  });

  it("a release before 15.1 prints its number behind the names of packages", async () => {
    const platform: Platform<JunosEmulator> = {
      ...platforms["srx4600 23.4R2"],
      emulatorOf: (router) =>
        new JunosEmulator(router, { model: "srx5400", version: "12.3X48-D40", wiring: {} }),
    };
    const { state } = await observed(placeOf(platform));
    expect(read(state).control).toBe("known");
  });

  it("each node of a cluster answers, and no answer is made of both", async () => {
    const model = {
      model: "srx4600",
      version: "23.4R2.13",
      nodes: ["node0", "node1"],
      wiring: {},
    } as const;
    const platform: Platform<JunosEmulator> = {
      ...platforms["srx4600 23.4R2"],
      emulatorOf: (router) => new JunosEmulator(router, model),
    };
    const { state, truth, sent } = await observed(placeOf(platform));
    expect(sent).toContain("<re-name>node1</re-name>");
    expect(read(state)).toEqual(read(truth));
  });
});

describe("forms of EOS", () => {
  it("a boot is known with and without its cause, and a link is down in three words", async () => {
    const counts = await formsOf(platforms["7280CR3MK 4.30.5M"], {
      cause: /"resetCauses": \[\s*\{/,
      noCause: /"resetCauses": \[\]/,
    });
    expect(counts.filter(([, count]) => count === 0)).toEqual([]);
    const words = await Promise.all(
      seeds.map(async (seed) => {
        const place = placeOf(platforms["7280CR3MK 4.30.5M"], seed);
        place.rig.links[1].fibre.setUp(false);
        const { state, sent } = await observed(place);
        expect(state.macsec[1]?.linkUp).toMatchObject({ kind: "known", value: false });
        return /"lineProtocolStatus": "(down|lowerLayerDown|notPresent)",\s*"interfaceStatus"/.exec(
          sent,
        )?.[1];
      }),
    );
    expect(new Set(words).size).toBe(3);
  });

  it("messages of syslog between lines of answers end no session and change nothing", async () => {
    const model = {
      model: "DCS-7280CR3K-32P4-F",
      version: "4.34.1F",
      timer: "beside",
      wiring: {},
    } as const;
    const platform: Platform<EosEmulator> = {
      ...platforms["7280R3 4.34.1F"],
      emulatorOf: (router) => new EosEmulator(router, { ...model, syslog: "inAnswers" }),
    };
    const { state, truth, sent } = await observed(placeOf(platform));
    expect(sent.match(/ Ebra: (?:42: )?%LINEPROTO-5-UPDOWN: /g)?.length).toBeGreaterThan(50);
    expect(read(state)).toEqual(read(truth));
  });

  it("a command without `| json` is answered in text, or refused", async () => {
    const place = placeOf(platforms["7280CR3MK 4.30.5M"]);
    const answers = new Map<string, string>();
    for (const command of [
      "show version",
      "show clock",
      "show interfaces",
      "show version | json",
    ]) {
      const parts: string[] = [];
      const session = place.emulator.execute(
        {
          send: (octets) => void parts.push(new TextDecoder().decode(octets)),
          close: () => undefined,
        },
        command,
      );
      expect(session).toBeDefined();
      await place.rig.clock.runFor(1_000);
      answers.set(command, parts.join(""));
    }
    expect(answers.get("show version")).toMatch(
      /^Arista DCS-7280CR3MK-32P4-F\n[\s\S]*^Software image version: 4\.30\.5M$/m,
    );
    expect(answers.get("show clock")).toMatch(
      /^\w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}\nTimezone: UTC/,
    );
    expect(answers.get("show interfaces")).toMatch(/^% Not emulated/);
    expect(JSON.parse(answers.get("show version | json") ?? "")).toMatchObject({
      version: "4.30.5M",
    });
  });
});
