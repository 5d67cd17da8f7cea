// Changes that were prepared on a Junos router whose device is closed before they are applied.

import { beforeAll, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import { Secret } from "#hal/secret.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { placeOf, platforms, wayOf } from "../../../conformance/place.ts";
import { ports } from "../../../conformance/rig.ts";
import { never, refused, settled } from "../../kit/site-bench.ts";
import { keyOf } from "../junos-kit.ts";

const platform = platforms["ptx10008 23.4R2"];
const keys = async () => Secret.take("cak", new Uint8Array(32).fill(7));

// Parsing begins with a file, and virtual time waits for none.
beforeAll(async () => {
  await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
});

it("a prepared change ends with its device, and one under way comes to its end", async () => {
  const place = placeOf(platform);
  const { clock, router, effects } = place.rig;
  const target = { device: router.name, address: "192.0.2.1" };
  const way = wayOf(place, target, async (to) =>
    channelTo(to.device, (wire) => place.emulator.connect(wire)),
  );
  const device = await settled(clock, way.open());
  const settings = {
    suite: "gcm-aes-xpn-256",
    policy: "mustSecure",
    includeSci: true,
    confidentialityOffset: 0,
    keyServerPriority: 20,
    replayWindow: undefined,
    sakRekeyMs: undefined,
  } as const;
  const [port] = ports;
  const change = [
    { kind: "macsec.protect", port, settings },
    { kind: "macsec.addKey", port, key: keyOf(1), role: "primary" },
  ] as const;
  const [closed, under] = [
    await settled(clock, device.prepare(change, keys, never)),
    await settled(clock, device.prepare(change, keys, never)),
  ];
  const applying = under.apply("final", never);
  await settled(clock, Promise.resolve(device[Symbol.asyncDispose]()));
  // What is under way comes to its end.
  await settled(clock, applying);
  const before = effects.count;
  expect(before).toBeGreaterThan(0);
  expect((await refused(settled(clock, closed.apply("final", never)))).code).toBe(
    "device.commitExpired",
  );
  await settled(clock, closed.rollback(never));
  expect(effects.count).toBe(before);
});
