// The hub of many sites as it is installed: package, unit and seed on a fresh Debian with systemd,
// beside Debian's nats-server.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { version } from "#agent/model/version.ts";
import { packagesOf } from "../../machine/packages.ts";
import { FreshHost } from "./fresh-host.ts";

const unit = "linkseal-hub.service";
const credential = `/run/credentials/${unit}/hub-key`;
const login = "--server tls://localhost:4222 --ca /etc/nats/server-cert.pem";
let host: FreshHost;

beforeAll(async () => {
  host = await FreshHost.boot();
  const { present } = packagesOf(version);
  copyFileSync(present.linkseal, host.path("/root/present.deb"));
  copyFileSync(present["linkseal-hub"], host.path("/root/present-hub.deb"));
  for (const path of ["/usr/sbin/nats-server", "/usr/lib/systemd/system/nats-server.service"]) {
    copyFileSync(path, host.path(path));
  }
  const folder = mkdtempSync(join(tmpdir(), "linkseal-hub-unit-"));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=DNS:localhost"],
    ],
    { stdio: "ignore" },
  );
  copyFileSync(key, host.path("/root/server-key.pem"));
  copyFileSync(certificate, host.path("/root/server-cert.pem"));
  rmSync(folder, { recursive: true });
}, 400_000);
afterAll(() => host.end());

const property = (name: string): string => host.ok(`systemctl show -P ${name} ${unit}`).trim();
const logged = (code: string): number => {
  const lines = host.ok(`journalctl --no-pager -o cat -u ${unit}`).split("\n");
  return lines.filter((line) => line.includes(`"code":"${code}"`)).length;
};
const leads = async (times: number): Promise<void> => {
  await host.until(`the hub leads for the ${times}. time`, async () =>
    logged("hub-leads") >= times ? true : undefined,
  );
};

