// What a bundle keeps of a reply: an allow-list of words and numbers, and whole lines that are cut.

import { describe, expect, it } from "vitest";
import { Disguise, isWordClass, restored } from "#drivers/platform/disguise.ts";

const grammar =
  "neighbor is remote AS up interface rate input bits sec minute transform esp md hmac link " +
  "Network Next Hop Secured GigabitEthernet inet password key secret radius server community " +
  "psk GCM AES SCI peerAsn";
const fresh = (): Disguise => new Disguise().knowing(Disguise.vocabulary(grammar));

describe("a line that may hold a secret", () => {
  it.each([
    " neighbor 192.0.2.1 password 7 0123456789",
    "key-string 1234567890123456",
    " key string up",
    "username up secret 9 secured",
    "radius-server key up",
    "tacacs-server key 12345678",
    "snmp-server community 12345678 up",
    "ip ospf message-digest-key 1 md5 12345678",
    "pre-shared-key up",
    "pre shared key up",
    "  description psk hub-1",
    "authentication-key 12345678",
    "authentication key 12345678",
    "remote up $9$aBcDeFgH",
    "something 7 082E4F4B0A16",
    "something 6 aB3dEf9hIj",
  ])("a line that may hold a secret is cut, whatever its words are: %s", (line) => {
    expect(fresh().lines(`link is up\n${line}\nlink is up`)).toBe("link is up\nlink is up");
  });

  it.each([
    "  5 minute input rate 1000 bits/sec",
    "        transform: esp-aes esp-md5-hmac ,",
    "Secured link is up",
  ])("a line without one stays: %s", (line) => {
    expect(fresh().lines(line)).not.toBe("");
  });

  it("a member of JSON that may hold a secret is left out, and so is such a text of a list", () => {
    const value = { link: "up", sharedSecret: "up", rate: ["up", "password up", "7 08AB12CD34"] };
    expect(fresh().json(value)).toEqual({ link: "up", rate: ["up"] });
  });
});

describe("a word of a reply", () => {
  it("the same text becomes the same word, in a whole bundle", () => {
    const words = new Disguise();
    const [one, other] = [words.knowing(Disguise.vocabulary("link")), words.knowing(new Set())];
    expect(one.line("link acme-7 acme-8 acme-7")).toBe("link w1 w2 w1");
    expect(other.line("link acme-8")).toBe("w3 w2");
    expect(words.classes).toEqual(["name", "name", "name"]);
  });

  it.each([
    ["192.0.2.7", "w1", "ipv4"],
    ["192.0.2.0/24", "w1/24", "ipv4"],
    ["192.0.2.7+179", "w1+179", "ipv4"],
    ["2001:db8::7/64", "w1/64", "ipv6"],
    ["2001:db8::", "w1", "ipv6"],
    ["0200.0000.00ff/0001", "w1/0001", "macDotted"],
    ["02:00:00:00:00:ff", "w1", "mac"],
    ["a".repeat(64), "w1", "hex64"],
    ["1".repeat(64), "w1", "hex64"],
    ["acme-edge-1", "w1", "name"],
    ["cust-2.inet.0", "w1.inet.0", "name"],
    ["w7", "w1", "name"],
    ["pâte", "w1", "name"],
  ])("%s is replaced, with its class", (text, shown, kind) => {
    const words = fresh();
    expect(words.line(`link ${text} up`)).toBe(`link ${shown} up`);
    expect(words.classes).toEqual([kind]);
  });

  it.each([
    "GigabitEthernet0/0/0.100",
    "GCM-AES-256",
    "0x1f",
    "18446744073709551615",
    "17.12.01a",
    "23.4R2-S1.5-EVO",
    "3d04h",
    "18:00:00.250",
    "0.0.0.0/0",
  ])("%s stays beside a word of the grammar", (text) => {
    expect(fresh().line(`link ${text} up`)).toBe(`link ${text} up`);
  });

  it.each([
    ["a number of a line without a word of the grammar", "Call 5551234 now", "w1 w2 w3"],
    ["an AS number", "remote AS 64512, up", "remote AS w1, up"],
    ["a SCI", "link (SCI: 0200000000000001)", "link (SCI: w1)"],
  ])("%s is replaced", (_what, line, shown) => {
    expect(fresh().line(line)).toBe(shown);
  });

  it("numbers of JSON that identify are replaced, counts stay", () => {
    const shown = fresh().json({ peerAsn: 64_512, rate: 7, odd: 8, up: true, link: null });
    expect(shown).toEqual({ peerAsn: "w1", rate: 7, w2: "w3", up: true, link: null });
  });
});

describe("a disguised text with words of the same classes", () => {
  it("addresses and digits have their form again, and names stay", () => {
    const words = fresh();
    const text = `link 192.0.2.7 2001:db8:1::7 ${"ab".repeat(12)} 0200.0000.00ff acme up`;
    const again = restored(words.line(text), words.classes);
    expect(again).toMatch(/^link 198\.18\.0\.1 2001:db8::2 0{23}3 0200\.0000\.0004 w5 up$/);
  });

  it("a number of JSON is a number again, and a text with digits a text", () => {
    const words = fresh();
    const shown = JSON.stringify(words.json({ odd: 5, peerAsn: "64512" }));
    expect(restored(shown, words.classes)).toBe('{"w1":2,"peerAsn":"3"}');
  });

  it("only classes of ours are classes", () => {
    expect(["name", "hex24", "jsonNumber"].every(isWordClass)).toBe(true);
    expect(["hex0", "hex1000", "hexagon", "", 7, null].some(isWordClass)).toBe(false);
  });
});
