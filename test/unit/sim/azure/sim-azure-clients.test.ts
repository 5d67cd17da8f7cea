// What Microsoft's clients ask of a cloud besides what the agent asks; the peers tier drives the
// clients themselves.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { omissions } from "#sim/azure/not-simulated.ts";
import { type Cloud, cloud, management, tenant, vaultScope } from "../../kit/azure-kit.ts";

const scene = (start: "clear" | "protected" = "clear") => cloud({}, { start });
const portOf = ({ site }: Cloud): string => site.plan.groups[0]?.expressRoutePort ?? "";
const groupOf = (one: Cloud): string => portOf(one).split("/providers/")[0] ?? "";
const subscriptionOf = (one: Cloud): string => portOf(one).split("/resourceGroups/")[0] ?? "";
const vaultOf = (one: Cloud): string =>
  `${groupOf(one)}/providers/Microsoft.KeyVault/vaults/kv-demo`;
const version = "?api-version=2024-05-01";

type Found = Readonly<Record<string, unknown>>;
const listOf = (body: Found): readonly Found[] => body["value"] as readonly Found[];

async function read(one: Cloud, path: string, query = version): Promise<Found> {
  const { status, body, text } = await one.json(management, `${path}${query}`);
  if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
  return body;
}

const connectionOf = async (one: Cloud): Promise<string> => {
  const all = listOf(await read(one, `${groupOf(one)}/providers/Microsoft.Network/connections`));
  return String(all[0]?.["id"]);
};

