// A SecY that is made, made anew or removed by a process that is killed at any of its messages to
// the kernel: its successor completes the work, and nothing that was configured on the port is
// lost.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NetControlServer } from "#drivers/linux/net/control-server.ts";
import type { SecyWish } from "#drivers/linux/net/operation.ts";
import { NetlinkChannel } from "#drivers/transport/netlink.ts";
import { LinksealError } from "#hal/error.ts";
import type { NetlinkSocket } from "#hal/netlink.ts";
import { effort } from "../../effort.ts";
import { PacedClock } from "../host/clock.ts";
import { MemoryDisk } from "../host/memory-disk.ts";
import {
  addNetwork,
  enterNetwork,
  ip,
  leaveNetworks,
  native,
  netlinkFamilies,
  soon,
  until,
} from "../lab.ts";
import { buildPort, configuredIn } from "./ports.ts";

let network = "";
let sockets: DisposableStack;
beforeEach(() => {
  network = addNetwork();
  enterNetwork(network);
  buildPort(network);
  sockets = new DisposableStack();
});
afterEach(() => {
  sockets.dispose();
  leaveNetworks();
});

/** Sends `messages` messages, and then never answers again. */
function crashingSocket(socket: NetlinkSocket, messages: number): NetlinkSocket & { sent: number } {
  return {
    sent: 0,
    ask: (request, read, signal) => socket.ask(request, read, signal),
    async write(requests, signal) {
      const all = [...requests];
      const refusals = [];
      for (const request of all) {
        if (this.sent === messages) await new Promise<never>(() => undefined);
        this.sent += 1;
        refusals.push(...(await socket.write([request], signal)));
      }
      return refusals;
    },
    [Symbol.dispose]: () => undefined,
  };
}

const open = (family: number): NetlinkChannel => sockets.use(new NetlinkChannel(native, family));

async function life(disk: MemoryDisk, messages: number, bootId = "boot") {
  const routes = crashingSocket(open(netlinkFamilies.route), messages);
  const clock = new PacedClock(1);
  const entropy = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };
  const log = { write: () => undefined };
  const server = await NetControlServer.open({
    world: { clock, disk, entropy, log },
    bootId,
    sockets: {
      routes,
      generic: open(netlinkFamilies.generic),
      xfrm: open(netlinkFamilies.xfrm),
    },
  });
  return { server, routes };
}

type Life = Awaited<ReturnType<typeof life>>;

async function protect({ server }: Life, settings: SecyWish, within: number | "final") {
  const change = [{ kind: "macsec.protect", port: "wire", settings } as const];
  const { token } = await server.prepare(change, soon());
  await server.apply(token, within, soon());
  return token;
}

const first: SecyWish = { suite: "gcm-aes-256", includeSci: true, replayWindow: 64 };
const second: SecyWish = { ...first, suite: "gcm-aes-xpn-128" };
const endless = Number.POSITIVE_INFINITY;
/** Tests every such message; each one costs a second. */
const step = effort(5, 1);

/** Lists the routes by a gateway on the port itself, below its SecY. */
const below = (): readonly string[] =>
  configuredIn(network).filter((line) => / via \S+ dev wire\b(?!\.)/.test(line));

/** Returns the configuration of the port, without names of links. */
const standing = (): readonly string[] =>
  configuredIn(network)
    .map((line) => line.replaceAll("ms-wire", "wire"))
    .filter((line) => !/^wire\W/.test(line));

const suiteNow = (): string =>
  /cipher (\S+)/.exec(ip("-n", network, "-d", "link", "show", "type", "macsec"))?.[1] ?? "none";

/** Resolves when the work is done, or when its process has ended. */
async function untilDeath(life: Life, messages: number, act: Promise<unknown>): Promise<boolean> {
  let done = false;
  const end = act.then(() => {
    done = true;
  });
  while (!done && life.routes.sent < messages) {
    await Promise.race([end, new Promise((next) => setTimeout(next, 5))]);
  }
  return done;
}

describe("a SecY", { timeout: 300_000 }, () => {
  it("a SecY is complete after a kill at any message of its creation", async () => {
    const before = standing();
    let deaths = 0;
    for (let messages = 0; ; messages += step) {
      const disk = new MemoryDisk();
      const dying = await life(disk, messages);
      const done = await untilDeath(dying, messages, protect(dying, first, "final"));
      if (!done) {
        deaths += 1;
        dying.server.close();
        await protect(await life(disk, endless), first, "final");
      }
      expect([messages, suiteNow(), standing()]).toEqual([messages, "GCM-AES-256", before]);
      // IPv6 kept such a route on the port, where it led packets past the SecY.
      expect(below()).toEqual([]);
      if (done) break;
      anew();
    }
    console.log(`a SecY was made after ${deaths} deaths`);
    expect(deaths * step).toBeGreaterThan(10);
  });

  it("a SecY is the new one after a kill at any message of a change of its suite", async () => {
    const before = standing();
    for (let messages = 0; ; messages += step) {
      const disk = new MemoryDisk();
      await protect(await life(disk, endless), first, "final");
      const dying = await life(disk, messages);
      const done = await untilDeath(dying, messages, protect(dying, second, "final"));
      if (!done) await protect(await life(disk, endless), second, "final");
      expect([messages, suiteNow(), standing()]).toEqual([messages, "GCM-AES-XPN-128", before]);
      if (done) break;
      anew();
    }
  });

  it("a SecY is gone after a kill at any message of its removal", async () => {
    const before = configuredIn(network);
    for (let messages = 0; ; messages += step) {
      const disk = new MemoryDisk();
      const token = await protect(await life(disk, endless), first, 60_000);
      const dying = await life(disk, messages);
      const done = await untilDeath(dying, messages, dying.server.rollback(token, soon()));
      if (!done) await (await life(disk, endless)).server.rollback(token, soon());
      expect([messages, suiteNow(), configuredIn(network)]).toEqual([messages, "none", before]);
      if (done) break;
      anew();
    }
  });
});

