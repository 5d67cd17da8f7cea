// What a config says of the status page: where it is served, and that it is not served in the open.

import { describe, expect, it } from "vitest";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import { siteConfig } from "../../kit/site-config.ts";

const parse = (page: string) =>
  parseConfig(
    siteConfig.replace("repair: off", `repair: off\nserve: { page: ${page} }`),
    "site.yaml",
  );

function complaints(page: string): readonly string[] {
  const parsed = parse(page);
  return parsed.kind === "ok" ? [] : parsed.complaints.map(formatComplaint);
}

const tls = "tls: { certificate: credential:page-certificate, key: file:/etc/linkseal/page.key }";

describe("the status page", () => {
  it.each([
    ["127.0.0.1:9443", { host: "127.0.0.1", port: 9443 }],
    ["127.0.0.53:9443", { host: "127.0.0.53", port: 9443 }],
    ["'[::1]:9443'", { host: "::1", port: 9443 }],
  ])("the status page is served at %s of this host", (listen, page) => {
    const parsed = parse(`{ listen: ${listen} }`);
    expect(parsed).toMatchObject({ kind: "ok", desired: { serve: { page } } });
  });

  it.each(["0.0.0.0:9443", "192.0.2.1:9443", "'[::]:9443'", "'[2001:db8::1]:9443'"])(
    "is served to others at %s under TLS alone",
    (listen) => {
      expect(parse(`{ listen: ${listen}, ${tls} }`)).toMatchObject({
        kind: "ok",
        desired: { serve: { page: { tls: { certificate: "credential:page-certificate" } } } },
      });
      expect(complaints(`{ listen: ${listen} }`)).toEqual([
        expect.stringMatching(
          /serve\.page\.listen: is .*, what others on the network see .*; to correct it: tls: /,
        ),
      ]);
    },
  );

  it.each([
    ["{}", "serve.page.listen: is missing"],
    ["{ listen: 9443 }", "serve.page.listen: is 9443"],
    ["{ listen: localhost:9443 }", 'serve.page.listen: is "localhost:9443"'],
    ["{ listen: 127.0.0.1:70000 }", "there is no such port"],
    ["{ listen: 300.0.0.1:9443 }", "it is not an address"],
    ["{ listen: '[::1::2]:9443' }", "it is not an address"],
    ["{ listen: unix:/run/page.sock }", 'serve.page.listen: is "unix:/run/page.sock"'],
    ["{ listen: 127.0.0.1:9443, tls: {} }", "serve.page.tls.certificate: is missing"],
    ["{ listen: 127.0.0.1:9443, tls: { certificate: credential:c, key: /etc/k } }", "tls.key"],
    ["{ listen: 127.0.0.1:9443, login: off }", "serve.page.login"],
  ])("the status page is refused with %s", (page, says) => {
    expect(complaints(page).join("\n")).toContain(says);
  });
});
