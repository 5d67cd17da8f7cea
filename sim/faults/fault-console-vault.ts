// The requests with which the operator of a simulated site writes the vault.
//
// POST /vault/secrets/NAME          {value, tags} gives {id}
// POST /vault/secrets/NAME/VERSION  {tags} gives {id}

import { LinksealError } from "#hal/error.ts";
import { BadRequest, type Fields, text } from "../site/request.ts";
import type { Site } from "../site/site.ts";

/**
 * Writes a version or its tags. An abort before the write leaves the vault as it is.
 * @throws LinksealError `vault.*`; BadRequest for a malformed request
 */
export async function writeSecret(
  { vault, clock, links }: Site,
  path: string,
  fields: Fields,
  signal: AbortSignal,
): Promise<{ readonly id: string }> {
  const [, name = "", version] =
    /^\/vault\/secrets\/([\w-]{1,127})(?:\/([0-9a-f]{32}))?$/.exec(path) ?? [];
  if (name === "") throw new BadRequest("path");
  await clock.sleep(writeMs, signal);
  refuse(vault.faults(), name);
  const tags = tagsOf(fields);
  if (version === undefined) {
    const isCkn = links.some(({ key }) => key.ckn === name);
    const id = vault.put(name, text(fields, "value"), { tags, ...(isCkn ? { holds: "ckn" } : {}) });
    return { id };
  }
  const id = `${vault.base}/secrets/${name}/${version}`;
  if (vault.detail(id) === undefined) {
    throw refusal("vault.malformedKey", id, "there is no such version (404 SecretNotFound)");
  }
  vault.update(id, { tags });
  return { id };
}

const writeMs = 30;
const tagsMax = 15;

// The faults of the vault affect the operator as well.
function refuse(faults: ReturnType<Site["vault"]["faults"]>, where: string): void {
  if (faults.has("down")) throw refusal("vault.unreachable", where, "the vault does not answer");
  if (faults.has("throttled")) {
    throw refusal("vault.unreachable", where, "the vault is throttling (429)");
  }
  if (faults.has("denied")) {
    throw refusal("vault.denied", where, "the vault refuses this identity (403 ForbiddenByRbac)");
  }
}

function tagsOf(fields: Fields): Readonly<Record<string, string>> {
  const { tags } = fields;
  if (typeof tags !== "object" || tags === null) throw new BadRequest("tags");
  const pairs = Object.entries(tags).map(([key, value]): [string, string] => {
    if (typeof value !== "string" || value.length > 512) throw new BadRequest("tags");
    return [key, value];
  });
  if (pairs.length > tagsMax) throw new BadRequest("tags");
  return Object.fromEntries(pairs);
}

function refusal(
  code: "vault.unreachable" | "vault.denied" | "vault.malformedKey",
  where: string,
  text: string,
): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next: "linkseal keys check" });
}
