// The words that IOS XE accepts at each place of its configuration, and how it prints one.

import type { CiscoLayout } from "./cisco-layout.ts";
import { type Block, type Grammar, type Rule, rule } from "./line-tree.ts";
import { obscured } from "./type-seven.ts";
import type { Wiring } from "./wiring.ts";

const name = String.raw`[\w.:/@-]{1,64}`;
const hex = "[0-9A-Fa-f]{2,64}";
const date = String.raw`\d{2}:\d{2}:\d{2} [A-Z][a-z]{2} \d{1,2} \d{4}`;
const suite = "gcm-aes-(?:xpn-)?(?:128|256)";
const ipv4 = String.raw`[\d.]{7,15}`;
const digest = "(?:md5|sha1|sha256|sha384|sha512)";
const cipher = "esp-(?:3des|aes(?: (?:128|192|256))?|gcm(?: (?:128|192|256))?)";
const mac = "esp-(?:md5|sha|sha256|sha384)-hmac";
const address = "[0-9A-Fa-f.:]{2,45}";

const rules: readonly Rule[] = [
  rule("", `hostname ${name}`, 1),
  rule("", String.raw`aaa [\w -]+`, 3),
  rule("", String.raw`event manager environment \w+ \S+`, 4),
  rule("", "archive", 1, "archive"),
  rule("archive", String.raw`path \S+`, 1),
  rule("archive", "log config", 2, "archive-log-cfg"),
  rule("archive-log-cfg", "logging enable", 2),
  rule("archive-log-cfg", "hidekeys", 1),
  rule("", `vrf definition ${name}`, 3, "vrf"),
  rule("vrf", String.raw`rd \d+:\d+`, 1),
  rule("vrf", "address-family ipv4", 2),
  rule("", `interface ${name}`, 2, "if"),
  rule("if", "description .*", 1),
  rule("if", String.raw`mtu \d+`, 1),
  rule("if", `vrf forwarding ${name}`, 2),
  rule("if", String.raw`channel-group \d+ mode (?:active|passive)`, 1),
  rule("if", `ip address ${ipv4} ${ipv4}`, 2),
  rule("if", "shutdown", 1),
  rule("if", `mka policy ${name}`, 2),
  rule("if", `mka pre-shared-key key-chain ${name}(?: fallback-key-chain ${name})?`, 3),
  rule("if", "macsec", 2),
  rule("if", "macsec network-link", 2),
  rule("if", "macsec access-control (?:must|should)-secure", 2),
  rule("if", String.raw`macsec replay-protection window-size \d{1,10}`, 2),
  rule("if", "macsec disable-sci", 2),
  rule("if", `ip unnumbered ${name}`, 2),
  rule("if", String.raw`ip mtu \d+`, 2),
  rule("if", String.raw`ip tcp adjust-mss \d+`, 3),
  rule("if", `tunnel source ${name}`, 2),
  rule("if", "tunnel mode (?:ipsec ipv4|gre ip)", 2),
  rule("if", `tunnel destination ${ipv4}`, 2),
  rule("if", `tunnel protection ipsec profile ${name}`, 2),
  rule("", `ip route ${ipv4} ${ipv4} ${name}`, 5),
  rule("", `crypto ikev2 proposal ${name}`, 4, "ikev2-proposal"),
  rule("ikev2-proposal", "encryption (?:3des|aes-cbc-(?:128|192|256)|aes-gcm-(?:128|256))", 1),
  rule("ikev2-proposal", `integrity ${digest}`, 1),
  rule("ikev2-proposal", `prf ${digest}`, 1),
  rule("ikev2-proposal", "group (?:1|2|5|14|15|16|19|20|21|24)", 1),
  rule("", `crypto ikev2 policy ${name}`, 4, "ikev2-policy"),
  rule("ikev2-policy", `match address local ${ipv4}`, 3),
  rule("ikev2-policy", `proposal ${name}`, 2),
  rule("", `crypto ikev2 keyring ${name}`, 4, "ikev2-keyring"),
  rule("ikev2-keyring", `peer ${name}`, 2, "ikev2-keyring-peer"),
  rule("ikev2-keyring-peer", "description .*", 1),
  rule("ikev2-keyring-peer", `address ${ipv4}`, 1),
  rule("ikev2-keyring-peer", String.raw`pre-shared-key (?:hex [0-9A-Fa-f]+|(?:0 )?\S+)`, 1),
  rule("", `crypto ikev2 profile ${name}`, 4, "ikev2-profile"),
  rule("ikev2-profile", `match address local ${ipv4}`, 3),
  rule("ikev2-profile", `match identity remote address ${ipv4} ${ipv4}`, 4),
  rule("ikev2-profile", `identity local address ${ipv4}`, 2),
  rule("ikev2-profile", "authentication (?:local|remote) pre-share", 2),
  rule("ikev2-profile", `keyring local ${name}`, 2),
  rule("ikev2-profile", String.raw`lifetime \d{3,5}`, 1),
  rule("ikev2-profile", String.raw`dpd \d{2,4} \d{1,2} (?:on-demand|periodic)`, 1),
  rule("", `crypto ipsec transform-set ${name} ${cipher}(?: ${mac})?`, 4, "cfg-crypto-trans"),
  rule("cfg-crypto-trans", "mode (?:tunnel|transport)", 1),
  rule("", `crypto ipsec profile ${name}`, 4, "ipsec-profile"),
  rule("ipsec-profile", String.raw`set security-association lifetime seconds \d{3,5}`, 4),
  rule("ipsec-profile", String.raw`set security-association lifetime kilobytes \d{4,10}`, 4),
  rule("ipsec-profile", `set transform-set ${name}`, 2),
  rule("ipsec-profile", "set pfs group(?:1|2|5|14|15|16|19|20|21|24)", 2),
  rule("ipsec-profile", `set ikev2-profile ${name}`, 2),
  rule("", String.raw`mka policy [\w-]{1,16}`, 3, "mka-policy"),
  rule("mka-policy", `macsec-cipher-suite ${suite}(?: ${suite}){0,3}`, 1),
  rule("mka-policy", "confidentiality-offset (?:0|30|50)", 1),
  rule("mka-policy", String.raw`key-server priority \d{1,3}`, 2),
  rule("mka-policy", String.raw`sak-rekey interval \d{2,5}`, 2),
  rule("mka-policy", "ssci-based-on-sci", 1),
  rule("", `key chain ${name} macsec`, 3, "keychain-macsec"),
  rule("keychain-macsec", `key ${hex}`, 2, "keychain-macsec-key"),
  rule("keychain-macsec-key", "cryptographic-algorithm aes-(?:128|256)-cmac", 1),
  rule("keychain-macsec-key", `key-string (?:[067] )?${hex}`, 1),
  rule("keychain-macsec-key", `lifetime local ${date} (?:infinite|duration \\d+|${date})`, 1),
  rule("", String.raw`router bgp \d+`, 2, "router"),
  rule("router", "bgp log-neighbor-changes", 2),
  rule("router", `neighbor ${address} remote-as \\d+`, 3),
  rule("router", `neighbor ${address} password (?:7 )?\\w+`, 3),
  rule("router", `neighbor ${address} shutdown`, 3),
  rule("router", "address-family ipv4", /(?!)/, "router-af"),
  rule("router-af", `neighbor ${address} activate`, 3),
  rule("router-af", `neighbor ${address} prefix-list ${name} (?:in|out)`, / \S+(?= (?:in|out)$)/),
  rule("router-af", `neighbor ${address} route-map ${name} (?:in|out)`, / \S+(?= (?:in|out)$)/),
  // A neighbour in a VRF is configured in the address family of the VRF alone.
  rule("router", `address-family ipv4 vrf ${name}`, /(?!)/, "router-af-vrf"),
  rule("router-af-vrf", `neighbor ${address} remote-as \\d+`, 3),
  rule("router-af-vrf", `neighbor ${address} password (?:7 )?\\w+`, 3),
  rule("router-af-vrf", `neighbor ${address} (?:shutdown|activate)`, 3),
  rule(
    "router-af-vrf",
    `neighbor ${address} (?:prefix-list|route-map) ${name} (?:in|out)`,
    / \S+(?= (?:in|out)$)/,
  ),
  rule("", String.raw`route-map ${name} (?:permit|deny) \d+`, 4, "route-map"),
  rule("route-map", `match ip address prefix-list ${name}`, 4),
  rule("route-map", String.raw`set community \d+:\d+`, 2),
  rule("route-map", String.raw`set as-path prepend(?: \d+)+`, 3),
  rule("route-map", String.raw`set local-preference \d+`, 2),
];

