import { createHash, X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  type AssertionSetting,
  assertion,
  authority,
  type Cloud,
  ca,
  client,
  clientId,
  cloud,
  issuer,
  management,
  tenant,
  vaultScope,
} from "../../kit/azure-kit.ts";

const der = new X509Certificate(client.certificate).raw;
const x5t = createHash("sha1").update(der).digest("base64url");
const x5t256 = createHash("sha256").update(der).digest("base64url");
const padded = createHash("sha1")
  .update(der)
  .digest("base64")
  .replaceAll("+", "-")
  .replaceAll("/", "_");
const x5c = [der.toString("base64")];
const day = 86_400_000;

async function askToken(
  scene: Cloud,
  form: Readonly<Record<string, string>>,
  where = tenant,
): Promise<{ readonly status: number; readonly code: string; readonly token: unknown }> {
  const body = new URLSearchParams({
    client_id: clientId,
    scope: `${vaultScope}/.default`,
    grant_type: "client_credentials",
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    ...form,
  });
  const reply = await scene.ask(`/${where}/oauth2/v2.0/token?client-request-id=x`, {
    host: "login.microsoftonline.com",
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded;charset=utf-8" },
    body: body.toString(),
  });
  const answer = JSON.parse(reply.body) as Readonly<Record<string, unknown>>;
  const code = /^AADSTS\d+/.exec(String(answer["error_description"]))?.[0] ?? "none";
  return { status: reply.status, code, token: answer["access_token"] };
}

async function tried(setting: AssertionSetting, form: Readonly<Record<string, string>> = {}) {
  const scene = cloud();
  const nowS = Math.floor(scene.site.clock.wall() / 1000);
  const { status, code } = await askToken(scene, {
    client_assertion: assertion(nowS, setting),
    ...form,
  });
  return `${status} ${code}`;
}

describe("a client assertion is checked", () => {
  it.each<[string, AssertionSetting]>([
    ["thumbprint with SHA-256 and PS256", { header: { "x5t#S256": x5t256 } }],
    ["thumbprint with SHA-1 and RS256", { header: { x5t }, algorithm: "RS256" }],
    ["a padded thumbprint, as MSAL for Python writes it", { header: { x5t: padded } }],
    ["a chain besides", { header: { "x5t#S256": x5t256, x5c } }],
    ["a chain alone", { header: { x5c } }],
    ["the other audience", { header: { x5t }, claims: { aud: `${authority}/${tenant}/v2.0` } }],
  ])("a client assertion with %s gets a token", async (_name, setting) => {
    expect(await tried(setting)).toBe("200 none");
  });

  const header = { "x5t#S256": x5t256 };
  const stranger = ca.client("stranger", { notBefore: Date.now() - day, notAfter: 2e12 });
  const strangeDer = new X509Certificate(stranger.certificate).raw;
  it.each<[string, AssertionSetting, string]>([
    ["no name of a certificate", {}, "401 AADSTS700027"],
    ["an unregistered thumbprint", { header: { x5t: "AAAA" } }, "401 AADSTS700027"],
    ["another key under our thumbprint", { header, key: stranger.key }, "401 AADSTS700027"],
    [
      "another certificate in the chain than in the thumbprint",
      { header: { ...header, x5c: [strangeDer.toString("base64")] } },
      "401 AADSTS700027",
    ],
    ["an algorithm of another kind", { header: { ...header, alg: "HS256" } }, "401 AADSTS700027"],
    ["no algorithm", { header: { ...header, alg: "none" } }, "401 AADSTS700027"],
    [
      "a signature of the other algorithm",
      { header: { ...header, alg: "RS256" } },
      "401 AADSTS700027",
    ],
    ["another subject", { header, claims: { sub: "another-app" } }, "401 AADSTS700021"],
    ["another audience", { header, claims: { aud: "https://elsewhere" } }, "401 AADSTS700023"],
    ["no jti", { header, claims: { jti: undefined } }, "401 AADSTS50027"],
    ["an end in the past", { header, claims: { exp: 1_000_000_000 } }, "401 AADSTS700024"],
    ["no end", { header, claims: { exp: undefined } }, "401 AADSTS700024"],
    ["a start in the future", { header, claims: { nbf: 4_000_000_000 } }, "401 AADSTS700024"],
    ["an issuer without federation", { header, claims: { iss: "x" } }, "401 AADSTS700211"],
  ])("a client assertion with %s is refused", async (_name, setting, expected) => {
    expect(await tried(setting)).toBe(expected);
  });

  it.each<[string, Readonly<Record<string, string>>, string]>([
    ["no JWT", { client_assertion: "x.y" }, "401 AADSTS50027"],
    ["no assertion", { client_assertion_type: "x" }, "401 AADSTS7000218"],
    ["a secret", { client_secret: "x" }, "401 AADSTS7000215"],
    ["another grant", { grant_type: "password" }, "400 AADSTS70003"],
    ["another client", { client_id: "x" }, "400 AADSTS700016"],
    ["an unknown scope", { scope: "openid" }, "400 AADSTS1002012"],
    ["another resource", { scope: "https://graph.test/.default" }, "400 AADSTS500011"],
  ])("a token request with %s is refused", async (_name, form, expected) => {
    expect(await tried({ header }, form)).toBe(expected);
  });

  it("an assertion is accepted again until it expires, another under its jti is not", async () => {
    const scene = cloud();
    const nowS = Math.floor(scene.site.clock.wall() / 1000);
    const first = assertion(nowS, { header, claims: { jti: "one" } });
    const forged = assertion(nowS + 1, { header, claims: { jti: "one" } });
    const seen = [];
    for (const text of [first, first, forged]) {
      seen.push((await askToken(scene, { client_assertion: text })).status);
    }
    expect(seen).toEqual([200, 200, 401]);
  });

  it("a request for an unknown tenant is refused", async () => {
    const scene = cloud();
    const answer = await askToken(scene, {}, "00000000-0000-0000-0000-000000000000");
    expect([answer.status, answer.code]).toEqual([400, "AADSTS90002"]);
    const found = await scene.ask(`/${tenant}/v2.0/.well-known/openid-configuration`);
    expect(JSON.parse(found.body)).toMatchObject({
      issuer: `${authority}/${tenant}/v2.0`,
      token_endpoint: `${authority}/${tenant}/oauth2/v2.0/token`,
    });
  });
});

