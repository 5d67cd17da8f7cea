// The words that NX-OS accepts at each place of its configuration, and how it prints one.

import { type Block, childOf, type Grammar, type Rule, rule } from "./line-tree.ts";
import { obscured } from "./type-seven.ts";
import type { Wiring } from "./wiring.ts";

const name = String.raw`[\w.:/@-]{1,63}`;
const hex = "[0-9A-Fa-f]{2,64}";
const date = String.raw`\d{2}:\d{2}:\d{2} [A-Z][a-z]{2} \d{1,2} \d{4}`;
const address = "[0-9A-Fa-f.:]{2,45}";
const priority = String.raw`(?:\d{1,2}|1\d{2}|2[0-4]\d|25[0-5])`;
const way = / \S+(?= (?:in|out)$)/;

/** A neighbour is configured alike in the default instance and in a VRF. */
const neighbourRules = (inside: string, mode: string): readonly Rule[] => [
  rule(inside, "address-family ipv[46] unicast", 3, `${inside}-af`),
  rule(inside, `neighbor ${address}`, 2, mode),
  rule(mode, String.raw`remote-as \d+`, 1),
  rule(mode, String.raw`password (?:3 )?\w+`, 1),
  rule(mode, "shutdown", 1),
  rule(mode, `inherit peer ${name}`, 2),
  rule(mode, "address-family ipv[46] unicast", 3, `${mode}-af`),
  rule(`${mode}-af`, `prefix-list ${name} (?:in|out)`, way),
  rule(`${mode}-af`, `route-map ${name} (?:in|out)`, way),
];

const rules: readonly Rule[] = [
  rule("", `hostname ${name}`, 1),
  rule("", "feature (?:bfd|bgp|lacp|macsec)", 2),
  rule("", String.raw`aaa accounting default group [\w -]+`, 3),
  rule("", "macsec shutdown", 2),
  rule("", `vrf context ${name}`, 3, "vrf"),
  rule("vrf", String.raw`rd \d+:\d+`, 1),
  rule("", `interface ${name}`, 2, "if"),
  rule("if", "description .*", 1),
  rule("if", String.raw`mtu \d+`, 1),
  rule("if", `vrf member ${name}`, 2),
  rule("if", String.raw`channel-group \d+(?: force)? mode (?:active|passive|on)`, 1),
  rule("if", String.raw`ip address [\d.]{7,15}/\d{1,2}`, 2),
  rule("if", "shutdown", 1),
  rule("if", `macsec keychain ${name} policy ${name}(?: fallback-keychain ${name})?`, 2),
  rule("", String.raw`macsec policy [\w-]{1,16}`, 3, "macsec-policy"),
  rule("macsec-policy", "cipher-suite GCM-AES-(?:XPN-)?(?:128|256)", 1),
  rule("macsec-policy", "conf-offset CONF-OFFSET-(?:0|30|50)", 1),
  rule("macsec-policy", "security-policy (?:must|should)-secure", 1),
  rule("macsec-policy", `key-server-priority ${priority}`, 1),
  rule("macsec-policy", String.raw`window-size \d{1,9}`, 1),
  rule("macsec-policy", String.raw`sak-expiry-time \d{2,7}`, 1),
  rule("", `key chain ${name} macsec`, 3, "macseckeychain"),
  rule("macseckeychain", `key ${hex}`, 2, "macseckeychain-macseckey"),
  rule(
    "macseckeychain-macseckey",
    `key-octet-string (?:0 )?${hex} cryptographic-algorithm AES_(?:128|256)_CMAC`,
    1,
  ),
  rule(
    "macseckeychain-macseckey",
    `send-lifetime (?:local )?${date} (?:infinite|duration \\d+|${date})`,
    1,
  ),
  rule("", String.raw`router bgp \d+`, 2, "router"),
  rule("router", "log-neighbor-changes", 1),
  ...neighbourRules("router", "router-neighbor"),
  rule("router", `vrf ${name}`, 2, "router-vrf"),
  ...neighbourRules("router-vrf", "router-vrf-neighbor"),
  rule("", String.raw`route-map ${name} (?:permit|deny) \d+`, 4, "route-map"),
  rule("route-map", `match ip address prefix-list ${name}`, 4),
  rule("route-map", String.raw`set community \d+:\d+`, 2),
  rule("route-map", String.raw`set as-path prepend(?: \d+)+`, 3),
  rule("route-map", String.raw`set local-preference \d+`, 2),
];

export const grammar: Grammar = { rules, negation: /^no (.+)$/, isLoose: true };

/** Default values are not printed. */
const defaults: ReadonlySet<string> = new Set([
  "conf-offset CONF-OFFSET-0",
  "key-server-priority 16",
  "security-policy should-secure",
  "window-size 148809600",
]);

const indentation = 2;

/** Prints as `show running-config` does, with keys in their encrypted form. */
export function printBlocks(blocks: readonly Block[], depth = 0): readonly string[] {
  return blocks.flatMap((one, index) => {
    const { line } = one;
    if (defaults.has(line)) return [];
    const shown = line.replace(
      /^key-octet-string (?:0 )?([0-9A-Fa-f]+)/,
      (_, digits: string) => `key-octet-string 7 "${obscured(digits)}"`,
    );
    const inside = printBlocks(childrenOf(one), depth + 1);
    // A blank line stands before a block, and not between lines of one kind.
    const before = blocks[index - 1];
    const isApart = depth === 0 && (inside.length > 0 || (before?.children.length ?? 0) > 0);
    return [...(isApart ? [""] : []), `${" ".repeat(indentation * depth)}${shown}`, ...inside];
  });
}

/** A port of layer 3 is shut unless the configuration opens it. */
function childrenOf({ line, children }: Block): readonly Block[] {
  const isLayer3 = line.startsWith("interface ") && childOf(children, "no switchport");
  if (!isLayer3) return children;
  const isShut = childOf(children, "shutdown") !== undefined;
  const others = children.filter((one) => one.line !== "shutdown");
  return isShut ? others : [...others, { line: "no shutdown", children: [] }];
}

export interface NxModel {
  readonly platform: string;
  /** `9.3(6)` */
  readonly version: string;
  readonly wiring: Wiring;
}
