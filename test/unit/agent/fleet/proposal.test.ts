// The record of a proposal: what was signed is read exactly, and nothing else counts.

import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { valueBytesMax } from "#agent/fleet/engine.ts";
import {
  type Proposed,
  parsePayload,
  parseProposal,
  proposalOctets,
  proposalPayload,
  readProposal,
  withdrawnProposal,
} from "#agent/fleet/proposal.ts";
import type { WallTime } from "#hal/world.ts";
import { SshSigner } from "../../kit/ssh-kit.ts";

const anna = new SshSigner("ssh-ed25519");
const mallory = new SshSigner("ssh-ed25519");
const signers = [{ name: "anna", key: anna.line }];
const proposed: Proposed = {
  site: "dub",
  basedOn: { number: 7, sha256: "ab".repeat(32) },
  config: "version: 1\nsite: dub\n",
  notAfter: 1_800_000_000_000 as WallTime,
};
const payload = proposalPayload(proposed);

const octets = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (record: Uint8Array, site = "dub") => readProposal(record, { site, signers });
const fault = (record: Uint8Array, site?: string) => {
  const found = read(record, site);
  return found.kind === "refused" ? found.fault : found.kind;
};
const signed = (text: string, signer = anna): Uint8Array =>
  proposalOctets({ payload: text, signature: signer.sign(text) });

describe("the record of a proposal", () => {
  it("is what was signed, by a signer of the site's config", () => {
    expect(read(signed(payload))).toEqual({
      ...{ kind: "proposed", proposed },
      sha256: createHash("sha256").update(payload).digest("hex"),
      signer: { name: "anna", fingerprint: expect.stringMatching(/^SHA256:/) },
    });
  });

  it("is the same proposal by any signer, and however often it is signed", () => {
    const token = new SshSigner("ecdsa-sha2-nistp256");
    const both = [...signers, { name: "bo", key: token.line }];
    const names = [signed(payload), signed(payload, token), signed(payload, token)].map((each) => {
      const found = readProposal(each, { site: "dub", signers: both });
      return found.kind === "proposed" ? found.sha256 : found.kind;
    });
    expect(new Set(names).size).toBe(1);
    expect(names[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  it("without a signer in the config nothing counts", () => {
    const found = readProposal(signed(payload), { site: "dub", signers: [] });
    expect(found).toEqual({ kind: "refused", fault: "signer" });
  });

  it.each([
    ["of another key", signed(payload, mallory), "signer"],
    [
      "whose text was changed",
      proposalOctets({ payload: payload.replace("7", "8"), signature: anna.sign(payload) }),
      "text",
    ],
    [
      "whose signature is for a file",
      proposalOctets({ payload, signature: anna.sign(payload, { namespace: "file" }) }),
      "namespace",
    ],
    ["without a signature", proposalOctets({ payload, signature: "" }), "form"],
    ["of another site", signed(proposalPayload({ ...proposed, site: "ams" })), "site"],
    ["with one more member", signed(payload.replace('"site"', '"force":true,"site"')), "payload"],
    [
      "with a member twice",
      signed(payload.replace('"notAfter"', '"site":"ams","notAfter"')),
      "payload",
    ],
    ["with a blank", signed(payload.replace(",", ", ")), "payload"],
    ["of another schema", signed(payload.replace("proposal/1", "proposal/2")), "payload"],
    ["with a broken number", signed(payload.replace(":7,", ":7.5,")), "payload"],
    ["without an end", signed(payload.replace("1800000000000", "null")), "payload"],
    ["of no JSON", signed("propose"), "payload"],
    ["that is taken back", withdrawnProposal, "none"],
  ] as const)("a record %s does not count", (_what, record, outcome) => {
    expect(fault(record)).toBe(outcome);
  });

  it.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["a list", "[]"],
    ["no UTF-8", "\xff"],
    ["another schema", '{"schema":"linkseal.permit/1","withdrawn":true}'],
    ["numbers", '{"schema":"linkseal.proposal/1","payload":1,"signature":2}'],
    [
      "a long signature",
      JSON.stringify({ schema: "linkseal.proposal/1", payload: "", signature: "x".repeat(9_000) }),
    ],
    ["depth", `${"[".repeat(500)}`],
  ])("%s is unreadable", (_what, text) => {
    expect(parseProposal(Buffer.from(text, "latin1"))).toEqual({ kind: "unreadable" });
    expect(fault(Buffer.from(text, "latin1"))).toBe("record");
  });

  it("more octets than a key of the engine has are not read", () => {
    const long = proposalPayload({ ...proposed, config: "#".repeat(valueBytesMax) });
    expect(fault(signed(long))).toBe("record");
  });

  it("a payload says what was put into it, for any text of a config", () => {
    const some = fc.record({
      site: fc.string({ unit: "binary" }),
      config: fc.string({ unit: "binary" }),
      number: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      notAfter: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    });
    fc.assert(
      fc.property(some, ({ site, config, number, notAfter }) => {
        const basedOn = { number, sha256: "0f".repeat(32) };
        const one: Proposed = { site, config, basedOn, notAfter: notAfter as WallTime };
        expect(parsePayload(proposalPayload(one))).toEqual(one);
      }),
    );
  });

  it("any octets are a record that does not count", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (each) => {
        expect(fault(each)).toBe("record");
      }),
    );
    const json = fc.record(
      { schema: fc.constant("linkseal.proposal/1"), payload: fc.json(), signature: fc.string() },
      { requiredKeys: ["schema"] },
    );
    fc.assert(
      fc.property(json, (each) => {
        expect(read(octets(JSON.stringify(each))).kind).toBe("refused");
      }),
    );
  });
});
