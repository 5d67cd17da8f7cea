// A report adds up, has the same octets each time, and a verification finds every change to it.

import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type Report, reportOf, thousandths } from "#agent/evidence/report/document.ts";
import { htmlOf, spanOf } from "#agent/evidence/report/html.ts";
import { signerOf, signReport } from "#agent/evidence/report/sign.ts";
import { reportFile, type SignedReport } from "#agent/evidence/report/statement.ts";
import { momentOf, momentText } from "#agent/evidence/report/time.ts";
import { publicKeyOf, verifyReport } from "#agent/evidence/report/verify.ts";
import type { Signer } from "#agent/model/signer.ts";
import { Secret } from "#hal/secret.ts";
import { effort } from "../../../effort.ts";
import { AuditBench, observed } from "../../kit/audit-kit.ts";
import { wallStart } from "../../kit/site-bench.ts";

const signer = (fill = 3): Signer =>
  signerOf(Secret.take("report key", new Uint8Array(32).fill(fill)));

const keyOf = ({ publicKey }: Pick<Signer, "publicKey">) => {
  const key = publicKeyOf(publicKey);
  if (key === undefined) throw new Error("no key");
  return key;
};

const octets = (text: string): Uint8Array => new TextEncoder().encode(text);

async function sample(): Promise<Report> {
  const bench = new AuditBench();
  const recorder = await bench.live();
  const tunnel = observed("hub-1", "protected", { kind: "tunnel", ckn: null });
  await bench.evaluate(300_000, observed("g/a", "protected"), tunnel);
  const text = 'drain <g/a> & "more": ü…\u202e\n\u0000';
  recorder.changed({ what: "asked", about: "g/a", who: "uid 1000", text });
  await bench.evaluate(200_000, observed("g/a", "down", { codes: ["link-down"] }), tunnel);
  await bench.evaluate(500_000, observed("g/a", "protected", { ckn: "cd".repeat(32) }), tunnel);
  const period = { from: wallStart + 60_000, to: wallStart + 860_000 };
  return reportOf({ site: "demo", host: "host-a", trail: await bench.trail(), period });
}

let report: Report;
let sealed: SignedReport;
beforeAll(async () => {
  report = await sample();
  sealed = signReport(report, signer());
});

describe("a report", () => {
  it("a report shows when a link was protected, with which key, and who changed what", () => {
    const [link, tunnel] = report.subjects;
    expect(link?.intervals.map(({ answer, verdict }) => `${answer} ${verdict}`)).toEqual([
      "protected protected",
      "notProtected down",
      "protected protected",
    ]);
    expect(link?.keys.map(({ ckn, ms }) => [ckn?.slice(0, 2), ms])).toEqual([
      ["ab", 229_000],
      ["cd", 360_000],
    ]);
    expect(tunnel?.totals.protected).toEqual({ ms: 800_000, percent: "100.000" });
    expect(report.changes).toEqual([
      {
        record: 4,
        at: "2026-11-24T10:05:00.000Z",
        what: "asked",
        about: "g/a",
        who: "uid 1000",
        text: 'drain <g/a> & "more": ü…???',
      },
    ]);
    expect([report.about.end, report.chain.before?.seq]).toEqual(["final", 3]);
  });

  it("a report fills its period without a gap, and its totals add up", () => {
    for (const { intervals, totals } of report.subjects) {
      expect(intervals[0]?.from).toBe(report.about.from);
      expect(intervals.at(-1)?.to).toBe(report.about.to);
      for (const [index, { to }] of intervals.slice(0, -1).entries()) {
        expect(intervals[index + 1]?.from).toBe(to);
      }
      const all = Object.values(totals);
      expect(all.reduce((sum, { ms }) => sum + ms, 0)).toBe(800_000);
      const percents = all.reduce((sum, { percent }) => sum + Number(percent) * 1000, 0);
      expect(Math.round(percents)).toBe(100_000);
    }
  });

  it("a report has the same octets whenever it is made", async () => {
    expect(reportFile(signReport(await sample(), signer()))).toBe(reportFile(sealed));
    expect(htmlOf(signReport(await sample(), signer()))).toBe(htmlOf(sealed));
  });

  it("the shares of a report add up, and protected time is never rounded up", () => {
    const part = fc.integer({ min: 0, max: 2_678_400_000 });
    fc.assert(
      fc.property(part, part, part, (a, b, c) => {
        fc.pre(a + b + c > 0);
        const shares = thousandths([a, b, c], a + b + c);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(100_000);
        expect(shares[0]).toBe(Math.floor((a * 100_000) / (a + b + c)));
        for (const share of shares) expect(share).toBeGreaterThanOrEqual(0);
      }),
    );
    expect(thousandths([999_999_999, 1, 0], 1_000_000_000)).toEqual([99_999, 1, 0]);
  });

  it("a printed report has no script, and foreign text stays text", () => {
    const html = htmlOf(sealed);
    expect(html).not.toMatch(/<script|javascript:|\son\w+=|https?:/i);
    expect(html).toContain("drain &lt;g/a&gt; &amp; &quot;more&quot;");
    expect(html).toContain("default-src 'none'");
    expect(html).toContain("@page");
  });

  it("a report writes durations and moments in readable form", () => {
    expect(spanOf(93_784_005)).toBe("1 d 02:03:04.005");
    expect(spanOf(0)).toBe("00:00:00.000");
    expect(momentOf("2026-11-24")).toBe(Date.UTC(2026, 10, 24));
    expect(momentOf("2026-11-24T10:00Z")).toBe(wallStart);
    expect(momentText(momentOf("2026-11-24T10:00:00.25Z") ?? 0)).toBe("2026-11-24T10:00:00.250Z");
    for (const bad of ["", "yesterday", "2026-02-31", "2026-11-24T25:00Z", "2026-11-24 10:00"]) {
      expect(momentOf(bad)).toBeUndefined();
    }
  });
});

