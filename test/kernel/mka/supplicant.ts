// wpa_supplicant at one end of a wire: this Debian's own, or the newer one that the machine
// unpacks.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CipherSuite } from "#hal/model.ts";
import { filesIn, machineFolder } from "../../machine/place.ts";
import { ip, until } from "../lab.ts";
import type { TestKey } from "./station.ts";

export type Version = "2.10" | "2.11";

export interface SupplicantOptions {
  readonly version: Version;
  readonly network: string;
  readonly key: TestKey;
  readonly priority: number;
  readonly suite?: CipherSuite;
  /** Absent = it encrypts what it sends. */
  readonly sends?: "integrityOnly";
  /** Absent = 0: a frame that another one overtook is dropped. */
  readonly replayWindow?: number;
  /** Its end of the wire; absent = `wire`. */
  readonly port?: string;
}

const unpacked = join(tmpdir(), "supplicant-2.11");

function program(version: Version, name: "wpa_supplicant" | "wpa_cli"): string {
  if (version === "2.10") return name;
  if (!existsSync(unpacked)) {
    execFileSync("dpkg-deb", ["-x", filesIn(machineFolder).supplicant, unpacked]);
  }
  return join(unpacked, "usr", "sbin", name);
}

export class Supplicant implements Disposable {
  readonly options: SupplicantOptions;
  readonly #folder: string;
  readonly #child: ChildProcess;
  output = "";

  constructor(options: SupplicantOptions) {
    this.options = options;
    const { version, network, key, priority, suite, replayWindow = 0, port = "wire" } = options;
    const isReadable = options.sends === "integrityOnly";
    this.#folder = mkdtempSync(join(tmpdir(), "linkseal-supplicant-"));
    const file = join(this.#folder, "supplicant.conf");
    const lines = [
      `ctrl_interface=${join(this.#folder, "control")}`,
      "eapol_version=3",
      "ap_scan=0",
      "network={",
      "  key_mgmt=NONE",
      "  eapol_flags=0",
      "  macsec_policy=1",
      `  macsec_integ_only=${isReadable ? 1 : 0}`,
      "  macsec_replay_protect=1",
      `  macsec_replay_window=${replayWindow}`,
      "  macsec_port=1",
      `  mka_cak=${key.cak}`,
      `  mka_ckn=${key.ckn}`,
      `  mka_priority=${priority}`,
      ...(suite === "gcm-aes-256" ? ["  macsec_csindex=1"] : []),
      "}",
    ];
    writeFileSync(file, `${lines.join("\n")}\n`);
    const argv = [program(version, "wpa_supplicant"), "-D", "macsec_linux", "-i", port];
    const all = ["netns", "exec", network, ...argv, "-dt", "-c", file];
    this.#child = spawn("ip", all, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk) => {
        this.output += String(chunk);
      });
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits for its MACsec device. Resolves to the name. */
  async device(): Promise<string> {
    const { network, port = "wire" } = this.options;
    const sign = new RegExp(`^\\d+: (macsec\\d+)@${port}:`, "m");
    return await until(() => sign.exec(ip("-n", network, "link", "show", "type", "macsec"))?.[1]);
  }

  /** Returns its own status, by name; empty while it does not answer. */
  status(): ReadonlyMap<string, string> {
    const { version, network, port = "wire" } = this.options;
    const control = ["-p", join(this.#folder, "control"), "-i", port, "status"];
    const argv = ["netns", "exec", network, program(version, "wpa_cli"), ...control];
    try {
      const text = execFileSync("ip", argv, {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
      return new Map(
        text.split("\n").map((line) => [line.split("=")[0] ?? "", line.split("=")[1] ?? ""]),
      );
    } catch {
      return new Map();
    }
  }

  get isSecured(): boolean {
    return this.status().get("Secured") === "Yes";
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true });
  }
}
