// Keys in text of which it is not known whether it has any: they are found by the grammar of the
// platforms' lines and not by their octets, so no key is kept for it.

/** What stands for a key that the grammar has found. */
export const withheldKey = "[withheld]";
/** What stands for a line of which the grammar is not sure. */
const withheldLine = "[a line was withheld, as it may contain a key]";

/** Words in front of a key, in configurations, files of keys, XML and JSON. */
const keyWords = [
  "key-(?:octet-)?string",
  // A CAK is hexadecimal digits, or a text that hides them; other words behind it are a sentence.
  "(?:mka_)?cak(?=[^A-Za-z0-9]+(?:[a-z0-9]+[^A-Za-z0-9]+)?\\S*[\\d$])",
  "(?:wpa_)?psk",
  "(?:fallback-)?pre-?shared[- ]key",
  "shared[- ]?(?:key|secret)",
  "(?:local|remote|authentication|auth|auth[- ]?password|priv(?:ate|acy)?)[- ]key",
  "secret",
  "pass(?:word|wd|phrase)",
  "ascii-text",
  "hexadecimal",
  "isakmp key",
  "message-digest-key \\d{1,3} md5",
  "snmp(?:-server)? community",
].join("|");
/** Words that say how the key is written, or for which peer it is. */
const qualifiers = [
  "(?:0|5|6|7|8|8a|9|10)",
  "password6?|encrypted|clear(?:-?text)?|plain(?:-?text)?|hex|ascii|ascii-text|hexadecimal",
  "simple|md5|key|cak|local|remote|address \\S{1,64}",
].join("|");
/** Words of sentences that follow such a word and are no key. */
const sentenceWords = [
  "already|and|are|as|at|authentication|be|but|by|can(?:not)?|chain|configured|could|differs?",
  "did|does|encryption|entered|error|exists?|expired|fail(?:ed|s|ure)?|for|found|from|has|have|in",
  "incorrect|invalid|is|length|longer|mismatch(?:ed)?|missing|must|name|needs?|no|not|of|on|or|out",
  "rejected|required|set|shorter|should|size|status|strength|than|the|to|too|type|unknown|version",
  "was|were|will|with|wrong|mode|-?cak|key|\\(ckn\\)|\\(cak\\)",
].join("|");

/** Hexadecimal digits in groups are one value. */
const grouped = "[0-9A-Fa-f]{2,8}(?:[ :.-][0-9A-Fa-f]{2,8}){3,}";
const value = `"[^"]*"|'[^']*'|${grouped}|[^\\s"'<>;,]+`;
const glue = `(?:["'\\])]?\\s*[:=>]\\s*|\\s+)(?:(?:${qualifiers})(?:\\s*[:=>]\\s*|\\s+))*`;
const noKey = "ckn\\b|key-chain\\b|\\{|\\[(?:secret|withheld)";
const noValue = `(?!(?:${sentenceWords})(?:[\\s.,:;)]|$)|${noKey})`;

/** The label of a secret of ours is no word of a platform. */
const wordStart = "(?<![A-Za-z0-9]|\\[(?=secret ))";
const label = /\[secret [\w./:-]{1,200}\]/g;

