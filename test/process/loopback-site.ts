// Routers of two vendors behind real SSH and NETCONF, and a cloud behind TLS, as one process that
// kills its agent at one chosen moment; the kill tests over sockets fork it.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { platforms as registry } from "#drivers/index.ts";
import type { DeviceState } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { AzureHandler, AzureRequest } from "#sim/azure/http.ts";
import { IosxrEmulator } from "#sim/emulators/iosxr.ts";
import type { EmulatorSession, Wire } from "#sim/emulators/netconf.ts";
import { stormFaults, strikeFault } from "#sim/faults/faults.ts";
import { type Heal, repairFarEnd } from "#sim/faults/manual-operators.ts";
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
} from "#sim/lab/simulate.ts";
import { shownInService } from "#sim/oracle/moment.ts";
import type { ReportedStatus } from "#sim/oracle/report.ts";
import type { Leash } from "#sim/serve/site.ts";
import { hostKeyPair } from "#sim/serve/ssh.ts";
import { hasty } from "../short-waits.ts";
import {
  type Account,
  accountOf,
  type CrashPoint,
  type Death,
  lonelyMs,
  type Order,
  report,
  type SiteSetting,
  socketIn,
} from "./deadly-site.ts";

export type Platform = keyof typeof routerPlatforms;

interface LoopbackSetting extends SiteSetting {
  /** Platforms of the routers, in the order of their names. */
  readonly platforms: readonly Platform[];
  /** The longest label of a commit on IOS XR; absent = the shorter limit of its releases. */
  readonly labelMax?: number;
}

const leashMs = 500;
const watchMs = 500;
/**
 * The most time in ms from a query to an effect that was decided on its answer; the site cannot
 * know it exactly.
 */
const answerMs = 5_000;
const repairMs = 60_000;
/** An observation counts for 40 s and takes up to 30 s. */
const oldMsMax = 70_000;
/** Matches a final or a confirmed commit, in any dialect. */
const commits = /<commit(?:-configuration)?[\s/>]|^\s*(?:commit|configure session \S+ commit)\b/m;

/** Returns undefined for a request that changes nothing and reads no key. */
function cloudCall({ method, path }: AzureRequest): string | undefined {
  if (method === "PUT") return "far end put";
  return method === "GET" && path.startsWith("/secrets/") ? "vault read" : undefined;
}

/**
 * Match the queries that are part of every observation and of nothing else: MKA first, and BGP
 * after it.
 */
const readings = {
  mka: /get-mka-session-information|show (?:macsec mka session|mka sessions|mac security part)/,
  bgp: /get-bgp-neighbor-information|show bgp (?:all )?neighbors|show bgp summary vrf all/,
};

/**
 * Makes times shorter than an operator should set them, and longer than observations on a busy
 * machine take.
 */
const patient = (config: string): string =>
  hasty(config)
    .replace("verify: 20s", "verify: 2m")
    .replace("confirm: 60s", "confirm: 5m")
    .replace("staleAfter: 20s", "staleAfter: 40s");

class LoopbackSite {
  readonly #staff: StaffedSite;
  readonly #setting: LoopbackSetting;
  readonly #leash: Leash;
  readonly #counts = new Map<string, number>();
  /** The time when each link was last secured, as only the site knows it. */
  readonly #securedAt = new Map<string, number>();
  readonly #lies: string[] = [];
  readonly #heals: Heal[] = [];
  /** The agent is not killed before the rotation is requested. */
  #phase: "before" | "rotation" = "before";
  #victim: number | undefined;

