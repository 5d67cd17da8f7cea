// What a cached reading of a far end is worth after a write of ours in the same document, and after
// some time.

import { describe, expect, it } from "vitest";
import type { DesiredLink } from "#agent/model/desired.ts";
import { DeviceCache } from "#agent/runtime/polling/device-cache.ts";
import { FarEndWrites } from "#agent/runtime/polling/far-end-writes.ts";
import type { PeerPort, PeerWant } from "#hal/device.ts";
import { type Effect, LinksealError } from "#hal/error.ts";
import { SimClock } from "#sim/base/clock.ts";
import { keyOne, keyTwo } from "../../../kit/campaign-kit.ts";
import { clockWorld } from "../../../kit/clock-world.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { desired, linkNamed, peerOn } from "../../../kit/snapshot-kit.ts";

const graceMs = 90_000;
const want: PeerWant = { key: keyTwo, suite: "gcm-aes-xpn-256", sci: "on", admin: "up" };
const [primary, secondary] = [linkNamed("primary"), linkNamed("secondary")];

function failing(effect: Effect): LinksealError {
  return new LinksealError("peer.unreachable", "no answer", { effect, where: "far", next: "wait" });
}

class Scene {
  readonly clock = new SimClock(wallStart);
  /** How long a put takes, in milliseconds, and how it fails. */
  putMs = 0;
  failure: LinksealError | undefined;
  readonly cache: DeviceCache;

  constructor() {
    const writes = new FarEndWrites(this.clock);
    const peer: PeerPort = {
      observe: async () => peerOn(keyOne),
      put: async () => {
        await this.clock.sleep(this.putMs);
        if (this.failure !== undefined) throw this.failure;
      },
    };
    const resource = desired.groups[0]?.expressRoutePort ?? "";
    this.cache = new DeviceCache(
      {
        ...{
          world: clockWorld({ clock: this.clock, refusal: () => failing("none") }),
          drivers: {},
        },
        ...{ desired, farEndWrites: writes },
        peerPort: () => writes.watched(peer, resource.toUpperCase(), graceMs),
      },
      undefined,
    );
  }

  async observe(link: DesiredLink) {
    return (await settled(this.clock, this.cache.observePeer(link, never)))?.provisioning;
  }

  /** Begins a put, and resolves once it has ended. */
  put(link: DesiredLink): Promise<unknown> {
    const port = this.cache.peerPort(link);
    return port.put(want, async () => undefined, never).catch((error: unknown) => error);
  }

  cached(link: DesiredLink) {
    return this.cache.peer(link)?.state.provisioning;
  }
}

describe.each([
  ["this link", primary],
  ["its sibling in the same document", secondary],
])("the cached reading of a far end after a put of %s", (_name, written) => {
  it("shows nothing settled from before the put is sent until a later read", async () => {
    const scene = new Scene();
    expect(await scene.observe(primary)).toBe("settled");
    scene.putMs = 2_000;
    const put = scene.put(written);
    await scene.clock.runFor(1_000);
    expect([scene.cached(primary), await scene.observe(primary)]).toEqual(["updating", "updating"]);
    expect(scene.cache.snapshot(primary).peer?.provisioning).toBe("updating");
    await settled(scene.clock, put);
    expect(scene.cached(primary)).toBe("updating");
    await scene.clock.runFor(1_000);
    expect(await scene.observe(primary)).toBe("settled");
    expect(scene.cached(primary)).toBe("settled");
  });

  // The grace was counted from before the call, and the call may take as long as the grace.
  it("shows nothing settled for the grace after a call whose answer was lost", async () => {
    const scene = new Scene();
    [scene.putMs, scene.failure] = [80_000, failing("unknown")];
    await settled(scene.clock, scene.put(written));
    await scene.clock.runFor(graceMs - 1_000);
    expect(await scene.observe(primary)).toBe("updating");
    await scene.clock.runFor(2_000);
    expect(scene.cached(primary)).toBe("updating");
    expect(await scene.observe(primary)).toBe("settled");
  });

  it("stays as it is after a put that wrote nothing", async () => {
    const scene = new Scene();
    await scene.observe(primary);
    scene.failure = failing("none");
    await settled(scene.clock, scene.put(written));
    expect(scene.cached(primary)).toBe("settled");
  });
});

describe("the cached reading of a far end that is not read any more", () => {
  it("shows nothing of it after three minutes", async () => {
    const scene = new Scene();
    await scene.observe(primary);
    await scene.clock.runFor(180_000);
    expect(scene.cache.snapshot(primary).peer?.pointsAt?.cakSecretId).toBe(keyOne.cakSecretId);
    await scene.clock.runFor(1);
    expect(scene.cache.peer(primary)).toBeUndefined();
    expect(scene.cache.farEndAt(primary)).toBeDefined();
    expect(scene.cache.snapshot(primary).peer).toBeUndefined();
  });
});
