// Keys on a port: the old one stays in use until the new one is, and the last one always stays.

import type { KeyResolver, PortChange } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Ckn, KeyRef, PortName } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { DeviceBench } from "./bench.ts";
import {
  addKey,
  addSecond,
  always,
  cakOctets,
  commit,
  type DeviceCase,
  fallback,
  freshKey,
  freshSak,
  macsec,
  must,
  mustBe,
  never,
  overlap,
  refusal,
  refusedChange,
  running,
  secure,
  suiteOf,
  truthOf,
  until,
  wanted,
} from "./kit.ts";

const removeKey = (port: PortName, ckn: Ckn): PortChange => ({
  kind: "macsec.removeKey",
  port,
  ckn,
});

const promoteKey = (port: PortName, key: KeyRef, other: KeyRef): PortChange => ({
  kind: "macsec.promoteKey",
  port,
  ckn: key.ckn,
  keys: [key, other],
});

function cknsOn(bench: DeviceBench, port: PortName): readonly Ckn[] {
  return truthOf(bench, port).keys.map(({ ckn }) => ckn);
}

/** Returns the refusal of a change, after checking that the change had no effect. */
async function leavesAll(bench: DeviceBench, what: string, ...change: PortChange[]) {
  const before = bench.truth();
  const error = await refusedChange(bench, what, ...change);
  must(running(bench.truth()) === running(before), `${what} was refused and changed something`);
  must(bench.truth().effects === before.effects, `${what} was refused and had an effect`);
  must(!bench.truth().pending, `${what} was refused and left a commit pending`);
  return error;
}

/** Puts the old and a new key on the port; the far end has the old one. */
async function both(bench: DeviceBench): Promise<{ old: KeyRef; next: KeyRef }> {
  const [port] = bench.ports;
  const old = await secure(bench, port);
  const next = freshKey(bench);
  await commit(bench, addSecond(bench, port, next));
  return { old, next };
}

/** Commits a change of keys that must leave the session of this key alone. */
async function spare(bench: DeviceBench, used: KeyRef, part: PortChange): Promise<void> {
  const [port] = bench.ports;
  await bench.wait(20_000);
  const before = truthOf(bench, port);
  await commit(bench, part);
  await bench.wait(20_000);
  const after = truthOf(bench, port);
  must(after.principal === used.ckn, `${part.kind} took the key in use out of charge`);
  must(after.lostFrames === before.lostFrames, `${part.kind} interrupted the key in use`);
}

/** Commits a key of this shape on a port without one. */
async function take(bench: DeviceBench, cak: number, ckn: number): Promise<KeyRef> {
  const key = bench.newKey({ cakOctets: cak, cknOctets: ckn });
  const { suites = [] } = bench.device.capabilities.macsec ?? {};
  const suite = suites.find((one) => cakOctets(one) === cak) ?? suiteOf(bench);
  const [port] = bench.ports;
  const settings = { ...wanted(bench), suite };
  await commit(bench, { kind: "macsec.protect", port, settings }, addKey(port, key));
  must(cknsOn(bench, port).includes(key.ckn), `a CKN of ${ckn} octets is not on the port`);
  must(bench.holds(port, key), `the port does not have the octets of a CAK of ${cak}`);
  return key;
}

