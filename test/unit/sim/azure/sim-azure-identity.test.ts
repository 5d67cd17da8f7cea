import { describe, expect, it } from "vitest";
import { cloud, vaultScope } from "../../kit/azure-kit.ts";

const resource = encodeURIComponent(vaultScope);
const arcHost = "localhost:40342";
const arcPath = `/metadata/identity/oauth2/token?api-version=2020-06-01&resource=${resource}`;
const imdsPath = `/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${resource}`;
const imds = "169.254.169.254";
const metadata = { metadata: "true" };

describe("Azure Arc", () => {
  function arcCloud() {
    let count = 0;
    return cloud({
      arcChallenge: async () => {
        count += 1;
        return { path: `/keys/${count}.key`, key: `key-${count}` };
      },
    });
  }

  it("Azure Arc names a key file and gives one token for its content", async () => {
    const scene = arcCloud();
    const first = await scene.ask(arcPath, { host: arcHost, headers: metadata });
    expect([first.status, first.headers["www-authenticate"]]).toEqual([
      401,
      "Basic realm=/keys/1.key",
    ]);
    const headers = { ...metadata, authorization: "Basic key-1" };
    const second = await scene.ask(arcPath, { host: arcHost, headers });
    expect(JSON.parse(second.body)).toMatchObject({ token_type: "Bearer", resource: vaultScope });
    const third = await scene.ask(arcPath, { host: arcHost, headers });
    expect([third.status, third.headers["www-authenticate"]]).toEqual([
      401,
      "Basic realm=/keys/2.key",
    ]);
  });

  it.each([
    {
      name: "a wrong key",
      headers: { ...metadata, authorization: "Basic key-9" },
      path: arcPath,
      status: 401,
    },
    { name: "no Metadata header", headers: {}, path: arcPath, status: 400 },
    { name: "a version of another service", headers: metadata, path: imdsPath, status: 400 },
    { name: "another path", headers: metadata, path: "/metadata/instance", status: 404 },
  ] as const)("Azure Arc refuses $name", async ({ headers, path, status }) => {
    const scene = arcCloud();
    expect((await scene.ask(path, { host: arcHost, headers })).status).toBe(status);
  });

  it("a host without an Arc agent has no challenge", async () => {
    expect((await cloud().ask(arcPath, { host: arcHost, headers: metadata })).status).toBe(404);
  });
});

describe("the metadata service and App Service", () => {
  it.each([
    { name: "the identity of the machine", path: imdsPath, headers: metadata, status: 200 },
    { name: "no Metadata header", path: imdsPath, headers: {}, status: 400 },
    {
      name: "a proxy in between",
      path: imdsPath,
      headers: { ...metadata, "x-forwarded-for": "10.0.0.1" },
      status: 400,
    },
    {
      name: "another resource",
      path: imdsPath.replace(resource, "https%3A%2F%2Fx.test"),
      headers: metadata,
      status: 400,
    },
    {
      name: "no version",
      path: imdsPath.replace(/api-version=[^&]*&/, ""),
      headers: metadata,
      status: 400,
    },
    {
      name: "a user-assigned identity",
      path: `${imdsPath}&client_id=usr`,
      headers: metadata,
      status: 200,
    },
    {
      name: "an unassigned identity",
      path: `${imdsPath}&client_id=who`,
      headers: metadata,
      status: 400,
    },
  ] as const)(
    "the metadata service answers a request with $name by its status",
    async ({ path, headers, status }) => {
      expect((await cloud().ask(path, { host: imds, headers })).status).toBe(status);
    },
  );

  it("the metadata service names the requested identity in its answer", async () => {
    const reply = await cloud().ask(`${imdsPath}&client_id=usr`, { host: imds, headers: metadata });
    expect(JSON.parse(reply.body)).toMatchObject({ client_id: "usr" });
  });

  it.each([
    ["the header of this process", { "x-identity-header": "proof" }, 200],
    ["another header", { "x-identity-header": "x" }, 401],
    ["no header", {}, 401],
  ] as const)(
    "App Service answers a request with %s by its status",
    async (_name, headers, status) => {
      const path = `/msi/token?api-version=2019-08-01&resource=${resource}`;
      expect((await cloud().ask(path, { host: "127.0.0.1:1", headers })).status).toBe(status);
    },
  );
});
