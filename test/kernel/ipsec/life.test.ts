// The life of a tunnel by its operator's commands: accepted while the gateway refuses it, harmed,
// changed, and retired; all packets that leave in the clear are counted at the gateway.

import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ip, until as untilSoon } from "../lab.ts";
import { AgentSite, patienceMs } from "./agent-site.ts";
import { gatewayPsk, LeakWatch, loadGateway, pings, strong, type TunnelSite } from "./site.ts";

let all: AgentSite;
let site: TunnelSite;
let leaks: LeakWatch;

beforeAll(async () => {
  all = await AgentSite.open();
  site = all.tunnels;
  leaks = new LeakWatch(site);
}, 240_000);
afterAll(async () => {
  leaks[Symbol.dispose]();
  await all.close();
});

const refusals = (): number =>
  site.charon.output().match(/received AUTHENTICATION_FAILED/g)?.length ?? 0;

/**
 * Returns when the gateway refused set-ups, in ms from now, and only the first refusal within five
 * seconds: a packet that waits for an SA makes charon try again until the connection is unloaded.
 */
async function triesWithin(ms: number): Promise<readonly number[]> {
  const begun = performance.now();
  const observed: number[] = [];
  for (let count = 0; performance.now() - begun < ms; await rest(200)) {
    if (refusals() > count) observed.push(Math.round(performance.now() - begun));
    count = refusals();
  }
  return observed.filter((at, index) => index === 0 || at - (observed[index - 1] ?? 0) > 5_000);
}

/** The SPIs of SAs that have keys: charon also holds some for SAs that it still negotiates. */
const keyedSpis = (): readonly string[] =>
  ip("-n", site.edge, "xfrm", "state", "list")
    .split(/^(?=src )/m)
    .filter((state) => /^\s+(aead|enc) /m.test(state))
    .flatMap((state) => state.match(/spi 0x[0-9a-f]+/g) ?? []);

/** It waits for actions of the agent, which are slow in an emulator. */
const until = <T>(probe: () => T | undefined | Promise<T | undefined>): Promise<T> =>
  untilSoon(probe, patienceMs);

