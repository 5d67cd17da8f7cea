// The person who changes the far end: reads a key out of the vault, and hands it to whoever started
// him, and to nobody else.

const [cakSecretId = "", cknSecretId = ""] = process.argv.slice(2);
const { IDENTITY_ENDPOINT: endpoint = "", IDENTITY_HEADER: header = "" } = process.env;

async function token(): Promise<string> {
  const query = "api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net";
  const reply = await fetch(`${endpoint}?${query}`, { headers: { "x-identity-header": header } });
  return ((await reply.json()) as { readonly access_token: string }).access_token;
}

async function secret(id: string, bearer: string): Promise<string> {
  const headers = { authorization: `Bearer ${bearer}` };
  const reply = await fetch(`${id}?api-version=7.5`, { headers });
  if (!reply.ok) throw new Error(`the vault says ${reply.status}`);
  return ((await reply.json()) as { readonly value: string }).value;
}

const bearer = await token();
const [cak, ckn] = [await secret(cakSecretId, bearer), await secret(cknSecretId, bearer)];
process.stdout.write(JSON.stringify({ cak, ckn }));
