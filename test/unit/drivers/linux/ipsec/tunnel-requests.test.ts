// What a plan shows of the requests of a tunnel's change, in the order in which they are made.

import { describe, expect, it } from "vitest";
import { tunnelRequests } from "#drivers/linux/ipsec/ipsec-driver.ts";
import { tunnelSpec } from "../../../kit/charon-kit.ts";

const name = tunnelSpec.name;
const put = { kind: "ipsec.putTunnel", tunnel: tunnelSpec } as const;
const brief = (line: string): string =>
  line.replace(/ \{"kind":"([\w.]+)".*$/, " $1").replace(/ \{.*$/, "");

describe("the requests of a tunnel", () => {
  // The interface was shown before charon, and initiate and rekey were not shown.
  it("the requests of a set-up block first, and make the interface last", () => {
    expect(tunnelRequests([put]).map(brief)).toEqual([
      "linkseal-net ipsec.back",
      "linkseal-net ipsec.block",
      "charon load [secret psk]",
      "charon load-conn",
      "charon initiate hub-1, then rekey its child, unless it is up with these settings",
      "linkseal-net ipsec.carry",
    ]);
  });

  it("the requests of IKEv1 have no rekey", () => {
    const tunnel = { ...tunnelSpec, ikeVersion: "v1" as const };
    expect(tunnelRequests([{ ...put, tunnel }]).map(brief)).toContain(
      "charon initiate hub-1, unless it is up with these settings",
    );
  });

  it("the requests of a removal end the SAs last", () => {
    expect(tunnelRequests([{ kind: "ipsec.removeTunnel", name }]).map(brief)).toEqual([
      "linkseal-net ipsec.drop",
      "charon unload-conn hub-1",
      "charon terminate hub-1",
    ]);
  });
});