describe("a client that knows no resource yet", () => {
  it.each([
    ["2022-09-01", (body: unknown) => body],
    ["2019-05-01", (body: unknown) => (body as readonly unknown[])[0]],
  ])("the endpoints in version %s need no token and name this cloud alone", async (at, one) => {
    const reply = await scene().ask(`/metadata/endpoints?api-version=${at}`);
    const found = one(JSON.parse(reply.body)) as Found;
    expect(found["resourceManager"]).toBe(management);
    const hosts = [...reply.body.matchAll(/https:\/\/([^/"]+)/g)].map(([, host]) => host);
    const own = ["management.azure.com", "login.microsoftonline.com"];
    expect(new Set(hosts)).toEqual(new Set([...own, "management.core.windows.net"]));
  });

  it("tenants and subscriptions are listed for a token", async () => {
    const one = scene();
    expect(listOf(await read(one, "/tenants"))).toMatchObject([{ tenantId: tenant }]);
    const subscriptions = listOf(await read(one, "/subscriptions"));
    expect(subscriptions).toMatchObject([{ id: subscriptionOf(one), state: "Enabled" }]);
    expect(await read(one, subscriptionOf(one))).toEqual(subscriptions[0]);
    expect((await one.ask(`/subscriptions${version}`)).status).toBe(401);
  });
});

describe("lists and documents", () => {
  it("ports are listed by subscription and by group, not by another group", async () => {
    const one = scene();
    const type = "/providers/Microsoft.Network/expressRoutePorts";
    for (const scope of [subscriptionOf(one), groupOf(one)]) {
      expect(listOf(await read(one, `${scope}${type}`))).toMatchObject([{ id: portOf(one) }]);
    }
    expect(listOf(await read(one, `${groupOf(one)}-other${type}`))).toEqual([]);
  });

  it("a place of ports has its bandwidths when it is read, and none in the list", async () => {
    const one = scene();
    const type = `${subscriptionOf(one)}/providers/Microsoft.Network/expressRoutePortsLocations`;
    const [place] = listOf(await read(one, type));
    expect(place).toMatchObject({ properties: { availableBandwidths: [] } });
    expect(await read(one, `${type}/${String(place?.["name"])}`)).toMatchObject({
      properties: { availableBandwidths: [{ valueInGbps: 10 }, { valueInGbps: 100 }] },
    });
  });

  it("a PATCH replaces the tags of a port and nothing else", async () => {
    const one = scene();
    const before = await read(one, portOf(one));
    const ask = { method: "PATCH", body: { tags: { x: "y" } } };
    expect((await one.json(management, `${portOf(one)}${version}`, ask)).status).toBe(200);
    const after = await read(one, portOf(one));
    expect(after["tags"]).toEqual({ x: "y" });
    const rest = (document: Found): string =>
      JSON.stringify(document["properties"]).replaceAll(/W\/\\"[^"]*\\"/g, "");
    expect(rest(after)).toBe(rest(before));
    const wrong = { method: "PATCH", body: { tags: { x: 1 } } };
    expect((await one.json(management, `${portOf(one)}${version}`, wrong)).status).toBe(400);
  });

  it("the gateways of a connection have properties, a vault its tenant and SKU", async () => {
    const one = scene();
    expect(await read(one, await connectionOf(one))).toMatchObject({
      properties: { virtualNetworkGateway1: { properties: {} } },
    });
    expect(await read(one, vaultOf(one), "?api-version=2026-02-01")).toMatchObject({
      properties: { tenantId: tenant, sku: { family: "A", name: "standard" } },
    });
  });

  it("a port shows its SCI state only after a client wrote it", async () => {
    const one = scene();
    const path = `${portOf(one)}${version}`;
    const before = await read(one, portOf(one));
    expect(JSON.stringify(before)).not.toContain("sciState");
    const links = [{ name: "link1", properties: { macSecConfig: { sciState: "Disabled" } } }];
    const body = { location: before["location"], properties: { links } };
    expect((await one.json(management, path, { method: "PUT", body })).status).toBe(200);
    const after = JSON.stringify(await read(one, portOf(one)));
    expect(after.match(/"sciState":"Disabled"/g)).toHaveLength(1);
  });
});

describe("a connection", () => {
  it("the shared key that was set is read back", async () => {
    const one = scene();
    const path = `${await connectionOf(one)}/sharedKey`;
    const value = "Sim_made_0123456789";
    const ask = { method: "PUT", body: { value } };
    const { status, headers } = await one.json(management, `${path}${version}`, ask);
    expect(status).toBe(200);
    await one.site.clock.runFor(10_000);
    const operation = new URL(headers["azure-asyncoperation"] ?? "");
    expect(await read(one, operation.pathname)).toEqual({ status: "Succeeded" });
    expect(await read(one, path)).toEqual({ value });
  });

  it.each([
    ["protected", 1],
    ["clear", 0],
  ] as const)("the IKE SAs of a site that is %s are a list of %i", async (start, count) => {
    const one = scene(start);
    if (start === "protected") await one.site.clock.runFor(60_000);
    const headers = { authorization: `Bearer ${one.token(management)}` };
    const path = `${await connectionOf(one)}/getikesas${version}`;
    const asked = await one.ask(path, { method: "POST", headers });
    expect([asked.status, asked.body]).toEqual([202, ""]);
    const { pathname } = new URL(asked.headers["location"] ?? "");
    const { body } = await one.ask(`${pathname}${version}`, { headers });
    const text = JSON.parse(body) as string;
    expect(JSON.parse(text)).toHaveLength(count);
    if (count > 0) expect(text).toMatch(/"initiatorCookie":\d{17,20},/);
  });
});

describe("roles", () => {
  const type = "providers/Microsoft.Authorization";
  const at = "?api-version=2022-04-01";

  it("role assignments are those at the scope, above and below, or those of a filter", async () => {
    const one = scene();
    const count = async (scope: string, filter = ""): Promise<number> =>
      listOf(await read(one, `${scope}/${type}/roleAssignments`, `${at}${filter}`)).length;
    const subscription = await count(subscriptionOf(one));
    expect(await count(subscriptionOf(one), "&$filter=atScope()")).toBe(1);
    expect(subscription).toBeGreaterThan(await count(vaultOf(one)));
    const principal = "99999999-8888-7777-6666-555555555555";
    expect(await count(vaultOf(one), `&$filter=assignedTo('${principal}')`)).toBe(1);
    expect(await count(vaultOf(one), "&$filter=principalId eq 'usr-object'")).toBe(2);
    expect(await count(vaultOf(one), "&$filter=principalId eq 'other-object'")).toBe(0);
    const other = `${vaultOf(one)}/${type}/roleAssignments${at}&$filter=x`;
    expect((await one.json(management, other)).status).toBe(400);
  });

  it("every role that is assigned has a definition", async () => {
    const one = scene();
    const path = `${subscriptionOf(one)}/${type}`;
    for (const each of listOf(await read(one, `${path}/roleAssignments`, at))) {
      const { roleDefinitionId } = each["properties"] as { roleDefinitionId: string };
      expect(await read(one, roleDefinitionId, at)).toMatchObject({ id: roleDefinitionId });
    }
  });
});

describe("metrics", () => {
  const insights = (one: Cloud, list: string): string =>
    `${portOf(one)}/providers/Microsoft.Insights/${list}`;

  it("each metric that is defined can be read, in whole hours too", async () => {
    const one = scene();
    await one.site.clock.runFor(3 * 3_600_000);
    const at = "?api-version=2018-01-01";
    const defined = listOf(await read(one, insights(one, "metricDefinitions"), at));
    const names = defined.map(({ name }) => (name as { value: string }).value);
    const now = one.site.clock.wall();
    const span = [now - 4 * 3_600_000, now].map((time) => new Date(time).toISOString()).join("/");
    const query = `${at}&interval=PT1H&aggregation=Average,Count&timespan=${span}`;
    const found = await read(one, insights(one, "metrics"), `${query}&metricnames=${names.join()}`);
    expect(names).toContain("LineProtocol");
    for (const metric of listOf(found)) {
      const [{ data } = { data: [] }] = metric["timeseries"] as readonly { data: Found[] }[];
      expect(data.length).toBeGreaterThanOrEqual(2);
      expect(Object.keys(data[1] ?? {})).toEqual(["timeStamp", "average", "count"]);
      expect(data[1]?.["count"]).toBe(2 * 360);
    }
  });

  it.each([
    ["interval=PT7M", "invalid time grain"],
    ["aggregation=constructor", "invalid aggregation"],
  ])("metrics with %s are refused", async (words, text) => {
    const one = scene();
    const path = `${insights(one, "metrics")}?api-version=2018-01-01&metricnames=LineProtocol`;
    const { status, text: body } = await one.json(management, `${path}&${words}`);
    expect([status, body]).toEqual([400, expect.stringContaining(text)]);
  });
});

describe("a secret", () => {
  const at = "?api-version=7.5";
  const ask = async (one: Cloud, method: string, path: string, body?: unknown) => {
    return await one.json(vaultScope, `${path}${at}`, { method, body });
  };

  it("a deleted secret can be recovered, and neither read, replaced nor purged", async () => {
    const one = scene();
    const statuses: unknown[] = [];
    const value = { value: "v1" };
    const steps: readonly (readonly [method: string, path: string, body?: unknown])[] = [
      ["PUT", "/secrets/trial", value],
      ["DELETE", "/secrets/trial"],
      ["GET", "/secrets/trial"],
      ["PUT", "/secrets/trial", value],
      ["GET", "/deletedsecrets/trial"],
      ["DELETE", "/deletedsecrets/trial"],
      ["POST", "/deletedsecrets/trial/recover"],
      ["GET", "/deletedsecrets/trial"],
      ["GET", "/secrets/trial"],
      ["DELETE", "/secrets/no-such-secret"],
    ];
    for (const step of steps) statuses.push((await ask(one, ...step)).status);
    expect(statuses).toEqual([200, 200, 404, 409, 200, 403, 200, 404, 200, 404]);
  });

  it("the list of deleted secrets names each with the end of its time", async () => {
    const one = scene();
    await ask(one, "PUT", "/secrets/trial", { value: "v1" });
    await ask(one, "DELETE", "/secrets/trial");
    const [only] = listOf((await ask(one, "GET", "/deletedsecrets")).body);
    const { deletedDate, scheduledPurgeDate } = only as Record<string, number>;
    expect((scheduledPurgeDate ?? 0) - (deletedDate ?? 0)).toBe(90 * 86_400);
    expect(only?.["recoveryId"]).toMatch(/\/deletedsecrets\/trial$/);
    const names = listOf((await ask(one, "GET", "/secrets")).body).map(({ id }) => String(id));
    expect(names.some((id) => id.endsWith("/trial"))).toBe(false);
  });

  it("a PATCH without a version changes the newest one", async () => {
    const one = scene();
    await ask(one, "PUT", "/secrets/trial", { value: "v1" });
    const newest = (await ask(one, "PUT", "/secrets/trial", { value: "v2" })).body["id"];
    const { status, body } = await ask(one, "PATCH", "/secrets/trial", { tags: { z: "1" } });
    expect([status, body["id"], body["tags"]]).toEqual([200, newest, { z: "1" }]);
  });

  it("a backup shows nothing of a secret and cannot replace it", async () => {
    const one = scene();
    await ask(one, "PUT", "/secrets/trial", { value: "v1-of-trial" });
    const { value } = (await ask(one, "POST", "/secrets/trial/backup")).body;
    const text = Buffer.from(String(value), "base64url").toString();
    expect(text).not.toContain("v1-of-trial");
    expect((await ask(one, "POST", "/secrets/restore", { value })).status).toBe(409);
    expect((await ask(one, "POST", "/secrets/restore", { value: "x" })).status).toBe(400);
  });
});

describe("what this cloud leaves out", () => {
  const network = (one: Cloud): string => `${groupOf(one)}/providers/Microsoft.Network`;

  it.each([
    ["POST", "expressRoutePorts/erd-demo/generateLoa"],
    ["DELETE", "expressRoutePorts/erd-demo"],
    ["POST", "expressRouteCircuits/c/peerings/AzurePrivatePeering/arpTables/primary"],
    ["GET", "expressRouteCircuits/c/stats"],
    ["PUT", "expressRouteCircuits/c"],
    ["POST", "connections/hub-1/sharedKey/reset"],
    ["POST", "connections/hub-1/startPacketCapture"],
    ["PUT", "connections/hub-1"],
  ])("%s of %s is refused with a status of its own and the reason", async (method, path) => {
    const one = scene();
    const found = await one.json(management, `${network(one)}/${path}${version}`, { method });
    expect(found.status).toBe(501);
    const { error } = found.body as { error: { code: string; message: string } };
    expect(error.code).toBe("NotSimulated");
    expect(omissions.some(({ why }) => error.message.includes(why))).toBe(true);
  });

  it("Microsoft Graph is refused in the same way, in the form that its clients read", async () => {
    const ask = { method: "POST", body: { ids: [] } };
    const found = await scene().json(management, "/v1.0/directoryObjects/getByIds", ask);
    expect(found.body).toMatchObject({ error: { code: "NotSimulated" } });
  });

  it("the page on the simulation names each of them with its reason", () => {
    const page = readFileSync(join(import.meta.dirname, "../../../../docs/simulation.md"), "utf8");
    const rows = omissions.map(({ what, why }) => `| ${what} | ${why} |`);
    expect(rows.filter((row) => !page.includes(row))).toEqual([]);
  });
});
