// A router's SNMP agent beside its session, through the driver that the table names.

import { describe, expect, it } from "vitest";
import { names } from "#drivers/platform/if-mib.ts";
import { withSnmpCrossCheck } from "#drivers/platform/snmp-cross-check.ts";
import type { Device, Driver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, known, type MacsecPort, unknown } from "#hal/model.ts";
import type { SnmpLogin } from "#hal/target.ts";
import type { Dialer, SnmpReply, SnmpValue } from "#hal/world.ts";
import {
  eosForm,
  iosxeForm,
  iosxrForm,
  junosForm,
  nxosForm,
  type SnmpForm,
  type SnmpObject,
  snmpObjects,
} from "#sim/emulators/snmp.ts";
import {
  driverOf,
  type Place,
  type Platform,
  placeOf,
  platforms,
  worldOf,
} from "../../../conformance/place.ts";

const login: SnmpLogin = { access: "v2cReadonly", port: 161, community: "credential:c" };
const never = new AbortController().signal;
const ifOperStatus = "1.3.6.1.2.1.2.2.1.8.501";
const ifAdminStatus = "1.3.6.1.2.1.2.2.1.7.501";
const ifDescr = "1.3.6.1.2.1.2.2.1.2.501";
const ifName = "1.3.6.1.2.1.31.1.1.1.1.501";
const descriptions = "1.3.6.1.2.1.2.2.1.2.";
const sysUpTime = "1.3.6.1.2.1.1.3.0";
const ifTableLastChange = "1.3.6.1.2.1.31.1.5.0";
const hourMs = 3_600_000;

type AlterObject = (object: SnmpObject) => SnmpObject | undefined;

class Scene {
  readonly place: Place;
  readonly form: SnmpForm;
  readonly asked: string[][] = [];
  readonly logged: string[] = [];
  readonly texts: string[] = [];
  bootedAt = 0;
  evidence: SnmpReply["evidence"] = "authenticated";
  says: AlterObject = (object) => object;
  fails = false;
  session: (state: DeviceState) => DeviceState = (state) => state;
  #device: Promise<Device> | undefined;

  constructor(platform: Platform = platforms["ptx10008 23.4R2"], form: SnmpForm = junosForm) {
    this.place = placeOf(platform);
    this.form = form;
  }

  /** The number of times that the whole table was read. */
  get walks(): number {
    return this.asked.filter((oids) => names.every((name) => oids.includes(name))).length;
  }

  async state(): Promise<DeviceState> {
    this.#device ??= this.#open();
    return await (await this.#device).observe(never);
  }

  async observe(): Promise<MacsecPort> {
    const { macsec } = await this.state();
    const [first] = macsec;
    if (first === undefined) throw new Error("no port");
    return first;
  }

  get link() {
    return this.place.rig.links[0];
  }

  async wait(ms: number): Promise<void> {
    await this.place.rig.clock.runFor(ms);
  }

  #open(): Promise<Device> {
    const { router, clock } = this.place.rig;
    const inner: Driver = {
      ...driverOf(this.place.platform.vendor),
      open: async () => ({
        ...({} as Device),
        observe: async () => this.session(router.state()),
      }),
    };
    const world = worldOf(this.place, async () => {
      throw new Error("no login is expected");
    });
    const log = (level: string, code: string, text: string): void => {
      this.logged.push(`${level} ${code}`);
      this.texts.push(text);
    };
    const dial: Dialer = { ...world.dial, snmp: async (_to, question) => this.#reply(question) };
    const target = { device: "edge-a", address: "192.0.2.1", snmp: login };
    return withSnmpCrossCheck(inner).open(
      target,
      { ...world, clock, dial, log: { write: log } },
      () => undefined,
      never,
    );
  }

  #reply({ roots, leaves }: Parameters<Dialer["snmp"]>[1]): SnmpReply {
    this.asked.push([...roots, ...leaves]);
    if (this.fails) {
      const details = { effect: "none", where: "edge-a", next: "" } as const;
      throw new LinksealError("transport.timeout", "no answer", details);
    }
    const values = new Map<string, SnmpValue>();
    for (const object of snmpObjects(this.place.rig.router, this.bootedAt, this.form)) {
      const { oid } = object;
      if (!leaves.includes(oid) && !roots.some((root) => oid.startsWith(`${root}.`))) continue;
      const reported = this.says(object);
      if (reported !== undefined) values.set(oid, valueIn(reported));
    }
    return { values, evidence: this.evidence };
  }
}

function valueIn(object: SnmpObject): SnmpValue {
  if (object.type === "octets") return { kind: "octets", value: object.value };
  if (object.type === "identifier") return { kind: "identifier", value: object.value };
  return { kind: "number", value: object.value };
}

const instead =
  (oid: string, value: bigint): AlterObject =>
  (object) =>
    object.oid === oid ? { oid, type: "integer", value } : object;

const blind = (state: DeviceState): DeviceState => ({
  ...state,
  macsec: state.macsec.map((port) => ({
    ...port,
    admin: unknown("queryFailed", state.at),
    linkUp: unknown("queryFailed", state.at),
  })),
});

