// What a hub's doctor says of streams that fill up, and of a site whose requests reach nothing.

import { describe, expect, it } from "vitest";
import type { NatsSession } from "#agent/fleet/nats-session.ts";
import { stores } from "#agent/fleet/stores.ts";
import { rightsFindings, storeFindings } from "#agent/hub/engine-doctor.ts";
import { LinksealError } from "#hal/error.ts";

/** A hub's session; `bytes`: octets of each stream, `subjects`: messages of each subject. */
function hubWith(
  bytes: Readonly<Record<string, number>>,
  subjects: NatsSession["subjects"] = async () => ({}),
): NatsSession {
  const api: NatsSession["api"] = async (subject) => {
    const config = stores.find(({ name }) => subject.endsWith(`.${name}`));
    return { config, state: { bytes: bytes[config?.name ?? ""] ?? 0 } };
  };
  return { api, subjects } as unknown as NatsSession;
}

const bad = async (hub: NatsSession) =>
  (await storeFindings(hub)).filter(({ verdict }) => verdict !== "good");

describe("the space of streams that all sites share", () => {
  it("streams that are nearly empty are good, each with its octets", async () => {
    const findings = await storeFindings(hubWith({ "LINKSEAL-HEADS": 1_000 }));
    expect(findings).toHaveLength(2 * stores.length);
    expect(findings).toContainEqual({
      ...{ check: "LINKSEAL-HEADS space", verdict: "good", text: "1000 of 2147483648 octets" },
    });
    expect(await bad(hubWith({}))).toEqual([]);
  });

  it("a full stream of asks was good: it is bad, and the site with the most is named", async () => {
    const subjects = async () => ({
      "$KV.linkseal-asks.ams.a": 1,
      "$KV.linkseal-asks.dub.a": 1,
      "$KV.linkseal-asks.dub.b": 1,
    });
    const [finding, ...others] = await bad(hubWith({ "KV_linkseal-asks": 500_000_000 }, subjects));
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ check: "KV_linkseal-asks space", verdict: "bad" });
    expect(finding?.text).toMatch(
      /takes no more from any site\. Site dub has the most messages: 2/,
    );
  });

  it("a list of subjects that is too long to be read leaves the verdict", async () => {
    const subjects = async () => {
      const details = { effect: "unknown", where: "s", next: "n" } as const;
      throw new LinksealError("transport.timeout", "there is no reply", details);
    };
    const [finding] = await bad(hubWith({ "LINKSEAL-EVENTS": 17_000_000_000 }, subjects));
    expect(finding).toMatchObject({ check: "LINKSEAL-EVENTS space", verdict: "bad" });
    expect(finding?.text).toMatch(/the oldest messages of all sites go\. See/);
  });

  it("a server that does not say how full a stream is leaves it unknown", async () => {
    const api: NatsSession["api"] = async () => ({ config: stores[0] });
    const found = await storeFindings({ api } as unknown as NatsSession);
    const [space] = found.filter(({ check }) => check === `${stores[0]?.name} space`);
    expect(space?.verdict).toBe("unknown");
  });
});

describe("what a site's user must be able to do", () => {
  const absent = "NATS/1.0 404 Message Not Found";
  const noResponders = "NATS/1.0 503";

  /** The sessions of a site, whose requests are answered by a line, and of its hub. */
  async function served(headers: string): Promise<readonly string[]> {
    const ask = async () => ({ kind: "reply", headers: [headers], octets: new Uint8Array() });
    const own = { ask, try: async () => "refused", reply: async () => undefined };
    const hub = { ask: async () => ({ kind: "reply", headers: [absent], octets: Buffer.of() }) };
    const found = await rightsFindings(
      "dub",
      own as unknown as NatsSession,
      hub as unknown as NatsSession,
    );
    return found
      .filter(({ check }) => check.startsWith("request "))
      .map(({ verdict, text }) => `${verdict} ${text}`);
  }

  it("an empty key is an answer", async () => {
    const found = await served(absent);
    expect(found).toHaveLength(9);
    expect(new Set(found)).toEqual(new Set(["good the site's user has its answer"]));
  });

  it("a site that the server took by a reload had only good findings: it is bad", async () => {
    const found = await served(noResponders);
    expect(found.every((text) => /^bad no responder: .*restart nats-server$/.test(text))).toBe(
      true,
    );
    expect(found).toHaveLength(9);
  });
});
