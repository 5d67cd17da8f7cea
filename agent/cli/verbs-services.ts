// The verbs that start a service. A service is loaded without the other verbs, which it would keep
// in memory for all of its life.

import type { Command } from "commander";
import type { LogLevel } from "#hal/world.ts";
import type { ServiceLaunch } from "./launch.ts";
import { exit, logLevel, withExample } from "./shape.ts";

/** Adds the verbs that start a service; `launch` starts it. */
export function registerServices(program: Command, launch: ServiceLaunch): void {
  withExample(
    program
      .command("agent")
      .description("run the agent in the foreground, as the service does")
      .option("--site <address>", "follow the clock of the simulated site at unix:PATH")
      .addOption(logLevel()),
    "LINKSEAL_HOME=~/linkseal linkseal agent",
  ).action((options: AgentOptions) => runAgent(launch, options));
  withExample(
    program
      .command("net")
      .description("serve this kernel's network to the agent, as linkseal-net.service does")
      .option("--socket <path>", "where it answers")
      .option("--client <user>", "who may ask, beside the user that it runs as")
      .option("--charon <path>", "socket of strongSwan's charon, if not /run/charon.vici")
      .option("--held", "only list what stays down or blocked without linkseal, and end")
      .addOption(logLevel()),
    "linkseal net --client linkseal",
  ).action((options: KernelOptions) => runNetwork(launch, options));
  withExample(
    program
      .command("guard")
      .description("block again what tunnels protect, as linkseal-guard.service does at boot")
      .option("--release <prefix>", "let this prefix leave in the clear from now on instead")
      .addOption(logLevel()),
    "linkseal guard",
  ).action((options: BlockOptions) => runBlock(launch, options));
  withExample(
    program
      .command("mka <port>")
      .description("serve the MACsec key agreement of one port, as linkseal-mka@PORT.service does")
      .option("--socket <path>", "where it answers")
      .option("--client <user>", "who may ask, beside the user that it runs as")
      .option(
        "--key-cache <key>",
        "keeps the keys over a reboot, encrypted with 32 octets (credential:NAME or file:PATH)",
      )
      .addOption(logLevel()),
    "linkseal mka eth1 --client linkseal",
  ).action((port: string, options: ParticipantOptions) => runParticipant(launch, port, options));
  withExample(
    program
      .command("peer")
      .description("the command of an agent's login from another host; with --serve its server")
      .option("--serve", "serve this host to such logins, as linkseal-peer.service does")
      .option("--socket <path>", "where the server answers")
      .option("--client <user>", "with --serve: the user of the login")
      .option("--net <path>", "with --serve: socket of linkseal-net")
      .option("--charon <path>", "with --serve: socket of charon, if not /run/charon.vici")
      .addOption(logLevel()),
    "linkseal peer --serve --client linkseal-peer",
  ).action((options: PeerOptions) => runPeer(launch, options));
}

interface AgentOptions {
  readonly site?: string;
  readonly logLevel: LogLevel;
}

async function runAgent(launch: ServiceLaunch, { site, logLevel }: AgentOptions): Promise<void> {
  exit(await launch.agent({ site: site ?? process.env["LINKSEAL_SITE"], level: logLevel }));
}

interface NetworkOptions {
  readonly socket?: string;
  readonly client?: string;
  readonly logLevel: LogLevel;
}

interface KernelOptions extends NetworkOptions {
  readonly charon?: string;
  readonly held?: true;
}

async function runNetwork(launch: ServiceLaunch, options: KernelOptions): Promise<void> {
  if (options.held === true) {
    const held = await launch.held("error");
    process.stdout.write(held.map((line) => `${line}\n`).join(""));
    return;
  }
  const { socket, client, charon, logLevel: level } = options;
  exit(await launch.net({ socket, client, charon, level }));
}

interface BlockOptions {
  readonly release?: string;
  readonly logLevel: LogLevel;
}

async function runBlock(launch: ServiceLaunch, { release, logLevel }: BlockOptions): Promise<void> {
  exit(await launch.guard({ release, level: logLevel }));
}

interface PeerOptions extends NetworkOptions {
  readonly serve?: true;
  readonly net?: string;
  readonly charon?: string;
}

async function runPeer(launch: ServiceLaunch, options: PeerOptions): Promise<void> {
  const { serve, socket, client, net, charon, logLevel: level } = options;
  const isLogin = serve === undefined;
  exit(
    isLogin ? await launch.join(socket) : await launch.peer({ socket, client, net, charon, level }),
  );
}

interface ParticipantOptions extends NetworkOptions {
  readonly keyCache?: string;
}

async function runParticipant(
  launch: ServiceLaunch,
  port: string,
  options: ParticipantOptions,
): Promise<void> {
  const { socket, client, keyCache, logLevel: level } = options;
  exit(await launch.mka({ port, socket, client, keyCache, level }));
}