const named = new RegExp(
  `${wordStart}((?:${keyWords})(?![\\w-])${glue})${noValue}(?:${value})`,
  "gi",
);
/** EOS: the CKN, the way of writing and the key; elsewhere the way of writing and the key. */
const numbered = new RegExp(
  String.raw`\b(key\s+(?:[0-9A-Fa-f]{2,64}\s+)?(?:0|5|6|7|8a?)\s+)` +
    String.raw`(?!\[withheld|[a-z]+-|fallback\b)[^\s"'<>;,]+`,
  "gi",
);
/** `$9$` of Junos, and hashes of passwords. */
const marked = /\$\d{1,2}\$[^\s"'<>;,]+/g;
/** Words in front of a CKN, which is a name. */
const cknBefore =
  /(?:(?<![a-z0-9])ckn|\b(?:cak|key)[- ]name|\bcak of)(?:\s*\(ckn\))?["')]?\s*[:=>]?\s*["']?$/i;
/** A key of a chain or a profile has its CKN as its number, with nothing or this behind it. */
const keyBefore = /(?:\bmacsec key|^\s*(?:no )?key)\s+$/i;
const keyBehind = /^(?:\s*$|\s+(?:\d|8a|fallback|key-))/i;
/** As many digits as the shortest CAK has; a CKN has no fewer than that as a rule. */
const pairs = "(?=\\S*[A-Fa-f])(?:[0-9A-Fa-f]{2}[:.-]){15,}[0-9A-Fa-f]{2}";
const digits = new RegExp(
  `(?<![0-9A-Za-z])(?:0x)?(?:[0-9A-Fa-f]{32,}|${pairs})(?![0-9A-Za-z])`,
  "g",
);

/** Nearly no text has any of this, which is found sooner than the rest. */
const hint = new RegExp(
  "key|cak|psk|secret|pass|ascii-text|hexadecimal|community|\\$\\d|[0-9a-f]{32}|" +
    "(?:[0-9a-f]{2}[:.-]){15}",
  "i",
);

/**
 * Returns text of another system without the keys in it. A line with a word for keys, and with a
 * text behind it that could be one, is withheld as a whole. CKNs, addresses and numbers stay.
 */
export function withoutKeys(text: string): string {
  if (!hint.test(text)) return text;
  let isOpen = false;
  const lines = text.split("\n").map((line) => {
    // A key that was too long for a line goes on in the next one.
    const shown = withoutKey(isOpen ? line.replace(continued, withheldKey) : line);
    isOpen = shown.trimEnd().endsWith(withheldKey);
    return shown;
  });
  return lines.join("\n");
}

const continued = /^\s*[0-9A-Za-z+/=]{4,}(?=\s|$)/;

/** Names a version in a vault, which is no key; a key of 64 digits is no version. */
const vaultId =
  /(https:\/\/[\w.-]{1,250}\/secrets\/(?![0-9a-f]{16})[\w-]{1,127}\/[0-9a-f]{32}(?!\w))/;

function withoutKey(line: string): string {
  return line
    .split(vaultId)
    .map((part, index) => (index % 2 === 1 ? part : withoutKeyIn(part)))
    .join("");
}

function withoutKeyIn(line: string): string {
  const shown = line
    .replace(named, (_, before: string) => `${before}${withheldKey}`)
    .replace(numbered, (_, before: string) => `${before}${withheldKey}`)
    .replace(marked, withheldKey)
    .replace(digits, (found, at: number, whole: string) => {
      const [before, behind] = [whole.slice(0, at), whole.slice(at + found.length)];
      const isCkn = cknBefore.test(before) || (keyBefore.test(before) && keyBehind.test(behind));
      return isCkn ? found : withheldKey;
    });
  return isUnsure(shown) ? withheldLine : shown;
}

/** A word for keys without the key behind it. */
const unnamed = new RegExp(
  `${wordStart}(?:${keyWords})(?![\\w-]|${glue}\\[(?:withheld|secret))`,
  "i",
);
/** Identities of the peers that a key is for. */
const peers = /(?:\b(?:for|of|by|with|between|and|from|to)|-)\s+(?:'[^']*'|"[^"]*")/gi;
const tokens = /[^\s"'<>;,()]{8,}/g;
/** Addresses, times and numbers, names of ports and of algorithms, words, digits of a CKN. */
const known = new RegExp(
  [
    "[0-9.:/%-]+",
    "(?:[0-9a-f]{2,4}[.:-]){2,7}[0-9a-f]{0,4}(?:/\\d+)?",
    "[A-Za-z-]{2,}\\d+(?:[/.:]\\d+)+",
    "(?:aes|des|sha|gcm|cmac|md5|hmac|esp|modp|curve|ecp)[A-Za-z0-9_-]*",
    "[A-Za-z]+(?:[-_./:][A-Za-z]+)*[.:]?",
    "[0-9A-Fa-f]{32,}",
  ]
    .map((one) => `(?:${one})`)
    .join("|")
    .replace(/^/, "^(?:")
    .replace(/$/, ")$"),
  "i",
);

/** Returns whether a word for keys has a text behind it that may be one, and is still shown. */
function isUnsure(shown: string): boolean {
  const line = shown.replace(label, withheldKey);
  const word = unnamed.exec(line);
  if (word === null) return false;
  const behind = line.slice(word.index).replace(peers, "").replaceAll(withheldKey, "");
  return (behind.match(tokens) ?? []).some((token) => !known.test(token));
}
