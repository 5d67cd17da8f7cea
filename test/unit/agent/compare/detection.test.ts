// Which peerings outlive a loss, and what each platform is given to end that.

import { describe, expect, it } from "vitest";
import { detectionFindings } from "#agent/compare/detection.ts";
import { platformNames } from "#drivers/index.ts";
import { type BgpSession, known, unknown } from "#hal/model.ts";
import { at, clearPort, link, routing, stateOf } from "../../kit/snapshot-kit.ts";

const up = { port: link.port, peer: "169.254.0.2", up: true } as const;

function found(session: Partial<BgpSession>, driver = "junos") {
  const sessions = [{ ...up, ...session }];
  const state = stateOf(clearPort(), { routing: known({ ...routing, sessions }, at(0)) });
  return detectionFindings(link, driver, state);
}

describe("a peering", () => {
  const rows: readonly (readonly [string, Partial<BgpSession>, RegExp | undefined])[] = [
    ["no BFD, 180 s", { bfd: "off", holdMs: 180_000 }, /no BFD, and its hold time is 180 s$/],
    ["no BFD, 11 s", { bfd: "off", holdMs: 11_000 }, /hold time is 11 s$/],
    ["no BFD, for ever", { bfd: "off", holdMs: 0 }, /hold time never ends$/],
    ["no BFD, hold time not reported", { bfd: "off" }, /not reported \(Azure's is 180 s\)$/],
    ["BFD that is not up", { bfd: "down", holdMs: 180_000 }, /which is not up, and its hold/],
    ["no BFD, 10 s", { bfd: "off", holdMs: 10_000 }, undefined],
    ["BFD", { bfd: "up", holdMs: 180_000 }, undefined],
    ["BFD not reported", { holdMs: 180_000 }, undefined],
    ["a session that is down", { bfd: "off", holdMs: 180_000, up: false }, undefined],
    ["another port", { bfd: "off", holdMs: 180_000, port: "et-9/9/9" }, undefined],
  ];
  it.each(rows)("with %s is late, or it is not named", (_what, session, text) => {
    const here = found(session).map((finding) => finding.here);
    expect(here).toEqual(text === undefined ? [] : [expect.stringMatching(text)]);
  });

  it("of a router that cannot be read is not named", () => {
    expect(detectionFindings(link, "junos", undefined)).toEqual([]);
    const blind = stateOf(clearPort(), { routing: unknown("queryFailed", at(0)) });
    expect(detectionFindings(link, "junos", blind)).toEqual([]);
  });
});

describe("the lines that turn BFD on", () => {
  const lines: Readonly<Record<(typeof platformNames)[number], RegExp>> = {
    eos: /^on \S+: router bgp AS; vrf AZURE; neighbor 169\.254\.0\.2 bfd$/,
    iosxe: /address-family ipv4 vrf AZURE; neighbor 169\.254\.0\.2 fall-over bfd$/,
    nxos: /vrf AZURE; neighbor 169\.254\.0\.2; bfd/,
    iosxr: /vrf AZURE; neighbor 169\.254\.0\.2; bfd fast-detect; bfd minimum-interval 300;/,
    junos: /set routing-instances AZURE protocols bgp .* neighbor 169\.254\.0\.2 bfd-liveness/,
    linux: /vtysh: router bgp AS vrf AZURE; neighbor 169\.254\.0\.2 bfd$/,
    sim: /^linkseal sim fault bfd-off --heal --link erd-demo\/primary$/,
  };
  it.each(platformNames)("%s has lines of its own, with and without a VRF", (driver) => {
    const next = (session: Partial<BgpSession>) =>
      found({ bfd: "off", ...session }, driver).map((finding) => finding.next);
    expect(next({ vrf: "AZURE" })).toEqual([expect.stringMatching(lines[driver])]);
    expect(next({}).join()).not.toContain("AZURE");
    expect(next({}).join()).not.toContain("undefined");
  });

  it("BFD that is not up is a matter of both ends", () => {
    expect(found({ bfd: "down" })[0]?.next).toContain("UDP port 3784");
  });
});
