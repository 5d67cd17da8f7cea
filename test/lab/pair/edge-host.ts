// One edge host of a pair: FRR, linkseal-net, the MKA process of its port, and for an agent
// elsewhere linkseal-peer behind Debian's sshd. It can lose its power and boot again.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MkaClient } from "#drivers/linux/mka/client.ts";
import { replyBytesMax } from "#drivers/linux/mka/protocol.ts";
import { askFramed } from "#drivers/transport/framed.ts";
import { Programs, root } from "../../kernel/host/programs.ts";
import { startRouter } from "../../kernel/host/router.ts";
import { Daemon } from "../../kernel/ipsec/daemon.ts";
import { ip, ipBatch } from "../../kernel/lab.ts";
import { ServiceManager } from "../../kernel/mka/service-manager.ts";
import { Program, readyMark } from "../../process/program.ts";
import { secyOn } from "../lab.ts";
import { type EdgePlan, edgeRouting, lightDown, lightUp, type Networks, path } from "./networks.ts";

/** A process of linkseal on the host. */
export type Process = "net" | "mka" | "peer";

type Served = Awaited<ReturnType<Programs["serveUntil"]>>;

export class EdgeHost implements Disposable {
  readonly plan: EdgePlan;
  readonly programs: Programs;
  /** Its charon, which runs once a test has started it. */
  readonly charon: Daemon;
  readonly #home: string;
  readonly #networks: Networks;
  readonly #served = new Map<string, Served>();
  /** Holds the memory of the MKA process, as systemd does. */
  readonly #manager: ServiceManager;
  #sshd: Program | undefined;
  #boots = 0;
  #isReached = false;

