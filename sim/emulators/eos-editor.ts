// The effect of a line on an EOS configuration: modes inside modes, and which line replaces which;
// written from Arista's manual and from configurations that were published.

import { CommandError } from "./eos-config.ts";
import {
  apply,
  type Block,
  type Grammar,
  modesOf,
  type Place,
  parentOf,
  placeOf,
  type Rule,
  rule,
  top,
} from "./line-tree.ts";
import { obscured, plainOf } from "./type-seven.ts";

const whole = Number.POSITIVE_INFINITY;

/** Makes a rule; `head` is a possible beginning of its negation. */
const row = (
  inside: string,
  head: string,
  rest: RegExp,
  named: number | RegExp = whole,
  opens?: string,
): Rule => ({ ...rule(inside, `${head} ${rest.source}`, named, opens), head });

const flag = (inside: string, head: string, opens?: string): Rule => ({
  ...rule(inside, head, whole, opens),
  head,
});

const rules: readonly Rule[] = [
  row("", "hostname", /\S+/, 1),
  flag("", "ip routing"),
  row("", "vrf instance", /\S+/),
  flag("", "mac security", "macsec"),
  row("", "interface", /\S+/, whole, "interface"),
  flag("", "ip security", "security"),
  row("", "ip route", /\S+\/\d{1,2} \S+/),
  row("", "router bgp", /\d+/, whole, "bgp"),
  row("", "route-map", /\S+ (?:permit|deny) \d+/, whole, "map"),
  row("macsec", "profile", /\S+/, whole, "profile"),
  row("macsec", "license", /\S+ \S+/, 1),
  flag("macsec", "fips restrictions"),
  row("profile", "cipher", /aes(?:128|256)-gcm(?:-xpn)?/, 1),
  row("profile", "mka key-server", /priority \d{1,3}/, 2),
  row("profile", "mka session", /rekey-period \d{1,6}/, 2),
  flag("profile", "sci"),
  row("profile", "traffic unprotected", /(?:drop|allow(?: active-sak)?)/, 1),
  flag("profile", "replay protection disabled"),
  row("profile", "replay protection window", /\d{1,10}/, 3),
  flag("profile", "key retirement immediate"),
  // A profile has one key and one fallback.
  row("profile", "key", /(?:[0-9a-fA-F]{2}){1,32} [07] \S+(?: fallback)?/, / [0-9a-f]+ 7 \S+/),
  row("profile", "l2-protocol", /.+/, 2),
  row("interface", "description", /.+/, 1),
  flag("interface", "no switchport"),
  row("interface", "vrf", /\S+/, 1),
  row("interface", "channel-group", /\d+ mode (?:active|passive|on)/, 1),
  row("interface", "mtu", /\d{2,5}/, 1),
  flag("interface", "shutdown"),
  row("interface", "mac security profile", /\S+/, 3),
  row("interface", "ip address", /(?:\S+\/\d{1,2}|unnumbered \S+)/, 2),
  row("interface", "tcp mss", /ceiling ipv4 \d{2,5}/, 2),
  row("interface", "tunnel mode", /(?:gre|ipsec)/, 2),
  row("interface", "tunnel source", /\S+/, 2),
  row("interface", "tunnel destination", /\S+/, 2),
  row("interface", "tunnel ipsec", /profile \S+/, 3),
  row("security", "ike policy", /\S+/, whole, "ikePolicy"),
  row("security", "sa policy", /\S+/, whole, "saPolicy"),
  row("security", "profile", /\S+/, whole, "ipsecProfile"),
  row("ikePolicy", "ike-lifetime", /\d{1,4} (?:hours|minutes)/, 1),
  row("ikePolicy", "encryption", /(?:3des|aes128|aes256)/, 1),
  row("ikePolicy", "integrity", /(?:md5|sha1|sha256|sha384|sha512)/, 1),
  row("ikePolicy", "dh-group", /(?:1|2|5|14|15|16|17|19|20|21|24)/, 1),
  row("ikePolicy", "local-id", /(?:fqdn )?\S+/, 1),
  row("saPolicy", "esp encryption", /(?:aes(?:128|256)(?:gcm128)?|aes256gcm256|null)/, 2),
  row("saPolicy", "esp integrity", /(?:sha1|sha256|null)/, 2),
  // Whether a policy may have a limit by time beside one by traffic is not known.
  row("saPolicy", "sa lifetime", /\d{1,9} (?:minutes|hours|megabytes|gigabytes)/, 2),
  row("saPolicy", "pfs dh-group", /(?:1|2|5|14|15|16|17|19|20|21|24)/, 2),
  row("ipsecProfile", "ike-policy", /\S+/, 1),
  row("ipsecProfile", "sa-policy", /\S+/, 1),
  row("ipsecProfile", "connection", /(?:add|start|route)/, 1),
  row("ipsecProfile", "shared-key", /(?:[07] )?\S+/, 1),
  row("ipsecProfile", "dpd", /\d{1,4} \d{1,4} (?:clear|hold|restart)/, 1),
  row("ipsecProfile", "mode", /(?:transport|tunnel)/, 1),
  row("bgp", "router-id", /\S+/, 1),
  row("bgp", "vrf", /\S+/, whole, "bgpVrf"),
  row("bgpVrf", "rd", /\S+/, 1),
  ...["bgp", "bgpVrf"].flatMap((inside) => [
    row(inside, "neighbor", /\S+ remote-as \d+/, 3),
    row(inside, "neighbor", /\S+ description .+/, 3),
    row(inside, "neighbor", /\S+ bfd/, 3),
    row(inside, "neighbor", /\S+ shutdown/, 3),
    row(inside, "neighbor", /\S+ password 7 \S+/, 3),
    row(inside, "neighbor", /\S+ route-map \S+ (?:in|out)/, / \S+(?= (?:in|out)$)/),
  ]),
  row("map", "description", /.+/, 1),
  row("map", "match", /.+/, 2),
  row("map", "sub-route-map", /\S+/, 1),
  row("map", "set as-path prepend", /(?:\d+|auto)(?: (?:\d+|auto))*/, 3),
  row("map", "set local-preference", /\d+/, 2),
];

