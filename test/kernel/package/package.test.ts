// The package on a fresh Debian with systemd, from its installation to its purge.

import { copyFileSync, existsSync, lstatSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask } from "#agent/cli/client.ts";
import type { SignedReport } from "#agent/evidence/report/statement.ts";
import { hostDialer } from "#agent/host/host.ts";
import { type PlaceSource, placeSource } from "#agent/host/places.ts";
import { version } from "#agent/model/version.ts";
import type { DoctorReport } from "#agent/operate/doctor/report.ts";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { simVault } from "#drivers/index.ts";
import { sightOf } from "#sim/conformance/canary.ts";
import { demoSite } from "#sim/lab/simulate.ts";
import { packagesOf } from "../../machine/packages.ts";
import { FreshHost } from "./fresh-host.ts";

const seed = "package";
const socket = "/run/site/site.sock";
const kernelUnits = ["linkseal-net.service", "linkseal-mka@wire.service"];
const packages = packagesOf(version);
let host: FreshHost;

beforeAll(async () => {
  host = await FreshHost.boot();
  for (const [age, files] of [
    ["present", packages.present],
    ["later", packages.later],
  ] as const) {
    copyFileSync(files.linkseal, host.path(`/root/${age}.deb`));
    copyFileSync(files["linkseal-lab"], host.path(`/root/${age}-lab.deb`));
  }
}, 400_000);
afterAll(() => host.end());

const property = (unit: string, name: string): string =>
  host.ok(`systemctl show -P ${name} ${unit}`).trim();
const pidOf = (unit: string): number => Number(property(unit, "MainPID"));
/** A client that is the owner of a socket: users of the Debian inside are strangers here. */
const ownerOf = (path: string): PlaceSource => ({ ...placeSource(), uid: lstatSync(path).uid });
/** Asks the socket itself: in an emulator a command takes seconds to start. */
const view = async <T>(path: string): Promise<T | undefined> => {
  const question = { role: "view", method: "GET", path } as const;
  const socketOfAgent = host.path("/run/linkseal/view.sock");
  try {
    return (await ask({ ...question, socket: socketOfAgent }, ownerOf(socketOfAgent))) as T;
  } catch {
    return undefined;
  }
};
const verdict = async (): Promise<string | undefined> =>
  (await view<Status>("/v1/status"))?.verdict;
const campaignState = async (): Promise<string | undefined> => {
  const reported = await view<{ readonly campaigns: readonly CampaignShape[] }>("/v1/rotation");
  return reported === undefined ? undefined : (reported.campaigns[0]?.state ?? "none");
};
const scoreOf = (unit: string): number => {
  const text = host.ok(`systemd-analyze security --no-pager ${unit}`);
  return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1]);
};
/** Returns the promises that the oracle of the site saw broken. */
const broken = (): unknown => {
  const text = readFileSync(host.path("/run/site/oracle"), "utf8");
  return (JSON.parse(text) as { readonly violations: readonly unknown[] }).violations;
};

/** Returns every version of every key of the site, from the simulated vault. */
async function secrets(): Promise<readonly Uint8Array[]> {
  const vault = simVault(hostDialer, `unix:${host.path(socket)}`);
  const names = ["erd-demo-1-cak", "erd-demo-2-cak", "hub-1-psk", "hub-2-psk"];
  const { signal } = new AbortController();
  const versions = await Promise.all(names.map((name) => vault.versions(name, signal)));
  const values = await Promise.all(versions.flat().map(({ id }) => vault.read(id, signal)));
  return values.map((value) =>
    value.use((octets) => {
      const text = Buffer.from(octets).toString("latin1");
      return /^([0-9a-f]{2})+$/i.test(text) ? Buffer.from(text, "hex") : Buffer.from(text);
    }),
  );
}

async function campaignDone(): Promise<void> {
  await host.until("the end of the campaign", async () =>
    (await campaignState()) === "done" ? true : undefined,
  );
}

async function protectedAgain(): Promise<void> {
  await host.until("protection", async () => (await verdict()) === "protected" || undefined);
}

