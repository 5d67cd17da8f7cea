// The accounts of the engine as its configuration file names them. Each site has an account of its
// own that imports exactly its subjects: within one account a user could have the server write to
// any subject, by naming it as the subject of a reply, which no right covers.

import { bucketStream, type SiteRights, siteRights } from "../fleet/subjects.ts";

/** The account that has the streams. */
const hubAccount = "LINKSEAL";

/** Prefix of the subjects on which replies to a hub arrive. */
export const hubInbox = "linkseal.hub";

/** The rights of a hub: to write what hubs write, to make streams, and to read them. */
const hubRights: SiteRights = {
  publish: [
    "$KV.linkseal-permits.>",
    "$KV.linkseal-waves.>",
    "$KV.linkseal-freeze.>",
    "$KV.linkseal-proposals.>",
    "$JS.API.INFO",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.CREATE.*",
    "$JS.API.DIRECT.GET.>",
    // What is new in a bucket, as JSON: a direct read mixes the writer's headers with its own.
    ...(["linkseal-status", "linkseal-waves", "linkseal-freeze"] as const).map(
      (bucket) => `$JS.API.STREAM.MSG.GET.${bucketStream(bucket)}`,
    ),
  ],
  subscribe: [`${hubInbox}.>`],
};

/** Returns the account of a site. `publicKey`: that of its user, the text that begins with U. */
export function siteAccount(site: string, publicKey: string): string {
  const rights = siteRights(site);
  const imports = rights.publish.map(
    (subject) => `    { service: { account: ${hubAccount}, subject: "${subject}" } }`,
  );
  return accountText(`SITE_${site}`, [
    ...usersLines([[publicKey, rights]]),
    "  imports: [",
    ...imports,
    "  ]",
  ]);
}

/** Returns the account that has the streams. `publicKeys`: those of the hubs' users. */
export function streamsAccount(publicKeys: readonly string[]): string {
  // The import of a site names its own subjects among these.
  const exports = siteRights("*").publish.map((subject) => `    { service: "${subject}" }`);
  return accountText(hubAccount, [
    "  jetstream: enabled",
    ...usersLines(publicKeys.map((key) => [key, hubRights])),
    "  exports: [",
    ...exports,
    "  ]",
  ]);
}

function accountText(name: string, lines: readonly string[]): string {
  return [`${name}: {`, ...lines, "}", ""].join("\n");
}

function usersLines(users: readonly (readonly [string, SiteRights])[]): readonly string[] {
  const list = (subjects: readonly string[]): readonly string[] =>
    subjects.map((subject) => `        "${subject}"`);
  return [
    "  users: [",
    ...users.flatMap(([publicKey, { publish, subscribe }]) => [
      `    { nkey: ${publicKey}, permissions: {`,
      "      publish: { allow: [",
      ...list(publish),
      "      ] }",
      "      subscribe: { allow: [",
      ...list(subscribe),
      "      ] }",
      "    } }",
    ]),
    "  ]",
  ];
}
