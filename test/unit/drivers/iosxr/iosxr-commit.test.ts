// What a router with IOS XR takes, keeps and refuses at a commit, and what the driver makes of it.

import { describe, expect, it } from "vitest";
import { channelTo } from "#agent/simulation/emulator-channel.ts";
import type { DeviceChange } from "#hal/device.ts";
import { Secret } from "#hal/secret.ts";
import { IosxrEmulator } from "#sim/emulators/iosxr.ts";
import type { Router } from "#sim/router/router.ts";
import { placeOf, platforms, wayOf } from "../../../conformance/place.ts";
import { buildRig } from "../../../conformance/rig.ts";
import { never, refused, settled } from "../../kit/site-bench.ts";
import { addKey, protect } from "../change-kit.ts";
import { port } from "../iosxr-kit.ts";

/** In the shortest layout, so that what is typed has no reply but its own. */
const platform = {
  ...platforms["8201-32FH 7.11.2"],
  emulatorOf: (router: Router) =>
    new IosxrEmulator(router, { platform: "8201-32FH", version: "7.11.2", wiring: {} }),
};
const prompt = /RP\/0\/RP0\/CPU0:\S+#$/;

/** A person at the router: a line in, what is printed out. */
function typing() {
  const rig = buildRig(placeOf(platform).rig.router.options.capabilities, platform.ports);
  const emulator = platform.emulatorOf(rig.router);
  let printed = "";
  const session = emulator.connect({
    send: (octets) => {
      printed += new TextDecoder().decode(octets);
    },
    close: () => undefined,
  });
  return async (line: string): Promise<string> => {
    printed = "";
    session?.receive(new TextEncoder().encode(`${line}\n`));
    await rig.clock.runFor(60_000, () => prompt.test(printed));
    return printed.replaceAll("\r", "").split("\n").slice(1, -1).join("\n");
  };
}

describe("a router with IOS XR", () => {
  it("a router accepts a label for an unconfirmed commit, but no comment", async () => {
    const type = typing();
    await type("configure exclusive");
    await type("interface HundredGigE0/0/0/0");
    await type("description one");
    expect(await type("commit confirmed 60 comment ours")).toContain("% Invalid input");
    expect(await type("commit label 1ours confirmed 60")).toContain("% Invalid input");
    expect(await type(`commit label ${"l".repeat(21)}`)).toContain("% Failed to commit");
    expect(await type("commit label ours confirmed 60")).not.toContain("%");
    expect(await type("commit")).not.toContain("%");
    await type("description two");
    expect(await type("commit label ours")).toContain("% Failed to commit");
    expect(await type("commit label others")).not.toContain("%");
    expect(await type("commit")).toContain("% No configuration changes to commit");
    const list = await type("do show configuration commit list 20 detail");
    expect([...list.matchAll(/Label: (\S+)/g)].map(([, label]) => label)).toEqual([
      "others",
      "ours",
      "NONE",
    ]);
  });

  it("a router stores and commits a line that begins with an exclamation mark", async () => {
    const type = typing();
    await type("terminal exec prompt no-timestamp");
    expect(await type("! nothing")).toBe("");
    await type("configure exclusive");
    await type("!");
    expect(await type("commit")).toContain("% No configuration changes to commit");
    await type("! 0123456789abcdef");
    await type("interface HundredGigE0/0/0/0");
    await type("! of a port");
    expect(await type("commit")).not.toContain("%");
    expect(await type("do show running-config interface")).toContain(" ! of a port");
    expect(await type("do show clock | include fedcba9876543210")).toBe("");
  });
});

describe("a commit of the driver", () => {
  const change: DeviceChange = [protect(port(0)), addKey(port(0), 1, "primary")];

  /** `hear`: what becomes of what the router says. */
  async function committed(hear: (text: string) => string) {
    const place = placeOf(platform);
    const { rig, emulator } = place;
    const target = { device: rig.router.name, address: "192.0.2.1" };
    const lines: string[] = [];
    const way = wayOf(place, target, async (to) => {
      const inner = channelTo(to.device, (wire) =>
        emulator.connect({
          ...wire,
          send: (octets) => wire.send(Buffer.from(hear(new TextDecoder().decode(octets)))),
        }),
      );
      return {
        ...inner,
        write: async (text, signal) => {
          lines.push(
            text
              .map((part) => (typeof part === "string" ? part : "KEY"))
              .join("")
              .trim(),
          );
          await inner.write(text, signal);
        },
      };
    });
    const device = await settled(rig.clock, way.open());
    const keys = async () => Secret.take("cak", new Uint8Array(32).fill(7));
    const transaction = await settled(rig.clock, device.prepare(change, keys, never));
    return { rig, device, transaction, lines };
  }

  it("a commit is unconfirmed under a label made from its token, and found by it", async () => {
    const { rig, device, transaction, lines } = await committed((text) => text);
    await settled(rig.clock, transaction.apply(60_000, never));
    const label = `ls-${transaction.token}`;
    expect(lines.filter((one) => one.startsWith("commit"))).toEqual([
      `commit label ${label} confirmed 60`,
    ]);
    // An ASR 9000 refuses a longer one.
    expect(label.length).toBeLessThanOrEqual(20);
    const recalled = await settled(rig.clock, device.recall(transaction.token, never));
    expect(recalled.kind).toBe("pending");
    await settled(rig.clock, transaction.confirm(never));
    expect(lines.at(-2)).toBe("commit");
    expect(lines.at(-1)).toMatch(/^do show clock \| include [0-9a-f]{16}$/);
    await device[Symbol.asyncDispose]();
  });

  it("a commit that the router accepts and does not list is not a success", async () => {
    const { rig, device, transaction } = await committed((text) =>
      text.replace(/Label: ls-[0-9a-f]{16}/, "Label: NONE"),
    );
    const error = await refused(settled(rig.clock, transaction.apply(60_000, never)));
    expect(error).toMatchObject({ code: "device.rejected", effect: "unknown" });
    expect(error.message).toContain("does not list it");
    await device[Symbol.asyncDispose]();
  });
});