const idle = (state: DeviceState): DeviceState => ({
  ...state,
  macsec: state.macsec.map((port) => ({
    ...port,
    rate: known({ rxPps: 1, txPps: 1, rxBps: 99, txBps: 99, lineBps: 1e11 }, state.at),
  })),
});

describe("the SNMP cross-check", () => {
  it("an SNMP reply that agrees changes nothing", async () => {
    const scene = new Scene();
    const { router } = scene.place.rig;
    expect(await scene.observe()).toEqual(router.state().macsec[0]);
  });

  it("SNMP is not read if the config names no agent", async () => {
    const device: Device = {} as Device;
    const driver = withSnmpCrossCheck({ ...driverOf("junos"), open: async () => device });
    const scene = new Scene();
    const world = worldOf(scene.place, async () => {
      throw new Error("no login is expected");
    });
    const target = { device: "edge-a", address: "192.0.2.1" };
    expect(await driver.open(target, world, () => undefined, never)).toBe(device);
  });

  it("an SNMP reply fills in what the session could not report", async () => {
    const scene = new Scene();
    scene.session = blind;
    const { admin, linkUp } = await scene.observe();
    expect([admin, linkUp]).toMatchObject([
      { kind: "known", value: "up" },
      { kind: "known", value: true },
    ]);
    expect(linkUp).not.toHaveProperty("weak");
  });

  it.each([
    ["linkUp", instead(ifOperStatus, 2n)],
    ["linkUp", instead(ifOperStatus, 7n)],
    ["admin", instead(ifAdminStatus, 2n)],
  ] as const)("an SNMP reply that contradicts %s makes it unknown", async (key, says) => {
    const scene = new Scene();
    scene.says = says;
    expect((await scene.observe())[key]).toMatchObject({ kind: "unknown", why: "contradicted" });
  });

  it.each([3n, 4n, 5n, 6n])(
    "an interface state %s in SNMP says nothing about the link",
    async (state) => {
      const scene = new Scene();
      scene.says = instead(ifOperStatus, state);
      expect((await scene.observe()).linkUp).toMatchObject({ kind: "known", value: true });
    },
  );

  it("a weak SNMP reply fills gaps as weak and contradicts nothing", async () => {
    const scene = new Scene();
    scene.evidence = "weak";
    scene.says = instead(ifOperStatus, 2n);
    expect((await scene.observe()).linkUp).toMatchObject({ kind: "known", value: true });
    scene.session = blind;
    expect((await scene.observe()).linkUp).toMatchObject({ value: false, weak: true });
  });

  it("an SNMP count of a thousand frames per second shows that a port is not idle", async () => {
    const scene = new Scene();
    scene.session = idle;
    scene.link.fibre.offer("b", 1_000, 512);
    expect((await scene.observe()).rate).toMatchObject({ kind: "known" });
    await scene.wait(5_000);
    expect((await scene.observe()).rate).toMatchObject({ kind: "unknown", why: "contradicted" });
    scene.link.fibre.offer("a", 0, 512);
    scene.link.fibre.offer("b", 0, 512);
    await scene.wait(1_000);
    await scene.observe();
    await scene.wait(5_000);
    expect((await scene.observe()).rate).toMatchObject({ kind: "known" });
  });

  it("SNMP counters or a clock that restarted say nothing about the rate", async () => {
    for (const oid of ["1.3.6.1.2.1.31.1.1.1.19.501", "1.3.6.1.2.1.1.3.0"]) {
      const scene = new Scene();
      scene.session = idle;
      scene.link.fibre.offer("b", 1_000, 512);
      await scene.observe();
      await scene.wait(5_000);
      scene.says = instead(oid, 1n);
      expect((await scene.observe()).rate).toMatchObject({ kind: "known" });
    }
  });

  it("SNMP names are read once, and again a minute after an index has another name", async () => {
    const scene = new Scene();
    await scene.observe();
    await scene.observe();
    expect(scene.walks).toBe(1);
    scene.says = (object) =>
      object.oid === ifName || object.oid === ifDescr
        ? { oid: object.oid, type: "octets", value: Buffer.from("xe-9") }
        : object;
    expect((await scene.observe()).linkUp).toMatchObject({ kind: "known", value: true });
    scene.says = (object) => object;
    await scene.observe();
    expect(scene.walks).toBe(1);
    await scene.wait(61_000);
    await scene.observe();
    expect(scene.walks).toBe(2);
  });

  it("a missing SNMP reply fails no observation, is logged once and rests a minute", async () => {
    const scene = new Scene();
    scene.fails = true;
    expect((await scene.observe()).linkUp).toMatchObject({ kind: "known", value: true });
    await scene.observe();
    expect(scene.asked).toHaveLength(1);
    await scene.wait(61_000);
    await scene.observe();
    expect(scene.asked).toHaveLength(2);
    scene.fails = false;
    await scene.wait(61_000);
    await scene.observe();
    expect(scene.logged).toEqual(["warn snmp-silent", "info snmp-answers"]);
  });
});