describe("a tunnel of a config", { timeout: 600_000 }, () => {
  it("a tunnel that the gateway refuses lets nothing out in the clear from apply on", async () => {
    await loadGateway(site.far, strong, "another_PSK_of_16+");
    let sending = true;
    const flow = (async () => {
      let sent = 0;
      for (; sending; sent += 10) await pings(site.edge, 10);
      return sent;
    })();
    await until(() => (leaks.observed.length > 0 ? true : undefined));
    await all.apply(all.config());
    // Until then packets left in the clear as always.
    leaks.observed.length = 0;
    await until(() => (site.charon.output().includes("AUTHENTICATION_FAILED") ? true : undefined));
    const tries = await triesWithin(15_000);
    sending = false;
    console.log(`${await flow} packets sent, refused at ${tries.join(", ")} ms`);
    // The first refusal may belong to an earlier try; then come tries after ten and twenty seconds.
    expect(tries.length).toBeLessThan(4);
    expect(leaks.observed).toEqual([]);
    await loadGateway(site.far, strong, gatewayPsk);
    await all.untilVerdict("protected");
    expect(await pings(site.edge)).toBe(3);
  });

  it("a tunnel whose interface, route or MTU was changed is corrected by itself", async () => {
    const ifDown = async (): Promise<void> => {
      ip("-n", site.edge, "link", "set", "hub-1", "down");
      ip("-n", site.edge, "link", "set", "hub-1", "up");
    };
    const noRoute = async (): Promise<void> => {
      ip("-n", site.edge, "route", "delete", "10.100.0.0/16", "dev", "hub-1");
    };
    for (const harm of [ifDown, noRoute]) {
      await harm();
      await until(() =>
        ip("-n", site.edge, "route", "show", "10.100.0.0/16").includes("hub-1") ? true : undefined,
      );
      expect(await pings(site.edge)).toBe(3);
    }
    ip("-n", site.edge, "link", "set", "hub-1", "mtu", "1280");
    await until(() =>
      ip("-n", site.edge, "link", "show", "hub-1").includes("mtu 1400") ? true : undefined,
    );
    await all.untilVerdict("protected");
    expect(leaks.observed).toEqual([]);
  });

  it("a new prefix goes into the tunnel, and not in the clear, from apply on", async () => {
    ip("-n", site.gateway, "address", "add", "10.101.0.1/32", "dev", "lo");
    expect(await pings(site.edge, 3, 0.2, "10.101.0.1")).toBe(3);
    expect(leaks.observed).not.toEqual([]);
    const before = keyedSpis();
    await all.apply(all.config("10.100.0.0/16, 10.101.0.0/16"));
    leaks.observed.length = 0;
    await until(async () =>
      (await pings(site.edge, 3, 0.2, "10.101.0.1")) === 3 ? true : undefined,
    );
    expect(leaks.observed).toEqual([]);
    // None of the SAs is new; one that a rekey has replaced may be gone by now (5 s,
    // delete_rekeyed_delay).
    const after = keyedSpis();
    expect(after.length).toBeGreaterThanOrEqual(2);
    expect(before).toEqual(expect.arrayContaining([...after]));
  });

  it("a new policy is used once the gateway has it; the tunnel carries until then", async () => {
    const other = [
      "    policy: { ikeEncryption: AES256, ikeIntegrity: SHA384, dhGroup: ECP384,",
      "      ipsecEncryption: AES256, ipsecIntegrity: SHA256, pfsGroup: ECP384,",
      "      saLifeTimeSeconds: 27000, saDataSizeKilobytes: 102400000 }",
    ];
    const both = "10.100.0.0/16, 10.101.0.0/16";
    expect(await all.plan(all.config(both, other))).toContain(
      "policy of ESP aes-256-gcm/none/ecp-384 -> aes-256-cbc/sha256/ecp-384",
    );
    await all.apply(all.config(both, other));
    await until(() => (/NO_PROPOSAL_CHOSEN/.test(site.charon.output()) ? true : undefined));
    expect(await pings(site.edge)).toBe(3);
    const policy = { ike: "aes256-sha384-ecp384", esp: "aes256-sha256-ecp384" };
    await loadGateway(site.far, policy, gatewayPsk);
    await until(() =>
      ip("-n", site.edge, "xfrm", "state").includes("cbc(aes)") ? true : undefined,
    );
    await until(() => {
      const spis = ip("-n", site.edge, "xfrm", "state").match(/^\s+(aead|enc) /gm);
      return spis?.length === 2 ? true : undefined;
    });
    await all.untilVerdict("protected");
    expect(await pings(site.edge)).toBe(3);
    expect(leaks.observed).toEqual([]);
    await loadGateway(site.far, strong, gatewayPsk);
    await all.apply(all.config(both));
    await until(() =>
      ip("-n", site.edge, "xfrm", "state").includes("cbc(aes)") ? undefined : true,
    );
  });

  it("a tunnel that no config names is removed, and its prefixes stay blocked", async () => {
    const early = await all.programs.run("retire", "tunnel", "hub-1");
    expect([early.status, early.err]).toEqual([
      expect.any(Number),
      expect.stringContaining("the accepted config names it"),
    ]);
    expect(early.status).not.toBe(0);
    const shown = JSON.parse(await all.plan(all.config(""))) as {
      readonly steps: readonly { readonly does: string }[];
      readonly notes: readonly { readonly next: string }[];
    };
    expect(shown.steps.map(({ does }) => does)).toEqual(["remove the tunnel hub-1"]);
    // A prefix that an earlier change took out of the tunnel is among them.
    expect(shown.notes).toMatchObject([
      { next: "linkseal guard --release 10.100.0.0/16" },
      { next: "linkseal guard --release 10.101.0.0/16" },
    ]);
    await all.apply(all.config(""));
    await until(() => (ip("-n", site.edge, "link").includes("hub-1") ? undefined : true));
    await until(() => (ip("-n", site.edge, "xfrm", "state") === "" ? true : undefined));
    await until(async () => ((await all.status()).unmanaged.length === 0 ? true : undefined));
    expect((await all.programs.run("retire", "tunnel", "hub-1")).status).not.toBe(0);
    leaks.observed.length = 0;
    expect(await pings(site.edge)).toBe(0);
    expect(leaks.observed).toEqual([]);
    for (const prefix of ["10.100.0.0/16", "10.101.0.0/16"]) {
      expect((await all.programs.run("guard", "--release", prefix)).status).toBe(0);
    }
    await pings(site.edge);
    expect(leaks.observed).not.toEqual([]);
  });
});