export const keyCases: readonly DeviceCase[] = [
  {
    ...overlap,
    name: "key: a second one leaves the first in use",
    why: "P3: overlap is what makes a rotation hitless",
    async run(bench) {
      const [port] = bench.ports;
      const old = await secure(bench, port);
      await bench.wait(10_000);
      const before = truthOf(bench, port);
      const next = freshKey(bench);
      await commit(bench, addSecond(bench, port, next));
      await bench.wait(20_000);
      const after = truthOf(bench, port);
      must(after.principal === old.ckn, "a second key took the place of the one in use");
      must(cknsOn(bench, port).includes(next.ckn), "the second key is not on the port");
      must(after.lostFrames === before.lostFrames, "a second key interrupted the first");
    },
  },
  {
    ...overlap,
    name: "key: the new one takes over when the far end moves",
    why: "P3: the old key is retired once the new one is proven, and not before",
    async run(bench) {
      const [port] = bench.ports;
      const { old, next } = await both(bench);
      if (fallback.needs(bench.device.capabilities)) {
        await commit(bench, promoteKey(port, next, old));
      }
      bench.giveFarEnd(port, next, suiteOf(bench));
      await until(bench, "the new key as principal", () => {
        const { principal, carries } = truthOf(bench, port);
        return principal === next.ckn && carries;
      });
      await bench.wait(20_000);
      const before = truthOf(bench, port);
      await commit(bench, removeKey(port, old.ckn));
      await bench.wait(20_000);
      const after = truthOf(bench, port);
      must(!cknsOn(bench, port).includes(old.ckn), "the retired key is still on the port");
      must(after.principal === next.ckn, "the retirement of the old key cost the new one");
      must(after.lostFrames === before.lostFrames, "the retirement of the old key lost frames");
    },
  },
  {
    ...overlap,
    name: "key: two rotations in a row lose no frame but where the far end moves",
    why: "P3: the place where the first one leaves the key in use must do for the next one",
    async run(bench) {
      const [port] = bench.ports;
      let old = await secure(bench, port);
      for (let turn = 0; turn < 2; turn += 1) {
        const next = freshKey(bench);
        await spare(bench, old, addSecond(bench, port, next));
        bench.giveFarEnd(port, next, suiteOf(bench));
        await until(bench, "the new key as principal", () => {
          const { principal, carries } = truthOf(bench, port);
          return principal === next.ckn && carries;
        });
        if (fallback.needs(bench.device.capabilities)) {
          await spare(bench, next, promoteKey(port, next, old));
        }
        await spare(bench, next, removeKey(port, old.ckn));
        must(cknsOn(bench, port).join() === next.ckn, "a rotation left something else");
        old = next;
      }
    },
  },
  {
    ...overlap,
    name: "key: the one in use cannot be removed",
    why: "P3: on a must-secure port this cuts the link",
    async run(bench) {
      const [port] = bench.ports;
      const { old } = await both(bench);
      const what = "the removal of the key in use";
      mustBe(await leavesAll(bench, what, removeKey(port, old.ckn)), ["device.rejected"], what);
    },
  },
  {
    ...macsec,
    name: "key: the last one cannot be removed",
    why: "P1, P3: there is no way back from a must-secure port without a key",
    async run(bench) {
      const [port] = bench.ports;
      const key = freshKey(bench);
      const settings = wanted(bench);
      await commit(bench, { kind: "macsec.protect", port, settings }, addKey(port, key));
      const what = "the removal of the last key";
      mustBe(await leavesAll(bench, what, removeKey(port, key.ckn)), ["device.rejected"], what);
    },
  },
  {
    ...macsec,
    name: "key: one more than the port can have is refused",
    why: "P6: at most two keys a link, and one where the platform cannot have a second",
    async run(bench) {
      const [port] = bench.ports;
      if (overlap.needs(bench.device.capabilities)) await both(bench);
      else await secure(bench, port);
      const codes = ["device.rejected", "device.unsupported"] as const;
      const what = "a key too many";
      mustBe(await leavesAll(bench, what, addSecond(bench, port, freshKey(bench))), codes, what);
      const primary = addKey(port, freshKey(bench), "primary");
      mustBe(await leavesAll(bench, what, primary), codes, what);
    },
  },
  {
    ...overlap,
    name: "key: removing what is not there changes nothing",
    why: "effects are named by their goal, so a repeated one finds it reached",
    async run(bench) {
      const [port] = bench.ports;
      await both(bench);
      const before = bench.truth();
      await commit(bench, removeKey(port, freshKey(bench).ckn));
      must(running(bench.truth()) === running(before), "the removal of no key changed something");
    },
  },
  {
    ...fallback,
    name: "key: promotion makes the fallback the primary one",
    why: "Cisco-style fallback keys: the old one cannot go before",
    async run(bench) {
      const [port] = bench.ports;
      const { old, next } = await both(bench);
      await commit(bench, promoteKey(port, next, old));
      const roles = new Map(truthOf(bench, port).keys.map(({ ckn, role }) => [ckn, role]));
      must(roles.get(next.ckn) === "primary", "the promoted key is not the primary one");
      must(roles.get(old.ckn) === "fallback", "the old primary key is not the fallback");
      const stranger = freshKey(bench).ckn;
      const what = "the promotion of a key that is not there";
      await leavesAll(bench, what, { kind: "macsec.promoteKey", port, ckn: stranger });
    },
  },
  {
    ...macsec,
    name: "key: replacement leaves exactly the new one",
    why: "break-before-make: an outage of one commit, never two keys or none",
    async run(bench) {
      const [port] = bench.ports;
      await secure(bench, port);
      const next = freshKey(bench);
      await commit(bench, { kind: "macsec.replaceKey", port, key: next });
      const { keys } = truthOf(bench, port);
      must(keys.length === 1 && keys[0]?.ckn === next.ckn, "a replacement left something else");
      must(keys[0].role === "primary", "a replacement left the port without a primary key");
      bench.giveFarEnd(port, next, suiteOf(bench));
      await until(bench, "the link under the replacement", () => truthOf(bench, port).carries);
    },
  },
  {
    ...macsec,
    name: "key: its octets are those of the vault",
    why: "P6: a CKN names one CAK; a key changed on its way is another one",
    async run(bench) {
      const [port] = bench.ports;
      const key = freshKey(bench);
      const settings = wanted(bench);
      await commit(bench, { kind: "macsec.protect", port, settings }, addKey(port, key));
      must(bench.holds(port, key), "the octets on the port are not those of the vault");
    },
  },
  {
    ...macsec,
    name: "key: CAKs of 16 and 32 octets as the suite demands",
    why: "IEEE 802.1X 9.3.1; ends pad short keys differently",
    async run(bench) {
      const suites = bench.device.capabilities.macsec?.suites ?? [];
      const lengths = new Set(suites.map(cakOctets));
      const [port] = bench.ports;
      let first = true;
      for (const octets of lengths) {
        if (first) await take(bench, octets, 32);
        else {
          const suite = suites.find((one) => cakOctets(one) === octets) ?? suiteOf(bench);
          const key = bench.newKey({ cakOctets: octets, cknOctets: 32 });
          const settings = { ...wanted(bench), suite };
          const replace = { kind: "macsec.replaceKey", port, key } as const;
          await commit(bench, { kind: "macsec.protect", port, settings }, replace);
          must(bench.holds(port, key), `the port does not have the octets of a CAK of ${octets}`);
        }
        first = false;
      }
    },
  },
  {
    ...macsec,
    name: "key: a CAK of any other length is refused",
    why: "P5, P6: a padded or cut key is another key",
    async run(bench) {
      const [port] = bench.ports;
      const settings = wanted(bench);
      for (const octets of [1, 15, 17, 24, 31, 33, 64]) {
        const key = bench.newKey({ cakOctets: octets, cknOctets: 32 });
        const what = `a CAK of ${octets} octets`;
        const protect = { kind: "macsec.protect", port, settings } as const;
        const error = await leavesAll(bench, what, protect, addKey(port, key));
        mustBe(error, ["device.rejected", "vault.malformedKey"], what);
      }
    },
  },
  ...[1, 31, 32].map(
    (octets): DeviceCase => ({
      ...macsec,
      name: `key: a CKN of ${octets} octet${octets === 1 ? "" : "s"} is kept as it is`,
      why: "IEEE 802.1X 9.3.1: 1 to 32 octets; ends pad odd ones differently",
      async run(bench) {
        const [port] = bench.ports;
        const key = await take(bench, cakOctets(suiteOf(bench)), octets);
        const reported = (await bench.device.observe(never)).macsec.find(
          (one) => one.port === port,
        );
        const ckns =
          reported?.keys.kind === "known" ? reported.keys.value.map(({ ckn }) => ckn) : [];
        must(ckns.includes(key.ckn), `a CKN of ${octets} octets is reported as another`);
        bench.giveFarEnd(port, key, suiteOf(bench));
        await until(bench, "the link", () => truthOf(bench, port).principal === key.ckn);
      },
    }),
  ),
  {
    ...freshSak,
    name: "key: a fresh SAK on demand loses no frame",
    why: "IEEE 802.1X 9.8: a new SAK is received before it is sent with",
    async run(bench) {
      const [port] = bench.ports;
      await secure(bench, port);
      await bench.wait(20_000);
      const before = truthOf(bench, port);
      await commit(bench, { kind: "macsec.rekeySak", port });
      await bench.wait(30_000);
      const after = truthOf(bench, port);
      must(after.sak !== before.sak, "the SAK is the old one");
      must(after.lostFrames === before.lostFrames, "a fresh SAK lost frames");
    },
  },
  {
    ...macsec,
    name: "secret: is wiped once it was used",
    why: "P5: a key is fetched when it is staged and never kept",
    async run(bench) {
      const lent: Secret[] = [];
      const keys: KeyResolver = async (ref) => {
        const secret = await bench.keys(ref);
        lent.push(secret);
        return secret;
      };
      const [port] = bench.ports;
      const protect = { kind: "macsec.protect", port, settings: wanted(bench) } as const;
      await bench.device.prepare([protect, addKey(port, freshKey(bench))], keys, never);
      must(lent.length > 0, "the key was never asked for");
      for (const secret of lent) must(isWiped(secret), "the secret was not wiped after its use");
    },
  },
  {
    ...macsec,
    name: "secret: without it nothing is prepared",
    why: "a vault that fails must not become a key of zeros",
    async run(bench) {
      const keys: KeyResolver = async () => {
        const details = { effect: "none", where: "vault", next: "linkseal keys check" } as const;
        throw new LinksealError("vault.denied", "the vault refuses", details);
      };
      const before = bench.truth();
      const [port] = bench.ports;
      const protect = { kind: "macsec.protect", port, settings: wanted(bench) } as const;
      const change = [protect, addKey(port, freshKey(bench))];
      const what = "a change without its key";
      const error = await refusal(bench.device.prepare(change, keys, never), what);
      mustBe(error, ["vault.denied"], what);
      must(bench.truth().effects === before.effects, `${what} had an effect`);
    },
  },
  {
    ...always(),
    name: "change: a rejected line leaves no half change",
    why: "parts are applied in order as one transaction, or not at all",
    async run(bench) {
      const [port] = bench.ports;
      const what = "a change with a line that the device rejects";
      const nowhere = { kind: "port.shut", port: "no-such-port" } as const;
      const error = await leavesAll(bench, what, { kind: "port.shut", port }, nowhere);
      mustBe(error, ["device.rejected"], what);
    },
  },
  {
    ...macsec,
    name: "change: parts are applied in order, as one",
    why: "settings before their key: no commit in between may have only one of them",
    async run(bench) {
      const [port] = bench.ports;
      const key = freshKey(bench);
      await commit(
        bench,
        { kind: "macsec.protect", port, settings: { ...wanted(bench), keyServerPriority: 200 } },
        addKey(port, key),
        { kind: "macsec.protect", port, settings: { ...wanted(bench), keyServerPriority: 90 } },
      );
      const { settings, keys } = truthOf(bench, port);
      must(settings?.keyServerPriority === 90, "the last of two settings is not the one in force");
      must(keys.length === 1, "the key of the change is not on the port");
    },
  },
];

function isWiped(secret: Secret): boolean {
  try {
    secret.copy()[Symbol.dispose]();
    return false;
  } catch {
    return true;
  }
}
