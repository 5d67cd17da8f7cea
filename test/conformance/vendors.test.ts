// The drivers of vendors against routers that speak as theirs do, on virtual time.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import type { Command } from "#hal/secret.ts";
import type { Dialer } from "#hal/world.ts";
import { deviceCases, runDeviceCase, type Verdict } from "#sim/conformance/suite.ts";
import { driverEdits } from "#sim/lab/driver-edits.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { formsOf } from "./edit-forms.ts";
import { allPlatforms, placeOf, wayOf } from "./place.ts";
import { benchOf, drive } from "./rig.ts";
import { failures, formatRows, type Row } from "./table.ts";

/** What changes nothing: the end of a change that is only prepared, and of one that was cut off. */
const isOfBench = (form: string): boolean => /^(?:configure session TOKEN )?abort$/.test(form);

/** What only the list has: other policies of tunnels, and what operators did before. */
const isOfList = (form: string): boolean => extras.some((extra) => extra.test(form));

const extras: readonly RegExp[] = [
  // Tunnels without PFS, with CBC, and with a life in hours.
  /esp-aes|esp-sha256|sha256|aes256$|pfs|aes-256-cbc|hmac-sha|dh-group|perfect-forward/,
  /^sa lifetime N hours$/,
  /^encryption aes-cbc-|^integrity sha/,
  // One key of two, on a router that should have one.
  /^no key CKN$/,
  // The timer of a router that has an archive.
  /^configure (?:terminal revert|revert|confirm)|linkseal_commit TOKEN$/,
  // What an operator did before.
  /should-secure|\bhand-|by-hand/,
  // Peerings in a VRF, and a second routing engine.
  /azure|routing-instances|synchronize/,
];

describe("a vendor's router", () => {
  const rows: Row[] = [];
  // The parser comes from a file, and virtual time does not wait for one.
  beforeAll(async () => {
    await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  });
  afterAll(() => {
    console.log(formatRows("vendors, virtual time", rows));
  });

  it.each(allPlatforms)(
    "a vendor's emulated router passes every case: %s",
    async (name, platform) => {
      const verdicts = new Map<string, Verdict>();
      const sent: Command[] = [];
      for (const one of deviceCases) {
        const place = placeOf(platform);
        const { rig, emulator } = place;
        const target = { device: rig.router.name, address: "192.0.2.1" };
        const channel: Dialer["channel"] = async (to) =>
          channelTo(to.device, (wire) => emulator.connect(wire));
        const way = wayOf(place, target, channel, (text) => sent.push(text));
        const run = async () => runDeviceCase(one, await benchOf(rig, way));
        verdicts.set(one.name, await drive(rig.clock, run()));
      }
      const row = { profile: name, verdicts };
      rows.push(row);
      expect(failures(row).join("\n")).toBe("");
      expect(verdicts.size).toBe(deviceCases.length);
      const { edits } = await driverEdits({ driver: platform.vendor, ...platform.named });
      const shown = formsOf(edits.map(({ text }) => text));
      const forms = formsOf(sent);
      // Whatever the suite makes a driver send, its list of edits has it.
      expect([...forms].filter((form) => !shown.has(form) && !isOfBench(form))).toEqual([]);
      const own = [...shown].filter((form) => !forms.has(form) && !isOfList(form));
      if (!name.includes(" in ")) expect(own).toEqual([]);
    },
  );
});
