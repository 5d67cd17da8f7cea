// What the service manager hears: ready, alive for as long as the loops turn, and nothing else.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { buildOf } from "#agent/host/build.ts";
import { Manager } from "#agent/host/manager.ts";
import { type Heartbeat, Watchdog } from "#agent/runtime/polling/watchdog.ts";

interface Notices {
  readonly notices: string[];
  readonly log: string[];
  readonly manager: (source: Record<string, string>) => Manager;
}

function managed(notify?: () => never): Notices {
  const [notices, log]: [string[], string[]] = [[], []];
  const native = {
    notify: notify ?? ((_address: string, text: string) => void notices.push(text)),
  };
  const writer = { write: (level: string, code: string) => void log.push(`${level} ${code}`) };
  return { notices, log, manager: (source) => new Manager(native, writer, source) };
}

const address = { NOTIFY_SOCKET: "/run/systemd/notify" };

describe("a service under a manager", () => {
  it("a service reports that it is ready, and its build", () => {
    const { notices, manager } = managed();
    manager(address).ready();
    expect(notices).toEqual([`READY=1\nSTATUS=linkseal ${buildOf()}`]);
  });

  it("a service without NOTIFY_SOCKET reports nothing", async () => {
    const { notices, manager } = managed();
    const alone = manager({ WATCHDOG_USEC: "1000" });
    alone.ready();
    alone.stopping();
    await alone.watch(() => undefined, new AbortController().signal);
    expect(notices).toEqual([]);
  });

  it("a service feeds the watchdog only while its loops run", async () => {
    const { notices, log, manager } = managed();
    const end = new AbortController();
    let hung: string | undefined;
    const source = { ...address, WATCHDOG_USEC: "20000", WATCHDOG_PID: String(process.pid) };
    const over = manager(source).watch(() => hung, end.signal);
    await rest(60);
    hung = "group erd-dub";
    await rest(20);
    const fed = notices.length;
    expect(fed).toBeGreaterThan(3);
    await rest(60);
    expect(notices.length).toBe(fed);
    expect(new Set(notices)).toEqual(new Set(["WATCHDOG=1"]));
    expect(log).toEqual(["error loop-hung"]);
    end.abort();
    await over;
  });

  it.each([
    ["no watchdog", {}],
    ["that of another process", { WATCHDOG_USEC: "20000", WATCHDOG_PID: "1" }],
    ["nonsense", { WATCHDOG_USEC: "-5" }],
  ])("a service feeds no watchdog: %s", async (_why, source) => {
    const { notices, manager } = managed();
    await manager({ ...address, ...source }).watch(() => undefined, new AbortController().signal);
    expect(notices).toEqual([]);
  });

  it("a service goes on if the manager is gone, and logs it once", () => {
    const { log, manager } = managed(() => {
      throw new Error("ECONNREFUSED");
    });
    const service = manager(address);
    service.ready();
    service.stopping();
    expect(log).toEqual(["warn manager-unreachable"]);
  });
});

describe("the watchdog of loops", () => {
  const heartbeat = (turns: number, busy: boolean): readonly Heartbeat[] => [
    { name: "loop", turns, busy },
  ];

  it("the watchdog names a loop whose turn takes too long", () => {
    const watchdog = new Watchdog(1000);
    expect(watchdog.late(heartbeat(4, true), 0)).toBeUndefined();
    expect(watchdog.late(heartbeat(4, true), 1000)).toBeUndefined();
    expect(watchdog.late(heartbeat(4, true), 1001)).toBe("loop");
  });

  it("the watchdog accepts a long rest, and a turn that ended at last", () => {
    const watchdog = new Watchdog(1000);
    expect(watchdog.late(heartbeat(4, true), 0)).toBeUndefined();
    expect(watchdog.late(heartbeat(5, true), 900)).toBeUndefined();
    for (let now = 1_800; now < 50_000; now += 900) {
      expect(watchdog.late(heartbeat(6, false), now)).toBeUndefined();
    }
    expect(watchdog.late(heartbeat(6, true), 50_000)).toBeUndefined();
    expect(watchdog.late(heartbeat(6, true), 50_900)).toBeUndefined();
    expect(watchdog.late(heartbeat(6, true), 51_100)).toBe("loop");
  });
});

describe("the watchdog after a suspend of the host", () => {
  // The first check after a suspend named a loop that had no time to end its turn.
  it("a check that comes late names no loop; a loop that hangs is named by a later one", () => {
    const busy: readonly Heartbeat[] = [{ name: "loop", turns: 4, busy: true }];
    const watchdog = new Watchdog(1000);
    expect(watchdog.late(busy, 0)).toBeUndefined();
    for (const now of [3_600_000, 3_600_500, 3_601_000]) {
      expect(watchdog.late(busy, now)).toBeUndefined();
    }
    expect(watchdog.late(busy, 3_601_001)).toBe("loop");
  });
});

describe("the build of a process", () => {
  it("the build is version and hash of a bundle, or says that it is from sources", () => {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-build-"));
    try {
      expect(buildOf(folder)).toMatch(/^\d+\.\d+\.\d+ from sources$/);
      writeFileSync(join(folder, "STAMP"), "0123456789abcdef0123456789abcdef");
      expect(buildOf(folder)).toMatch(/^\d+\.\d+\.\d+ build 0123456789ab$/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
