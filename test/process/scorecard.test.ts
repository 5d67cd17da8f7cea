// The scorecard against a simulated cloud over TLS, in every state of each check.

import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Scorecard } from "#agent/evidence/scorecard/scorecard.ts";
import { hostDialer } from "#agent/host/host.ts";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { encodeJson } from "#hal/json.ts";
import { patienceMs } from "../patience.ts";
import { CloudStage } from "./cloud-stage.ts";

type Verdict = Scorecard["rows"][number]["verdict"];

/** By part of the cloud: the row that depends on it, and that row's evidence if the part is bad. */
const parts: readonly (readonly [string, string, RegExp])[] = [
  ["vaultSettings", "macsec-keys-in-vault", /kv-demo lacks a firewall that denies by default/],
  ["vaultRoles", "macsec-least-privilege", /may do more than read secrets/],
  ["ipsecPolicies", "ipsec-connections", /hub-1 has a weak ipsecIntegrity, pfsGroup/],
  ["privateTunnels", "ipsec-over-private-peering", /hub-1 does not use the gateway's private/],
  ["privateGateway", "ipsec-over-private-peering", /gw has no private address/],
  ["bgpKey", "bgp-authentication", /AzurePrivatePeering has no shared key/],
  ["pointToSite", "p2s-entra-authentication", /gw lets clients in by Certificate, AAD/],
  ["alerts", "monitoring", /every alert rule of .* is off/],
  ["perimeter", "vault-perimeter", /is in mode Learning, which denies nothing/],
  ["backupGateway", "vpn-as-backup", /no VPN gateway exists beside er/],
  ["vnetEncryption", "vnet-encryption", /hub is not encrypted/],
  ["inspection", "central-inspection", /no route leads through inspect/],
  ["frontDoorTls", "front-door-tls", /route all serves plain HTTP/],
  ["frontDoorWaf", "front-door-waf", /edge has no firewall policy/],
  ["frontDoorOrigins", "front-door-private-origins", /Private Link of origin app is Pending/],
  ["gatewayTls", "app-gateway-tls", /app listens to plain HTTP/],
  ["gatewayWaf", "app-gateway-waf", /app has no firewall policy/],
  ["bastion", "bastion", /Bastion jump is Failed/],
  ["publicAddresses", "bastion", /vm has a public address/],
  ["openPorts", "bastion", /vm lets the Internet in to 22 or 3389/],
];
/** The vault of this cloud belongs to no perimeter. */
const never = ["p2s-conditional-access", "inter-region", "bastion-sessions", "vault-perimeter"];
/** These missing parts are properties of something that exists, so their absence is a fault. */
const missed: readonly string[] = [
  ...["ipsecPolicies", "privateTunnels", "privateGateway"],
  ...["frontDoorWaf", "gatewayTls", "gatewayWaf"],
];

const stage = new CloudStage("card", 100);

async function pose(aspect: string, state: string): Promise<void> {
  const body = [encodeJson({ aspect, state })];
  const to = `unix:${stage.socket}`;
  const request = { to, method: "POST", path: "/posture", replyBytesMax: 10_000, body } as const;
  const { status } = await hostDialer.http(request, AbortSignal.timeout(patienceMs));
  if (status !== 200) throw new Error(`${aspect} could not be made ${state}: ${status}`);
}

const card = () => stage.view<Scorecard>("/v1/scorecard");

function verdicts({ rows }: Scorecard): Readonly<Record<string, Verdict>> {
  return Object.fromEntries(rows.map(({ id, verdict }) => [id, verdict]));
}

/** The verdicts if everything is proven that can be read. */
function allGood(but: Readonly<Record<string, Verdict>> = {}): Readonly<Record<string, Verdict>> {
  const ids = ["macsec-on-direct", ...parts.map(([, id]) => id)];
  return {
    ...Object.fromEntries(ids.map((id) => [id, "proven"] as const)),
    ...Object.fromEntries(never.map((id) => [id, "notVerifiable"] as const)),
    ...but,
  };
}

const row = ({ rows }: Scorecard, id: string) => rows.find((each) => each.id === id);

beforeAll(async () => {
  await stage.begin();
  const applied = await stage.run("apply", stage.config(), "--yes");
  if (applied.exit !== 0) throw new Error(applied.output);
  await stage.until("protection", async () => {
    const path = "/v1/rotation";
    const { campaigns } = await stage.view<{ campaigns: readonly CampaignShape[] }>(path);
    const { verdict, warnings } = await stage.view<Status>("/v1/status");
    return campaigns[0]?.state === "done" && verdict === "protected" && warnings.length === 0;
  });
});
afterAll(() => stage.end());
afterEach(async () => {
  for (const [aspect] of parts) if (stage.cloud.child.exitCode === null) await pose(aspect, "good");
});

describe("a scorecard", () => {
  it("a scorecard proves all that can be read, and gives reasons for the rest", async () => {
    const found = await card();
    expect(verdicts(found)).toEqual(allGood());
    for (const { evidence, next, verdict } of found.rows) {
      expect(evidence.length).toBeGreaterThan(0);
      expect(next === null).toBe(verdict === "proven");
    }
    expect(found.counts).toEqual({ proven: 17, failed: 0, notVerifiable: 4 });
    expect(found.scopes).toHaveLength(1);
  });

  it.each(parts)(
    "a scorecard reports %s as bad, unreadable and absent",
    async (aspect, id, says) => {
      await pose(aspect, "bad");
      const bad = await card();
      expect(verdicts(bad)).toEqual(allGood({ [id]: "failed" }));
      expect(row(bad, id)?.evidence.join("; ")).toMatch(says);
      expect(row(bad, id)?.next).toMatch(/\w{4}/);
      await pose(aspect, "denied");
      const denied = await card();
      expect(row(denied, id)?.verdict).toBe("notVerifiable");
      expect(row(denied, id)?.evidence.join("; ")).toMatch(
        /not read: .*no right here .*\(peer\.denied\)/,
      );
      expect(denied.counts.failed).toBe(0);
      await pose(aspect, "absent");
      const absent = row(await card(), id);
      expect(absent?.verdict).toBe(missed.includes(aspect) ? "failed" : "notVerifiable");
      // The next part's card shows that this part is good again: there everything else is good.
    },
  );

  it("a scorecard proves all again once every part is good", async () => {
    expect(verdicts(await card())).toEqual(allGood());
  });

  it("a scorecard fails a row whose link is seen to be wrong", async () => {
    const fault = ["sim", "fault", "should-secure", "--socket", stage.socket] as const;
    expect((await stage.run(...fault)).exit).toBe(0);
    await stage.until("a bad link", async () => {
      const found = await card();
      return row(found, "macsec-on-direct")?.verdict === "failed";
    });
    const found = await card();
    expect(row(found, "macsec-on-direct")?.evidence.join()).toContain("policy-should-secure");
    const shown = await stage.run("scorecard");
    expect([shown.exit, shown.output]).toEqual([
      4,
      expect.stringContaining("FAILED: ExpressRoute"),
    ]);
    await stage.run(...fault, "--heal");
    await stage.until("a good link", async () => {
      const { counts } = await card();
      return counts.failed === 0;
    });
  });

  it("a row is not verifiable, and never good, once the far end cannot be read", async () => {
    const fault = ["sim", "fault", "far-unreadable", "--socket", stage.socket] as const;
    expect((await stage.run(...fault)).exit).toBe(0);
    // A card queries the whole cloud, so only the status is polled until the far end's data is old.
    await stage.until("an old far end", async () => {
      const { groups } = await stage.view<Status>("/v1/status");
      const ages = groups.flatMap(({ links }) => links.map(({ ages }) => ages.farEndMs ?? 0));
      return ages.every((ms) => ms > 240_000);
    });
    await stage.until("a stale far end", async () => {
      const found = row(await card(), "macsec-on-direct");
      return found?.evidence.join().includes("was last read") === true;
    });
    expect(row(await card(), "macsec-on-direct")?.verdict).toBe("notVerifiable");
    expect(row(await card(), "macsec-least-privilege")?.verdict).toBe("notVerifiable");
  });

  it("exported documents are judged without an agent, and a bad file is named", async () => {
    const folder = join(stage.folder, "exported");
    mkdirSync(folder);
    const id = "/subscriptions/s/resourceGroups/r/providers/Microsoft.Network/virtualNetworks/hub";
    const hub = { id, properties: { encryption: { enabled: false } } };
    writeFileSync(join(folder, "networks.json"), JSON.stringify({ value: [hub] }));
    writeFileSync(join(folder, "torn.json"), '{"value": [');
    const nowhere = ["--documents", folder, "--socket", join(folder, "no.sock")] as const;
    const shown = await stage.run("scorecard", ...nowhere);
    expect(shown.exit).toBe(4);
    expect(shown.output).toContain("    hub is not encrypted\n");
    expect(shown.output).toContain("0 proven, 1 failed, ");
    expect(shown.output).toContain("read: 2 files, 1 resources, and 0 of other types\n");
    expect(shown.output).toContain("not read: torn.json: it is not JSON, or too long or too deep");
    const made = JSON.parse((await stage.run("scorecard", ...nowhere, "--json")).output);
    expect(made).toMatchObject({ schema: "linkseal.scorecard/1", site: null, scopes: [] });
    const none = await stage.run("scorecard", "--documents", join(folder, "none"));
    expect([none.exit, none.output]).toEqual([
      2,
      expect.stringContaining("cannot be read (ENOENT)"),
    ]);
  });

  it("the scorecards print no key and no token, and break no promise", async () => {
    const printed = await stage.run("scorecard", "--json");
    expect(printed.output).not.toMatch(/simulated-shared-key|eyJ[\w-]{20}|PRIVATE KEY|Bearer /);
    const { agent, cloud } = stage;
    expect(agent.output).not.toMatch(/simulated-shared-key|eyJ[\w-]{20}|Bearer /);
    const ended = once(cloud.child, "close");
    cloud.child.kill("SIGINT");
    await ended;
    expect(cloud.child.exitCode).toBe(0);
  });
});
