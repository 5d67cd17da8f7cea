// The words that IOS XR accepts at each place of its configuration, and how it prints one.

import { type Block, type Grammar, type Rule, rule } from "./line-tree.ts";

const name = String.raw`[\w.:/-]{1,64}`;
const hex = "[0-9A-Fa-f]{2,64}";
const date = String.raw`\d{2}:\d{2}:\d{2} \w+ \d{1,2} \d{4}`;
const suite = "GCM-AES-(?:XPN-)?(?:128|256)";
const rules: readonly Rule[] = [
  rule("", `hostname ${name}`, 1),
  rule("", String.raw`aaa [\w -]+`, 3),
  rule("", `vrf ${name}`, 2, "vrf"),
  rule("vrf", "address-family ipv[46] unicast", 3),
  rule("", `interface ${name}`, 2, "if"),
  rule("if", ".*description .*", 1),
  rule("if", String.raw`mtu \d+`, 1),
  rule("if", String.raw`ipv4 address [\d.]+ [\d.]+`, 2),
  rule("if", `vrf ${name}`, 1),
  rule("if", String.raw`bundle id \d+ mode (?:active|passive|on)`, 2),
  rule("if", "shutdown", 1),
  rule("if", `macsec psk-keychain ${name}(?: fallback-psk-keychain ${name})? policy ${name}`, 2),
  rule("", String.raw`macsec-policy [\w-]{1,16}`, 2, "macsec-policy"),
  rule("macsec-policy", `cipher-suite ${suite}`, 1),
  rule("macsec-policy", "conf-offset CONF-OFFSET-(?:0|30|50)", 1),
  rule("macsec-policy", "security-policy (?:must|should)-secure", 1),
  rule("macsec-policy", String.raw`key-server-priority \d{1,3}`, 1),
  rule("macsec-policy", String.raw`window-size \d{1,4}`, 1),
  rule("macsec-policy", String.raw`sak-rekey-interval seconds \d{2,7}`, 1),
  rule("", `key chain ${name}`, 3, "chain"),
  rule("chain", "timezone (?:gmt|local)", 1),
  rule("chain", "macsec", 1, "chain-MacSec"),
  rule("chain-MacSec", `key ${hex}`, 2, "chain-MacSec-key"),
  rule(
    "chain-MacSec-key",
    `key-string (?:password6? )?${hex} cryptographic-algorithm aes-(?:128|256)-cmac`,
    1,
  ),
  rule("chain-MacSec-key", String.raw`lifetime ${date} (?:infinite|duration \d+|${date})`, 1),
  rule("", String.raw`router bgp \d+`, 3, "bgp"),
  rule("bgp", "address-family ipv[46] unicast", 3, "bgp-af"),
  rule("bgp", `neighbor ${name}`, 2, "bgp-nbr"),
  rule("bgp", `vrf ${name}`, 2, "bgp-vrf"),
  rule("bgp-vrf", String.raw`rd \d+:\d+`, 1),
  rule("bgp-vrf", "address-family ipv[46] unicast", 3, "bgp-af"),
  rule("bgp-vrf", `neighbor ${name}`, 2, "bgp-nbr"),
  rule("bgp-nbr", String.raw`remote-as \d+`, 1),
  rule("bgp-nbr", `password encrypted ${hex}`, 1),
  rule("bgp-nbr", "shutdown", 1),
  rule("bgp-nbr", "graceful-maintenance", 1, "nbr-gshut"),
  rule("nbr-gshut", "activate", 1),
  rule("nbr-gshut", String.raw`local-preference \d+`, 1),
  rule("nbr-gshut", "as-prepends [0-6]", 1),
  rule("bgp-nbr", "address-family ipv[46] unicast", 3, "bgp-nbr-af"),
  rule("bgp-nbr-af", `route-policy ${name} (?:in|out)`, 3),
];

export const grammar: Grammar = { rules, negation: /^no (.+)$/, isLoose: true };

/** Prints as `show running-config` does, with keys in their encrypted form. */
export function printBlocks(blocks: readonly Block[], depth = 0): readonly string[] {
  const indent = " ".repeat(depth);
  return blocks.flatMap(({ line, children }) => {
    const shown = line.replace(
      /^(key-string) ([0-9A-Fa-f]+)/,
      (_, word: string, digits: string) => `${word} password ${obfuscated(digits)}`,
    );
    if (children.length === 0 && depth > 0) return [`${indent}${shown}`];
    return [`${indent}${shown}`, ...printBlocks(children, depth + 1), `${indent}!`];
  });
}

/** Encodes a key reversibly, as the form that the routers print is. */
function obfuscated(digits: string): string {
  const octets = Buffer.from(digits).map((octet, index) => octet ^ (0x35 + (index % 11)));
  return `08${Buffer.from(octets).toString("hex").toUpperCase()}`;
}