const grammar: Grammar = {
  rules,
  negation: /^(?:no|default) (.+)$/,
  isLoose: false,
  stored: (line, { inside }, beside) => {
    if (inside === "profile" && /^key [0-9a-fA-F]{2}/.test(line)) return storedKey(line, beside);
    if (inside === "ipsecProfile" && line.startsWith("shared-key ")) return storedPsk(line);
    const isOther = (one: Block): boolean =>
      one.line.startsWith("router bgp ") && one.line !== line;
    if (line.startsWith("router bgp ") && beside.some(isOther)) {
      throw new CommandError("% BGP is already running");
    }
    return line;
  },
  removedBy: (negated) => {
    const [, ckn] = /^key ((?:[0-9a-fA-F]{2}){1,32})(?: .*)?$/.exec(negated) ?? [];
    return ckn === undefined ? negated : `key ${ckn.toLowerCase()}`;
  },
};

/**
 * The text of each mode between the parentheses of a prompt, with the words of the line that led
 * there.
 */
const marks: Readonly<Record<string, string>> = {
  macsec: "-mac-sec",
  profile: "-profile-$2",
  interface: "-if-$2",
  bgp: "-router-bgp-$3",
  bgpVrf: "-vrf-$2",
  map: "-route-map-$2",
  security: "-ipsec",
  ikePolicy: "-ike-$3",
  saPolicy: "-sa-$3",
  ipsecProfile: "-profile-$2",
};

/** A position in a configuration, and the effect of the lines that are entered there. */
export class Editor {
  readonly root: Block[];
  #place: Place = top;

  constructor(root: Block[]) {
    this.root = root;
  }

  /** Returns the text between the parentheses of a prompt. */
  where(): string {
    const { path } = this.#place;
    const modes = modesOf(rules, path);
    const words = /^(\S+) ?(\S*) ?(\S*).*$/;
    const all = path.map((line, index) => line.replace(words, marks[modes[index] ?? ""] ?? ""));
    return all.map((mark) => mark.replace(/^-if-Ethernet/, "-if-Et")).join("");
  }

  /** Leaves one mode; false at the top. */
  exit(): boolean {
    const above = parentOf(rules, this.#place);
    this.#place = above ?? top;
    return above !== undefined;
  }

  /**
   * Applies a line here, or in the nearest enclosing mode that knows it.
   * @throws CommandError with the text that EOS prints
   */
  enter(text: string): void {
    if (text.startsWith("!")) return;
    const place = placeOf(grammar, this.root, this.#place, text);
    if (place === undefined) throw new CommandError("% Invalid input");
    this.#place = place;
    this.#place = apply(grammar, this.root, place, text);
  }
}

function storedPsk(text: string): string {
  const [, form, key = ""] = /^shared-key (?:([07]) )?(\S+)$/.exec(text) ?? [];
  return form === "7" ? text : `shared-key 7 ${obscured(key)}`;
}

function storedKey(text: string, beside: readonly Block[]): string {
  const [, ckn = "", form, key = "", role = ""] =
    /^key (\S+) ([07]) (\S+)( fallback)?$/.exec(text) ?? [];
  const plain = form === "7" ? plainOf(key) : key;
  if (plain === undefined || !/^(?:[0-9a-fA-F]{2})+$/.test(plain)) {
    throw new CommandError("% Invalid connectivity association key");
  }
  const other = beside.find((one) => one.line.startsWith(`key ${ckn.toLowerCase()} `));
  if (other !== undefined && other.line.endsWith(" fallback") !== (role !== "")) {
    throw new CommandError("% Connectivity association key name is in use");
  }
  return `key ${ckn.toLowerCase()} 7 ${obscured(plain)}${role}`;
}
