// The pre-shared key of a VPN connection, given over the simulated management API: what was
// refused, what may have happened, and no octet of it left behind.

import { describe, expect, it } from "vitest";
import { fillCommand } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { HttpReply } from "#hal/world.ts";
import { connectionId } from "#sim/azure/estate.ts";
import type { WireFault } from "#sim/azure/faults.ts";
import { planSite } from "#sim/site/site-plan.ts";
import { type ArmBench, armBench, text } from "../../kit/arm-bench.ts";
import { never, refused } from "../../kit/site-bench.ts";

/** As odd as a key may be. */
const psk = String.raw`!"#$%&'()*+,./\0123:;<=>?@AZ[]^_az{|}`;

function octetsOf(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

const link = "vpnGateways/hub-gw/vpnConnections/edge/vpnLinkConnections/first";

class Stage {
  readonly bench: ArmBench;
  readonly given: string[] = [];
  /** The very octets that the client got. */
  readonly replies: HttpReply[] = [];
  readonly id: string;

  /** `connection`: where both tunnels of the site are; absent = each has its own. */
  constructor(connection?: string) {
    const plan = planSite("demo", 1, 2);
    const shared = connection === undefined ? {} : { connection, pskSecret: "hub-psk" };
    const tunnels = plan.tunnels.map((tunnel) => ({ ...tunnel, ...shared }));
    this.bench = armBench({ start: "protected", plan: { ...plan, tunnels } });
    const { site, cloud } = this.bench;
    const [tunnel] = site.plan.tunnels;
    if (tunnel === undefined) throw new RangeError("no tunnel");
    this.id = connectionId(site, tunnel);
    cloud.arm.sharedKeys.given = (_tunnel, key) => this.given.push(text(key));
    this.bench.alter = (reply) => {
      this.replies.push(reply);
      return reply;
    };
  }

  async give(value = psk): Promise<void> {
    using key = Secret.take("psk", octetsOf(value));
    await this.bench.run(this.bench.far.gateway(this.id).put(key, never));
  }

  /** By method and path, the query left out. */
  asked(): readonly string[] {
    return this.bench.sent.map(({ method, path }) => `${method} ${path.split("?")[0]}`);
  }
}

describe("a pre-shared key that a gateway gets", () => {
  it("a pre-shared key is written once, followed to its end and never read", async () => {
    const stage = new Stage();
    await stage.give();
    expect(stage.given).toEqual([psk]);
    const [put, ...polls] = stage.asked();
    expect(put).toBe(`PUT ${stage.id}/sharedkey`);
    expect(polls.length).toBeGreaterThan(0);
    for (const poll of polls) expect(poll).toMatch(/^GET .*\/operations\//);
    expect(stage.bench.sent[0]?.path).toContain("?api-version=2024-05-01");
  });

  it.each([
    { connection: "connections/hub", below: "sharedkey", body: { value: psk } },
    { connection: link, below: "sharedKeys/default", body: { properties: { sharedKey: psk } } },
  ])("a key of $connection reaches both instances by one write", async (row) => {
    const stage = new Stage(row.connection);
    await stage.give();
    expect(stage.given).toEqual([psk, psk]);
    const [put, ...polls] = stage.asked();
    expect(put).toBe(`PUT ${stage.id}/${row.below}`);
    for (const poll of polls) expect(poll).toMatch(/^GET .*\/operations\//);
    const [{ body = [] } = {}] = stage.bench.sent;
    // The hole is empty once the key is disposed of.
    expect(body.filter((part) => typeof part === "string").join("")).toBe(
      JSON.stringify(row.body).replace(JSON.stringify(psk).slice(1, -1), ""),
    );
    const { far, cloud } = stage.bench;
    const report = await stage.bench.run(far.connection(stage.id, never));
    const { tunnels } = stage.bench.site.plan;
    const addresses = row.connection === link ? [] : tunnels.map((each) => each.remoteAddress);
    expect(report.instances.map(({ address }) => address)).toEqual(addresses);
    expect(cloud.answered.filter(({ status = 0 }) => status >= 400)).toEqual([]);
  });

  it("a link connection that refuses the right names its own actions", async () => {
    const stage = new Stage(link);
    stage.bench.cloud.faults.arm.strike("authorizationFailed", 1);
    const error = await refused(stage.give());
    expect(error).toMatchObject({ code: "peer.denied", effect: "none", where: "first" });
    const type = "Microsoft.Network/vpnGateways/vpnConnections/vpnLinkConnections";
    expect(error.next).toContain(`${type}/read, and ${type}/sharedKeys/write`);
  });

  it("a pre-shared key is at the gateway when the call resolves, and not before", async () => {
    const stage = new Stage();
    stage.bench.cloud.arm.sharedKeys.lastsMs = 45_000;
    const begun = stage.bench.site.clock.now();
    await stage.give();
    expect(stage.bench.site.clock.now() - begun).toBeGreaterThanOrEqual(45_000);
    expect(stage.given).toEqual([psk]);
  });

  it("a pre-shared key leaves no octet in the replies, one of which repeats it", async () => {
    const stage = new Stage();
    await stage.give();
    expect(stage.replies.length).toBeGreaterThan(1);
    for (const { body } of stage.replies) expect(Math.max(0, ...body)).toBe(0);
  });

  it("a pre-shared key goes into a body that is JSON, whatever characters it has", () => {
    using secret = Secret.take("psk", octetsOf(psk));
    const body = text(fillCommand(['{"value":"', { secret, as: "json" }, '"}']));
    expect(JSON.parse(body)).toEqual({ value: psk });
    using odd = Secret.take("psk", octetsOf("a\nb"));
    expect(() => fillCommand([{ secret: odd, as: "json" }])).toThrow("not printable ASCII");
  });

  it.each<[WireFault, string, string]>([
    ["authorizationFailed", "peer.denied", "Microsoft.Network/connections/sharedKey/write"],
    ["throttledSeconds", "peer.throttled", "linkseal status"],
    ["notFound", "peer.rejected", "compare remote.azureConnection"],
  ])("a pre-shared key that is refused by %s changes nothing", async (fault, code, next) => {
    const stage = new Stage();
    stage.bench.cloud.faults.arm.strike(fault, 1);
    const error = await refused(stage.give());
    expect(error).toMatchObject({ code, effect: "none" });
    expect(error.next).toContain(next);
    expect(stage.given).toEqual([]);
  });

  it("a pre-shared key is refused during another change, whose key stays", async () => {
    const stage = new Stage();
    stage.bench.cloud.arm.sharedKeys.lastsMs = 60_000;
    const first = stage.give("the_first_of_two_keys");
    const { site, cloud } = stage.bench;
    await site.clock.runFor(1_000);
    const [tunnel] = site.plan.tunnels;
    if (tunnel === undefined) throw new RangeError("no tunnel");
    expect(cloud.arm.sharedKeys.put(tunnel, `{"value":"another"}`).kind).toBe("busy");
    await first;
    cloud.arm.sharedKeys.put(tunnel, `{"value":"by_a_person_meanwhile"}`);
    const error = await refused(stage.give());
    expect(error).toMatchObject({ code: "peer.rejected", effect: "none", where: "hub-1" });
    expect(error.message).toContain("another change of the connection or its gateway is running");
    await site.clock.runFor(60_000);
    expect(stage.given).toEqual(["the_first_of_two_keys", "by_a_person_meanwhile"]);
  });

  it.each<WireFault>(["serverError", "gatewayTimeout", "reset", "hang"])(
    "a pre-shared key may be at the gateway after %s",
    async (fault) => {
      const stage = new Stage();
      stage.bench.cloud.faults.arm.strike(fault, 1);
      expect(await refused(stage.give())).toMatchObject({ effect: "unknown" });
    },
  );

  it.each(["fails", "failsGiven"] as const)(
    "a pre-shared key may be at the gateway if the operation %s",
    async (fate) => {
      const stage = new Stage();
      stage.bench.cloud.arm.sharedKeys.fate = fate;
      const error = await refused(stage.give());
      expect(error).toMatchObject({ code: "peer.rejected", effect: "unknown" });
      expect(error.message).toContain(
        "(VpnConnectionUpdateFailed): the gateway may have either key",
      );
      expect(stage.given).toEqual(fate === "fails" ? [] : [psk]);
    },
  );

  it("a pre-shared key may be at the gateway if the operation's end stays unknown", async () => {
    const stage = new Stage();
    stage.bench.alter = (reply, { path }) =>
      path.includes("/operations/") ? { ...reply, status: 403 } : reply;
    const error = await refused(stage.give());
    expect(error).toMatchObject({ code: "peer.rejected", effect: "unknown" });
    expect(error.message).toContain("Azure took the key, and does not show its end");
    expect(error.next).toContain("Microsoft.Network/locations/operations/read");
    expect(error.next).toContain("at the resource group");
  });

  it("a pre-shared key is followed through replies that are lost or postponed", async () => {
    const stage = new Stage();
    let spoilt = 0;
    stage.bench.alter = (reply, { path }) => {
      const isSpoilt = path.includes("/operations/") && spoilt < 2;
      if (!isSpoilt) return reply;
      spoilt += 1;
      return { ...reply, status: spoilt === 1 ? 503 : 429 };
    };
    await stage.give();
    expect([spoilt, stage.given]).toEqual([2, [psk]]);
  });

  it("a pre-shared key is in no error, whatever goes wrong", async () => {
    const faults: readonly WireFault[] = ["serverError", "hugeBody", "redirect", "reset"];
    for (const fault of faults) {
      const stage = new Stage();
      stage.bench.cloud.faults.arm.strike(fault);
      const error = await refused(stage.give()).catch((other: unknown) => other);
      expect(error).toBeInstanceOf(LinksealError);
      const shown = `${String(error)} ${JSON.stringify(error)} ${(error as Error).stack}`;
      expect(shown).not.toContain(psk);
      expect(shown).not.toContain(Buffer.from(psk).toString("hex"));
    }
  });
});