describe("a boot", { timeout: 300_000 }, () => {
  it("a SecY lost in a boot is made again once, with all configuration of the port", async () => {
    const before = standing();
    const disk = new MemoryDisk();
    await protect(await life(disk, endless), first, "final");
    // A change that waits for its confirm does not survive a boot.
    await protect(await life(disk, endless), { ...first, replayWindow: 5 }, 60_000);
    anew();
    expect(suiteNow()).toBe("none");
    const { routes } = await life(disk, endless, "boot-2");
    expect([suiteNow(), standing()]).toEqual(["GCM-AES-256", before]);
    const shown = ip("-n", network, "-d", "link", "show", "type", "macsec");
    expect(shown).toMatch(/replay on window 64/);
    expect(routes.sent).toBeGreaterThan(0);
    // Within a boot only an operator removes it, and does so knowingly.
    ip("-n", network, "link", "delete", /^\d+: (\S+)@/m.exec(shown)?.[1] ?? "");
    const { routes: again, server } = await life(disk, endless, "boot-2");
    server.noteChange();
    await server.subnets(soon());
    expect([suiteNow(), again.sent]).toEqual(["none", 0]);
  });

  // The record of the move could not be written, so the port stayed without a SecY, in the clear.
  it("a SecY lost in a boot is made again although the disk is full", async () => {
    const before = standing();
    const disk = new MemoryDisk();
    await protect(await life(disk, endless), first, "final");
    anew();
    const { replace } = disk;
    disk.replace = async (name) => {
      const details = { effect: "none", where: name, next: "" } as const;
      throw new LinksealError("journal.full", "ENOSPC", details);
    };
    const { server, routes } = await life(disk, endless, "boot-2");
    expect([suiteNow(), standing(), below()]).toEqual(["GCM-AES-256", before, []]);
    const { sent } = routes;
    server.noteChange();
    await server.subnets(soon());
    expect(routes.sent).toBe(sent);
    disk.replace = replace;
    server.noteChange();
    const stored = (): string => new TextDecoder().decode(disk.files.get("net-state"));
    await until(() => (stored().includes('"bootId":"boot-2"') ? true : undefined));
    expect(stored()).toContain('"due":[]');
  });

  it("a port that is absent at boot gets its SecY when it appears", async () => {
    const disk = new MemoryDisk();
    await protect(await life(disk, endless), first, "final");
    anew();
    ip("-n", network, "link", "set", "wire", "name", "later");
    const { server } = await life(disk, endless, "boot-2");
    expect(suiteNow()).toBe("none");
    ip("-n", network, "link", "set", "later", "name", "wire");
    server.noteChange();
    await until(() => (suiteNow() === "GCM-AES-256" ? true : undefined));
  });

  // One refusal left the port without its SecY until linkseal-net was started again.
  it("a port whose SecY a boot cannot make is bare, and gets it by time", async () => {
    const before = standing();
    const disk = new MemoryDisk();
    await protect(await life(disk, endless), first, "final");
    anew();
    ip("-n", network, "link", "add", "ms-wire", "type", "dummy");
    await life(disk, endless, "boot-2");
    expect(suiteNow()).toBe("none");
    // Only the dead hop of a route over two links is left, by which no packet leaves.
    for (const what of [["address"], ["route"], ["-6", "route"]]) {
      const shown = ip("-n", network, "-o", ...what, "show", "dev", "wire").trim();
      expect(shown.replace(/^.* dev wire weight 1 dead linkdown .*$/, "")).toBe("");
    }
    ip("-n", network, "link", "delete", "ms-wire");
    const stored = (): string => new TextDecoder().decode(disk.files.get("net-state"));
    await until(() => (stored().includes('"due":[]') ? true : undefined));
    expect([suiteNow(), standing(), below()]).toEqual(["GCM-AES-256", before, []]);
  });
});

describe("a port that was shut", { timeout: 300_000 }, () => {
  const turn = async ({ server }: Life, kind: "port.shut" | "port.open"): Promise<void> => {
    const { token } = await server.prepare([{ kind, port: "wire" }], soon());
    await server.apply(token, "final", soon());
  };

  // Regression: lost configuration came back only if no process was killed between the SecY's
  // creation and the last route.
  it("a port has its whole configuration after a kill at any message of its opening", async () => {
    const before = configuredIn(network);
    for (let messages = 0; ; messages += 1) {
      const disk = new MemoryDisk();
      await turn(await life(disk, endless), "port.shut");
      const dying = await life(disk, messages);
      const done = await untilDeath(dying, messages, turn(dying, "port.open"));
      if (!done) await turn(await life(disk, endless), "port.open");
      expect([messages, configuredIn(network)]).toEqual([messages, before]);
      if (done) break;
      anew();
    }
  });
});

function anew(): void {
  sockets.dispose();
  sockets = new DisposableStack();
  leaveNetworks();
  network = addNetwork();
  enterNetwork(network);
  buildPort(network);
}
