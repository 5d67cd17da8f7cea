// libreswan in one network, as a gateway that shares no code with charon.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { filesIn, machineFolder } from "../../machine/place.ts";
import { until } from "../lab.ts";

const { libreswan: unpacked } = filesIn(machineFolder);
const programs = join(unpacked, "usr", "libexec", "ipsec");
const library = join(unpacked, "usr", "lib", "x86_64-linux-gnu");

/** One connection of the gateway; the names of algorithms are libreswan's. */
export interface GatewayConnection {
  readonly name: string;
  readonly own: string;
  readonly peer: string;
  readonly ifId: number;
  readonly ike: string;
  readonly esp: string;
  readonly psk: string;
  /** absent = IKEv2. */
  readonly version?: "ikev1" | "ikev2";
  /** Whether a rekey makes new keys by a group of its own; absent = yes. */
  readonly pfs?: "yes" | "no";
  /** Its own identity and the one that it expects; absent = the addresses. */
  readonly ownId?: string;
  readonly peerId?: string;
  /** `yes`: it claims to be behind a NAT; absent = ESP is encapsulated where there is one. */
  readonly encapsulation?: "yes";
  /** Its selector of our side, and of its own; absent = everything. */
  readonly peerPrefix?: string;
  readonly ownPrefix?: string;
}

export class Libreswan implements Disposable {
  readonly network: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "linkseal-libreswan-"));
  readonly #connections = new Map<string, GatewayConnection>();
  #child: ChildProcess | undefined;
  /** How the daemon ended by itself. */
  #crash: string | undefined;

  constructor(network: string) {
    this.network = network;
    // pluto starts its helper by this path alone; the file system of the machine is its own.
    if (!existsSync("/usr/libexec/ipsec")) {
      mkdirSync("/usr/libexec", { recursive: true });
      symlinkSync(programs, "/usr/libexec/ipsec");
    }
    const keys = join(this.#folder, "nss");
    mkdirSync(keys);
    this.#run(join(unpacked, "usr", "bin", "certutil"), "-N", "-d", keys, "--empty-password");
  }

  async start(): Promise<void> {
    this.#write();
    const argv = [
      ...["netns", "exec", this.network, join(programs, "pluto"), "--nofork"],
      ...["--config", this.#config, "--secretsfile", this.#secrets],
      ...["--nssdir", join(this.#folder, "nss"), "--rundir", this.#folder],
    ];
    const child = spawn("ip", argv, { stdio: "ignore", env: this.#environment });
    this.#child = child;
    child.once("exit", (code, signal) => {
      if (this.#child === child) this.#crash = signal ?? `code ${code}`;
    });
    await until(() => (existsSync(this.#socket) ? true : undefined));
    await until(() => {
      try {
        return this.whack("--briefstatus");
      } catch {
        return undefined;
      }
    });
    this.whack("--listen");
    for (const { name } of this.#connections.values()) this.#add(name);
  }

  async stop(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
    for (const name of ["pluto.ctl", "pluto.pid"])
      rmSync(join(this.#folder, name), { force: true });
  }

  /** Loads a connection; SAs of an earlier one of this name end, as when an operator changes it. */
  load(connection: GatewayConnection): void {
    this.#connections.set(connection.name, connection);
    if (this.#child === undefined) return;
    this.#write();
    this.whack("--rereadsecrets");
    this.#add(connection.name);
  }

  /** Runs a command of an operator. Returns its output. */
  whack(...argv: readonly string[]): string {
    return this.#run(join(programs, "whack"), "--ctlsocket", this.#socket, ...argv);
  }

  /** Runs a command that waits for its result, and does not block this thread. */
  async whackLater(...argv: readonly string[]): Promise<void> {
    this.#mustRun();
    const all = ["--ctlsocket", this.#socket, ...argv];
    const child = spawn(join(programs, "whack"), all, { stdio: "ignore", env: this.#environment });
    await once(child, "close");
  }

  output(): string {
    return existsSync(this.#log) ? readFileSync(this.#log, "utf8") : "";
  }

  [Symbol.dispose](): void {
    this.#child?.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #environment(): NodeJS.ProcessEnv {
    return { ...process.env, LD_LIBRARY_PATH: library };
  }

  get #socket(): string {
    return join(this.#folder, "pluto.ctl");
  }

  get #config(): string {
    return join(this.#folder, "ipsec.conf");
  }

  get #secrets(): string {
    return join(this.#folder, "ipsec.secrets");
  }

  get #log(): string {
    return join(this.#folder, "log");
  }

  #add(name: string): void {
    const argv = ["--config", this.#config, "--ctlsocket", this.#socket, name];
    this.#run(join(programs, "addconn"), ...argv);
  }

  #mustRun(): void {
    if (this.#crash !== undefined) throw new Error(`libreswan ended by itself: ${this.#crash}`);
  }

  #run(program: string, ...argv: readonly string[]): string {
    this.#mustRun();
    const env = this.#environment;
    const all = ["netns", "exec", this.network, program, ...argv];
    return execFileSync("ip", all, { encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] });
  }

  #write(): void {
    const all = [...this.#connections.values()];
    const setup = [
      "config setup",
      // The daemon reads this once, and drops IKEv1 otherwise.
      "\tikev1-policy=accept",
      // The interfaces and routes are those of the test, as on a router with static ones.
      "\tipsec-interface-managed=no",
      `\tlogfile=${this.#log}`,
      "\tlogappend=yes",
    ];
    writeFileSync(this.#config, [...setup, ...all.flatMap(connectionLines), ""].join("\n"));
    const secrets = all.map((one) => `${idsOf(one).join(" ")} : PSK "${one.psk}"\n`);
    writeFileSync(this.#secrets, secrets.join(""), { mode: 0o600 });
  }
}

function idsOf({ own, peer, ownId = own, peerId = peer }: GatewayConnection): readonly string[] {
  return [ownId, peerId];
}

function connectionLines(connection: GatewayConnection): readonly string[] {
  const { name, own, peer, ike, esp, ifId, pfs = "yes" } = connection;
  const { ownPrefix = "0.0.0.0/0", peerPrefix = "0.0.0.0/0" } = connection;
  const { encapsulation = "auto", version = "ikev2" } = connection;
  const [ownId, peerId] = idsOf(connection);
  const lines = [
    ...[`keyexchange=${version}`, "authby=secret", "type=tunnel", "auto=add"],
    ...[`left=${own}`, `leftid=${ownId}`, `leftsubnet=${ownPrefix}`, "leftupdown=%disabled"],
    ...[`right=${peer}`, `rightid=${peerId}`, `rightsubnet=${peerPrefix}`],
    ...[`ike=${ike}`, `esp=${esp}`, `pfs=${pfs}`, `ipsec-interface=${ifId}`],
    // Each tunnel selects everything; interfaces and routes decide which one a packet takes.
    ...[`encapsulation=${encapsulation}`, "overlapip=yes"],
    ...["ikelifetime=8h", "salifetime=7h", "dpddelay=10s", "retransmit-timeout=30s"],
  ];
  return ["", `conn ${name}`, ...lines.map((line) => `\t${line}`)];
}
