// Another writer changes the other link of a port while we write ours: our PUT carries that link as
// we read it, so that the change may be lost. It is noticed wherever any read shows it.

import { describe, expect, it } from "vitest";
import { fillCommand } from "#drivers/index.ts";
import type { PeerPort, PeerState, PeerWant } from "#hal/device.ts";
import type { HttpReply } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import {
  armBench,
  clientOf,
  httpDialer,
  noOperations,
  putGraceMs,
  text,
} from "../../kit/arm-bench.ts";
import { ckn, never, refused, settled, wallStart } from "../../kit/site-bench.ts";

const resource =
  "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/edge/providers/" +
  "Microsoft.Network/expressRoutePorts/erd";
const hour = 3_600_000;
const second = 1_000;

const secret = (name: string, digit: string): string =>
  `https://kv-erd.vault.azure.net/secrets/${name}/${digit.repeat(32)}`;
const wantOf = (digit: string): PeerWant => ({
  key: {
    ckn: ckn(digit),
    cakSecretId: secret("erd-1-cak", digit),
    cknSecretId: secret("erd-1-ckn", digit),
  },
  ...{ suite: "gcm-aes-xpn-256", sci: "on", admin: "up" },
});

interface Link {
  readonly name: string;
  readonly properties: {
    readonly adminState: string;
    readonly macSecConfig: Readonly<Record<string, string>>;
  };
}
interface Port {
  readonly properties: { readonly provisioningState: string; readonly links: readonly Link[] };
}

const linkOf = (name: string, digit: string): Link => ({
  name,
  properties: {
    adminState: "Enabled",
    macSecConfig: {
      cakSecretIdentifier: secret(`erd-${name}-cak`, digit),
      cknSecretIdentifier: secret(`erd-${name}-ckn`, digit),
      ...{ cipher: "GcmAesXpn256", sciState: "Enabled" },
    },
  },
});

/** A port whose PUTs take effect at once, and whose management API has no idea of a conflict. */
class Server {
  port: Port = {
    properties: {
      provisioningState: "Succeeded",
      links: [linkOf("link1", "1"), linkOf("link2", "2")],
    },
  };
  readonly clock = new SimClock(wallStart);
  /** Runs before a request is carried out. */
  before: (method: string) => void | Promise<void> = () => undefined;
  /** Answers in place of the server. */
  instead: (method: string) => HttpReply | undefined = () => undefined;
  /** Runs before such an answer arrives. */
  after: (reply: HttpReply) => void | Promise<void> = () => undefined;
  readonly #far = clientOf(
    this.clock,
    httpDialer(async ({ method, body = [] }) => {
      await this.before(method);
      const other = this.instead(method);
      if (other !== undefined) {
        await this.after(other);
        return other;
      }
      if (method === "PUT") this.port = JSON.parse(text(fillCommand(body))) as Port;
      return this.answer(200, this.port);
    }),
    () => "token",
  );

  answer(status: number, value: unknown): HttpReply {
    return { status, headers: {}, body: new TextEncoder().encode(JSON.stringify(value)) };
  }

  peer(link: "link1" | "link2"): PeerPort {
    return this.#far.peer({ resource, link, operations: noOperations, putGraceMs });
  }

  async observe(link: "link1" | "link2"): Promise<PeerState> {
    return await settled(this.clock, this.peer(link).observe(never));
  }

  async put(link: "link1" | "link2", want: PeerWant): Promise<void> {
    await settled(
      this.clock,
      this.peer(link).put(want, async () => undefined, never),
    );
  }

  /** Another writer's PUT. */
  change(link: "link1" | "link2", digit: string): void {
    const { properties } = this.port;
    const links = properties.links.map((each) => (each.name === link ? linkOf(link, digit) : each));
    this.port = { properties: { ...properties, links } };
  }
}

const lostOf = async (server: Server, link: "link1" | "link2") => {
  const { details } = await server.observe(link);
  const lostUpdate = details?.lostUpdate;
  if (lostUpdate === undefined) return undefined;
  return [lostUpdate.ours.pointsAt?.cakSecretId, lostUpdate.theirs.pointsAt?.cakSecretId];
};

const found = [secret("erd-link2-cak", "2"), secret("erd-link2-cak", "3")];

describe("a colleague's PUT between our GET and our PUT", () => {
  // The other link was put back to its old identifiers, and nothing said so.
  it("is reported if a read shows it before our PUT takes it back, and stays so", async () => {
    const server = new Server();
    let writes = 0;
    server.before = async (method) => {
      if (method !== "PUT") return;
      writes += 1;
      server.change("link2", "3");
      // The poller of the other link reads meanwhile.
      await server.peer("link2").observe(never);
    };
    await server.put("link1", wantOf("9"));
    expect(await lostOf(server, "link2")).toEqual(found);
    const { pointsAt } = await server.observe("link2");
    expect(pointsAt?.cakSecretId).toBe(secret("erd-link2-cak", "2"));
    expect([await lostOf(server, "link1"), writes]).toEqual([undefined, 1]);
  });

  it("is reported if it lands after ours", async () => {
    const server = new Server();
    await server.put("link1", wantOf("9"));
    server.change("link2", "3");
    expect(await lostOf(server, "link2")).toEqual(found);
  });

  it.each<readonly [string, (link: Link) => Link]>([
    ["cipher", (link) => withConfig(link, { cipher: "GcmAes256" })],
    ["SCI", (link) => withConfig(link, { sciState: "Disabled" })],
    [
      "administrative state",
      (link) => ({ ...link, properties: { ...link.properties, adminState: "Disabled" } }),
    ],
  ])("is reported if it changes the %s alone", async (_name, change) => {
    const server = new Server();
    await server.put("link1", wantOf("9"));
    const { properties } = server.port;
    const links = properties.links.map((each) => (each.name === "link2" ? change(each) : each));
    server.port = { properties: { ...properties, links } };
    expect(await lostOf(server, "link2")).toBeDefined();
  });

  it("is reported for a day, also after a write of ours to that link", async () => {
    const server = new Server();
    await server.put("link1", wantOf("9"));
    server.change("link2", "3");
    await server.observe("link2");
    await server.observe("link1");
    await server.put("link2", wantOf("8"));
    expect(await lostOf(server, "link2")).toEqual(found);
    await server.clock.runFor(24 * hour - second);
    expect(await lostOf(server, "link2")).toEqual(found);
    await server.clock.runFor(second);
    expect(await lostOf(server, "link2")).toBeUndefined();
  });
});

