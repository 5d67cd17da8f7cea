// The words that IOS XE knows at each place of its configuration, and how it prints one.

import { type Block, type Rule, rule } from "./cisco-tree.ts";
import { obscured } from "./type-seven.ts";

const name = String.raw`[\w.:/@-]{1,64}`;
const hex = "[0-9A-Fa-f]{2,64}";
const date = String.raw`\d{2}:\d{2}:\d{2} [A-Z][a-z]{2} \d{1,2} \d{4}`;
const suite = "gcm-aes-(?:xpn-)?(?:128|256)";
const ipv4 = String.raw`[\d.]{7,15}`;
const address = "[0-9A-Fa-f.:]{2,45}";

export const rules: readonly Rule[] = [
  rule("", `hostname ${name}`, 1),
  rule("", String.raw`aaa [\w -]+`, 3),
  rule("", String.raw`event manager environment \w+ \S+`, 4),
  rule("", "archive", 1, "archive"),
  rule("archive", String.raw`path \S+`, 1),
  rule("archive", "log config", 2, "archive-log-cfg"),
  rule("archive-log-cfg", "logging enable", 2),
  rule("archive-log-cfg", "hidekeys", 1),
  rule("", `vrf definition ${name}`, 3, "vrf"),
  rule("vrf", "address-family ipv4", 2),
  rule("", `interface ${name}`, 2, "if"),
  rule("if", "description .*", 1),
  rule("if", String.raw`mtu \d+`, 1),
  rule("if", `vrf forwarding ${name}`, 2),
  rule("if", `ip address ${ipv4} ${ipv4}`, 2),
  rule("if", "shutdown", 1),
  rule("if", `mka policy ${name}`, 2),
  rule("if", `mka pre-shared-key key-chain ${name}(?: fallback-key-chain ${name})?`, 3),
  rule("if", "macsec", 2),
  rule("if", "macsec network-link", 2),
  rule("if", "macsec access-control (?:must|should)-secure", 2),
  rule("if", String.raw`macsec replay-protection window-size \d{1,10}`, 2),
  rule("if", "macsec disable-sci", 2),
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
  rule("router", "address-family ipv4", 2, "router-af"),
  rule("router-af", `neighbor ${address} activate`, 3),
  rule("router-af", `neighbor ${address} prefix-list ${name} (?:in|out)`, / \S+(?= (?:in|out)$)/),
  rule("router-af", `neighbor ${address} route-map ${name} (?:in|out)`, / \S+(?= (?:in|out)$)/),
  rule("", String.raw`route-map ${name} (?:permit|deny) \d+`, 4, "route-map"),
  rule("route-map", `match ip address prefix-list ${name}`, 4),
  rule("route-map", String.raw`set community \d+:\d+`, 2),
  rule("route-map", String.raw`set as-path prepend(?: \d+)+`, 3),
  rule("route-map", String.raw`set local-preference \d+`, 2),
];

/** What a place begins with is not printed. */
const defaults: ReadonlySet<string> = new Set([
  "macsec access-control must-secure",
  "macsec replay-protection window-size 64",
  "confidentiality-offset 0",
  "key-server priority 0",
]);

/** As `show running-config` prints it: keys in their other form. */
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
