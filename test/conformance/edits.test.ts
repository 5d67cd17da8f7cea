// The list of all edits of a driver: every change of the contract that the platform offers is in
// it, each text is well-formed, and none has a key.

import { describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import type { Capabilities, PortChange } from "#hal/device.ts";
import { driverEdits } from "#sim/lab/driver-edits.ts";
import { EditBench } from "#sim/lab/edit-bench.ts";
import { driverOf, platforms } from "./place.ts";

type Kind = PortChange["kind"];

/** Returns the changes that a device with these capabilities takes. */
function kindsOf({ macsec, ipsec, drain }: Capabilities): readonly Kind[] {
  const keys: readonly Kind[] =
    macsec === undefined
      ? []
      : [
          ...(["macsec.protect", "macsec.addKey", "macsec.removeKey"] as const),
          ...(["macsec.replaceKey"] as const),
          ...(macsec.overlap === "fallback" ? (["macsec.promoteKey"] as const) : []),
        ];
  return [
    ...keys,
    ...(["port.shut", "port.open"] as const),
    ...(drain === undefined ? [] : (["port.drain", "port.restore"] as const)),
    ...(ipsec === undefined ? [] : (["ipsec.putTunnel", "ipsec.removeTunnel"] as const)),
  ].toSorted();
}

/** Each change is made on a router of its own. */

/** Each line has a word of a command, and neither a key nor a control character. */
const cliLine = /^(?=.*[a-z])[\x20-\x7e]+$/;

describe("the list of edits", () => {
  it.each(Object.entries(platforms))("is whole and well-formed: %s", async (_, platform) => {
    const about = { driver: platform.vendor, ...platform.named };
    const place = { vrf: undefined, engines: "one" } as const;
    const { offers: capabilities } = driverOf(platform.vendor);
    await using bench = await EditBench.open({ platform: about, capabilities, ...place });
    const { edits } = await driverEdits(about);
    const words = new Set(edits.map(({ change }) => change.split(" ", 1).join()));
    expect([...words].toSorted()).toEqual(kindsOf(bench.capabilities));
    for (const { channel, text } of edits) {
      expect(text).not.toMatch(/\[secret|(?:6[1-9a-f]|7[0-9a]){16}/i);
      if (channel === "cli") {
        for (const line of text.split("\n")) expect(line).toMatch(cliLine);
      } else await readXml(new TextEncoder().encode(text), "edit");
    }
  });
});
