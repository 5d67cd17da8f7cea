// The operator who changes the far end: points one link of the port at a key by the portal's own
// requests, and passes the key only to the caller.

interface Link {
  readonly name: string;
  readonly properties: { readonly macSecConfig?: object; readonly provisioningState?: string };
}

interface Port {
  readonly properties: { readonly links: readonly Link[]; readonly provisioningState?: string };
}

const [arm = "", port = "", link = "", cakSecretId = "", cknSecretId = ""] = process.argv.slice(2);
const { IDENTITY_ENDPOINT: endpoint = "", IDENTITY_HEADER: header = "" } = process.env;
const address = `${arm}${port}?api-version=2024-05-01`;
const pollMs = 1000;

async function tokenFor(resource: string): Promise<string> {
  const query = `api-version=2019-08-01&resource=${encodeURIComponent(resource)}`;
  const reply = await fetch(`${endpoint}?${query}`, { headers: { "x-identity-header": header } });
  return ((await reply.json()) as { readonly access_token: string }).access_token;
}

async function asked<T>(url: string, token: string, body?: string): Promise<T> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const reply = await fetch(
    url,
    body === undefined ? { headers } : { headers, body, method: "PUT" },
  );
  if (!reply.ok) throw new Error(`${reply.status}: ${await reply.text()}`);
  return (await reply.json()) as T;
}

const management = await tokenFor("https://management.azure.com");
const document = await asked<Port>(address, management);
const links = document.properties.links.map((one) => {
  if (one.name.toLowerCase() !== link) return one;
  const ids = { cknSecretIdentifier: cknSecretId, cakSecretIdentifier: cakSecretId };
  const own = { ...ids, cipher: "GcmAes256", sciState: "Enabled" };
  const macSecConfig = { ...one.properties.macSecConfig, ...own };
  return { ...one, properties: { ...one.properties, macSecConfig, adminState: "Enabled" } };
});
const changed = { ...document, properties: { ...document.properties, links } };
await asked(address, management, JSON.stringify(changed));
for (;;) {
  const { properties } = await asked<Port>(address, management);
  if (properties.provisioningState === "Succeeded") break;
  await new Promise((resolve) => setTimeout(resolve, pollMs));
}
const vault = await tokenFor("https://vault.azure.net");
const secret = async (id: string): Promise<string> =>
  (await asked<{ readonly value: string }>(`${id}?api-version=7.5`, vault)).value;
process.stdout.write(
  JSON.stringify({ cak: await secret(cakSecretId), ckn: await secret(cknSecretId) }),
);
