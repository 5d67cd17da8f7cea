// The one change that every client pushes: MACsec on a port, with a key, under a lock.

import { element, writeXml, type XmlOut } from "#drivers/transport/xml.ts";
import { preview } from "#hal/secret.ts";

const base = "urn:ietf:params:xml:ns:netconf:base:1.0";
export const port = "et-0/0/0";
const name = `linkseal-${port}`;
const ckn = "0123456789ABCDEF".repeat(4);
/** A made-up key, which no device uses. */
const cak = "00112233445566778899aabbccddeeff".repeat(2);

const target = element("target", element("candidate"));

export const lock = element("lock", target);
export const unlock = element("unlock", target);
export const commit = element("commit-configuration", element("log", "bench"));

function treeOf(priority: number): XmlOut {
  const association = element(
    "connectivity-association",
    element("name", name),
    element("security-mode", "static-cak"),
    element("cipher-suite", "gcm-aes-xpn-256"),
    element("include-sci"),
    element("replay-protect", element("replay-window-size", "64")),
    element("mka", element("key-server-priority", String(priority))),
    element("pre-shared-key-chain", name),
  );
  const binding = element(
    "interfaces",
    element("name", port),
    element("connectivity-association", name),
  );
  const key = element(
    "key",
    element("name", "0"),
    element("secret", cak),
    element("key-name", ckn),
    element("start-time", "2026-01-01.00:00:00 +0000"),
  );
  const chain = element("key-chain", element("name", name), key);
  const chains = element("authentication-key-chains", chain);
  return element(
    "configuration",
    element("security", element("macsec", association, binding), chains),
  );
}

/** Returns the edit; another priority makes it a different change. */
export function edit(priority: number): XmlOut {
  return element("edit-config", target, element("config", treeOf(priority)));
}

/** The order in which each client sends the messages, each after the reply to the previous one. */
export const pushes = (priority: number): readonly XmlOut[] => [
  lock,
  edit(priority),
  commit,
  unlock,
];

export const textOf = (operation: XmlOut): string => preview(writeXml(operation));

export function rpcOf(operation: XmlOut, id: number): string {
  return `<rpc xmlns="${base}" message-id="${id}">${textOf(operation)}</rpc>`;
}

export const hello =
  `<hello xmlns="${base}"><capabilities>` +
  "<capability>urn:ietf:params:netconf:base:1.0</capability>" +
  "<capability>urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>";

/** The same change as command lines. */
export function linesOf(priority: number): readonly string[] {
  const association = `set security macsec connectivity-association ${name}`;
  return [
    `${association} security-mode static-cak`,
    `${association} cipher-suite gcm-aes-xpn-256`,
    `${association} include-sci`,
    `${association} replay-protect replay-window-size 64`,
    `${association} mka key-server-priority ${priority}`,
    `${association} pre-shared-key-chain ${name}`,
    `set security macsec interfaces ${port} connectivity-association ${name}`,
    `set security authentication-key-chains key-chain ${name} key 0 key-name ${ckn} ` +
      `secret ${cak} start-time 2026-01-01.00:00`,
  ];
}

/** The input that a client reads from standard input, as JSON. */
export interface Order {
  readonly ports: readonly number[];
  /** `SHA256:` and the digest of the key. */
  readonly hostKey: string;
  /** A private key in OpenSSH's format that every device accepts. */
  readonly login: string;
  readonly workers: number;
  readonly priority: number;
  readonly lines: readonly string[];
  readonly edit: string;
}

/** The result that a client prints at its end. */
export interface Report {
  readonly seconds: number;
  readonly megabytes: number;
}

export async function orderFrom(stdin: AsyncIterable<unknown>): Promise<Order> {
  let text = "";
  for await (const chunk of stdin) text += String(chunk);
  return JSON.parse(text) as Order;
}

/** Calls `one` for each device, for as many at a time as there are workers. */
export async function forEach(
  { ports, workers }: Order,
  one: (at: number) => Promise<void>,
): Promise<Report> {
  const left = [...ports];
  const worker = async (): Promise<void> => {
    for (let at = left.shift(); at !== undefined; at = left.shift()) await one(at);
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: workers }, worker));
  const seconds = (performance.now() - begun) / 1000;
  return { seconds, megabytes: process.resourceUsage().maxRSS / 1024 };
}
