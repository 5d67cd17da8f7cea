// By which names the status page may be called, and by whom.

import { describe, expect, it } from "vitest";
import { cookieOf, isLoopback, isOwnHost, isOwnOrigin } from "#agent/model/page-guard.ts";

describe("the Host of a request", () => {
  it.each(["127.0.0.1", "127.0.0.1:9443", "localhost:1", "LocalHost", "[::1]", "[::1]:9443"])(
    "the Host %s is ours on loopback",
    (host) => {
      expect(isOwnHost(host, undefined)).toBe(true);
    },
  );

  it.each([
    undefined,
    "",
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example:9443",
    "127.0.0.1:9443:1",
    "127.0.0.1:x",
    "localhost@evil.example",
    "0.0.0.0",
    "[::1",
    "127.0.0.1/..",
  ])("the Host %s is not ours on loopback", (host) => {
    expect(isOwnHost(host, undefined)).toBe(false);
  });

  it("a Host under TLS is ours if the certificate is good for it, and not otherwise", () => {
    const certifies = (name: string): boolean =>
      ["edge.example", "192.0.2.1", "::1"].includes(name);
    expect(isOwnHost("edge.example:9443", certifies)).toBe(true);
    expect(isOwnHost("192.0.2.1", certifies)).toBe(true);
    expect(isOwnHost("[::1]:9443", certifies)).toBe(true);
    expect(isOwnHost("localhost", certifies)).toBe(false);
  });
});

describe("the Origin of a request", () => {
  it("an Origin is the page's own only with its scheme, name and port", () => {
    const host = "127.0.0.1:9443";
    expect(isOwnOrigin("http://127.0.0.1:9443", host, "http")).toBe(true);
    for (const origin of [
      undefined,
      "null",
      "http://127.0.0.1",
      "http://127.0.0.1:94430",
      "https://127.0.0.1:9443",
      "http://localhost:9443",
      "http://127.0.0.1:9443/",
    ]) {
      expect([origin, isOwnOrigin(origin, host, "http")]).toEqual([origin, false]);
    }
    expect(isOwnOrigin("http://undefined", undefined, "http")).toBe(false);
  });
});

it("a cookie is found by its whole name, and not if that name is set twice", () => {
  expect(cookieOf("a=1; linkseal-1=x; b=2", "linkseal-1")).toBe("x");
  expect(cookieOf("xlinkseal-1=x", "linkseal-1")).toBeUndefined();
  expect(cookieOf("linkseal-1=x; linkseal-1=y", "linkseal-1")).toBeUndefined();
  expect(cookieOf(undefined, "linkseal-1")).toBeUndefined();
});

it.each([
  ["127.0.0.1", true],
  ["127.8.9.1", true],
  ["::1", true],
  ["0.0.0.0", false],
  ["::", false],
  ["192.0.2.1", false],
  ["::ffff:192.0.2.1", false],
  ["localhost", false],
])("the address %s is loopback: %s", (host, is) => {
  expect(isLoopback(host)).toBe(is);
});