describe("workload identity federation", () => {
  const claims = { iss: issuer.name, sub: issuer.subject, aud: "api://AzureADTokenExchange" };

  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    ["the right claims", {}, "200 none"],
    ["another subject", { sub: "x" }, "401 AADSTS700213"],
    ["another audience", { aud: "x" }, "401 AADSTS700212"],
    ["an end in the past", { exp: 1_000_000_000 }, "401 AADSTS700024"],
  ])("a federated token with %s is checked", async (_name, more, expected) => {
    const scene = cloud();
    const exp = Math.floor(scene.site.clock.wall() / 1000) + 600;
    const text = issuer.key.signed({ exp, ...claims, ...more });
    const { status, code } = await askToken(scene, { client_assertion: text });
    expect(`${status} ${code}`).toBe(expected);
  });

  it("a federated token signed with the client's certificate is refused", async () => {
    const setting = { header: { x5t }, claims } as const;
    expect(await tried(setting)).toBe("401 AADSTS50013");
  });
});

describe("a token", () => {
  const versions = "/secrets/erd-demo-1-cak/versions?api-version=7.4";

  it("a token is good for its audience until it expires or is revoked", async () => {
    const scene = cloud({ tokenLifetimeS: 60, tokenForm: "opaque" });
    const [vault, arm] = [scene.token(vaultScope), scene.token(management)];
    const ask = async (token: string): Promise<number> =>
      (await scene.ask(versions, { headers: { authorization: `Bearer ${token}` } })).status;
    expect([await ask(vault), await ask(arm), await ask("made-up")]).toEqual([200, 401, 401]);
    await scene.site.clock.runFor(61_000);
    expect(await ask(vault)).toBe(401);
    const next = scene.token(vaultScope);
    expect(await ask(next)).toBe(200);
    scene.azure.tokens.revoke();
    expect(await ask(next)).toBe(401);
  });

  it("a token in JWT form shows its end to a client that reads it", () => {
    const scene = cloud({ tokenLifetimeS: 60 });
    const body = scene.token(vaultScope).split(".")[1] ?? "";
    const exp = Math.floor(scene.site.clock.wall() / 1000) + 60;
    expect(JSON.parse(Buffer.from(body, "base64url").toString())).toMatchObject({
      aud: vaultScope,
      exp,
    });
  });
});
