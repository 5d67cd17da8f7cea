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
    ["a wrong key", { ...metadata, authorization: "Basic key-9" }, arcPath, 401],
    ["no Metadata header", {}, arcPath, 400],
    ["a version of another service", metadata, imdsPath, 400],
    ["another path", metadata, "/metadata/instance", 404],
  ] as const)("Azure Arc refuses %s", async (_name, headers, path, status) => {
    const scene = arcCloud();
    expect((await scene.ask(path, { host: arcHost, headers })).status).toBe(status);
  });

  it("a host without an Arc agent has no challenge", async () => {
    expect((await cloud().ask(arcPath, { host: arcHost, headers: metadata })).status).toBe(404);
  });
});

describe("the metadata service and App Service", () => {
  it.each([
    ["the identity of the machine", imdsPath, metadata, 200],
    ["no Metadata header", imdsPath, {}, 400],
    ["a proxy in between", imdsPath, { ...metadata, "x-forwarded-for": "10.0.0.1" }, 400],
    ["another resource", imdsPath.replace(resource, "https%3A%2F%2Fx.test"), metadata, 400],
    ["no version", imdsPath.replace(/api-version=[^&]*&/, ""), metadata, 400],
    ["a user-assigned identity", `${imdsPath}&client_id=usr`, metadata, 200],
    ["an unassigned identity", `${imdsPath}&client_id=who`, metadata, 400],
  ] as const)(
    "the metadata service answers a request with %s by its status",
    async (_name, path, headers, status) => {
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