  constructor(plan: EdgePlan, networks: Networks, home: string) {
    this.plan = plan;
    this.#networks = networks;
    this.#home = home;
    mkdirSync(home, { recursive: true, mode: 0o700 });
    writeFileSync(this.#at("seal"), crypto.getRandomValues(new Uint8Array(32)), { mode: 0o600 });
    this.#manager = new ServiceManager(this.#at("notify"));
    this.programs = new Programs(home, networks[plan.name]);
    this.charon = new Daemon(networks[plan.name]);
  }

  get network(): string {
    return this.#networks[this.plan.name];
  }

  /** Path of linkseal-net's socket. */
  get net(): string {
    return this.#at("run/net.sock");
  }

  /** Path of the socket of the port's MKA process. */
  get mka(): string {
    return this.#at(`run/mka/${this.plan.port}.sock`);
  }

  #at(name: string): string {
    return join(this.#home, name);
  }

  /** Everything that its programs printed. */
  output(): string {
    return [...this.#served.values()].map(({ output }) => output()).join("");
  }

  /**
   * Starts all processes in the order of their units: linkseal-net is there before the port has
   * light. Its boot id is a new one.
   */
  async boot(): Promise<void> {
    const { name, port } = this.plan;
    this.#boots += 1;
    const bootId = this.#at(`boot-${this.#boots}`);
    writeFileSync(bootId, `${crypto.randomUUID()}\n`);
    this.programs.bootId = bootId;
    lightUp(this.#networks, name, port);
    ipBatch([`addr replace ${this.plan.address} dev ${port}`], "-n", this.network);
    await this.start("net");
    ipBatch([`link set ${port} up`], "-n", this.network);
    await this.start("mka");
    await startRouter(this.network, this.plan.routerId, edgeRouting(this.plan));
    if (this.#isReached) {
      await this.start("peer");
      this.#sshd = await this.#startSshd();
    }
  }

  /** Lets an agent from elsewhere in, from the next boot on; returns its host key's fingerprint. */
  admit(publicKey: string): string {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", this.#at("host")]);
    const program = `${process.execPath} ${root}/agent/bin.js`;
    const command = `${program} peer --socket ${this.#at("run/peer.sock")}`;
    const line = `restrict,command="${command}" ${publicKey}`;
    writeFileSync(this.#at("authorized_keys"), line, { mode: 0o600 });
    this.#isReached = true;
    const shown = execFileSync("ssh-keygen", ["-lf", this.#at("host.pub")], { encoding: "utf8" });
    return shown.split(" ")[1] ?? "";
  }

  async #startSshd(): Promise<Program> {
    const lines = [
      ...["Port 22", `ListenAddress ${path.beyond}`, `HostKey ${this.#at("host")}`],
      ...["PidFile none", "UsePAM no", "StrictModes no"],
      ...[`AuthorizedKeysFile ${this.#at("authorized_keys")}`, "PasswordAuthentication no"],
      "PermitRootLogin prohibit-password",
    ];
    writeFileSync(this.#at("sshd_config"), `${lines.join("\n")}\n`);
    mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    const argv = ["netns", "exec", this.network, "/usr/sbin/sshd", "-D", "-e"];
    const all = [...argv, "-f", this.#at("sshd_config")];
    const sshd = new Program(spawn("ip", all, { stdio: ["ignore", "pipe", "pipe"] }));
    await sshd.until("listening on");
    return sshd;
  }

  /** Returns the token of the change that waits for its confirmation at the MKA process. */
  async armed(): Promise<string | undefined> {
    const { port } = this.plan;
    const client = new MkaClient(
      (octets, { effect }, signal) =>
        askFramed({ path: this.mka, octets, replyBytesMax, effect }, signal),
      port,
    );
    return (await client.observe(AbortSignal.timeout(60_000))).pending;
  }

  /** Returns the name of the port's SecY. */
  secy(): string | undefined {
    return secyOn(this.network, this.plan.port);
  }

  /** Starts one process; resolves once it serves. */
  async start(process: Process): Promise<void> {
    const { socket } = this.charon;
    const serve = ["--serve", "--socket", this.#at("run/peer.sock"), "--net", this.net];
    const argv = {
      net: ["net", "--charon", socket],
      mka: ["mka", this.plan.port, "--key-cache", `file:${this.#at("seal")}`],
      peer: ["peer", ...serve, "--charon", socket],
    }[process];
    const { programs } = this;
    const served =
      process === "mka"
        ? programs.serveManaged(this.#manager, ...argv)
        : programs.serveUntil(readyMark, ...argv);
    this.#served.set(process, await served);
  }

  /** Kills one process; it leaves nothing in order. */
  async kill(process: Process): Promise<void> {
    const served = this.#served.get(process);
    if (served === undefined) throw new Error(`${process} does not run`);
    this.#served.delete(process);
    served.child.kill("SIGKILL");
    await once(served.child, "close");
  }

  /** Takes the power away: light first, then every process, then what only memory has. */
  async powerOff(): Promise<void> {
    lightDown(this.#networks, this.plan.name);
    const ended = [...this.#served.values()].map(({ child }) => once(child, "close"));
    killAll(this.network);
    await Promise.all([...ended, this.#sshd?.ended]);
    this.#served.clear();
    this.#manager.forget();
    this.#sshd = undefined;
    const secy = this.secy();
    if (secy !== undefined) ip("-n", this.network, "link", "del", secy);
    ipBatch(["addr flush dev lo scope global"], "-n", this.network);
    rmSync(this.#at("run"), { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    killAll(this.network);
    this.#manager[Symbol.dispose]();
    this.charon[Symbol.dispose]();
  }
}

/** Kills all processes in a network but this one. */
export function killAll(network: string): void {
  for (const pid of ip("netns", "pids", network).split("\n").filter(Boolean).map(Number)) {
    try {
      if (pid !== process.pid) process.kill(pid, "SIGKILL");
    } catch (error) {
      // It may have ended since.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

/** Makes the agent's key; returns the path of its private half, and the public one. */
export function agentKey(folder: string): { readonly path: string; readonly publicKey: string } {
  const path = join(folder, "agent-key");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
  chmodSync(path, 0o600);
  return { path, publicKey: readFileSync(`${path}.pub`, "utf8") };
}