export const grammar: Grammar = { rules, negation: /^no (.+)$/, isLoose: true };

/** Default values are not printed. */
const defaults: ReadonlySet<string> = new Set([
  "macsec access-control must-secure",
  "macsec replay-protection window-size 64",
  "confidentiality-offset 0",
  "key-server priority 0",
  "set security-association lifetime seconds 3600",
  "set security-association lifetime kilobytes 4608000",
]);

/** Prints as `show running-config` does, with keys in their encrypted form. */
export function printBlocks(blocks: readonly Block[], depth = 0): readonly string[] {
  return blocks.flatMap(({ line, children }) => {
    if (defaults.has(line)) return [];
    const shown = line.replace(
      /^key-string (?:0 )?([0-9A-Fa-f]+)$/,
      (_, digits: string) => `key-string 7 ${obscured(digits)}`,
    );
    const inside = printBlocks(children, depth + 1);
    const isBlock = depth === 0 && children.length > 0;
    return [`${" ".repeat(depth)}${shown}`, ...inside, ...(isBlock ? ["!"] : [])];
  });
}

export interface XeModel {
  readonly platform: string;
  readonly version: string;
  readonly wiring: Wiring;
  /** `archive` is configured, and with it the timer that reverts a change. */
  readonly hasArchive: boolean;
  /**
   * The release has fallback key chains; a router of it can send without SCI and derive SSCIs from
   * SCIs.
   */
  readonly isRecent: boolean;
  /** How it prints its answers; absent = in the shortest form. */
  readonly layout?: CiscoLayout;
}
