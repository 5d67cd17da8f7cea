import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import { deriveLinkHealth } from "#agent/health/health.ts";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import { type Desired, linkId } from "#agent/model/desired.ts";
import type { DeviceState, KeyRef, MacsecPort } from "#hal/model.ts";
import { demoFaults, strikeFault } from "#sim/faults/faults.ts";
import { buildSite, type Site, type SiteLink } from "#sim/site/site.ts";

const pollMs = 5000;

function desiredOf(site: Site): Desired {
  const parsed = parseConfig(site.config("unix:/nowhere"), "demo.yaml");
  if (parsed.kind !== "ok") throw new Error("the config of the demo is refused");
  return parsed.desired;
}

function keyOf(link: SiteLink): KeyRef {
  const pointsAt = link.msee.observe(link.azureLink).pointsAt;
  const [slot] = link.edge.keys();
  if (pointsAt === undefined || slot === undefined) throw new Error("the link has no key yet");
  return { ...pointsAt, ckn: slot.ckn };
}

/** Observes a protected site as an agent would, with a fault after two minutes. */
async function watch(fault: string | undefined, afterMs: number) {
  const site = buildSite({
    seed: "health",
    name: "demo",
    groups: 1,
    tunnels: 2,
    start: "protected",
  });
  const desired = desiredOf(site);
  const [link] = site.links;
  const wanted = desired.groups[0]?.links.find((each) => linkId(each) === link?.id);
  const tunnel = desired.tunnels.find((each) => each.device === link?.device);
  if (link === undefined || wanted === undefined || tunnel === undefined)
    throw new Error("no link");
  const expected = keyOf(link);
  const states: DeviceState[] = [];
  const observe = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += pollMs) {
      await site.clock.runFor(pollMs);
      states.push(link.router.state());
      if (states.length > 20) states.shift();
    }
  };
  await observe(120_000);
  const kind = demoFaults.find((each) => each.name === fault);
  if (kind !== undefined) strikeFault(site, kind, link);
  await observe(afterMs);
  const now = site.clock.now();
  const newest = states.at(-1);
  const device = { lastObservedAt: newest?.at, failing: undefined };
  const settings = desired.health;
  const ports = states.flatMap((state): MacsecPort[] =>
    state.macsec.filter((each) => each.port === link.port),
  );
  const answered = {
    under: "",
    at: now,
    answered: { at: now, wall: site.clock.wall() },
    silent: 0,
  };
  const health = deriveLinkHealth({
    link: wanted,
    expected,
    settings,
    now,
    observations: ports,
    device,
    probe: undefined,
    trips: answered,
    peer: { state: link.msee.observe(link.azureLink), at: now },
    farEndAt: now,
  });
  const tunnelHealth = deriveTunnelHealth({
    tunnel,
    settings,
    now,
    observations: states.flatMap((state) =>
      state.ipsec.filter((each) => each.name === tunnel.name),
    ),
    routing: newest?.routing,
    trips: answered,
    device,
  });
  const reported = ({ verdict, reasons }: typeof tunnelHealth) =>
    [verdict, ...reasons.map((reason) => reason.code)].join(" ");
  return { link: reported(health), tunnel: reported(tunnelHealth) };
}

describe("health of the simulated site", () => {
  it("an untouched simulated site stays protected", async () => {
    expect(await watch(undefined, 30_000)).toMatchObject({
      link: "protected",
      tunnel: "protected",
    });
  });

  it.each([
    ["cak-mismatch", "down cak-mismatch"],
    ["ckn-mismatch", "down ckn-mismatch"],
    ["cipher-mismatch", "down sak-not-agreed"],
    ["sci-mismatch", "down sci-mismatch"],
    ["peer-silent", "down mka-no-live-peer"],
    ["should-secure", "unprotected policy-should-secure"],
    ["stale-sak", "down stale-sak"],
    ["integrity-only", "unprotected frames-readable"],
    ["mtu", "down mtu"],
    ["far-end-changed", "down far-end-changed ckn-mismatch"],
  ])("the simulated fault %s gives the verdict %s", async (fault, reported) => {
    expect((await watch(fault, 60_000)).link).toBe(reported);
  });

  it.each(["clear-path", "clear-path-back"])(
    "the simulated fault %s affects the tunnel and not the link",
    async (name) => {
      // The finding comes within one observation.
      expect(await watch(name, pollMs)).toMatchObject({
        link: "protected",
        tunnel: "unprotected clear-path-beside-tunnel",
      });
    },
  );
});
