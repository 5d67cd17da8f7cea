// Foreign ends: our reader with Debian's snmpd, and Debian's snmpbulkwalk with our agent.

import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SnmpAgents } from "#drivers/transport/snmp.ts";
import { LinksealError } from "#hal/error.ts";
import type { SnmpAuth, SnmpPrivacy, Target } from "#hal/target.ts";
import type { SnmpReply } from "#hal/world.ts";
import { junosForm, snmpObjects } from "#sim/emulators/snmp.ts";
import { paceClock } from "#sim/serve/site.ts";
import { type SnmpServed, serveSnmp } from "#sim/serve/snmp.ts";
import { type Place, placeOf, platforms } from "../conformance/place.ts";
import { agentOf, material, never, targetOf, user } from "../unit/kit/snmp-kit.ts";
import { run } from "./run.ts";

const timeouts = { attemptMs: 1_500, retries: 1 };
const system = "1.3.6.1.2.1.1";
const upTime = "1.3.6.1.2.1.1.3";

/** These are net-snmp's names. Its AES-256 is the one of Blumenthal. */
const authNames = { sha224: "SHA-224", sha256: "SHA-256", sha384: "SHA-384", sha512: "SHA-512" };
const privacyNames = { aes128: "AES", aes256b: "AES-256", aes256r: "AES-256-C" };
const pairs = [
  ["sha224", "aes128"],
  ["sha256", "aes128"],
  ["sha384", "aes256b"],
  ["sha512", "aes256b"],
] as const satisfies readonly (readonly [SnmpAuth, SnmpPrivacy])[];

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

const nameOf = (auth: SnmpAuth, privacy: SnmpPrivacy): string => `${auth}${privacy}`;

class Snmpd {
  readonly #folder: string;
  readonly port: number;
  #child: ChildProcess | undefined;

  constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  async configure(): Promise<void> {
    const users = pairs.map(([auth, privacy]) => {
      const protocols = [authNames[auth], privacyNames[privacy]] as const;
      const secrets = [user.authPassphrase, user.privacyPassphrase] as const;
      const name = nameOf(auth, privacy);
      return [
        `createUser ${name} ${protocols[0]} "${secrets[0]}" ${protocols[1]} "${secrets[1]}"`,
        `rouser ${name} priv`,
      ].join("\n");
    });
    const text = [`agentaddress udp:127.0.0.1:${this.port}`, "sysName edge-a", ...users, ""];
    await writeFile(join(this.#folder, "snmpd.conf"), text.join("\n"));
  }

  /** Its clock restarts, and it counts the boots in its folder. */
  async start(): Promise<void> {
    const kept = join(this.#folder, "kept");
    const places = { SNMPCONFPATH: `${this.#folder}:${kept}`, SNMP_PERSISTENT_DIR: kept };
    const env = { ...process.env, ...places, MIBS: "" };
    const child = spawn("snmpd", ["-f", "-Lo"], { stdio: ["ignore", "pipe", "pipe"], env });
    this.#child = child;
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (octets: Buffer) => {
        output += octets.toString();
      });
    }
    while (!output.includes("NET-SNMP version")) {
      if (child.exitCode !== null) throw new Error(output);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill();
    await ended;
  }

  target(auth: SnmpAuth, privacy: SnmpPrivacy): Target {
    return targetOf(this.port, { name: nameOf(auth, privacy), auth, privacy });
  }
}

const ticks = ({ values }: SnmpReply): bigint => {
  const reported = values.get(`${upTime}.0`);
  if (reported?.kind !== "number") throw new Error("no time");
  return reported.value;
};

describe("snmpd of Debian", () => {
  let folder: string;
  let daemon: Snmpd;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "linkseal-snmpd-"));
    daemon = new Snmpd(folder, await freePort());
    await daemon.configure();
    await daemon.start();
  });
  afterAll(async () => {
    await daemon.stop();
    await rm(folder, { recursive: true });
  });

  it.each(pairs)("our reader reads snmpd with %s and %s", async (auth, privacy) => {
    using agents = new SnmpAgents(material, timeouts);
    const question = { roots: [system, "1.3.6.1.2.1.31.1.1.1.1"], leaves: [], valuesMax: 1_000 };
    const reply = await agents.ask(daemon.target(auth, privacy), question, never);
    const name = reply.values.get(`${system}.5.0`);
    expect(name).toEqual({ kind: "octets", value: Uint8Array.from(Buffer.from("edge-a")) });
    const ports = [...reply.values].filter(([oid]) => oid.startsWith("1.3.6.1.2.1.31."));
    const texts = ports.map(
      ([, one]) => one.kind === "octets" && Buffer.from(one.value).toString(),
    );
    expect(texts).toContain("lo");
  });

  it("snmpd tells nothing to a wrong passphrase, and its report is not believed", async () => {
    using agents = new SnmpAgents(material, timeouts);
    const to = targetOf(daemon.port, {
      ...{ name: nameOf("sha256", "aes128"), authPassphrase: "not-its-passphrase" },
    });
    const asked = agents.ask(to, { roots: [upTime], leaves: [], valuesMax: 9 }, never);
    const error: unknown = await asked.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LinksealError);
    expect(String(error)).toMatch(/replies that none of its keys signed were dropped/);
  });

  it("snmpd is read on after it has booted again, in the same session", async () => {
    using agents = new SnmpAgents(material, timeouts);
    const to = daemon.target("sha256", "aes128");
    const question = { roots: [upTime], leaves: [], valuesMax: 9 };
    await agents.ask(to, question, never);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    const before = ticks(await agents.ask(to, question, never));
    await daemon.stop();
    await daemon.start();
    expect(ticks(await agents.ask(to, question, never))).toBeLessThan(before);
  });
});

