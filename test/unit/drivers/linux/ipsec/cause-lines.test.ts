// Which cause the lines of charon's log show.

import { describe, expect, it } from "vitest";
import { causeIn, causeText } from "#drivers/linux/ipsec/causes.ts";

const otherIdentity = [
  "authentication of 'gw.partner.example' with pre-shared key successful",
  "constraint check failed: identity '203.0.113.1' (ID_IPV4_ADDR) required, " +
    "not matched by 'gw.partner.example' (ID_FQDN)",
];

// Log lines of charon 6.0.1.
const causes: readonly (readonly [string, "initiate" | "rekey", readonly string[]])[] = [
  ["psk", "initiate", ["received AUTHENTICATION_FAILED notify error"]],
  ["psk", "initiate", ["tried 1 shared key for 'a' - 'b', but MAC mismatched"]],
  ["noPsk", "initiate", ["no shared key found for '198.51.100.1' - '198.51.100.2'"]],
  ["ikeProposal", "initiate", ["received NO_PROPOSAL_CHOSEN notify error"]],
  [
    "espProposal",
    "initiate",
    [
      "IKE_SA hub-1[1] established between 198.51.100.1[a]...198.51.100.2[b]",
      "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built",
    ],
  ],
  ["pfsGroup", "rekey", ["received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"]],
  ["trafficSelectors", "initiate", ["received TS_UNACCEPTABLE notify, no CHILD_SA built"]],
  ["certificate", "initiate", ["no trusted ECDSA public key found for 'gw'"]],
  [
    "certificate",
    "initiate",
    ["constraint check failed: certificate does not confirm identity 'gw' (ID_FQDN)"],
  ],
  ["identity", "initiate", otherIdentity],
  ["identity", "initiate", ["IDir 'gw.partner.example' does not match to '203.0.113.1'"]],
  ["ppk", "initiate", ["PPK required but peer does not support PPK"]],
  ["noPpk", "initiate", ["PPK required but no PPK found for 'hub-1'"]],
  [
    "trafficSelectors",
    "initiate",
    [
      "IKE_SA hub-1[1] established between 198.51.100.1[a]...198.51.100.2[b]",
      "received INVALID_ID_INFORMATION error notify",
    ],
  ],
  ["psk", "initiate", ["received INVALID_ID_INFORMATION error notify"]],
  ["psk", "initiate", ["could not decrypt payloads"]],
  [
    "psk",
    "initiate",
    ["sending retransmit 1 of request message ID 0, seq 3", "giving up after 3 retransmits"],
  ],
  [
    "peerSilent",
    "initiate",
    ["sending retransmit 1 of request message ID 0, seq 1", "giving up after 3 retransmits"],
  ],
  ["gatewayBusy", "initiate", ["received TEMPORARY_FAILURE notify, will retry later"]],
  ["noMoreChildren", "rekey", ["received NO_ADDITIONAL_SAS notify, no CHILD_SA built"]],
  ["peerSilent", "initiate", ["giving up after 3 retransmits"]],
];

describe("the reason why a tunnel is down", () => {
  it.each(causes)("charon's log shows the cause %s at %s", (cause, stage, lines) => {
    const reported = lines.map((text) => ({ name: "hub-1", text }));
    expect(causeIn(reported, stage)).toBe(cause);
  });

  it("a wrong identity is reported with the one that is shown and the one that is expected", () => {
    const expected =
      "the gateway shows the identity gw.partner.example, and 203.0.113.1 is expected (remote.id)";
    const v1 = ["IDir 'gw.partner.example' does not match to '203.0.113.1'"];
    for (const lines of [otherIdentity, v1]) {
      const reported = lines.map((text) => ({ name: "hub-1", text }));
      expect(causeText("identity", reported)).toBe(expected);
    }
    const cut = [{ name: "hub-1", text: "constraint check failed: identity 'x' required" }];
    expect(causeText("identity", cut)).toBe(
      "the gateway shows another identity than remote.id names",
    );
    expect(causeText("peerSilent", cut)).toBe("the gateway does not answer");
  });

  it("the identity that a gateway shows is cut, and has printable characters alone", () => {
    const shown = `\u001b[2J${"x".repeat(3_000)}`;
    const text = `IDir '${shown}' does not match to '203.0.113.1'`;
    const reported = causeText("identity", [{ name: "hub-1", text }]);
    expect(reported).toMatch(/^[ -~…]+$/);
    expect(reported.length).toBeLessThan(400);
  });

  const request = (more: string): string => `generating IKE_AUTH request 1 [ IDi ${more} SA ]`;
  it.each([
    ["AUTH", "have different pre-shared keys, or"],
    ["N(INIT_CONTACT) CERTREQ IDr AUTH N(PPK_ID)", "have different pre-shared keys or PPKs, or"],
    ["CERT CERTREQ AUTH", "have certificates that the other does not take, or"],
    ["CERT AUTH N(PPK_ID)", "certificates that the other does not take, or different PPKs, or"],
  ])("a refused authentication by %s names what it uses alone", (payloads, text) => {
    const lines = [request(payloads), "received AUTHENTICATION_FAILED notify error"];
    const reported = causeText(
      "psk",
      lines.map((line) => ({ name: "hub-1", text: line })),
    );
    expect(reported).toContain(text);
    expect(reported.match(/pre-shared|PPKs|certificates/g)).toEqual(
      text.match(/pre-shared|PPKs|certificates/g),
    );
  });

  it("no cause is known without a line, or after a wrongly guessed group", () => {
    const guess = "peer didn't accept DH group ECP_384, it requested ECP_256";
    expect(causeIn([{ name: "hub-1", text: guess }], "initiate")).toBeUndefined();
    expect(causeIn([], "initiate")).toBeUndefined();
  });
});
