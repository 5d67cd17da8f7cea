import { describe, expect, it } from "vitest";
import { caOf, pair } from "../../../kit/kay-kit.ts";

const create = "createReceiveSc" as const;
const roles = ["server", "member"] as const;

// The channel counted as there once it was asked for: every later SAK met ENODEV, and the link was
// dark until the process was started again.
describe("a receive channel that the SecY refuses to create", () => {
  it.each(roles)("as %s, is asked for again with the next SAK", async (role) => {
    const { site, a, b } = pair(`once ${role}`, [caOf("once")]);
    site.watches = "keys";
    const station = role === "server" ? a : b;
    station.secy.faults.push({ kind: create, errno: "ENOMEM" });
    expect(await site.secured()).toBeLessThan(8000);
    expect(station.all("secyRefused")[0]).toMatchObject({ operation: create, errno: "ENOMEM" });
    await site.run(10_000);
    expect(station.kay.observe(site.now).troubles).toEqual([]);
    for (const one of [a, b]) one.data.lost.length = 0;
    a.command({ kind: "rekeySak" });
    await site.run(10_000);
    expect(a.session.latestSak).toMatchObject({ receive: true, transmit: true });
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect([...a.data.lost, ...b.data.lost]).toEqual([]);
    expect(station.secy.log.filter((kind) => kind === create)).toHaveLength(1);
    expect(site.broken).toEqual([]);
  });

  it.each(roles)("as %s, is asked for once with each SAK while refused", async (role) => {
    const { site, a, b } = pair(`long ${role}`, [caOf("long")]);
    site.watches = "keys";
    const { secy } = role === "server" ? a : b;
    for (let count = 0; count < 1000; count += 1)
      secy.faults.push({ kind: create, errno: "ENOMEM" });
    await site.run(60_000);
    expect(a.isSecured || b.isSecured).toBe(false);
    const refused = secy.log.filter((line) => line.startsWith(create)).length;
    expect(refused).toBeGreaterThan(5);
    expect(refused).toBeLessThanOrEqual(1 + a.all("sakMade").length);
    expect(a.all("sakMade").length).toBeLessThan(12);
    secy.faults.length = 0;
    expect(await site.secured()).toBeLessThan(8000);
    expect(site.broken).toEqual([]);
  });
});
