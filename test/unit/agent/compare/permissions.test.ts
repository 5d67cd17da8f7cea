// What Azure grants at a scope: the patterns of roles, and how several roles add up.

import { describe, expect, it } from "vitest";
import { grantOf, matchesAction, permissionsIn } from "#agent/compare/permissions.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "permissions";
const write = "Microsoft.Network/expressRoutePorts/write";
const assign = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

const entry = (actions: readonly string[], notActions: readonly string[] = []) => ({
  ...{ actions, notActions, isConditional: false },
});

describe("a pattern of a role", () => {
  it.each<[pattern: string, action: string, isMatch: boolean]>([
    ["*", write, true],
    ["*/write", write, true],
    ["*/read", write, false],
    ["Microsoft.Network/*", write, true],
    ["microsoft.network/EXPRESSROUTEPORTS/Write", write, true],
    ["Microsoft.Network/*/write", write, true],
    ["Microsoft.Network/expressRoutePorts/*", write, true],
    ["Microsoft.Network/expressRouteP*write", write, true],
    ["Microsoft.Network/expressRoutePorts", write, false],
    ["Microsoft.Network/expressRoutePorts/writes", write, false],
    ["Microsoft.Network/expressRoutePorts/write/", write, false],
    ["", write, false],
    ["", "", true],
    ["Microsoft.Authorization/*/read", "Microsoft.Authorization/permissions/read", true],
    // The built-in role Managed Identity Operator has this pattern.
    ["Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action", assign, true],
    ["Microsoft.ManagedIdentity/userAssignedIdentities/*assign/action", assign, true],
    ["Microsoft.ManagedIdentity/*/*/action", assign, true],
    ["Microsoft.ManagedIdentity/*/read", assign, false],
    // A point is no wildcard.
    ["Microsoft.Network/expressRoutePorts/writ.", write, false],
    ["MicrosoftXNetwork/expressRoutePorts/write", write, false],
  ])("%j matches %j: %s", (pattern, action, isMatch) => {
    expect(matchesAction(pattern, action)).toBe(isMatch);
  });

  /** The same rule as an expression of the language. */
  const expressionOf = (pattern: string): RegExp => {
    const source = pattern
      .replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)
      .replaceAll(/(?<=\/)\*\/|\*/g, (star) => (star === "*" ? "[^]*" : "(?:[^]*/)?"));
    return new RegExp(`^${source}$`, "i");
  };

  it(`random patterns match as an expression does (seed ${seed})`, () => {
    const prng = new Prng(seed);
    const text = (letters: readonly string[]): string =>
      Array.from({ length: prng.between(0, 9) }, () => prng.pick(letters)).join("");
    const seen = { yes: 0, no: 0 };
    for (let turn = 0; turn < effort(4_000, 200_000); turn += 1) {
      const [pattern, action] = [text(["a", "B", "/", "*", "."]), text(["A", "b", "/", "."])];
      const wanted = expressionOf(pattern).test(action);
      expect([pattern, action, matchesAction(pattern, action)]).toEqual([pattern, action, wanted]);
      seen[wanted ? "yes" : "no"] += 1;
    }
    expect(Math.min(seen.yes, seen.no)).toBeGreaterThan(100);
  });

  it("a pattern of stars does not take exponential time", () => {
    expect(matchesAction(`${"*a".repeat(200)}b`, "a".repeat(400))).toBe(false);
    expect(matchesAction(`${"/*/".repeat(150)}b`, "/a".repeat(200))).toBe(false);
  });
});

describe("the entries of an identity", () => {
  it("an entry gives what its actions name and its own notActions do not", () => {
    const contributor = entry(["*"], ["Microsoft.Authorization/*/Write"]);
    expect(grantOf([contributor], write)).toBe("held");
    expect(grantOf([contributor], "Microsoft.Authorization/locks/write")).toBe("missing");
  });

  it("notActions of one role do not take away what another role gives", () => {
    const none = entry(["Microsoft.Network/*"], [write]);
    expect(grantOf([none], write)).toBe("missing");
    expect(grantOf([none, entry([write])], write)).toBe("held");
    expect(grantOf([entry([write]), none], write)).toBe("held");
  });

  it("no entry gives nothing", () => {
    expect(grantOf([], write)).toBe("missing");
  });

  it("an entry with a condition is neither a right nor its absence", () => {
    const conditional = { ...entry(["*"]), isConditional: true };
    expect(grantOf([conditional], write)).toBe("conditional");
    expect(grantOf([conditional, entry([write])], write)).toBe("held");
    expect(grantOf([conditional, entry([], [write])], write)).toBe("conditional");
  });
});

describe("a page of permissions", () => {
  it("a page is read in whole, and absent lists are empty", () => {
    const value = [
      { actions: ["*"], notActions: ["a/b"], dataActions: ["c"] },
      { actions: null },
      { condition: "@Resource[...]", actions: ["x"] },
      { condition: "", actions: ["y"] },
    ];
    expect(permissionsIn({ value })).toEqual([
      entry(["*"], ["a/b"]),
      entry([]),
      { ...entry(["x"]), isConditional: true },
      entry(["y"]),
    ]);
    expect(permissionsIn({ value: [] })).toEqual([]);
  });

  it.each<[what: string, document: unknown]>([
    ["no object", "value"],
    ["null", null],
    ["no list", {}],
    ["a list that is an object", { value: {} }],
    ["an entry that is a text", { value: ["*"] }],
    ["actions that are a text", { value: [{ actions: "*" }] }],
    ["an action that is a number", { value: [{ actions: ["*", 7] }] }],
    ["an action without an end", { value: [{ actions: ["*".repeat(501)] }] }],
    ["notActions that are an object", { value: [{ actions: ["*"], notActions: {} }] }],
    ["too many entries", { value: Array.from({ length: 501 }, () => ({ actions: [] })) }],
    ["too many actions", { value: [{ actions: Array.from({ length: 5_001 }, () => "*") }] }],
  ])("%s is not understood", (_what, document) => {
    expect(permissionsIn(document)).toBeUndefined();
  });
});
