// What a line of an EOS configuration makes of it: modes inside modes, and what a line replaces;
// written from Arista's manual and from configurations that were published.

import { CommandError, childOf, type Line, line } from "./eos-config.ts";
import { obscured, plainOf } from "./type-seven.ts";

type Mode =
  | "top"
  | "macsec"
  | "profile"
  | "interface"
  | "bgp"
  | "map"
  | "security"
  | "ikePolicy"
  | "saPolicy"
  | "ipsecProfile";

interface Statement {
  readonly pattern: RegExp;
  /** How its negation may begin. */
  readonly head: string;
  /** What a later line of the same kind begins with: it takes the place of this one. */
  readonly replaces?: (words: readonly string[]) => RegExp;
  readonly enters?: Mode;
}

const same = (pattern: RegExp) => (): RegExp => pattern;
const exactly = (words: readonly string[]): RegExp =>
  new RegExp(`^${words.map((word) => word.replace(/[^\w]/g, "\\$&")).join(" ")}(?: |$)`);
const firstOf = (count: number) => (words: readonly string[]) => exactly(words.slice(0, count));

const statements: Readonly<Record<Mode, readonly Statement[]>> = {
  top: [
    { pattern: /^hostname \S+$/, head: "hostname", replaces: same(/^hostname /) },
    { pattern: /^ip routing$/, head: "ip routing" },
    { pattern: /^mac security$/, head: "mac security", enters: "macsec" },
    { pattern: /^interface \S+$/, head: "interface", enters: "interface" },
    { pattern: /^ip security$/, head: "ip security", enters: "security" },
    { pattern: /^ip route \S+\/\d{1,2} \S+$/, head: "ip route" },
    { pattern: /^router bgp \d+$/, head: "router bgp", enters: "bgp" },
    { pattern: /^route-map \S+ (?:permit|deny) \d+$/, head: "route-map", enters: "map" },
  ],
  macsec: [
    { pattern: /^profile \S+$/, head: "profile", enters: "profile" },
    { pattern: /^license \S+ \S+$/, head: "license", replaces: same(/^license /) },
    { pattern: /^fips restrictions$/, head: "fips restrictions" },
  ],
  profile: [
    {
      pattern: /^cipher aes(?:128|256)-gcm(?:-xpn)?$/,
      head: "cipher",
      replaces: same(/^cipher /),
    },
    {
      pattern: /^mka key-server priority \d{1,3}$/,
      head: "mka key-server",
      replaces: same(/^mka key-server /),
    },
    {
      pattern: /^mka session rekey-period \d{1,6}$/,
      head: "mka session",
      replaces: same(/^mka session /),
    },
    { pattern: /^sci$/, head: "sci" },
    {
      pattern: /^traffic unprotected (?:drop|allow(?: active-sak)?)$/,
      head: "traffic unprotected",
      replaces: same(/^traffic /),
    },
    { pattern: /^replay protection disabled$/, head: "replay protection disabled" },
    {
      pattern: /^replay protection window \d{1,10}$/,
      head: "replay protection window",
      replaces: same(/^replay protection window/),
    },
    { pattern: /^key retirement immediate$/, head: "key retirement immediate" },
    {
      pattern: /^key (?:[0-9a-fA-F]{2}){1,32} [07] \S+(?: fallback)?$/,
      head: "key",
    },
    { pattern: /^l2-protocol .+$/, head: "l2-protocol", replaces: firstOf(2) },
  ],
  interface: [
    { pattern: /^description .+$/, head: "description", replaces: same(/^description /) },
    { pattern: /^no switchport$/, head: "no switchport" },
    { pattern: /^mtu \d{2,5}$/, head: "mtu", replaces: same(/^mtu /) },
    { pattern: /^shutdown$/, head: "shutdown" },
    {
      pattern: /^mac security profile \S+$/,
      head: "mac security profile",
      replaces: same(/^mac security profile /),
    },
    {
      pattern: /^ip address (?:\S+\/\d{1,2}|unnumbered \S+)$/,
      head: "ip address",
      replaces: same(/^ip address /),
    },
    { pattern: /^tcp mss ceiling ipv4 \d{2,5}$/, head: "tcp mss", replaces: same(/^tcp mss /) },
    { pattern: /^tunnel mode (?:gre|ipsec)$/, head: "tunnel mode", replaces: firstOf(2) },
    { pattern: /^tunnel source \S+$/, head: "tunnel source", replaces: firstOf(2) },
    { pattern: /^tunnel destination \S+$/, head: "tunnel destination", replaces: firstOf(2) },
    { pattern: /^tunnel ipsec profile \S+$/, head: "tunnel ipsec", replaces: firstOf(3) },
  ],
  security: [
    { pattern: /^ike policy \S+$/, head: "ike policy", enters: "ikePolicy" },
    { pattern: /^sa policy \S+$/, head: "sa policy", enters: "saPolicy" },
    { pattern: /^profile \S+$/, head: "profile", enters: "ipsecProfile" },
  ],
  ikePolicy: [
    {
      pattern: /^ike-lifetime \d{1,4} (?:hours|minutes)$/,
      head: "ike-lifetime",
      replaces: firstOf(1),
    },
    { pattern: /^encryption (?:3des|aes128|aes256)$/, head: "encryption", replaces: firstOf(1) },
    {
      pattern: /^integrity (?:md5|sha1|sha256|sha384|sha512)$/,
      head: "integrity",
      replaces: firstOf(1),
    },
    {
      pattern: /^dh-group (?:1|2|5|14|15|16|17|20|21|24)$/,
      head: "dh-group",
      replaces: firstOf(1),
    },
    { pattern: /^local-id (?:fqdn )?\S+$/, head: "local-id", replaces: firstOf(1) },
  ],
  saPolicy: [
    {
      pattern: /^esp encryption (?:aes(?:128|256)|aes(?:128|256)gcm128|aes256gcm256|null)$/,
      head: "esp encryption",
      replaces: firstOf(2),
    },
    {
      pattern: /^esp integrity (?:sha1|sha256|null)$/,
      head: "esp integrity",
      replaces: firstOf(2),
    },
    {
      pattern: /^sa lifetime \d{1,9} (?:minutes|hours)$/,
      head: "sa lifetime",
      replaces: same(/^sa lifetime \d+ (?:minutes|hours)$/),
    },
    {
      pattern: /^sa lifetime \d{1,9} (?:megabytes|gigabytes)$/,
      head: "sa lifetime",
      replaces: same(/^sa lifetime \d+ (?:megabytes|gigabytes)$/),
    },
    {
      pattern: /^pfs dh-group (?:1|2|5|14|15|16|17|20|21|24)$/,
      head: "pfs dh-group",
      replaces: firstOf(2),
    },
  ],
  ipsecProfile: [
    { pattern: /^ike-policy \S+$/, head: "ike-policy", replaces: firstOf(1) },
    { pattern: /^sa-policy \S+$/, head: "sa-policy", replaces: firstOf(1) },
    { pattern: /^connection (?:add|start|route)$/, head: "connection", replaces: firstOf(1) },
    { pattern: /^shared-key (?:[07] )?\S+$/, head: "shared-key", replaces: firstOf(1) },
    {
      pattern: /^dpd \d{1,4} \d{1,4} (?:clear|hold|restart)$/,
      head: "dpd",
      replaces: firstOf(1),
    },
    { pattern: /^mode (?:transport|tunnel)$/, head: "mode", replaces: firstOf(1) },
  ],
  bgp: [
    { pattern: /^router-id \S+$/, head: "router-id", replaces: same(/^router-id /) },
    { pattern: /^neighbor \S+ remote-as \d+$/, head: "neighbor", replaces: firstOf(3) },
    { pattern: /^neighbor \S+ description .+$/, head: "neighbor", replaces: firstOf(3) },
    { pattern: /^neighbor \S+ shutdown$/, head: "neighbor" },
    { pattern: /^neighbor \S+ password 7 \S+$/, head: "neighbor", replaces: firstOf(3) },
    {
      pattern: /^neighbor \S+ route-map \S+ (?:in|out)$/,
      head: "neighbor",
      replaces: (words) =>
        new RegExp(`^neighbor ${words[1]?.replaceAll(".", "\\.")} route-map \\S+ ${words[4]}$`),
    },
  ],
  map: [
    { pattern: /^description .+$/, head: "description", replaces: same(/^description /) },
    { pattern: /^match .+$/, head: "match", replaces: firstOf(2) },
    { pattern: /^sub-route-map \S+$/, head: "sub-route-map", replaces: same(/^sub-route-map /) },
    {
      pattern: /^set as-path prepend(?: (?:\d+|auto))+$/,
      head: "set as-path prepend",
      replaces: same(/^set as-path prepend /),
    },
    {
      pattern: /^set local-preference \d+$/,
      head: "set local-preference",
      replaces: same(/^set local-preference /),
    },
  ],
};