describe("the package on a fresh host", { timeout: 600_000 }, () => {
  it("the package installs without a Node beside it, and the agent gets ready", async () => {
    expect(host.run("command -v node").status).not.toBe(0);
    const output = host.ok("dpkg -i /root/present.deb 2>&1");
    expect(output).toContain("Next: linkseal init");
    expect(host.ok("systemctl is-active linkseal.service").trim()).toBe("active");
    expect(host.ok("systemctl status --no-pager linkseal.service")).toContain(
      `Status: "linkseal ${version} build `,
    );
    expect(await verdict()).toBe("unknown");
    expect(host.ok("linkseal version")).toBe(`linkseal ${version}\n`);
    expect(host.ok("dpkg --verify linkseal")).toBe("");
    expect(host.ok("stat -c '%U %a' /var/lib/linkseal").trim()).toBe("linkseal 700");
  });

  it("each process runs as its own user, with the rights it needs and no more", () => {
    host.ok(
      "ip link add wire type veth peer name far && ip link set wire up && ip link set far up",
    );
    host.ok("systemctl start linkseal-net.service linkseal-mka@wire.service");
    const units = ["linkseal.service", "linkseal-net.service", "linkseal-mka@wire.service"];
    const observed = units.map((unit) => {
      const text = host.ok(`cat /proc/${pidOf(unit)}/status`);
      const [, capabilities] = /^CapEff:\s*(\w+)$/m.exec(text) ?? [];
      const core = /^Max core file size\s+(\S+)/m.exec(host.ok(`cat /proc/${pidOf(unit)}/limits`));
      const [, uid] = /^Uid:\s*(\d+)/m.exec(text) ?? [];
      return { user: host.ok(`id -nu ${uid}`).trim(), capabilities, core: core?.[1] };
    });
    expect(observed).toEqual([
      { user: "linkseal", capabilities: "0000000000000000", core: "0" },
      { user: "linkseal-net", capabilities: "0000000000001000", core: "0" },
      { user: "linkseal-mka", capabilities: "0000000000003000", core: "0" },
    ]);
    const scores = units.map((unit) => [unit, scoreOf(unit)] as const);
    console.log(scores.map(([unit, score]) => `${unit} ${score}`).join(", "));
    for (const [unit, score] of scores) {
      expect(score, unit).toBeLessThanOrEqual(unit === "linkseal.service" ? 1.5 : 2);
    }
  });

  it("members of a group may use its sockets, and other users may not", () => {
    host.ok("useradd nobodys && useradd -G linkseal viewer && useradd -G linkseal-admin boss");
    const as = (user: string, line: string): number | null =>
      host.run(`setpriv --reuid=${user} --regid=${user} --init-groups linkseal ${line}`).status;
    const reads = (user: string): number | null => as(user, "events");
    const changes = (user: string): number | null => as(user, "journal accept-loss");
    expect([reads("nobodys"), changes("nobodys")]).toEqual([8, 8]);
    expect([reads("viewer"), changes("viewer")]).toEqual([0, 8]);
    // The journal has lost nothing, and an administrator gets that answer.
    expect(changes("boss")).not.toBe(8);
    for (const file of ["/run/linkseal-net/net.sock", "/run/linkseal-mka/wire.sock"]) {
      const probe = `setpriv --reuid=boss --regid=boss --init-groups test -S ${file}`;
      expect(host.run(probe).status, file).toBe(1);
    }
  });

  it("a verb of another program names its package, and a rehearsal begins nothing", () => {
    for (const [line, from] of [
      ["sim site", "linkseal-lab"],
      ["driver edits --driver junos", "linkseal-lab"],
      ["driver check --device lab-1", "linkseal-lab"],
      ["sim rehearse", "linkseal-lab"],
      ["fleet status", "linkseal-hub"],
    ] as const) {
      const { status, err } = host.run(`linkseal ${line} </dev/null`);
      expect([status, err]).toEqual([2, expect.stringContaining(`apt install ./${from}_`)]);
    }
    expect(host.ok("linkseal help")).toContain("(package linkseal-lab)");
    host.ok("dpkg -i /root/present-lab.deb");
    expect(host.ok("linkseal sim --help")).toContain("rehearse");
  });

  it("the packaged agent protects a simulated site", async () => {
    const serve = `linkseal sim serve --socket ${socket} --speed 5 --seed ${seed}`;
    const unit = "systemd-run --unit=site -p User=linkseal -p RuntimeDirectory=site";
    host.ok(`${unit} ${serve} --oracle-file /run/site/oracle`);
    await host.until("the site", async () => existsSync(host.path(socket)) || undefined);
    const dropIn = [
      "[Service]",
      `Environment=LINKSEAL_SITE=unix:${socket}`,
      // This is as long as the test can wait.
      "WatchdogSec=15",
    ].join("\\n");
    host.ok(`mkdir -p /etc/systemd/system/linkseal.service.d
      printf '${dropIn}\\n' > /etc/systemd/system/linkseal.service.d/test.conf
      systemctl daemon-reload && systemctl restart linkseal.service`);
    const page =
      "serve: { page: { listen: 127.0.0.1:9443 } }\n" +
      "telemetry: { heads: { to: journald, every: 1m } }";
    const config = `${demoSite(seed, "clear").site.config(`unix:${socket}`)}\n${page}\n`;
    const quoted = `'${config.replaceAll("'", `'\\''`)}'`;
    host.ok(`printf %s ${quoted} > /etc/linkseal/linkseal.yaml && linkseal apply --yes`);
    await campaignDone();
    await protectedAgain();
    expect(broken()).toEqual([]);
  });

  it("evidence names the user who asked, and journald has its heads", async () => {
    const link = "erd-demo/primary";
    const boss = "setpriv --reuid=boss --regid=boss --init-groups linkseal";
    host.ok(`${boss} drain ${link} && ${boss} undrain ${link}`);
    await protectedAgain();
    const made = "linkseal report --from 2026-01-01 --to 2100-01-01 --json";
    const { changes } = JSON.parse(host.ok(made)) as SignedReport;
    const asked = changes.filter(({ what, text }) => what === "asked" && /drain: done/.test(text));
    // The unit hides the processes of other users, and with them who logged in.
    const uid = Number(host.ok("id -u boss"));
    const gid = Number(host.ok("id -g boss"));
    const client = { socket: "admin", uid, gid, pid: expect.any(Number), loginUid: null };
    expect(asked.map((change) => change.client)).toEqual([client, client]);
    const heads = "journalctl --unit linkseal --output=export > /root/heads.export";
    await host.until("a head of these changes", async () => {
      host.ok(`${heads}; ${made} --out /root/report.json; linkseal report key > /root/key.pem`);
      const verify = "linkseal report verify /root/report.json --key /root/key.pem";
      const { status, out } = host.run(`${verify} --heads /root/heads.export`);
      return status === 0 && /heads in its records: [1-9]/.test(out) ? true : undefined;
    });
  });

  it("the status page opens with a login code", () => {
    expect(host.ok("linkseal page code")).toMatch(/^http:\/\/127\.0\.0\.1:9443\/#/);
    const show = "async (reply) => console.log(reply.status, (await reply.text()).length)";
    const get = `fetch("http://127.0.0.1:9443/page.js").then(${show})`;
    expect(host.ok(`/usr/lib/linkseal/bin/node -e '${get}'`)).toMatch(/^200 \d{5}\n$/);
  });

  it("a process comes back after kill -9 and after a hang, and links are unaffected", async () => {
    const before = Number(property("linkseal.service", "NRestarts"));
    const kernel = kernelUnits.map(pidOf);
    for (const [count, signal] of [
      [1, "KILL"],
      [2, "STOP"],
    ] as const) {
      const pid = pidOf("linkseal.service");
      host.ok(`kill -${signal} ${pid}`);
      await host.until(`a new process after SIG${signal}`, async () => {
        const now = pidOf("linkseal.service");
        return now !== 0 && now !== pid ? true : undefined;
      });
      await protectedAgain();
      expect(Number(property("linkseal.service", "NRestarts"))).toBe(before + count);
    }
    expect(host.ok("journalctl --no-pager -u linkseal")).toContain("Watchdog timeout");
    expect(kernelUnits.map(pidOf)).toEqual(kernel);
    expect(await campaignState()).toBe("done");
    expect(broken()).toEqual([]);
  });

  it("an upgrade in the middle of a rotation restarts only the agent, which goes on", async () => {
    // Unpacking takes minutes in an emulator: meanwhile the files of the old process are replaced.
    host.ok("linkseal keys generate erd-demo && dpkg --unpack /root/later*.deb");
    const asked = { target: "erd-demo", risks: [], urgency: "planned" };
    const admin = host.path("/run/linkseal/admin.sock");
    const rotate = { role: "admin", method: "POST", path: "/v1/rotate", body: asked } as const;
    await ask({ ...rotate, socket: admin }, ownerOf(admin));
    await host.until("a campaign in its middle", async () =>
      ["draining", "staging", "switching", "proving"].includes((await campaignState()) ?? "")
        ? true
        : undefined,
    );
    const [agent, ...others] = ["linkseal.service", ...kernelUnits].map(pidOf);
    const output = host.ok("dpkg --configure linkseal linkseal-lab 2>&1");
    for (const unit of kernelUnits) expect(output).toContain(`  ${unit}`);
    expect(pidOf("linkseal.service")).not.toBe(agent);
    expect(kernelUnits.map(pidOf)).toEqual(others);
    expect(property("linkseal.service", "StatusText")).toContain("build ffffffffffff");
    for (const unit of kernelUnits) expect(property(unit, "StatusText")).not.toContain("ffff");
    expect(await campaignState()).not.toBe("done");
    const refused = host.run("dpkg -i /root/present.deb 2>&1");
    expect(refused.status).not.toBe(0);
    expect(refused.out).toContain("while a campaign runs on: erd-demo");
    await campaignDone();
    await protectedAgain();
    expect(broken()).toEqual([]);
  });

  it("doctor names processes older than the package, and makes a bundle without keys", () => {
    const { out } = host.run("linkseal doctor --json --bundle /root/bundle.json");
    const { findings } = JSON.parse(out) as DoctorReport;
    const old = findings.filter(({ code }) => code === "host-old-build");
    expect(old.map(({ about }) => about).sort()).toEqual(kernelUnits.toSorted());
    expect(findings.filter(({ code }) => /^host-(user|folder|addon|module)$/.test(code))).toEqual(
      [],
    );
  });

  it("a downgrade is refused while traffic is moved away from a link", async () => {
    host.ok("linkseal drain erd-demo/secondary");
    await host.until("the warning of the drain", async () => {
      const warnings = (await view<Status>("/v1/status"))?.warnings ?? [];
      return warnings.some(({ code }) => code === "drained-by-hand") || undefined;
    });
    const refused = host.run("dpkg -i /root/present.deb 2>&1");
    expect(refused.status).not.toBe(0);
    expect(refused.out).toContain("while traffic is moved away from: erd-demo/secondary");
    host.ok("linkseal undrain erd-demo/secondary");
    await host.until("the end of the drain", async () => {
      const warnings = (await view<Status>("/v1/status"))?.warnings ?? [];
      const isOver = warnings.every(
        ({ code, absentSince }) => code !== "drained-by-hand" || absentSince !== null,
      );
      return isOver || undefined;
    });
  });

  it("a downgrade keeps the state", async () => {
    host.ok("dpkg -i /root/present*.deb");
    expect(property("linkseal.service", "StatusText")).not.toContain("ffff");
    await protectedAgain();
    expect(await campaignState()).toBe("done");
  });

  it("a backup of the state folder works on a host that lost it", async () => {
    host.ok(`systemctl stop linkseal.service && tar -C /var/lib -cf /root/state.tar linkseal
      rm -rf /var/lib/linkseal && tar -C /var/lib -xpf /root/state.tar
      systemctl start linkseal.service`);
    await protectedAgain();
    expect(host.ok("linkseal journal")).toContain("journal: whole");
    expect(broken()).toEqual([]);
  });

  it("state, journal and core files contain no key", async () => {
    host.run(`kill -SEGV ${pidOf("linkseal.service")}`);
    const cores =
      "find / -xdev -name 'core*' -type f -size +1M -not -path '/usr/*' -not -path '/proc/*'";
    expect(host.ok(cores)).toBe("");
    const texts = [
      host.ok("journalctl --no-pager -o export -a"),
      host.ok("find /var/lib/linkseal* /etc/linkseal -type f -exec cat {} +"),
      host.ok("cat /root/bundle.json"),
    ];
    const keys = await secrets();
    expect(keys.length).toBeGreaterThan(3);
    expect(sightOf(keys, texts)).toBeUndefined();
    expect(texts[0]?.length).toBeGreaterThan(10_000);
  });

  it("a package that holds a port is not removed, unless LINKSEAL_REMOVE accepts it", () => {
    host.ok("dpkg -P linkseal-lab");
    const refused = host.run("dpkg -r linkseal 2>&1");
    expect(refused.status).not.toBe(0);
    expect(refused.out).toContain("port wire");
    expect(host.ok("systemctl is-active linkseal-mka@wire.service").trim()).toBe("active");
    const before = broken();
    host.ok("LINKSEAL_REMOVE=dark dpkg -r linkseal");
    expect(host.run("systemctl is-active linkseal-mka@wire.service").out.trim()).toBe("inactive");
    expect(host.ok("ls /var/lib/linkseal")).toContain("journal");
    expect(broken()).toEqual(before);
  });

  it("a purge names what stays, and leaves no file, user or unit of linkseal's name", () => {
    host.ok("rm -r /etc/systemd/system/linkseal.service.d && systemctl stop site.service || true");
    expect(host.ok("dpkg -P linkseal 2>&1")).toContain("What stays:");
    const others = ["/proc", "/sys", "/root"].map((path) => `-not -path '${path}/*'`).join(" ");
    const left = host.ok(`find / -xdev -name '*linkseal*' ${others}`);
    expect(left).toBe("");
    expect(host.run("getent passwd | grep linkseal; getent group | grep linkseal").out).toBe("");
    expect(host.run("systemctl list-unit-files 'linkseal*' --no-legend").out).toBe("");
  });
});
