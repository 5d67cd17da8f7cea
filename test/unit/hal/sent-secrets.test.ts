import { describe, expect, it } from "vitest";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { SentSecrets } from "#hal/sent-secrets.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../effort.ts";
import { drawFrom, echoForms, leakOf, nine, type7 } from "../kit/echo-forms.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "echoes";
const runs = effort(1_500, 200_000);

function sentOf(octets: Uint8Array, label = "cak"): SentSecrets {
  using secret = Secret.take(label, Uint8Array.from(octets));
  const sent = new SentSecrets();
  sent.add([secret]);
  return sent;
}

const words = [
  "% Failed to commit:",
  "is weak",
  "Interface HundredGigE0/0/0/0 is up",
  "key-string",
  "CAK Name (CKN):",
  "00:11:22:33:44:55",
  "0011.2233.4455",
  "2001:db8::a:1",
  "InPktsOK 18446744073709551615",
  "1234 5678 9012 3456 7890",
  "SCI 0011223344550001",
  "\r\n",
  "--More--",
  "$9$",
  "%20",
  "\\",
  "é",
];

/** Text of a router that has no key in it. */
function surrounding(prng: Prng): string {
  return Array.from({ length: prng.between(0, 8) }, () =>
    prng.chance(0.2) ? prng.hex(prng.pick([3, 12, 32])) : prng.pick(words),
  ).join(" ");
}

const psk = (prng: Prng): Uint8Array =>
  Buffer.from(Array.from({ length: prng.between(20, 64) }, () => prng.pick(pskLetters)).join(""));
const pskLetters = Array.from(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-._",
);

describe("text of a session in which a secret was sent", () => {
  it("no form of a CAK survives, whatever is around it, and all else does", () => {
    console.log(`echoes: LINKSEAL_SEED=${seed}, ${runs} texts`);
    const prng = new Prng(seed);
    for (let run = 0; run < runs; run += 1) {
      const key = prng.bytes(prng.pick([16, 32]));
      const [form, write] = prng.pick(Object.entries(echoForms));
      const written = write(key, drawFrom(prng));
      const [before, after] = [surrounding(prng), surrounding(prng)];
      using sent = sentOf(key);
      const text = `${before} ${written} ${after}`;
      const shown = sent.clean(text);
      const leak = leakOf(shown, written);
      if (leak !== undefined) throw new Error(`${form}: ${JSON.stringify([text, shown, leak])}`);
      expect(shown).toContain("[secret cak]");
      // A neighbour may be the next digit of half a key by chance.
      const [near, far] = [before.slice(0, -3), after.slice(3)];
      if (!shown.startsWith(near) || !shown.endsWith(far)) {
        throw new Error(`${form}: ${JSON.stringify([text, shown])}`);
      }
      expect(sent.clean(`${before} ${after}`)).toBe(`${before} ${after}`);
    }
  });

  it("no form of a PSK survives, whatever is around it", () => {
    const prng = new Prng(seed);
    for (let run = 0; run < runs; run += 1) {
      const key = psk(prng);
      const text = Buffer.from(key).toString();
      const written = prng.pick([
        text,
        `${text.slice(0, 9)}\r\n${text.slice(9)}`,
        type7(text, prng.between(0, 52)),
        nine(text, prng.between(0, 64)),
        Buffer.from(text, "utf16le").toString("latin1"),
        ...["hex", "base64", "base64url", "percent"].map((form) =>
          form === "percent"
            ? Buffer.from(text).toString("hex").replace(/../g, "%$&")
            : Buffer.from(text).toString(form as BufferEncoding),
        ),
      ]);
      using sent = sentOf(key, "psk");
      const shown = sent.clean(`${surrounding(prng)} ${written} ${surrounding(prng)}`);
      const leak = leakOf(shown, written);
      if (leak !== undefined) throw new Error(JSON.stringify([text, written, shown, leak]));
      expect(shown).toContain("[secret psk]");
    }
  });

  it("the vectors of type 7 and of $9$ that others published are found", () => {
    using cisco = sentOf(Buffer.from("cisco"));
    expect(cisco.clean("line 0822455D0A16, 070C285F4D06")).toMatch(/^line \d\d?\[/);
    using juniper = sentOf(Buffer.from("juniper123"));
    expect(juniper.clean(`x ${nine("juniper123", 3)};`)).toBe("x [secret cak];");
  });

  it("a secret is found after its owner has wiped it, and not once the session is over", () => {
    const sent = sentOf(Buffer.from("0123456789abcdef", "hex"));
    expect(sent.clean("x 0123456789ABCDEF")).toBe("x [secret cak]");
    sent[Symbol.dispose]();
    expect(sent.clean("x 0123456789ABCDEF")).toBe("x 0123456789ABCDEF");
  });

  it("an error is cleaned in each of its texts and keeps code and effect", async () => {
    using sent = sentOf(Buffer.from("0123456789abcdef", "hex"));
    const quoted = "01:23:45:67:89:ab:cd:ef";
    const details = { effect: "unknown", where: quoted, next: quoted } as const;
    const cause = new Error(quoted);
    const error = new LinksealError("transport.closed", quoted, { ...details, cause });
    const seen = await sent.cleaning(Promise.reject(error)).catch((one: unknown) => one);
    const label = "[secret cak]";
    expect(seen).toMatchObject({ code: "transport.closed", effect: "unknown" });
    expect(seen).toMatchObject({ message: label, where: label, next: label });
    expect((seen as LinksealError).cause).toBeUndefined();
  });
});
