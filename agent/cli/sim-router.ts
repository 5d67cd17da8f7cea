// Simulated routers behind real SSH, for the agent's own drivers and for anybody's tools.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChannelKind } from "#hal/world.ts";
import type { Site, SshServed, SshServeOptions } from "../simulate.ts";
import { usage } from "./failure.ts";
import { stopAsked } from "./sim-stop.ts";

export interface SimRouterOptions {
  readonly platform: "eos" | "junos";
  readonly port: number;
  readonly socket?: string;
  readonly seed: string;
  readonly start: "clear" | "protected";
}

/** Serves until SIGTERM or SIGINT; resolves to 0, or to 9 if the oracle saw a broken promise. */
export async function serveRoutersUntilStopped(options: SimRouterOptions): Promise<0 | 9> {
  const folder = await mkdtemp(join(tmpdir(), "linkseal-router-"));
  try {
    return await serve(options, folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function serve(options: SimRouterOptions, folder: string): Promise<0 | 9> {
  const { demoSite, formatViolation, paceClock, routerPlatforms, serveSite, serveSsh } =
    await import("../simulate.ts");
  const { platform, port, seed, start, socket = join(folder, "site.sock") } = options;
  const { channel, model, face: faceOf } = routerPlatforms[platform];
  const stop = stopAsked();
  const { site, oracle, desk } = demoSite(seed, start, {
    models: () => model,
    wallStart: Date.now(),
  });
  const routers: { readonly name: string; readonly ssh: SshServed }[] = [];
  for (const [index, [name, router]] of [...site.routers].entries()) {
    const face = faceOf(router);
    const at = port === 0 ? 0 : port + index;
    const connect: typeof face.connect = (wire) => face.connect(wire);
    // Where the platform answers a single command as well.
    const execute: SshServeOptions["execute"] =
      "execute" in face ? (wire, command) => face.execute(wire, command) : undefined;
    const doors = { channel, connect, ...(execute === undefined ? {} : { execute }) };
    const ssh = await serveSsh({ port: at, ...doors }).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : "no port";
      throw usage(why, "choose another --port");
    });
    routers.push({ name, ssh });
  }
  const served = await serveSite(desk.handler(), socket).catch((error: unknown) => {
    throw usage(error instanceof Error ? error.message : "no socket", "choose another --socket");
  });
  // Who logs in has a clock of its own, which no site can lead.
  const pace = paceClock(site.clock, { speed: 1 });
  const config = join(folder, "linkseal.yaml");
  await writeFile(config, configOf(site, routers, platform, socket));
  process.stdout.write(opening(routers, channel, config));
  await Promise.race([pace.done, aborted(stop)]);
  await pace.stop();
  await Promise.all([served.close(), ...routers.map(({ ssh }) => ssh.close())]);
  for (const violation of oracle.violations) {
    process.stderr.write(`${formatViolation(violation)}\n`);
  }
  return oracle.violations.length === 0 ? 0 : 9;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}

type Routers = readonly { readonly name: string; readonly ssh: SshServed }[];

function opening(routers: Routers, channel: ChannelKind, config: string): string {
  const [option, subsystem] = channel === "netconf" ? ["-s ", " netconf"] : ["", ""];
  const lines = routers.map(
    ({ name, ssh: { port, hostKey } }) =>
      `${name}: ssh -p ${port} ${option}linkseal@127.0.0.1${subsystem} (${hostKey})`,
  );
  return `${lines.join("\n")}\nconfig for an agent: ${config}\n`;
}

/** For an agent whose vault and far end are simulated, and whose routers seem real. */
function configOf(site: Site, routers: Routers, platform: string, socket: string): string {
  return routers.reduce(
    (text, { name, ssh }) => {
      const device = [
        `  - name: ${name}`,
        `    driver: ${platform}`,
        "    address: 127.0.0.1",
        `    ssh: { user: linkseal, port: ${ssh.port}, key: agent, hostKey: "${ssh.hostKey}" }`,
        "",
      ].join("\n");
      return text.replace(new RegExp(`  - name: ${name}\n    driver: sim\n.*\n`), device);
    },
    site.config(`unix:${socket}`),
  );
}
