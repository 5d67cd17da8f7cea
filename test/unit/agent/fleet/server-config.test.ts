// The list of an engine's users, and what a site's account can do.

import { describe, expect, it } from "vitest";
import { forbiddenCalls } from "#agent/fleet/forbidden-calls.ts";
import { differing, stores } from "#agent/fleet/stores.ts";
import { siteRights } from "#agent/fleet/subjects.ts";
import { siteAccount, streamsAccount } from "#agent/hub/server-accounts.ts";
import { parseUsers, serverConfig } from "#agent/hub/server-config.ts";

const key = "UC5HCM75H3HBBZ4HHIGWYDC2QK2R764VOAB4YSWEQBJEVHPN75JMMLWB";

/** True if a subject of NATS is covered by a pattern with `*` and `>`. */
function covers(pattern: string, subject: string): boolean {
  const [wanted, given] = [pattern.split("."), subject.split(".")];
  const rest = wanted.indexOf(">");
  if (rest !== -1)
    return (
      given.length > rest && covers(wanted.slice(0, rest).join("."), given.slice(0, rest).join("."))
    );
  return (
    wanted.length === given.length && wanted.every((word, at) => word === "*" || word === given[at])
  );
}

describe("the users of an engine", () => {
  it("hubs and sites are read with comments and empty lines between", () => {
    const parsed = parseUsers(`# hubs\n\nhub ${key} # the first\n`);
    expect(parsed).toEqual({ kind: "users", users: { hubs: [key], sites: new Map() } });
  });

  it.each([
    ["a key of no user", "hub AAAA", 1],
    ["the same key twice", `hub ${key}\nsite dub ${key}`, 2],
    ["a site without a name", `site ${key}`, 1],
    ["a name that no config accepts", `site Dub.1 ${key}`, 1],
    ["a name that would end the text", `site dub"} ${key}`, 1],
    ["another word", `user dub ${key}`, 1],
  ])("%s is a fault in its line", (_what, text, line) => {
    expect(parseUsers(text)).toMatchObject({ kind: "fault", line });
  });

  it("no right of a site covers a call that it must not make", () => {
    for (const { verb, subject } of forbiddenCalls("dub")) {
      const rights = siteRights("dub")[verb];
      expect(rights.filter((pattern) => covers(pattern, subject))).toEqual([]);
    }
  });

  it("a site imports exactly what it may publish, and the hub's account exports these", () => {
    const imports = [...siteAccount("dub", key).matchAll(/service: \{.*subject: "(.*)" \}/g)];
    expect(imports.map(([, subject]) => subject)).toEqual(siteRights("dub").publish);
    const exports = [...streamsAccount([key]).matchAll(/\{ service: "(.*)" \}/g)];
    for (const [, subject = ""] of imports) {
      expect(exports.some(([, pattern = ""]) => covers(pattern, subject.replace(/\*/g, "x")))).toBe(
        true,
      );
    }
  });
});

describe("the streams of an engine", () => {
  it("a setting that differs is named; more replicas are no difference", () => {
    const [store] = stores;
    if (store === undefined) throw new Error("no store");
    const found = Object.fromEntries(
      Object.entries(store).filter(([, value]) => value !== false && value !== 0),
    );
    expect(differing(store, found)).toEqual([]);
    expect(differing(store, { ...found, num_replicas: 3 })).toEqual([]);
    expect(differing(store, { ...found, allow_rollup_hdrs: true, max_age: 5 })).toEqual([
      ...["allow_rollup_hdrs", "max_age"],
    ]);
    expect(differing(store, {})).toContain("subjects");
  });

  it("one site filled a stream that all share: it has less than half", () => {
    const growing = stores.filter(({ name }) => name.startsWith("LINKSEAL-"));
    expect(growing).toHaveLength(3);
    for (const store of growing) {
      const most = store.max_msgs_per_subject * (store.max_msg_size + 256);
      expect([store.name, most < store.max_bytes / 2]).toEqual([store.name, true]);
    }
    expect(stores.filter(({ max_msg_size: bytes }) => bytes < 1)).toEqual([]);
  });

  it("all streams together have their place in the server's configuration", () => {
    const [, gigabytes] =
      /max_file: (\d+)GB/.exec(serverConfig({ hubs: [], sites: new Map() })) ?? [];
    const all = stores.reduce((sum, { max_bytes: bytes }) => sum + bytes, 0);
    expect(all).toBeLessThan(Number(gigabytes) * 1e9);
  });

  it("no stream of a site takes a header that removes messages of others", () => {
    expect(stores.filter(({ allow_rollup_hdrs: rollup }) => rollup)).toEqual([]);
    expect(stores.every(({ deny_delete: deny }) => deny)).toBe(true);
  });
});
