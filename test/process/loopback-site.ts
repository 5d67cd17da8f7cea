// Routers of two vendors behind real SSH and NETCONF, and a cloud behind TLS, as one process that
// kills its agent at one chosen moment: what the kill tests over sockets fork.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  demoSite,
  leashClock,
  paceClock,
  routerPlatforms,
  type SshServed,
  type StaffedSite,
  serveAzure,
  serveSite,
  serveSsh,
} from "#agent/simulate.ts";
import type { AzureHandler, AzureRequest } from "#sim/azure/http.ts";
import type { FaceSession, Wire } from "#sim/faces/netconf.ts";
import type { Leash } from "#sim/serve.ts";
import { hostKeyPair } from "#sim/serve-ssh.ts";
import {
  accountOf,
  type Death,
  type Fate,
  type Order,
  type SiteSetting,
  socketIn,
  tell,
} from "./deadly-site.ts";

export type Platform = keyof typeof routerPlatforms;

export interface LoopbackSetting extends SiteSetting {
  /** Of the routers, in the order of their names. */
  readonly platforms: readonly Platform[];
}

const leashMs = 500;
/** What a router is told to do for good or for a while, in one dialect or another. */
const commits = /<commit[\s/>]|^\s*(?:commit|configure session \S+ commit)\b/m;

/** undefined = it changes nothing and reads no key. */
function cloudCall({ method, path }: AzureRequest): string | undefined {
  if (method === "PUT") return "far end put";
  return method === "GET" && path.startsWith("/secrets/") ? "vault read" : undefined;
}

class LoopbackSite {
  readonly #staff: StaffedSite;
  readonly #setting: LoopbackSetting;
  readonly #leash: Leash;
  readonly #counts = new Map<string, number>();
  #victim: number | undefined;

  private constructor(setting: LoopbackSetting, staff: StaffedSite) {
    this.#setting = setting;
    this.#staff = staff;
    this.#leash = leashClock(staff.desk.handler(), staff.site.clock, leashMs);
    staff.site.onEffect(({ by, place }) => {
      if (by === "agent" && staff.site.routers.has(place)) this.#passes(`${place} effect`, "after");
    });
  }

  static async serve(setting: LoopbackSetting): Promise<void> {
    const { folder, seed, start, speed, platforms } = setting;
    const parts: { staff?: StaffedSite; site?: LoopbackSite } = {};
    const cloud = await serveAzure({
      ...{ folder, port: 0 },
      site: (vaultBase) => {
        const names = new Map<string, Platform>();
        const models = (device: string) => {
          const name = names.get(device) ?? platforms[names.size % platforms.length] ?? "junos";
          names.set(device, name);
          return routerPlatforms[name].model;
        };
        parts.staff = demoSite(seed, start, { vaultBase, models, wallStart: Date.now() });
        return parts.staff.site;
      },
      passing: (handler) => (request, signal) =>
        parts.site?.answer(handler, request, signal) ?? handler(request, signal),
    });
    const { staff } = parts;
    if (staff === undefined) throw new Error("the cloud was built without its site");
    const site = new LoopbackSite(setting, staff);
    parts.site = site;
    const socket = socketIn(folder);
    staff.site.setSpeed(speed);
    await serveSite(site.#leash.handler, socket);
    const routers = await site.#routers();
    paceClock(staff.site.clock, { speed, hold: site.#leash.hold });
    process.on("message", (order) => site.#obey(order as Order));
    process.on("disconnect", () => process.exit());
    const { base, tenant, clientId, certificate, ca } = cloud;
    const key = join(folder, "ssh-key");
    writeFileSync(key, hostKeyPair().private, { mode: 0o600 });
    const azure = [
      "azure:",
      ...["  cloud: loopback", `  vault: ${base}`, `  authority: ${base}`, `  arm: ${base}`],
      `  identity: { kind: clientCertificate, tenant: ${tenant}, client: ${clientId},`,
      `    certificate: "file:${certificate}" }`,
      "  farEnd: agent",
    ];
    const config = routers.reduce(
      (text, { name, platform, ssh }) =>
        text.replace(
          new RegExp(`  - name: ${name}\n    driver: sim\n.*\n`),
          [
            `  - name: ${name}`,
            `    driver: ${platform}`,
            "    address: 127.0.0.1",
            `    ssh: { user: linkseal, port: ${ssh.port}, key: "file:${key}",`,
            `      hostKey: "${ssh.hostKey}" }`,
            "",
          ].join("\n"),
        ),
      staff.site.config(`unix:${socket}`),
    );
    tell({
      kind: "ready",
      config: config.replace(/^azure:\n(?: .*\n)+/m, `${azure.join("\n")}\n`),
      environment: { NODE_EXTRA_CA_CERTS: ca },
    });
  }

  async #routers(): Promise<readonly { name: string; platform: Platform; ssh: SshServed }[]> {
    const { platforms } = this.#setting;
    const all = [...this.#staff.site.routers].map(async ([name, router], index) => {
      const platform = platforms[index % platforms.length] ?? "junos";
      const { channel, face } = routerPlatforms[platform];
      const shown = face(router);
      const connect = (wire: Wire): FaceSession | undefined =>
        this.#heard(name, shown.connect(wire));
      return { name, platform, ssh: await serveSsh({ port: 0, channel, connect }) };
    });
    return await Promise.all(all);
  }

  /** The session, but for the commit at which the agent dies before the router hears of it. */
  #heard(name: string, session: FaceSession | undefined): FaceSession | undefined {
    if (session === undefined) return undefined;
    return {
      receive: (octets) => {
        const isCommit = commits.test(Buffer.from(octets).toString("latin1"));
        if (isCommit && this.#passes(`${name} commit`, "before")) return;
        session.receive(octets);
      },
      gone: () => session.gone(),
    };
  }

  /** A request to the cloud, the agent's last one or not. */
  async answer(...[handler, request, signal]: [AzureHandler, AzureRequest, AbortSignal]) {
    const call = cloudCall(request);
    const when = call === undefined ? undefined : this.#deathAt(call);
    if (when === "before") this.#kill();
    const reply = await handler(request, signal);
    if (when === "after") this.#kill();
    return reply;
  }

  #deathAt(what: string): Death | undefined {
    const count = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, count);
    const fate: Fate | undefined = this.#setting.fate;
    return what === fate?.request && count === fate.nth ? fate.when : undefined;
  }

  #passes(what: string, when: Death): boolean {
    if (this.#deathAt(what) !== when) return false;
    this.#kill();
    return true;
  }

  #kill(): void {
    if (this.#victim === undefined) return;
    process.kill(this.#victim, "SIGKILL");
    this.#mourn();
  }

  #mourn(): void {
    this.#victim = undefined;
    this.#leash.letGo();
  }

  #obey(order: Order): void {
    const { oracle, site } = this.#staff;
    switch (order.kind) {
      case "victim":
        this.#victim = order.pid;
        break;
      case "dead":
        this.#mourn();
        break;
      case "reported":
        oracle.reported(order.status);
        break;
      case "expectNoWrites":
        oracle.expectNoWrites(order.why);
        break;
      case "newKeys":
        for (const { key } of site.links) site.vault.generatePair(key, "gcm-aes-xpn-256");
        this.#counts.clear();
        break;
      case "account":
        tell(accountOf(this.#staff, this.#counts));
        break;
    }
  }
}

if (process.argv[1] === import.meta.filename) {
  await LoopbackSite.serve(JSON.parse(process.argv[2] ?? "") as LoopbackSetting);
}
