// charon in one network, configured only over its socket.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { refusalOf } from "#drivers/linux/ipsec/parsers.ts";
import { openStream } from "#drivers/transport/stream.ts";
import { ViciClient } from "#drivers/transport/vici.ts";
import type { ViciMessage, ViciSection } from "#drivers/transport/vici-wire.ts";
import { soon, until } from "../lab.ts";

/** How long charon waits for an answer, and how often it repeats a request (strongswan.conf(5)). */
export interface Retransmission {
  readonly tries: number;
  readonly timeoutS: number;
  readonly base: number;
}

/** The tests that wait for a dead gateway take less time with it. */
const quick: Retransmission = { tries: 3, timeoutS: 1, base: 1.5 };
/** As doctor wants it. */
export const wanted: Retransmission = { tries: 4, timeoutS: 0.8, base: 2 };

export class Daemon {
  readonly network: string;
  readonly socket: string;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  constructor(network: string, { tries, timeoutS, base } = quick) {
    this.network = network;
    this.#folder = mkdtempSync(join(tmpdir(), "linkseal-charon-"));
    this.socket = join(this.#folder, "charon.vici");
    const lines = [
      "charon-systemd {",
      "  load_modular = yes",
      "  install_routes = no",
      "  install_virtual_ip = no",
      `  retransmit_tries = ${tries}`,
      `  retransmit_timeout = ${timeoutS}`,
      `  retransmit_base = ${base}`,
      "  plugins {",
      "    include /etc/strongswan.d/charon/*.conf",
      `    vici { socket = unix://${this.socket} }`,
      "  }",
      `  filelog { f { path = ${this.log}`,
      "    default = 1",
      "    flush_line = yes } }",
      "}",
    ];
    writeFileSync(this.#config, `${lines.join("\n")}\n`);
  }

  get log(): string {
    return join(this.#folder, "log");
  }

  get #config(): string {
    return join(this.#folder, "strongswan.conf");
  }

  async start(): Promise<void> {
    const argv = ["netns", "exec", this.network, "charon-systemd"];
    const env = { ...process.env, STRONGSWAN_CONF: this.#config };
    this.#child = spawn("ip", argv, { stdio: "ignore", env });
    await until(async () => {
      try {
        return await this.ask("version", {});
      } catch {
        return undefined;
      }
    });
  }

  async stop(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
    rmSync(this.socket, { force: true });
  }

  /** Sends a command. Throws if charon refuses it. */
  async ask(command: string, message: ViciMessage): Promise<ViciSection> {
    using client = new ViciClient(await openStream(this.socket, soon()));
    const answer = await client.ask(command, message, "unknown", soon());
    if (answer.get("success") !== "no") return answer;
    throw new Error(`${command}: ${refusalOf(answer)}`);
  }

  async list(command: string, event: string): Promise<readonly ViciSection[]> {
    using client = new ViciClient(await openStream(this.socket, soon()));
    return await client.list(command, event, {}, soon());
  }

  output(): string {
    return readFileSync(this.log, "utf8");
  }

  [Symbol.dispose](): void {
    this.#child?.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