function withConfig(link: Link, change: Readonly<Record<string, string>>): Link {
  const { properties } = link;
  const macSecConfig = { ...properties.macSecConfig, ...change };
  return { ...link, properties: { ...properties, macSecConfig } };
}

describe("a change of the other link outside of our write", () => {
  it("a change after the end of our write is an ordinary one", async () => {
    const server = new Server();
    await server.put("link1", wantOf("9"));
    await server.observe("link1");
    server.change("link2", "3");
    expect(await lostOf(server, "link2")).toBeUndefined();
  });

  it("a change before our GET is part of what we carry", async () => {
    const server = new Server();
    await server.observe("link2");
    server.change("link2", "3");
    await server.put("link1", wantOf("9"));
    expect(await lostOf(server, "link2")).toBeUndefined();
    expect(server.port.properties.links[1]).toEqual(linkOf("link2", "3"));
  });

  it("a read that began before our GET is older than it", async () => {
    const server = new Server();
    const old = server.answer(200, server.port);
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    let isFirst = true;
    server.instead = () => {
      const first = isFirst ? old : undefined;
      isFirst = false;
      return first;
    };
    server.after = async (reply) => (reply === old ? await held : undefined);
    const early = server.peer("link2").observe(never);
    await server.clock.runFor(second);
    server.change("link2", "3");
    await server.put("link1", wantOf("9"));
    release();
    await settled(server.clock, early);
    expect(await lostOf(server, "link2")).toBeUndefined();
  });

  it("a write that Azure refuses carries nothing", async () => {
    const server = new Server();
    server.instead = (method) =>
      method === "PUT"
        ? server.answer(409, { error: { code: "AnotherOperationInProgress" } })
        : undefined;
    const error = await refused(server.put("link1", wantOf("9")));
    expect([error.code, error.effect]).toEqual(["peer.rejected", "none"]);
    server.change("link2", "3");
    expect(await lostOf(server, "link2")).toBeUndefined();
  });

  it("a write whose answer is lost may carry it", async () => {
    const server = new Server();
    server.instead = (method) => (method === "PUT" ? server.answer(500, {}) : undefined);
    const error = await refused(server.put("link1", wantOf("9")));
    expect(error.effect).toBe("unknown");
    server.change("link2", "3");
    expect(await lostOf(server, "link2")).toEqual(found);
  });

  it("another link that is not understood does not hinder the write", async () => {
    const server = new Server();
    const { properties } = server.port;
    const odd = withConfig(linkOf("link2", "2"), { cakSecretIdentifier: "not a URL \u0007" });
    server.port = { properties: { ...properties, links: [linkOf("link1", "1"), odd] } };
    await server.put("link1", wantOf("9"));
    expect(server.port.properties.links[1]).toEqual(odd);
  });
});

describe("our own operation", () => {
  it("is watched until Azure reports its end, and no longer", async () => {
    const bench = armBench({ start: "protected" });
    const [msee] = bench.site.msees.values();
    await bench.put("link1", bench.newWant("link1"));
    expect((await bench.observe("link1")).provisioning).toBe("updating");
    await bench.site.clock.runFor(5 * 60 * second);
    // It has ended, and no read has shown that yet.
    const { key } = bench.newWant("link2");
    msee?.manualEdit("link2", { key });
    const { details } = await bench.observe("link2");
    expect(details?.lostUpdate?.theirs.pointsAt?.cakSecretId).toBe(key.cakSecretId);
    await bench.site.clock.runFor(5 * 60 * second);
    expect((await bench.observe("link1")).provisioning).toBe("settled");
    const later = bench.newWant("link2").key;
    msee?.manualEdit("link2", { key: later });
    const after = (await bench.observe("link2")).details?.lostUpdate;
    expect(after?.theirs.pointsAt?.cakSecretId).toBe(key.cakSecretId);
  });

  it("the end of an earlier operation is not the end of this one", async () => {
    const bench = armBench({ start: "protected" });
    await bench.put("link1", bench.newWant("link1"));
    await bench.site.clock.runFor(5 * 60 * second);
    await bench.observe("link1");
    const [msee] = bench.site.msees.values();
    const { key } = bench.newWant("link2");
    // Our second PUT is under way: the journal still names the operation of the first.
    bench.alter = async (reply, { method }) => {
      if (method === "PUT") await bench.peer("link1").observe(never);
      return reply;
    };
    await bench.put("link1", bench.newWant("link1"));
    bench.alter = (reply) => reply;
    await bench.site.clock.runFor(5 * 60 * second);
    msee?.manualEdit("link2", { key });
    const { details } = await bench.observe("link2");
    expect(details?.lostUpdate?.theirs.pointsAt?.cakSecretId).toBe(key.cakSecretId);
  });
});