  private constructor(setting: LoopbackSetting, staff: StaffedSite) {
    this.#setting = setting;
    this.#staff = staff;
    this.#leash = leashClock(staff.faultConsole.handler(), staff.site.clock, leashMs, lonelyMs);
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
    site.#watch();
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
            `    driver: ${routerPlatforms[platform].driver}`,
            "    address: 127.0.0.1",
            `    ssh: { user: linkseal, port: ${ssh.port}, key: "file:${key}",`,
            `      hostKey: "${ssh.hostKey}" }`,
            "",
          ].join("\n"),
        ),
      staff.site.config(`unix:${socket}`),
    );
    report({
      kind: "ready",
      config: patient(config.replace(/^azure:\n(?: .*\n)+/m, `${azure.join("\n")}\n`)),
      environment: { NODE_EXTRA_CA_CERTS: ca },
    });
  }

  async #routers(): Promise<readonly { name: string; platform: Platform; ssh: SshServed }[]> {
    const { platforms, labelMax } = this.#setting;
    const usual = { platform: "8201-32FH", version: "7.11.2", wiring: {} };
    const all = [...this.#staff.site.routers].map(async ([name, router], index) => {
      const platform = platforms[index % platforms.length] ?? "junos";
      const { driver, emulator } = routerPlatforms[platform];
      const { channel } = registry[driver].access;
      const shown =
        platform === "iosxr" && labelMax !== undefined
          ? new IosxrEmulator(router, { ...usual, labelMax })
          : emulator(router);
      const connect = (wire: Wire): EmulatorSession | undefined =>
        this.#heard(name, shown.connect(wire));
      return { name, platform, ssh: await serveSsh({ port: 0, channel, connect }) };
    });
    return await Promise.all(all);
  }

  /** State of a router at the MKA query of an observation that has not ended. */
  readonly #asked = new Map<string, DeviceState>();
  /** Start of the newest observation that was reported to the oracle. */
  readonly #newest = new Map<string, Instant>();

  #hear(name: string, output: string): void {
    const { oracle, site } = this.#staff;
    const router = site.routers.get(name);
    if (router === undefined) return;
    if (readings.mka.test(output)) this.#asked.set(name, router.state());
    const asked = this.#asked.get(name);
    if (asked === undefined || !readings.bgp.test(output)) return;
    this.#asked.delete(name);
    const state = { ...asked, routing: router.state().routing };
    const isGood = state.macsec.every((port) => shownInService(port, state.routing) !== false);
    // The agent may act on a good state as soon as it has read it, and learns of a bad one no
    // earlier.
    const report = (): void => {
      // The oracle may know a later observation already.
      if ((this.#newest.get(name) ?? state.at) > state.at) return;
      this.#newest.set(name, state.at);
      oracle.observed(state);
    };
    if (isGood) report();
    else site.clock.after(answerMs, report);
  }

  /**
   * Wraps a session; it drops the commit at which the agent is killed before the router receives
   * it.
   */
  #heard(name: string, session: EmulatorSession | undefined): EmulatorSession | undefined {
    if (session === undefined) return undefined;
    return {
      receive: (octets) => {
        this.#hear(name, Buffer.from(octets).toString("latin1"));
        const isCommit = commits.test(Buffer.from(octets).toString("latin1"));
        if (isCommit && this.#passes(`${name} commit`, "before")) return;
        session.receive(octets);
      },
      gone: () => session.gone(),
    };
  }

  #watch(): void {
    const { site } = this.#staff;
    const now = site.clock.now();
    for (const group of site.truth().groups) {
      for (const { id, secured } of group.links) if (secured) this.#securedAt.set(id, now);
    }
    site.clock.after(watchMs, () => this.#watch());
  }

  /**
   * P7: the agent must not report a link as protected that has not been so for longer than the age
   * of an observation.
   */
  #judge({ groups }: ReportedStatus, now: Instant): void {
    for (const { name, links } of groups) {
      for (const link of links) {
        const at = this.#securedAt.get(`${name}/${link.name}`) ?? Number.NEGATIVE_INFINITY;
        if (link.verdict !== "protected" || now - at <= oldMsMax) continue;
        this.#lies.push(
          `P7: ${name}/${link.name} is called protected, ${now - at} ms after it was`,
        );
      }
    }
  }

  #account(): Account {
    const account = accountOf(this.#staff, this.#counts);
    return { ...account, violations: [...account.violations, ...this.#lies] };
  }

  /** Answers a request to the cloud, and kills the agent if this is its last one. */
  async answer(...[handler, request, signal]: [AzureHandler, AzureRequest, AbortSignal]) {
    const call = cloudCall(request);
    const when = call === undefined ? undefined : this.#deathAt(call);
    if (when === "before") this.#kill();
    const reply = await handler(request, signal);
    if (when === "after") this.#kill();
    return reply;
  }

  #deathAt(what: string): Death | undefined {
    if (this.#phase === "before") return undefined;
    const count = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, count);
    const fate: CrashPoint | undefined = this.#setting.fate;
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

  #strike(name: string, id: string): Heal {
    const { site } = this.#staff;
    const fault = stormFaults.find((each) => each.name === name);
    const link = site.link(id);
    if (fault === undefined || link === undefined) throw new Error(`no ${name} at ${id}`);
    return strikeFault(site, fault, link);
  }

  /** Azure does not retry by itself, so an operator repairs operations that have failed there. */
  #repair(): void {
    const { site } = this.#staff;
    for (const link of site.links) repairFarEnd(site, link);
    site.clock.after(repairMs, () => this.#repair());
  }

  #obey(order: Order): void {
    const { oracle, site } = this.#staff;
    switch (order.kind) {
      case "now":
        report({ kind: "now", now: site.clock.now() });
        break;
      case "victim":
        this.#victim = order.pid;
        break;
      case "dead":
        this.#mourn();
        break;
      case "reported":
        this.#judge(order.status, order.askedAt);
        break;
      case "expectNoWrites":
        oracle.expectNoWrites(order.why);
        break;
      case "strike":
        this.#heals.push(this.#strike(order.fault, order.link));
        break;
      case "heal":
        for (const heal of this.#heals.splice(0)) heal();
        this.#repair();
        break;
      case "newKeys":
        for (const { key } of site.links) site.vault.generatePair(key, "gcm-aes-xpn-256");
        this.#phase = "rotation";
        break;
      case "account":
        report(this.#account());
        break;
    }
  }
}

if (process.argv[1] === import.meta.filename) {
  await LoopbackSite.serve(JSON.parse(process.argv[2] ?? "") as LoopbackSetting);
}
