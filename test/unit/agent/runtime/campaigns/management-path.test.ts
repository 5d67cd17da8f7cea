// Which addresses are asked for, of whom, and what is said where no answer came.

import { describe, expect, it } from "vitest";
import { managementPathOf } from "#agent/runtime/campaigns/management-path.ts";
import type { DeviceCache } from "#agent/runtime/polling/device-cache.ts";
import type { Device } from "#hal/device.ts";
import { SimClock } from "#sim/base/clock.ts";
import { failing } from "../../../kit/rotation-runner-bench.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { link } from "../../../kit/snapshot-kit.ts";

type Routes = Readonly<Record<string, string | readonly string[] | Error>>;

class Scene {
  readonly clock = new SimClock(wallStart);
  readonly asked: string[] = [];
  /** The way back to the agent from a host that it reaches by SSH. */
  back: Device["back"];
  readonly #routes: Routes;
  readonly #names: Readonly<Record<string, readonly string[]>>;

  constructor(routes: Routes, names: Readonly<Record<string, readonly string[]>> = {}) {
    this.#routes = routes;
    this.#names = names;
  }

  async path(...managementAddresses: readonly string[]) {
    const addresses = async (host: string) => {
      this.asked.push(`name ${host}`);
      return this.#names[host] ?? [];
    };
    const routesTo = async (address: string) => {
      this.asked.push(`route ${address}`);
      const route = this.#routes[address];
      if (route instanceof Error) throw route;
      if (route === "hangs") await this.clock.sleep(60_000);
      return typeof route === "string" ? [route] : route;
    };
    const device = async (name: string) => {
      this.asked.push(`router ${name}`);
      return this.back === undefined ? { routesTo } : { routesTo, back: this.back };
    };
    const deviceCache = { addresses, device } as unknown as DeviceCache;
    const world = { clock: this.clock };
    return await settled(
      this.clock,
      managementPathOf({ world, deviceCache, managementAddresses }, link, never),
    );
  }
}

describe("the path to an address", () => {
  it("the path to an address is asked of the link's own router alone", async () => {
    for (const address of ["192.0.2.1", "2001:db8::1"]) {
      const scene = new Scene({ [address]: link.port });
      expect(await scene.path(address)).toBe("overThisLink");
      expect(scene.asked).toEqual(["router edge-a", `route ${address}`]);
    }
    expect(await new Scene({ "192.0.2.1": "mgmt0" }).path("192.0.2.1")).toBe("elsewhere");
  });

  it("the path is unknown where only some of the router's ways lead over the link", async () => {
    const path = (...ways: readonly string[]) => new Scene({ "192.0.2.1": ways }).path("192.0.2.1");
    expect(await path("mgmt0", link.port)).toBe("unknown");
    expect(await path(link.port, link.port)).toBe("overThisLink");
    expect(await path("mgmt0", "et-0/0/7")).toBe("elsewhere");
    // A driver that reports no way at all has not shown that this link is none of them.
    expect(await path()).toBe("unknown");
  });

  it("the path to a host behind SSH is asked there for the way back", async () => {
    const scene = new Scene({ "192.0.2.2": "mgmt0" });
    const ways = (ports: readonly string[] | undefined) => ({
      ...{ address: "ssh://192.0.2.2", routes: async () => ports },
    });
    scene.back = ways([link.port]);
    expect(await scene.path("ssh://192.0.2.2")).toBe("overThisLink");
    scene.back = ways(["mgmt0"]);
    expect(await scene.path("ssh://192.0.2.2")).toBe("elsewhere");
    // sshd did not say from where the agent comes.
    scene.back = ways(undefined);
    expect(await scene.path("ssh://192.0.2.2")).toBe("unknown");
    expect(scene.asked).not.toContain("route 192.0.2.2");
    // The other host is asked for on the way of this link's device too.
    expect(await new Scene({ "192.0.2.2": link.port }).path("ssh://192.0.2.2")).toBe(
      "overThisLink",
    );
  });

  it("the path to a socket or loopback address is elsewhere", async () => {
    const scene = new Scene({}, { localhost: ["127.0.0.1", "::1"] });
    expect(await scene.path()).toBe("elsewhere");
    expect(await scene.path("unix:/run/site.sock", "https://localhost:8443")).toBe("elsewhere");
    expect(scene.asked).toEqual(["name localhost"]);
  });

  it("the path is unknown where the router does not report it, fails, or is slow", async () => {
    const silent = failing("transport.unreachable");
    const scene = new Scene({ "192.0.2.1": silent, "192.0.2.2": "hangs", "192.0.2.4": "mgmt0" });
    for (const address of ["192.0.2.1", "192.0.2.2", "192.0.2.3"]) {
      expect([address, await scene.path(address, "192.0.2.4")]).toEqual([address, "unknown"]);
    }
    expect(scene.clock.now()).toBeLessThan(60_000);
    // A path that is known to be this very link is the worse news.
    const both = new Scene({ "192.0.2.1": silent, "192.0.2.4": link.port });
    expect(await both.path("192.0.2.1", "192.0.2.4")).toBe("overThisLink");
  });

  it("the path to an address throws an error of our own", async () => {
    const scene = new Scene({ "192.0.2.1": new TypeError("ours") });
    await expect(scene.path("192.0.2.1")).rejects.toThrow("ours");
  });
});

describe("the path to a name", () => {
  it("the path to a name is that of every address of it but this host's own", async () => {
    const names = { "kv.example": ["127.0.0.1", "192.0.2.1", "::1", "192.0.2.2"] };
    const scene = new Scene({ "192.0.2.1": "mgmt0", "192.0.2.2": link.port }, names);
    expect(await scene.path("https://kv.example/secrets")).toBe("overThisLink");
    expect(scene.asked.filter((word) => word.startsWith("route "))).toEqual([
      "route 192.0.2.1",
      "route 192.0.2.2",
    ]);
  });

  it("the path to a URL is that of its host, and unknown without an address", async () => {
    const scene = new Scene({});
    expect(await scene.path("https://kv.example:8443/x", "edge.example")).toBe("unknown");
    expect(await scene.path("x-https://kv.example")).toBe("unknown");
    expect(scene.asked).toEqual([
      "name kv.example",
      "name edge.example",
      "name x-https://kv.example",
    ]);
  });
});
