// The requests with which the operator of a simulated site writes the vault.
//
// POST /vault/secrets/NAME          {value, tags} gives {id}

import { LinksealError } from "#hal/error.ts";
import { BadRequest, type Fields, tagsOf, text } from "../site/request.ts";
import type { Site } from "../site/site.ts";

/**
 * Writes a version. An abort before the write leaves the vault as it is.
 * @throws LinksealError `vault.*`; BadRequest for a malformed request
 */
export async function writeSecret(
  { vault, clock, links }: Site,
  path: string,
  fields: Fields,
  signal: AbortSignal,
): Promise<{ readonly id: string }> {
  const [, name = ""] = /^\/vault\/secrets\/([\w-]{1,127})$/.exec(path) ?? [];
  if (name === "") throw new BadRequest("path");
  await clock.sleep(writeMs, signal);
  refuse(vault.faults(), name);
  const tags = tagsOf(fields);
  const isCkn = links.some(({ key }) => key.ckn === name);
  const id = vault.put(name, text(fields, "value"), { tags, ...(isCkn ? { holds: "ckn" } : {}) });
  return { id };
}

const writeMs = 30;

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

function refusal(
  code: "vault.unreachable" | "vault.denied",
  where: string,
  text: string,
): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next: "linkseal keys check" });
}
