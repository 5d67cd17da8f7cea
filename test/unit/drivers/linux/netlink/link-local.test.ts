// The link-local address of a port, by the example of RFC 4291 appendix A and by the kernel's own.

import { expect, it } from "vitest";
import { linkLocalOf } from "#drivers/linux/net/secy.ts";

it.each([
  ["34:56:78:9a:bc:de", "fe80::3656:78ff:fe9a:bcde"],
  ["02:00:00:00:00:0a", "fe80::ff:fe00:a"],
  ["00:00:00:00:00:00", "fe80::200:ff:fe00:0"],
])("the link-local address of %s is %s", (mac, address) => {
  expect(linkLocalOf(mac)).toBe(address);
});
