// The next act of a refusal fits the identity that is configured: each kind has its own, and none
// names what belongs to another.

import { describe, expect, it } from "vitest";
import {
  answerError,
  connectionError,
  type SignInKind,
  signInKindOf,
} from "#agent/azure/answers.ts";
import type { LibraryService } from "#agent/azure/guard.ts";
import { arcUnreadable } from "#agent/host/credentials.ts";
import { LinksealError } from "#hal/error.ts";

const kinds: readonly SignInKind[] = [
  ...(["arc", "imds", "appService", "clientCertificate", "workloadIdentity", "operator"] as const),
];

function nextOf(service: LibraryService, signIn: SignInKind, status: number, code: string): string {
  const body = new TextEncoder().encode(JSON.stringify({ error: { code } }));
  const reply = { status, headers: {}, body };
  const error = answerError({ service, signIn, where: "there", reply, waitMs: 0 });
  if (error === undefined) throw new Error("it is a refusal");
  return error.next;
}

describe("the remedy of a refusal", () => {
  it("only Azure Arc leads to the group himds, and only a virtual machine to its endpoint", () => {
    const refused = kinds.map(
      (kind) => [kind, nextOf("identity", kind, 403, "Forbidden")] as const,
    );
    expect(refused.filter(([, next]) => next.includes("himds")).map(([kind]) => kind)).toEqual([
      "arc",
    ]);
    expect(refused.filter(([, next]) => next.includes("169.254")).map(([kind]) => kind)).toEqual([
      "imds",
    ]);
    expect(refused.filter(([, next]) => next.includes("HEADER")).map(([kind]) => kind)).toEqual([
      "appService",
    ]);
  });

  it.each(["arc", "imds", "appService"] as const)(
    "an endpoint of %s that is silent, absent or refuses has three remedies",
    (signIn) => {
      const silent = connectionError(
        { service: "identity", signIn, where: "there" },
        new LinksealError("transport.unreachable", "no process answers", {
          ...{ effect: "none", where: "there", next: "linkseal status" },
        }),
      ).next;
      const all = [404, 403].map((status) => nextOf("identity", signIn, status, "x"));
      expect(new Set([...all, silent]).size).toBe(3);
    },
  );

  it("an operator reads of options, and the agent's refusals of its config", () => {
    const rows = [
      ["vault", 401, "Unauthorized"],
      ["authority", 400, "AADSTS90002"],
      ["authority", 400, "AADSTS700016"],
      ["authority", 401, "AADSTS700027"],
    ] as const;
    for (const [service, status, code] of rows) {
      expect(nextOf(service, "operator", status, code)).not.toContain("azure.identity");
      expect(nextOf(service, "clientCertificate", status, code)).toContain("azure.identity");
    }
    expect(nextOf("vault", "operator", 403, "ForbiddenByRbac")).toContain("for yourself alone");
    expect(nextOf("vault", "imds", 403, "ForbiddenByRbac")).toContain("linkseal azure setup");
  });

  it("a config's identity has the kind of its source", () => {
    const client = undefined;
    expect(signInKindOf({ kind: "arc", client })).toBe("arc");
    expect(signInKindOf({ kind: "managedIdentity", source: "imds", client })).toBe("imds");
    expect(signInKindOf({ kind: "managedIdentity", source: "appService", client })).toBe(
      "appService",
    );
  });

  it.each([
    ["EACCES", /^usermod --append --groups himds linkseal/],
    ["ENOENT", /^azcmagent show/],
  ])("a key of Azure Arc that cannot be read (%s) has the matching remedy", (code, next) => {
    const error = Object.assign(new Error("no"), { code });
    const found = arcUnreadable("/var/opt/azcmagent/tokens/a.key", "the key", error);
    expect([found.code, found.effect]).toEqual(["vault.denied", "none"]);
    expect(found.message).toContain(code);
    expect(found.next).toMatch(next);
  });
});
