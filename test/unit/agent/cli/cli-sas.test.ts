// What an operator reads of the SAs of a tunnel.

import { describe, expect, it } from "vitest";
import { saLines } from "#agent/cli/status-text.ts";

describe("the lines about the SAs of a tunnel", () => {
  it.each([
    [null, null, []],
    [1, "none", []],
    [
      2,
      "none",
      ["2 pairs of SAs carry: the gateway made a second child, or both ends rekeyed at once"],
    ],
    [1, "local", ["ESP travels in UDP: this end is behind a NAT"]],
    [1, "remote", ["ESP travels in UDP: the gateway is behind a NAT"]],
    [
      3,
      "both",
      [
        "3 pairs of SAs carry: the gateway made a second child, or both ends rekeyed at once",
        "ESP travels in UDP: both ends are behind a NAT",
      ],
    ],
  ] as const)("%s pairs and a NAT at %s", (pairs, nat, lines) => {
    expect(saLines({ sas: { pairs, nat }, ppk: null })).toEqual(lines);
  });

  it("the lines say whether IKE uses the PPK", () => {
    const sas = { pairs: 1, nat: "none" } as const;
    expect(saLines({ sas, ppk: "used" })).toEqual(["IKE uses the PPK"]);
    expect(saLines({ sas, ppk: "unused" })).toEqual(["IKE does not use the PPK"]);
  });
});