interface Step {
  readonly mode: Mode;
  readonly at: Line;
}

function markOf({ mode, at }: Step): string {
  const [, second = "", third = ""] = at.text.split(" ");
  switch (mode) {
    case "macsec":
      return "-mac-sec";
    case "profile":
      return `-profile-${second}`;
    case "interface":
      return `-if-${second.replace(/^Ethernet/, "Et")}`;
    case "bgp":
      return `-router-bgp-${third}`;
    case "map":
      return `-route-map-${second}`;
    case "security":
      return "-ipsec";
    case "ikePolicy":
      return `-ike-${third}`;
    case "saPolicy":
      return `-sa-${third}`;
    case "ipsecProfile":
      return `-profile-${second}`;
    case "top":
      return "";
  }
}

/** Where somebody stands in a configuration, and what a line of theirs makes of it. */
export class Editor {
  readonly root: Line[];
  #path: Step[] = [];

  constructor(root: Line[]) {
    this.root = root;
  }

  /** As it stands between the parentheses of a prompt. */
  where(): string {
    return this.#path.map(markOf).join("");
  }

  /** One mode up; false at the top. */
  exit(): boolean {
    return this.#path.pop() !== undefined;
  }

  /** Throws CommandError with what EOS prints. A line that no mode knows belongs to one above. */
  enter(text: string): void {
    if (text.startsWith("!")) return;
    for (let depth = this.#path.length; depth >= 0; depth -= 1) {
      const mode = this.#path[depth - 1]?.mode ?? "top";
      if (!this.#isOf(mode, text)) continue;
      this.#path = this.#path.slice(0, depth);
      this.#apply(mode, text);
      return;
    }
    throw new CommandError("% Invalid input");
  }

  #isOf(mode: Mode, text: string): boolean {
    if (statements[mode].some(({ pattern }) => pattern.test(text))) return true;
    const [, rest] = /^(?:no|default) (.+)$/.exec(text) ?? [];
    const isKnown = (head: string): boolean =>
      rest !== undefined && (rest === head || rest.startsWith(`${head} `));
    return statements[mode].some(({ head }) => isKnown(head));
  }

