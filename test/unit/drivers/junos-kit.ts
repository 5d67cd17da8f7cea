// A configuration and answers of a Junos router, in its layout, with invented names.

import { type JunosConfig, readConfig } from "#drivers/junos/config.ts";
import { junos } from "#drivers/junos/junos.ts";
import type { Surroundings } from "#drivers/junos/plan.ts";
import { readXml, type XmlElement } from "#drivers/transport/xml.ts";
import type { DeviceChange } from "#hal/device.ts";
import { type Ckn, type KeyRef, parseCkn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";

export const read = (text: string): Promise<XmlElement> =>
  readXml(new TextEncoder().encode(text), "edge-a");

export function cknOf(n: number): Ckn {
  const ckn = parseCkn(n.toString(16).padStart(64, "0"));
  if (ckn === undefined) throw new RangeError("no CKN");
  return ckn;
}

export const keyOf = (n: number): KeyRef => ({
  ckn: cknOf(n),
  cakSecretId: `cak-${n}`,
  cknSecretId: `ckn-${n}`,
});

/** A CAK of so many octets for each key of the change. */
export function caksOf(change: DeviceChange, octets: number): ReadonlyMap<string, Secret> {
  return new Map(
    change.flatMap((operation): [string, Secret][] =>
      "key" in operation
        ? [[operation.key.cakSecretId, Secret.take("cak", new Uint8Array(octets).fill(0xa5))]]
        : [],
    ),
  );
}

/** 2026-11-25T18:00:00Z, with a fraction that no router prints. */
export const wall = (Date.UTC(2026, 10, 25, 18, 0, 0) + 250) as WallTime;

const key = (id: number, n: number, start: string): string =>
  `<key><name>${id}</name><key-name>${cknOf(n).toUpperCase()}</key-name>` +
  `<start-time>${start}</start-time></key>`;

const chained = "linkseal-et-0-0-1";

/** Port 0: nothing. 1: two keys in a chain. 2: a key of an operator. 3 and 4 share. 5: unread. */
export const configText = `<rpc-reply><data><configuration>
  <security>
    <authentication-key-chains>
      <key-chain><name>${chained}</name>
        ${key(3, 2, "2026-11-25.17:59:30 +0000")}${key(0, 1, "2026-01-01.00:00")}
      </key-chain>
      <key-chain><name>bgp</name><key><name>0</name><start-time>2026-01-01.00:00</start-time></key>
      </key-chain>
    </authentication-key-chains>
    <macsec>
      <connectivity-association><name>${chained}</name><cipher-suite>gcm-aes-xpn-256</cipher-suite>
        <include-sci/><replay-protect><replay-window-size>64</replay-window-size></replay-protect>
        <mka><key-server-priority>20</key-server-priority></mka>
        <pre-shared-key-chain>${chained}</pre-shared-key-chain></connectivity-association>
      <connectivity-association><name>BY-HAND</name>
        <mka><should-secure/><sak-rekey-interval>600</sak-rekey-interval></mka>
        <pre-shared-key><ckn>${cknOf(9)}</ckn></pre-shared-key></connectivity-association>
      <connectivity-association><name>SHARED</name></connectivity-association>
      <connectivity-association><name>NEWER</name><cipher-suite>gcm-aes-512</cipher-suite>
      </connectivity-association>
      <interfaces><name>et-0/0/1</name>
        <connectivity-association>${chained}</connectivity-association></interfaces>
      <interfaces><name>et-0/0/2</name><connectivity-association>BY-HAND</connectivity-association>
      </interfaces>
      <interfaces><name>et-0/0/3</name><connectivity-association>SHARED</connectivity-association>
      </interfaces>
      <interfaces><name>et-0/0/4</name><connectivity-association>SHARED</connectivity-association>
      </interfaces>
      <interfaces><name>et-0/0/5</name><connectivity-association>NEWER</connectivity-association>
      </interfaces>
    </macsec>
  </security>
  <interfaces>
    <interface><name>et-0/0/0</name><unit><name>100</name><family><inet>
      <address><name>192.0.2.1/30</name></address></inet></family></unit></interface>
    <interface><name>et-0/0/1</name><disable/><unit><name>0</name><family><inet6>
      <address><name>2001:db8::1/126</name></address></inet6></family></unit></interface>
    <interface><name>lo0</name></interface>
  </interfaces>
  <protocols><bgp><export>everywhere</export>
    <group><name>azure</name><import>from-azure</import><export>to-azure</export>
      <export>rest</export>
      <neighbor><name>192.0.2.2</name></neighbor>
      <neighbor inactive="inactive"><name>2001:db8::2</name><export>own</export></neighbor>
      <neighbor><name>198.51.100.9</name></neighbor></group></bgp></protocols>
  <policy-options><policy-statement><name>to-azure</name></policy-statement></policy-options>
</configuration></data></rpc-reply>`;

export async function configOf(text = configText): Promise<JunosConfig> {
  const config = readConfig(await read(text));
  if (config === undefined) throw new Error("no configuration");
  return config;
}

export async function surroundings(
  change: DeviceChange,
  over: Partial<Surroundings> = {},
): Promise<Surroundings> {
  const secrets = new Map(
    [1, 2, 3].map((n) => [`cak-${n}`, Secret.take("cak", new Uint8Array(32).fill(n))]),
  );
  return {
    config: await configOf(),
    work: { device: "edge-a", note: "linkseal 0", capabilities: junos.offers, change, secrets },
    wall,
    ports: new Set([0, 1, 2, 3, 4, 5].map((n) => `et-0/0/${n}`)),
    principal: () => undefined,
    ...over,
  };
}