describe("a verification", () => {
  const checked = (file: string | Uint8Array, by = signer()) =>
    verifyReport(typeof file === "string" ? octets(file) : file, keyOf(by));

  it("a verification with the signing key finds JSON and HTML sound", () => {
    expect(checked(reportFile(sealed))).toMatchObject({ kind: "sound", form: "json" });
    expect(checked(htmlOf(sealed))).toMatchObject({ kind: "sound", form: "html" });
  });

  it("a verification with another key names the signing key and is not sound", () => {
    const verified = checked(reportFile(sealed), signer(4));
    const text = `it was signed with ${signer().keyId}, and the key given is ${signer(4).keyId}`;
    expect(verified).toEqual({ kind: "changed", faults: [{ where: "seal", text }] });
  });

  it.each([
    ["json", 1],
    ["html", effort(5, 1)],
  ] as const)(
    "a verification finds a changed octet of a %s file, tried at one in %i",
    (form, step) => {
      const file = octets(form === "json" ? reportFile(sealed) : htmlOf(sealed));
      const key = keyOf(signer());
      expect(file.length).toBeGreaterThan(2_500);
      for (let at = 0; at < file.length; at += step) {
        const changed = file.slice();
        for (const flip of [0x01, 0x20]) {
          changed[at] = (file[at] ?? 0) ^ flip;
          const { kind } = verifyReport(changed, key);
          if (kind === "sound") throw new Error(`octet ${at} changed by ${flip} was not found`);
        }
      }
    },
  );

  it("a verification finds everything cut, added, doubled or rewritten", () => {
    const whole = reportFile(sealed);
    const key = keyOf(signer());
    const places = fc.integer({ min: 0, max: whole.length });
    fc.assert(
      fc.property(places, places, fc.string({ maxLength: 8 }), (from, to, put) => {
        const changed = `${whole.slice(0, from)}${put}${whole.slice(to)}`;
        fc.pre(changed !== whole);
        expect(verifyReport(octets(changed), key).kind).toBe("changed");
      }),
      { numRuns: 500 },
    );
    expect(checked(JSON.stringify(sealed, undefined, 2)).kind).toBe("changed");
    expect(checked(`\uFEFF${whole}`).kind).toBe("changed");
  });

  it("a verification names the changed section", () => {
    const faults = (change: (copy: SignedReport) => unknown) => {
      const copy = structuredClone(sealed);
      change(copy);
      const verified = checked(reportFile(copy));
      return verified.kind === "changed" ? verified.faults.map(({ where }) => where) : [];
    };
    // The type is read-only, so the copy is cast.
    const loose = (copy: SignedReport) => copy as unknown as Record<string, never>;
    expect(faults((copy) => Object.assign(copy.about, { site: "other" }))).toEqual(["about"]);
    expect(faults((copy) => Object.assign(copy.subjects[1] ?? {}, { kind: "link" }))).toEqual([
      "subjects[1] hub-1",
    ]);
    expect(faults((copy) => (copy.changes as unknown[]).pop())).toEqual(["changes"]);
    expect(faults((copy) => (copy.breaks as unknown[]).push({}))).toEqual(["breaks"]);
    expect(faults((copy) => Object.assign(loose(copy)["chain"] ?? {}, { last: null }))).toEqual([
      "chain",
    ]);
    expect(faults((copy) => (copy.subjects as unknown[]).pop())).toEqual(["subjects[1] hub-1"]);
    expect(faults((copy) => (copy.subjects as unknown[]).reverse())).toHaveLength(4);
  });

  it("a verification finds additions to the seal, which no digest covers", () => {
    const whole = reportFile(sealed);
    const [head = "", tail = ""] = whole.split('"signature":');
    const put = `${head}"note":"all was well","signature":${tail}`;
    expect(JSON.parse(put)).toMatchObject({ seal: { note: "all was well" } });
    expect(checked(put).kind).toBe("changed");
    expect(checked(htmlOf({ ...sealed, seal: JSON.parse(put).seal })).kind).toBe("changed");
  });

  it("a verification refuses a file that only resembles a report", () => {
    for (const file of [
      "",
      "{}",
      "[]",
      "null",
      "<html></html>",
      '{"schema":"linkseal.report/1"}',
    ]) {
      expect(checked(file).kind).toBe("changed");
    }
    expect(checked(new Uint8Array([0xff, 0xfe])).kind).toBe("changed");
  });

  it("a verification accepts a public Ed25519 key and nothing else", () => {
    const own = generateKeyPairSync("ed25519");
    const secret = own.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
    const rsa = other.export({ type: "spki", format: "pem" }).toString();
    expect(
      publicKeyOf(own.publicKey.export({ type: "spki", format: "pem" }).toString()),
    ).toBeDefined();
    expect([secret, rsa, "", "-----BEGIN PUBLIC KEY-----"].map(publicKeyOf)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
