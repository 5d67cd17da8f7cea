// Simulated routers behind real SSH, for the agent's own drivers and for other programs.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { platforms } from "#drivers/index.ts";
import type { ChannelKind } from "#hal/world.ts";
import { aborted, inFolder, stopAsked, taken, verdictOf } from "./sim-run.ts";
import type { Site, SnmpServed, SshServed, SshServeOptions } from "./simulate.ts";

export interface SimRouterOptions {
  readonly platform: keyof Platforms;
  readonly port: number;
  readonly socket?: string;
  readonly seed: string;
  readonly start: "clear" | "protected";
}

/** Serves until SIGTERM or SIGINT; resolves to 0, or to 1 if the oracle saw a broken promise. */
export async function serveRoutersUntilStopped(options: SimRouterOptions): Promise<0 | 1> {
  return await inFolder("linkseal-router-", (folder) => serve(options, folder));
}

async function serve(options: SimRouterOptions, folder: string): Promise<0 | 1> {
  const { demoSite, paceClock, routerPlatforms, serveSite } = await import("./simulate.ts");
  const { platform, port, seed, start, socket = join(folder, "site.sock") } = options;
  const { driver, model, emulator } = routerPlatforms[platform];
  const { channel } = platforms[driver].access;
  const stop = stopAsked();
  const staff = demoSite(seed, start, {
    models: () => model,
    wallStart: Date.now(),
  });
  const { site, faultConsole } = staff;
  const routers: Served[] = [];
  for (const [index, [name, router]] of [...site.routers].entries()) {
    const at = port === 0 ? 0 : port + index;
    routers.push(await serveRouter(name, emulator(router), channel, at));
  }
  const served = await serveSite(faultConsole.handler(), socket).catch(taken("socket"));
  // An SSH client uses real time, so the site cannot run faster.
  const pace = paceClock(site.clock, { speed: 1 });
  const config = join(folder, "linkseal.yaml");
  const secret = join(folder, "snmp-passphrase");
  await writeFile(secret, `${passphrase}\n`, { mode: 0o600 });
  await writeFile(config, configOf(site, routers, { driver, socket, secret }));
  process.stdout.write(opening(routers, channel, config));
  await Promise.race([pace.done, aborted(stop)]);
  await pace.stop();
  await Promise.all([served.close(), ...routers.map(closed)]);
  return await verdictOf(staff);
}

interface Served {
  readonly name: string;
  readonly ssh: SshServed;
  readonly snmp: SnmpServed;
}

type Platforms = typeof import("./simulate.ts").routerPlatforms;
type Emulator = ReturnType<Platforms[keyof Platforms]["emulator"]>;

/** If an option names a port, SNMP over UDP has the same number as SSH over TCP. */
async function serveRouter(
  name: string,
  emulator: Emulator,
  channel: ChannelKind,
  port: number,
): Promise<Served> {
  const { serveSnmp, serveSsh } = await import("./simulate.ts");
  const connect: SshServeOptions["connect"] = (wire) => emulator.connect(wire);
  // Only some platforms accept a single command over SSH.
  const execute: SshServeOptions["execute"] =
    emulator.execute && ((wire, command) => emulator.execute?.(wire, command));
  const doors = { connect, ...(execute === undefined ? {} : { execute }) };
  const ssh = await serveSsh({ port, channel, ...doors }).catch(taken("port"));
  const objects = (): ReturnType<typeof emulator.objects> => emulator.objects();
  const snmp = await serveSnmp({ port, objects, users: [snmpUser] }).catch(taken("port"));
  return { name, ssh, snmp };
}

async function closed({ ssh, snmp }: Served): Promise<void> {
  await Promise.all([ssh.close(), snmp.close()]);
}

const user = "linkseal";
/** The object ifName, because its names need no MIB. */
const names = "1.3.6.1.2.1.31.1.1.1.1";
/** Not a secret: only this host can reach the agent, and nothing real is behind it. */
const passphrase = "simulated";
const snmpUser = {
  name: user,
  auth: "sha256",
  authPassphrase: passphrase,
  privacy: "aes128",
  privacyPassphrase: passphrase,
} as const;

function opening(routers: readonly Served[], channel: ChannelKind, config: string): string {
  const [option, subsystem] = channel === "netconf" ? ["-s ", " netconf"] : ["", ""];
  const keys = `-a SHA-256 -A ${passphrase} -x AES -X ${passphrase}`;
  const walk = `snmpbulkwalk -v3 -l authPriv -u ${user} ${keys}`;
  const lines = routers.flatMap(({ name, ssh, snmp }) => [
    `${name}: ssh -p ${ssh.port} ${option}${user}@127.0.0.1${subsystem} (${ssh.hostKey})`,
    `${name}: ${walk} 127.0.0.1:${snmp.port} ${names}`,
  ]);
  return `${lines.join("\n")}\nconfig for an agent: ${config}\n`;
}

/**
 * Returns the config for an agent whose vault and far end are simulated, and whose routers are
 * reached like real ones.
 */
function configOf(
  site: Site,
  routers: readonly Served[],
  { driver, socket, secret }: { driver: string; socket: string; secret: string },
): string {
  return routers.reduce(
    (text, { name, ssh, snmp }) => {
      const snmpKeys = `authPassphrase: "file:${secret}", privacyPassphrase: "file:${secret}"`;
      const device = [
        `  - name: ${name}`,
        `    driver: ${driver}`,
        "    address: 127.0.0.1",
        `    ssh: { user: ${user}, port: ${ssh.port}, key: agent, hostKey: "${ssh.hostKey}" }`,
        `    snmp: { user: ${user}, port: ${snmp.port}, ${snmpKeys} }`,
        "",
      ].join("\n");
      return text.replace(new RegExp(`  - name: ${name}\n    driver: sim\n.*\n`), device);
    },
    site.config(`unix:${socket}`),
  );
}