describe("the hub on a fresh host", { timeout: 900_000 }, () => {
  it("the package brings the unit, and starts no hub", () => {
    host.ok("dpkg -i /root/present.deb /root/present-hub.deb 2>&1");
    expect(host.run(`systemctl is-enabled ${unit}`).out.trim()).toBe("disabled");
    expect(host.run(`systemctl is-active ${unit}`).out.trim()).toBe("inactive");
    // The host has no engine, and a start says so by doing nothing.
    host.ok(`systemctl start ${unit}`);
    expect(property("ConditionResult")).toBe("no");
  });

  it("the engine is set up as docs/fleet.md says, and doctor finds it good", () => {
    host.ok("useradd --system --user-group --home-dir /nonexistent nats");
    host.ok(`grep -q localhost /etc/hosts || echo 127.0.0.1 localhost >> /etc/hosts
      install -d -m 0755 /etc/nats
      install -m 0644 /root/server-cert.pem /etc/nats/server-cert.pem
      install -m 0640 -g nats /root/server-key.pem /etc/nats/server-key.pem
      rm /root/server-key.pem
      printf 'hub %s\\n' "$(linkseal hub key /etc/nats/hub.seed)" > /etc/nats/users.txt
      linkseal hub config /etc/nats/users.txt > /etc/nats-server.conf
      install --directory --owner=nats --group=nats --mode=0700 /var/lib/nats
      systemctl daemon-reload && systemctl restart nats-server`);
    expect(host.ok(`linkseal hub setup ${login} --key /etc/nats/hub.seed`)).toMatch(/made\n$/);
    const monitor = "--monitor http://127.0.0.1:8222";
    const judged = host.ok(`linkseal hub doctor ${login} --key /etc/nats/hub.seed ${monitor}`);
    expect(judged).not.toMatch(/^bad/m);
  });

  it("the hub starts with the seed that systemd passes, gets ready and leads", async () => {
    const options = "OPTIONS=--ca /etc/nats/server-cert.pem";
    host.ok(`printf 'SERVER=tls://localhost:4222\\n${options}\\n' > /etc/linkseal/hub.env
      systemctl enable --now ${unit}`);
    expect(host.ok(`systemctl is-active ${unit}`).trim()).toBe("active");
    await leads(1);
    const log = host.ok(`journalctl --no-pager -o cat -u ${unit}`);
    expect(log).not.toMatch(/hub-failed|unset environment/);
    const pid = property("MainPID");
    const status = host.ok(`cat /proc/${pid}/status`);
    expect(/^CapEff:\s*(\w+)$/m.exec(status)?.[1]).toBe("0000000000000000");
    expect(host.ok(`stat -c %U /proc/${pid}`).trim()).toBe("linkseal-hub");
    expect(property("WatchdogUSec")).toBe("1min");
  });

  it("systemd passes it as root's with an ACL; the same mode elsewhere is refused", () => {
    const mode = host.ok(`stat -c '%a %u:%g' ${credential}`).trim();
    console.log(`systemd gives ${mode}: ${host.ok("systemctl --version").split("\n")[0]}`);
    expect(mode).toBe("440 0:0");
    host.ok("install -m 0440 /etc/nats/hub.seed /root/group.seed");
    const { status, err } = host.run(`linkseal hub setup ${login} --key /root/group.seed`);
    expect([status === 0, err]).toEqual([false, expect.stringContaining("(mode 440)")]);
    // A folder of one's own is not the service manager's.
    const named = `CREDENTIALS_DIRECTORY=/srv linkseal hub setup ${login} --key /srv/group.seed`;
    const open = host.run(`mv /root/group.seed /srv && ${named}; rm /srv/group.seed`);
    expect(open.err).toContain("(mode 440)");
    const seed = host.ok("cat /etc/nats/hub.seed").trim();
    expect(host.ok("journalctl --no-pager -o export -a")).not.toContain(seed);
  });

  it("the service is as closed as its unit says", () => {
    const text = host.ok(`systemd-analyze security --no-pager ${unit}`);
    const score = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1]);
    console.log(`${unit} ${score}`);
    expect(score).toBeLessThanOrEqual(1.5);
  });

  it("the hub comes back after kill -9 and after a hang, and leads again", async () => {
    const folder = `/etc/systemd/system/${unit}.d`;
    // This is as long as the test can wait.
    host.ok(`mkdir ${folder} && printf '[Service]\\nWatchdogSec=15\\n' > ${folder}/test.conf
      systemctl daemon-reload && systemctl restart ${unit}`);
    await leads(2);
    const restarts = Number(property("NRestarts"));
    for (const [count, signal] of ["KILL", "STOP"].entries()) {
      const pid = property("MainPID");
      host.ok(`kill -${signal} ${pid}`);
      await host.until(`a new process after SIG${signal}`, async () => {
        const now = property("MainPID");
        return now !== "0" && now !== pid && property("ActiveState") === "active"
          ? true
          : undefined;
      });
      await leads(3 + count);
      expect(Number(property("NRestarts"))).toBe(restarts + count + 1);
    }
    expect(host.ok(`journalctl --no-pager -u ${unit}`)).toContain("Watchdog timeout");
  });

  it("the hub waits for an engine that is gone, and connects once that is back", async () => {
    const before = logged("hub-connected");
    host.ok("systemctl stop nats-server");
    await host.until("the outage in the log", async () =>
      logged("hub-failed") > 0 ? true : undefined,
    );
    expect(host.ok(`systemctl is-active ${unit}`).trim()).toBe("active");
    host.ok("systemctl start nats-server");
    await host.until("a new connection", async () =>
      logged("hub-connected") > before ? true : undefined,
    );
  });

  it("to stop it is to end it well: the lease is given up", () => {
    host.ok(`systemctl stop ${unit}`);
    expect(property("Result")).toBe("success");
    expect(logged("stopped")).toBeGreaterThan(0);
    host.ok(`systemctl start ${unit}`);
  });

  it("a purge stops it, and leaves nothing of it but the operator's own files", () => {
    const pid = property("MainPID");
    host.ok("rm -r /etc/systemd/system/linkseal-hub.service.d && dpkg -r linkseal-hub 2>&1");
    expect(host.run(`test -e /proc/${pid}`).status).toBe(1);
    expect(host.ok("dpkg -P linkseal-hub linkseal 2>&1")).toContain("/etc/nats");
    // The engine's streams are no part of the package.
    const others = ["/proc", "/sys", "/root", "/var/lib/nats"]
      .map((path) => `-not -path '${path}/*'`)
      .join(" ");
    expect(host.ok(`find / -xdev -name '*linkseal*' ${others}`)).toBe("");
    expect(host.run("getent passwd linkseal-hub; getent group linkseal-hub").out).toBe("");
    expect(host.run("systemctl list-units --all --no-legend 'linkseal*'").out).toBe("");
    expect(host.ok("ls /etc/nats").split("\n")).toContain("hub.seed");
  });
});
