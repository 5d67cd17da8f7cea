// The units: settings that limit the effects of a kill, a stop and a boot of a process.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import flags from "#agent/flags.json" with { type: "json" };
import { cannotRun } from "../../why-not.ts";

const folder = join(import.meta.dirname, "../../../systemd");
const agent = "linkseal.service";
const net = "linkseal-net.service";
const mka = "linkseal-mka@.service";
const guard = "linkseal-guard.service";
const peer = "linkseal-peer.service";
const hub = "linkseal-hub.service";
const units = [guard, hub, mka, net, peer, agent];
const services = [agent, hub, mka, net, peer];

function linesOf(unit: string): readonly string[] {
  return readFileSync(join(folder, unit), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Returns seconds, whatever unit a time span has. */
function secondsOf(unit: string, key: string): number {
  const value = linesOf(unit).find((line) => line.startsWith(`${key}=`));
  const [, number = "", word = ""] = /=(\d+)(ms)?$/.exec(value ?? "") ?? [];
  return Number(number) / (word === "ms" ? 1000 : 1);
}

describe("every unit", () => {
  it("every unit is in the list of checked ones", () => {
    const found = readdirSync(folder).filter((name) => name.endsWith(".service"));
    expect(found.sort()).toEqual(units);
  });

  it.each(units)("%s does nothing to a device when it is stopped", (unit) => {
    const lines = linesOf(unit);
    expect(lines.filter((line) => /^Exec(Stop|Reload|StartPre)/.test(line))).toEqual([]);
    expect(lines.filter((line) => /^(BindsTo|PartOf)/.test(line))).toEqual([]);
  });

  it.each(units)("%s leaves no memory behind, and no variable leads it elsewhere", (unit) => {
    const lines = linesOf(unit);
    const unset = "UnsetEnvironment=NODE_OPTIONS LINKSEAL_HOME";
    for (const line of ["LimitCORE=0", "MemorySwapMax=0", unset]) expect(lines).toContain(line);
    expect(lines.some((line) => line.startsWith("User=linkseal"))).toBe(true);
  });

  it.each(services)(
    "%s has a watchdog, is killed without a core, and restarts at growing intervals",
    (unit) => {
      const lines = linesOf(unit);
      const needed = [
        "Type=notify",
        "NotifyAccess=main",
        "WatchdogSignal=SIGKILL",
        "Restart=always",
      ];
      for (const line of needed) expect(lines).toContain(line);
      expect(secondsOf(unit, "WatchdogSec")).toBeGreaterThan(0);
      expect(secondsOf(unit, "RestartSteps")).toBeGreaterThan(1);
      expect(secondsOf(unit, "RestartMaxDelaySec")).toBeGreaterThan(secondsOf(unit, "RestartSec"));
      expect(lines).toContain("StartLimitIntervalSec=0");
    },
  );
});

describe("the purpose of each unit", () => {
  it.each([
    [mka, "its successor is the same member", "FileDescriptorStoreMax=2"],
    [mka, "and gets the memory after a restart too", "FileDescriptorStorePreserve=restart"],
    [mka, "within the peer's patience", "RestartSec=100ms"],
    [mka, "the socket of another port outlives it", "RuntimeDirectoryPreserve=yes"],
    [mka, "it can do two things", "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW"],
    [mka, "nothing makes code at run time", "MemoryDenyWriteExecute=yes"],
    [mka, "it reaches no network", "RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_PACKET"],
    [agent, "it has no capability", "CapabilityBoundingSet="],
    [agent, "a flood takes no more from the host", "MemoryHigh=768M"],
    [agent, "its state is its own", "StateDirectoryMode=0700"],
    [net, "it can do one thing", "CapabilityBoundingSet=CAP_NET_ADMIN"],
    [net, "it reaches no network", "IPAddressDeny=any"],
    [net, "its socket is for the agent", "RuntimeDirectoryMode=0750"],
    [peer, "it has no capability", "CapabilityBoundingSet="],
    [peer, "its socket is for the login", "RuntimeDirectoryMode=0750"],
    [hub, "it has no capability", "CapabilityBoundingSet="],
    [hub, "systemd alone reads the seed", "LoadCredential=hub-key:/etc/nats/hub.seed"],
    [guard, "it is there before the network", "Before=network-pre.target shutdown.target"],
    [guard, "it stays done", "RemainAfterExit=yes"],
  ])("%s: %s: %s", (unit, _why, line) => {
    expect(linesOf(unit)).toContain(line);
  });

  it("a unit without writable code runs a Node without a JIT", () => {
    const strict = services.filter((unit) => linesOf(unit).includes("MemoryDenyWriteExecute=yes"));
    expect(strict).toEqual([mka]);
    expect(flags.mka).toContain("--jitless");
  });

  it("a process that collects its garbage by itself gets gc() from Node", () => {
    expect(flags.mka).toContain("--expose-gc");
  });

  it("a hung MKA process is replaced while its peer still waits", () => {
    expect(secondsOf(mka, "WatchdogSec") + secondsOf(mka, "RestartSec")).toBeLessThan(5);
  });
});

/**
 * Calls `act` with units that systemd can read without the program and the users of the package.
 */
function withUnits<T>(act: (path: (unit: string) => string) => T): T {
  const place = mkdtempSync(join(tmpdir(), "linkseal-units-"));
  const nameOf = (unit: string): string => unit.replace("@", "@eth1");
  try {
    for (const unit of units) {
      const text = readFileSync(join(folder, unit), "utf8")
        .replaceAll("/usr/bin/linkseal", process.execPath)
        .replace(/^(User|Group)=.*$/gm, "User=daemon");
      writeFileSync(join(place, nameOf(unit)), text);
    }
    return act((unit) => join(place, nameOf(unit)));
  } finally {
    rmSync(place, { recursive: true });
  }
}

const isThere = spawnSync("systemd-analyze", ["--version"]).error === undefined;
const analyse = (...argv: string[]): string =>
  execFileSync("systemd-analyze", argv, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

describe("the units in systemd-analyze", () => {
  beforeEach((context) => {
    if (!isThere) cannotRun(context, "there is no systemd-analyze");
  });

  it("systemd verifies every unit without a complaint", () => {
    withUnits((path) => {
      expect(analyse("verify", "--man=no", ...units.map(path))).toBe("");
    });
  });

  it.each([
    [agent, 1.5],
    [net, 2],
    [mka, 2],
    [guard, 2],
    [peer, 2],
    [hub, 2],
  ])("%s has an exposure of %d at most", (unit, most) => {
    const output = withUnits((path) =>
      analyse("security", "--offline=true", "--no-pager", path(unit)),
    );
    const score = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(output)?.[1]);
    expect(score).toBeGreaterThan(0);
    expect(score).toBeLessThanOrEqual(most);
  });
});