describe("snmpbulkwalk of Debian", () => {
  let place: Place;
  let served: SnmpServed;
  let pace: ReturnType<typeof paceClock>;
  beforeAll(async () => {
    place = placeOf(platforms["ptx10008 23.4R2"]);
    const { router } = place.rig;
    const objects = () => snmpObjects(router, 0, junosForm);
    served = await serveSnmp({ port: 0, users: [user], objects });
    place.rig.links[0].fibre.offer("b", 1_000, 512);
    pace = paceClock(place.rig.clock, { speed: 20 });
  });
  afterAll(async () => {
    await pace.stop();
    await served.close();
  });

  const walk = (root: string, over: readonly string[] = []) => {
    const login = ["-v3", "-l", "authPriv", "-u", user.name, "-a", "SHA-256", "-x", "AES"];
    const keys = ["-A", user.authPassphrase, "-X", user.privacyPassphrase];
    const words = over.length > 0 ? over : [...login, ...keys];
    const where = [`127.0.0.1:${served.port}`, root];
    return run(["snmpbulkwalk", "-On", "-r0", "-t2", ...words, ...where], "");
  };

  it("snmpbulkwalk walks the interfaces of the simulated router", async () => {
    await place.rig.clock.sleep(1_000);
    const { stdout, status } = await walk(".1.3.6.1.2.1");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\.1\.3\.6\.1\.2\.1\.31\.1\.1\.1\.1\.501 = STRING: "et-0\/0\/0"$/m);
    expect(stdout).toMatch(/^\.1\.3\.6\.1\.2\.1\.2\.2\.1\.8\.501 = INTEGER: 1$/m);
    expect(stdout).toMatch(/^\.1\.3\.6\.1\.2\.1\.31\.1\.1\.1\.6\.501 = Counter64: [1-9]/m);
  });

  it("snmpbulkwalk without a user, or with SNMPv2c, gets no answer", async () => {
    for (const words of [
      ["-v2c", "-c", "public"],
      ["-v3", "-l", "noAuthNoPriv", "-u", user.name],
      [
        "-v3",
        "-l",
        "authPriv",
        "-u",
        user.name,
        "-a",
        "SHA-256",
        "-A",
        "not-its-passphrase",
        "-X",
        "x".repeat(9),
      ],
    ]) {
      const { stdout, status } = await walk(upTime, words);
      expect([status, stdout]).toEqual([1, ""]);
    }
  });

  it("snmpbulkwalk reads SecY counters below 1.0, and rows that come and go", async () => {
    const agent = await agentOf();
    const login = ["-v3", "-l", "authPriv", "-u", user.name, "-a", "SHA-256", "-x", "AES"];
    const keys = ["-A", user.authPassphrase, "-X", user.privacyPassphrase];
    const where = [`127.0.0.1:${agent.port}`, ".1.0.8802"];
    const { stdout } = await run(["snmpbulkwalk", "-On", ...login, ...keys, ...where], "");
    await agent.close();
    expect(stdout).toContain(".1.0.8802.1.1.3.1.1.1.1.9.1 = OID: .1.0.8802.1.1.3.1.1.8.1.1.0.128");
  });
});
