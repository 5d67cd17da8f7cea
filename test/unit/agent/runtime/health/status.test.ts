import { describe, expect, it } from "vitest";
import { deriveLinkHealth } from "#agent/health/health.ts";
import type { Share } from "#agent/health/tunnel-bundle.ts";
import type { VisibleWarning } from "#agent/health/warnings.ts";
import { isoTime, wholeDays } from "#agent/model/iso-time.ts";
import type { Inside } from "#agent/runtime/health/bgp-report.ts";
import { blindSnapshot } from "#agent/runtime/health/site-snapshot.ts";
import {
  groupStatus,
  type LinkFacts,
  linkStatus,
  notConfigured,
  siteStatus,
  type TunnelFacts,
  tunnelStatus,
} from "#agent/runtime/health/status.ts";
import type { GatewayReport } from "#agent/runtime/polling/gateway-report.ts";
import type { WallTime } from "#hal/world.ts";
import { at, evidence, idle, key, link, moving, otherKey, over } from "../../health-evidence.ts";

const utc = (text: string): WallTime => new Date(text).getTime() as WallTime;
const wall = utc("2026-11-24T10:00:00Z");

const input = (course = moving): LinkFacts => {
  const seen = evidence(course, { peer: undefined });
  return {
    link,
    health: deriveLinkHealth(seen),
    observation: seen.observations.at(-1),
    binding: { key, created: utc("2026-11-12T09:00:00Z") },
    next: undefined,
    staleAfterMs: 30_000,
    laterSaks: undefined,
    telemetry: undefined,
  };
};

const moment = { now: at(100_000), wall };
const hub = (over: Partial<TunnelFacts> = {}) => {
  const health = { verdict: "protected", reasons: [] } as const;
  const facts = { name: "hub-1", health, seen: "unknown", staleAfterMs: 30_000 } as const;
  return tunnelStatus({ ...facts, gateway: undefined, ...over }, moment.now);
};
const group = (links: readonly LinkFacts[]) =>
  groupStatus(
    "erd-demo",
    null,
    links.map((each) => linkStatus(each, moment)),
  );

const status = (links: readonly LinkFacts[]) => {
  const parts = {
    site: "demo",
    reasons: [],
    groups: [group(links)],
    tunnels: [hub()],
    warnings: [
      {
        code: "key-age",
        severity: "warning",
        about: "erd-demo/primary",
        since: at(40_000),
        absentSince: at(88_000),
        text: "the key is 91 days old",
        next: "linkseal keys list",
      },
    ] satisfies readonly VisibleWarning[],
    unmanaged: [],
  };
  return siteStatus(parts, moment);
};

const nothing = {
  schema: "linkseal.status/1",
  site: null,
  at: "2026-11-24T10:00:00Z",
  verdict: "unknown",
  groups: [],
  tunnels: [],
  warnings: [],
  unmanaged: [],
};