const vendors = [
  ["junos", platforms["ptx10008 23.4R2"], junosForm],
  ["eos", platforms["7280CR3MK 4.30.5M"], eosForm],
  ["iosxe", platforms["C9500-48Y4C 17.9.4"], iosxeForm],
  ["iosxr", platforms["8201-32FH 7.11.2"], iosxrForm],
  ["nxos", platforms["C9336C-FX2 9.3.6"], nxosForm],
] as const satisfies readonly (readonly [string, Platform, SnmpForm])[];

/** An object that an agent reports no name with: its view lacks the column. */
const without =
  (column: string): AlterObject =>
  (object) =>
    object.oid.startsWith(column) ? undefined : object;

describe.each(vendors)("the SNMP agent of %s", (vendor, platform, form) => {
  const index = form.firstPort(0);
  const operStatus = `1.3.6.1.2.1.2.2.1.8.${index}`;

  it(`each port of ${vendor} is found by its name, and a contradiction is seen`, async () => {
    const scene = new Scene(platform, form);
    scene.says = instead(operStatus, 2n);
    const state = await scene.state();
    expect(state).not.toHaveProperty("snmpUnmatched");
    expect(state.macsec.map(({ linkUp }) => linkUp.kind)).toEqual(["unknown", "known"]);
    expect(scene.logged).toEqual([]);
    expect(scene.walks).toBe(1);
  });

  it(`a port of ${vendor} is found by ifName alone, and never by ifAlias`, async () => {
    const scene = new Scene(platform, form);
    scene.says = without(descriptions);
    expect(await scene.state()).not.toHaveProperty("snmpUnmatched");
    const nameless = new Scene(platform, form);
    nameless.says = (object) =>
      without(descriptions)(object) && without("1.3.6.1.2.1.31.1.1.1.1.")(object);
    const { snmpUnmatched } = await nameless.state();
    expect(snmpUnmatched).toEqual([...platform.ports]);
  });

  it(`a port of ${vendor} that two rows have is compared with none`, async () => {
    const scene = new Scene(platform, form);
    const [port] = platform.ports;
    scene.says = (object) =>
      object.oid === `${descriptions}2001`
        ? { oid: object.oid, type: "octets", value: Buffer.from(port) }
        : object;
    expect((await scene.state()).snmpUnmatched).toEqual([port]);
  });
});

describe("a port that the SNMP agent lacks", () => {
  const unnamed: AlterObject = (object) =>
    without(descriptions)(object) && without("1.3.6.1.2.1.31.1.1.1.1.")(object);

  it("a port that the SNMP agent lacks is logged once, and again when it is there", async () => {
    const scene = new Scene();
    scene.says = unnamed;
    for (let look = 0; look < 3; look += 1) await scene.state();
    expect(scene.logged).toEqual(["warn snmp-unmatched"]);
    expect(scene.texts[0]).toBe(
      "its SNMP agent has no interface, or several, with the name of et-0/0/0, et-0/0/1: " +
        "they are not compared with it",
    );
    scene.says = (object) => object;
    await scene.wait(hourMs);
    await scene.state();
    expect(scene.logged).toEqual(["warn snmp-unmatched", "info snmp-matched"]);
  });

  it("the table of an SNMP agent is walked ever more seldom for a port that it lacks", async () => {
    const scene = new Scene();
    scene.says = unnamed;
    const walksIn = async (ms: number): Promise<number> => {
      const before = scene.walks;
      for (let passed = 0; passed < ms; passed += 30_000) {
        await scene.state();
        await scene.wait(30_000);
      }
      return scene.walks - before;
    };
    expect(await walksIn(hourMs)).toBeLessThanOrEqual(6);
    expect(await walksIn(6 * hourMs)).toBeLessThanOrEqual(7);
  });

  it.each([
    ["restarts", sysUpTime, 1n],
    ["reports another table", ifTableLastChange, 77n],
  ])("the table is walked within a minute after an SNMP agent %s", async (_, oid, value) => {
    const scene = new Scene();
    scene.says = unnamed;
    for (let look = 0; look < 60; look += 1) {
      await scene.state();
      await scene.wait(60_000);
    }
    const before = scene.walks;
    await scene.state();
    scene.says = (object) => (object.oid === oid ? { oid, type: "timeTicks", value } : object);
    await scene.state();
    await scene.wait(61_000);
    expect((await scene.state()).snmpUnmatched).toBeUndefined();
    expect(scene.walks - before).toBeGreaterThanOrEqual(1);
  });

  it("an SNMP agent that numbers its ports anew is never read by the old numbers", async () => {
    const scene = new Scene(platforms["C9500-48Y4C 17.9.4"], iosxeForm);
    const [first] = platforms["C9500-48Y4C 17.9.4"].ports;
    await scene.state();
    scene.bootedAt = 60_000;
    const oper = "1.3.6.1.2.1.2.2.1.8.1";
    scene.says = instead(oper, 2n);
    const state = await scene.state();
    expect(state.macsec.map(({ linkUp }) => linkUp.kind)).toEqual(["known", "known"]);
    expect(state.snmpUnmatched).toContain(first);
    await scene.wait(61_000);
    expect(await scene.state()).not.toHaveProperty("snmpUnmatched");
  });
});