  #apply(mode: Mode, text: string): void {
    const siblings = this.#path.at(-1)?.at.children ?? this.root;
    const statement = statements[mode].find(({ pattern }) => pattern.test(text));
    if (statement === undefined) {
      this.#remove(siblings, text.replace(/^(?:no|default) /, ""));
      return;
    }
    const isKey = mode === "profile" && /^key [0-9a-fA-F]{2}/.test(text);
    const isPsk = mode === "ipsecProfile" && text.startsWith("shared-key ");
    const kept = isKey ? storedKey(siblings, text) : isPsk ? storedPsk(text) : text;
    if (statement.enters !== undefined) {
      const at = this.#entered(siblings, kept);
      this.#path.push({ mode: statement.enters, at });
      return;
    }
    const gone = isKey ? keysOfRole(kept) : statement.replaces?.(kept.split(" "));
    const rest = siblings.filter((one) => one.text !== kept && gone?.test(one.text) !== true);
    siblings.splice(0, siblings.length, ...rest, line(kept));
  }

  #entered(siblings: Line[], text: string): Line {
    const found = childOf(siblings, text);
    if (found !== undefined) return found;
    if (
      text.startsWith("router bgp ") &&
      siblings.some((one) => one.text.startsWith("router bgp "))
    ) {
      throw new CommandError("% BGP is already running");
    }
    const made = line(text);
    siblings.push(made);
    return made;
  }

  #remove(siblings: Line[], rest: string): void {
    const [, ckn] = /^key ((?:[0-9a-fA-F]{2}){1,32})(?: .*)?$/.exec(rest) ?? [];
    const beginning = ckn === undefined ? rest : `key ${ckn.toLowerCase()}`;
    const left = siblings.filter(({ text }) => {
      return text !== beginning && !text.startsWith(`${beginning} `);
    });
    siblings.splice(0, siblings.length, ...left);
  }
}

function storedPsk(text: string): string {
  const [, form, key = ""] = /^shared-key (?:([07]) )?(\S+)$/.exec(text) ?? [];
  return form === "7" ? text : `shared-key 7 ${obscured(key)}`;
}

/** A profile holds one key and one fallback. */
function keysOfRole(text: string): RegExp {
  return text.endsWith(" fallback") ? /^key [0-9a-f]+ 7 \S+ fallback$/ : /^key [0-9a-f]+ 7 \S+$/;
}

function storedKey(siblings: readonly Line[], text: string): string {
  const [, ckn = "", form, key = "", role = ""] =
    /^key (\S+) ([07]) (\S+)( fallback)?$/.exec(text) ?? [];
  const plain = form === "7" ? plainOf(key) : key;
  if (plain === undefined || !/^(?:[0-9a-fA-F]{2})+$/.test(plain)) {
    throw new CommandError("% Invalid connectivity association key");
  }
  const other = siblings.find((one) => one.text.startsWith(`key ${ckn.toLowerCase()} `));
  if (other !== undefined && other.text.endsWith(" fallback") !== (role !== "")) {
    throw new CommandError("% Connectivity association key name is in use");
  }
  return `key ${ckn.toLowerCase()} 7 ${obscured(plain)}${role}`;
}