describe("status as JSON", () => {
  it("the status has the documented shape, with keys in the documented order", () => {
    const json = JSON.stringify(status([input()]));
    const hex = "c0".repeat(32);
    expect(json).toBe(
      `{"schema":"linkseal.status/1","site":"demo","at":"2026-11-24T10:00:00Z",` +
        `"verdict":"protected","reasons":[],` +
        `"groups":[{"name":"erd-demo","verdict":"protected","rotation":null,"links":[` +
        `{"name":"primary","device":"edge-a","port":"et-0/0/0","verdict":"protected",` +
        `"reasons":[],"ages":{"controlPlaneMs":800,"dataPlaneMs":800,"farEndMs":null},` +
        `"suite":"gcm-aes-xpn-256","confidentiality":{"offset":0,"received":"notVisible",` +
        `"sent":"encrypted"},` +
        `"ckn":"${hex}","keyVersion":"v1","keyAgeDays":12,` +
        `"keyInUse":"${hex}","keyNext":null,` +
        `"mka":{"livePeers":1,"principalCkn":"${hex}","keyServer":"peer"},"laterSaks":null,` +
        `"frames":{"rxOk":"96000","rxNotValid":"0","rxClear":"0","txProtected":"96000"},` +
        `"azure":null}]}],` +
        `"tunnels":[{"name":"hub-1","verdict":"protected","reasons":[],"because":null,` +
        `"azure":null,` +
        `"bgp":null,"share":null,"backup":null,"ppk":null,"sas":{"pairs":null,"nat":null}}],` +
        `"warnings":[{"code":"key-age","severity":"warning","about":"erd-demo/primary",` +
        `"since":"2026-11-24T09:59:00Z","absentSince":"2026-11-24T09:59:48Z",` +
        `"text":"the key is 91 days old","next":"linkseal keys list"}],"unmanaged":[]}`,
    );
  });

  it("the status shows the readings of Azure's meters with their age, whatever the verdict", () => {
    const telemetry = {
      until: utc("2026-11-24T09:57:00Z"),
      ...{ lineUp: true, rxDbm: -2.6, txDbm: undefined, arpPercent: 0, bgpPercent: 100 },
      peerings: [{ type: "AzurePrivatePeering", state: "Enabled" }],
    };
    const seen = status([{ ...input(), telemetry: { telemetry, at: at(96_000) } }]);
    expect(seen.verdict).toBe("protected");
    expect(seen.groups[0]?.links[0]?.azure).toEqual({
      ageMs: 4_000,
      until: "2026-11-24T09:57:00Z",
      ...{ lineUp: true, rxDbm: -2.6, txDbm: null, arpPercent: 0, bgpPercent: 100 },
      peerings: telemetry.peerings,
    });
  });

  it("the status shows nothing of a meter without readings", () => {
    const silent = { until: undefined, lineUp: undefined, rxDbm: undefined, txDbm: undefined };
    const telemetry = { ...silent, arpPercent: undefined, bgpPercent: undefined, peerings: [] };
    const seen = status([{ ...input(), telemetry: { telemetry, at: at(96_000) } }]);
    expect(seen.groups[0]?.links[0]?.azure).toEqual({
      ...{ ageMs: 4_000, until: null, lineUp: null, rxDbm: null, txDbm: null },
      ...{ arpPercent: null, bgpPercent: null, peerings: [] },
    });
  });

  it("the status shows the gateway's own report of a tunnel, with its age", () => {
    const gateway: GatewayReport = {
      connection: "Connected",
      instance: "NotConnected",
      at: at(70_000),
    };
    const { at: _at, ...shown } = gateway;
    expect(hub({ gateway }).azure).toEqual({ ...shown, ageMs: 30_000 });
  });

  it("the status shows BGP and share of a tunnel, or null for what is not reported", () => {
    const reported = (bgp: NonNullable<Inside["bgp"]>, share?: Share) =>
      hub({ bgp, ...(share === undefined ? {} : { share }) });
    const ends = { peer: "169.254.21.5", asn: 65_515 };
    const share = { tunnel: "hub-1", sent: 2n ** 63n, percent: 12.5 };
    expect(reported({ ...ends, up: true, drained: false }, share)).toMatchObject({
      bgp: { ...ends, up: true, drained: false },
      share: { sent: "9223372036854775808", percent: 12.5 },
    });
    expect(reported({ ...ends, up: undefined, drained: undefined })).toMatchObject({
      bgp: { ...ends, up: null, drained: null },
      share: null,
    });
  });

  it("the status has null as the end of a warning that is still open", () => {
    const warning: VisibleWarning = {
      ...{ code: "key-age", severity: "warning", about: "hub-1", text: "", next: "" },
      ...{ since: at(40_000), absentSince: undefined },
    };
    const none = { site: "demo", reasons: [], groups: [], tunnels: [], unmanaged: [] };
    const { warnings } = siteStatus({ ...none, warnings: [warning] }, moment);
    expect(warnings[0]?.absentSince).toBeNull();
  });

  it("the status counts beyond 2^53 exactly", () => {
    const huge = 2n ** 63n + 1n;
    const course = over(moving, () => ({ frames: { rxOk: huge } }));
    expect(status([input(course)]).groups[0]?.links[0]?.frames?.rxOk).toBe("9223372036854775809");
  });

  it("the status has null for a counter that a device lacks, and for an unknown age", () => {
    const course = over(moving, () => ({ frames: { rxNotValid: undefined, rxClear: undefined } }));
    const ages = { controlPlaneMs: 1.4, dataPlaneMs: undefined, farEndMs: undefined };
    const bare = { ...input(course), health: { verdict: "unknown", reasons: [], ages } } as const;
    expect(status([bare]).groups[0]?.links[0]).toMatchObject({
      ages: { controlPlaneMs: 1, dataPlaneMs: null, farEndMs: null },
      frames: { rxNotValid: null, rxClear: null },
    });
  });

  it("the status of a group is as bad as its worst link", () => {
    expect(status([input(), input(idle)]).verdict).toBe("unknown");
  });

  it("the status has null for unknown readings", () => {
    const blind = {
      ...input(),
      observation: undefined,
      binding: undefined,
    };
    expect(status([blind]).groups[0]?.links[0]).toMatchObject({
      suite: null,
      ckn: null,
      keyVersion: null,
      keyAgeDays: null,
      keyInUse: null,
      keyNext: null,
      mka: null,
      frames: null,
    });
  });

  it("the status shows the key that MKA uses beside the accepted one and the next one", () => {
    const course = over(moving, () => ({ session: { principalCkn: otherKey.ckn } }));
    const between = { ...input(course), next: otherKey };
    const keys = { ckn: key.ckn, keyInUse: otherKey.ckn, keyNext: otherKey.ckn };
    expect(status([between]).groups[0]?.links[0]).toMatchObject(keys);
  });

  it("the status has no next key during a change of settings, which keeps the key", () => {
    expect(status([{ ...input(), next: key }]).groups[0]?.links[0]?.keyNext).toBeNull();
  });

  it("the status has no key in use from a stale, weak or incomplete reading", () => {
    const { session } = input().observation ?? {};
    if (session?.kind !== "known") throw new Error("no session");
    const ageMs = at(100_000) - session.at;
    const stale = { ...input(), staleAfterMs: ageMs - 1 };
    const weakly = { ...input().observation, session: { ...session, weak: true } } as const;
    const weak = { ...input(), observation: weakly } as LinkFacts;
    const none = input(over(moving, () => ({ session: { principalCkn: undefined } })));
    for (const each of [stale, weak, none]) {
      expect(status([each]).groups[0]?.links[0]).toMatchObject({ ckn: key.ckn, keyInUse: null });
    }
    const fresh = { ...input(), staleAfterMs: ageMs };
    expect(status([fresh]).groups[0]?.links[0]?.keyInUse).toBe(key.ckn);
  });

  it("the status without an accepted intent is unknown, with the next step", () => {
    expect(blindSnapshot(moment, notConfigured).status).toEqual({
      ...nothing,
      reasons: [
        {
          code: "not-configured",
          text: "the agent is ready, and no config has been accepted yet",
          next: "linkseal apply FILE",
        },
      ],
    });
  });

  it("the status with a damaged intent is unknown, with the reason", () => {
    const reason = { code: "journal-lossy", text: "config 3 is gone", next: "restore it" } as const;
    expect(blindSnapshot(moment, reason).status).toEqual({
      ...nothing,
      reasons: [reason],
    });
  });
});

describe("time as text", () => {
  it.each([
    "1970-01-01T00:00:00Z",
    "1999-12-31T23:59:59Z",
    "2000-02-29T12:00:00Z",
    "2024-02-29T00:00:01Z",
    "2026-03-01T00:00:00Z",
    "2100-03-01T00:00:00Z",
    "1969-07-20T20:17:40Z",
  ])("a time is written as %s", (text) => {
    expect(isoTime(utc(text))).toBe(text);
  });

  it.each([
    [Number.NaN, "unknown"],
    [Number.POSITIVE_INFINITY, "+275760-09-13T00:00:00Z"],
    [-1e300, "-271821-04-20T00:00:00Z"],
    [1_999, "1970-01-01T00:00:01Z"],
    [-1, "1969-12-31T23:59:59Z"],
  ])("a reported time of %d is written as %s, without error", (wall, text) => {
    expect(isoTime(wall as WallTime)).toBe(text);
  });

  it("a key from the future is 0 days old", () => {
    expect(wholeDays(utc("2026-11-25T00:00:00Z"), wall)).toBe(0);
  });
});
