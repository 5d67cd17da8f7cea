// Wrong devices for the cases of keys, ports, traffic, tunnels and troubles.

import type { Device, DeviceChange, PortChange, Transaction } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import {
  type Ckn,
  type DeviceState,
  type DrainMeans,
  known,
  type MacsecSettings,
  parseCkn,
  type Routing,
} from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { cakOf, ports, type Rig } from "./rig.ts";
import {
  afterPart,
  altered,
  drops,
  edit,
  flap,
  forces,
  keyed,
  loosen,
  moves,
  on,
  reportsPort,
  resolves,
  sends,
  sendsPart,
  swallow,
  type Wrong,
  type WrongTable,
} from "./wrong-kit.ts";
import { routed } from "./wrong-tunnel.ts";

const never = new AbortController().signal;

function sized(length: number, octets: Uint8Array): Uint8Array {
  const out = new Uint8Array(length);
  out.set(octets.subarray(0, length));
  return out;
}

function renamed(alter: (ckn: string) => string): Wrong {
  return sendsPart((part) => {
    if (!("key" in part)) return part;
    const ckn: Ckn | undefined = parseCkn(alter(part.key.ckn));
    return ckn === undefined ? part : { ...part, key: { ...part.key, ckn } };
  });
}

function protects(alter: (settings: MacsecSettings) => Partial<MacsecSettings>): Wrong {
  return sendsPart((part) => {
    if (part.kind !== "macsec.protect") return part;
    const settings: MacsecSettings = { ...part.settings, policy: "mustSecure" };
    return { ...part, settings: { ...settings, ...alter(settings) } };
  });
}

/** Commits line by line, and stops at the one that is refused. */
const lineByLine: Wrong = {
  spoil: (device) => ({
    ...device,
    async prepare(change, keys, signal) {
      try {
        return await device.prepare(change, keys, signal);
      } catch (error) {
        for (const part of change) {
          const line = await device.prepare([part], keys, signal);
          await line.apply("final", signal);
        }
        throw error;
      }
    },
  }),
};

const zeroKey: Wrong = resolves((keys) => async (ref) => {
  try {
    return await keys(ref);
  } catch {
    return Secret.take("cak", new Uint8Array(32));
  }
});

const keeps: Wrong = resolves((keys) => async (ref) => {
  const secret = await keys(ref);
  return secret.copy();
});

function addByHand(rig: Rig, part: PortChange): void {
  if (part.kind !== "macsec.addKey") return;
  const { ckn, cakSecretId } = part.key;
  edit(rig, (port) => {
    port.keys.push({ ckn, cak: cakOf(rig, cakSecretId), role: "primary" });
  });
}

function removeByHand(rig: Rig, part: PortChange): void {
  if (part.kind !== "macsec.removeKey") return;
  edit(rig, (port) => {
    port.keys = port.keys.filter(({ ckn }) => ckn !== part.ckn);
  });
}

/** The key of the second rotation takes the port down: the first one has left it as it should. */
const thirdKeyFlaps: Wrong = {
  spoil: (device, rig) => {
    let keys = 0;
    const flapping = afterPart("macsec.addKey", (own) => {
      keys += 1;
      if (keys === 3) flap(0)(own);
    });
    return flapping.spoil(device, rig);
  },
};

export const wrongKeys: WrongTable = {
  "key: a second one leaves the first in use": [
    afterPart("macsec.addKey", flap(0)),
    drops("macsec.addKey"),
  ],
  "key: the new one takes over when the far end moves": [
    afterPart("macsec.removeKey", flap(0)),
    drops("macsec.removeKey"),
  ],
  "key: two rotations in a row lose no frame but where the far end moves": [
    thirdKeyFlaps,
    on("surviving fallback", afterPart("macsec.promoteKey", flap(0))),
  ],
  "key: the one in use cannot be removed": [forces("macsec.removeKey", removeByHand)],
  "key: the last one cannot be removed": [forces("macsec.removeKey", removeByHand)],
  "key: one more than the port can have is refused": [
    forces("macsec.addKey", addByHand),
    on("surviving none", forces("macsec.addKey", addByHand)),
  ],
  "key: removing what is not there changes nothing": [
    afterPart("macsec.removeKey", (rig) =>
      edit(rig, (port) => {
        port.keys = port.keys.slice(0, 1);
      }),
    ),
  ],
  "key: promotion makes the fallback the primary one": [
    on("surviving fallback", drops("macsec.promoteKey")),
  ],
  "key: replacement leaves exactly the new one": [
    afterPart("macsec.replaceKey", (rig) =>
      edit(rig, (port) => {
        const ckn = parseCkn("dd".repeat(32));
        if (ckn !== undefined) port.keys.push({ ckn, cak: new Uint8Array(32), role: "primary" });
      }),
    ),
    drops("macsec.replaceKey"),
  ],
  "key: its octets are those of the vault": [keyed((octets) => octets.map((one) => one ^ 1))],
  "key: CAKs of 16 and 32 octets as the suite demands": [
    keyed((octets) => sized(32, octets)),
    keyed((octets) => sized(16, octets)),
  ],
  "key: a CAK of any other length is refused": [
    keyed((octets) => sized(octets.length <= 16 ? 16 : 32, octets)),
  ],
  "key: a CKN of 1 octet is kept as it is": [renamed((ckn) => ckn.padEnd(64, "0"))],
  "key: a CKN of 31 octets is kept as it is": [renamed((ckn) => ckn.padEnd(64, "0"))],
  "key: a CKN of 32 octets is kept as it is": [renamed((ckn) => ckn.slice(0, 62))],
  "key: a fresh SAK on demand loses no frame": [
    drops("macsec.rekeySak"),
    afterPart("macsec.rekeySak", flap(0)),
  ],
  "secret: is wiped once it was used": [keeps],
  "secret: without it nothing is prepared": [zeroKey],
  "change: a rejected line leaves no half change": [lineByLine],
  "change: parts are applied in order, as one": [
    sends((change) => change.toReversed()),
    sends((change) => change.slice(0, 2)),
  ],
};

export const wrongPorts: WrongTable = {
  "settings: always end in must-secure": [afterPart("macsec.protect", loosen)],
  "settings: every leaf reads back as it was written": [
    protects(({ replayWindow }) => ({ replayWindow: replayWindow ?? 0 })),
    protects(({ sakRekeyMs }) => ({ sakRekeyMs: sakRekeyMs ?? 0 })),
    protects(() => ({ includeSci: true })),
    protects(() => ({ keyServerPriority: 16 })),
    protects(() => ({ suite: "gcm-aes-xpn-256" })),
    reportsPort((port) => ({
      ...port,
      settings: altered(port.settings, (settings) =>
        settings === undefined ? settings : { ...settings, replayWindow: 0 },
      ),
    })),
  ],
  "settings: a suite that is not offered is refused": [
    on(
      "surviving fallback",
      protects(() => ({ suite: "gcm-aes-xpn-256" })),
    ),
  ],
  "settings: an offset under XPN is refused": [
    protects(({ suite, confidentialityOffset }) => ({
      confidentialityOffset: suite.includes("xpn") ? 0 : confidentialityOffset,
    })),
  ],
  "settings: a hitless one interrupts nothing": [afterPart("macsec.protect", flap(0))],
  "settings: nothing leaves in the clear when the peer has gone": [
    afterPart("macsec.protect", loosen),
  ],
  "ports: one is not disturbed by the other": [
    afterPart("macsec.addKey", flap(1)),
    afterPart("port.shut", (rig) => rig.links[1].edge.setAdmin(false)),
  ],
  "ports: one that is not there is refused": [
    sendsPart((part) => ("port" in part ? { ...part, port: ports[0] } : part)),
  ],
  "ports: shut and open": [
    drops("port.shut"),
    drops("port.open"),
    reportsPort((port) => ({ ...port, linkUp: known(true, port.linkUp.at) })),
    reportsPort((port) => ({ ...port, admin: known("up", port.admin.at) })),
    reportsPort((port) => ({ ...port, admin: known("down", port.admin.at) })),
  ],
  "ports: one that is shut carries no frames": [
    afterPart("port.shut", (rig) => rig.links[0].edge.setAdmin(true)),
    afterPart("port.shut", (rig) => {
      rig.clock.after(10_000, () => rig.links[0].edge.setAdmin(true));
    }),
    drops("port.open"),
  ],
  "ports: a shut that waits for its confirm opens again in time": [
    moves((inner, _rig, change) => ({
      apply: (within, signal) =>
        inner.apply(change?.some(({ kind }) => kind === "port.shut") ? "final" : within, signal),
    })),
  ],
  "ports: shut, keyed and opened as the change says": [
    sends((change) => change.toReversed()),
    sends((change) => change.filter(({ kind }) => change.length === 1 || kind !== "port.shut")),
    sends((change) => change.filter(({ kind }) => change.length === 1 || kind !== "port.open")),
    drops("macsec.replaceKey"),
    reportsPort((port) => ({ ...port, admin: known("up", port.admin.at) })),
  ],
};

/** Says that it drained, and did not. */
function pretends(means: DrainMeans): Wrong {
  return {
    spoil: (device, rig) => {
      const drained = new Set<string>();
      const quiet = sends((change) => {
        for (const part of change) {
          if (part.kind === "port.drain") drained.add(part.port);
          if (part.kind === "port.restore") drained.delete(part.port);
        }
        return change.filter((part) => part.kind !== "port.drain");
      }).spoil(device, rig);
      const drains = (): Routing["drains"] => [...drained].map((port) => ({ port, means }));
      return routed((routing) => ({ ...routing, drains: drains() })).spoil(quiet, rig);
    },
  };
}

const answersAll: Wrong = {
  spoil: (device) => ({
    ...device,
    probe: async (_port, count) => ({ sent: count, answered: count }),
  }),
};

const anotherMeans = (means: DrainMeans): Wrong =>
  routed((routing) => ({
    ...routing,
    drains: routing.drains.map((drain) => ({
      ...drain,
      means: means === "prepend" ? "gracefulShutdown" : "prepend",
    })),
  }));

const wrongDrain = (means: DrainMeans): readonly Wrong[] => [
  pretends(means),
  anotherMeans(means),
  drops("port.restore"),
];

export const wrongTraffic: WrongTable = {
  "drain: prepend moves the traffic away and back": wrongDrain("prepend"),
  "drain: gracefulShutdown moves the traffic away and back": wrongDrain("gracefulShutdown"),
  "drain: peeringShutdown moves the traffic away and back": wrongDrain("peeringShutdown"),
  "routing: sessions are reported as they are": [
    routed((routing) => ({
      ...routing,
      sessions: routing.sessions.map((session) => ({ ...session, up: true })),
    })),
    routed((routing) => ({ ...routing, sessions: [] })),
  ],
  "routing: a session without BFD is never reported as one with BFD": (
    ["up", "down", "off"] as const
  ).map((bfd) =>
    routed((routing) => ({
      ...routing,
      sessions: routing.sessions.map((session) => ({ ...session, bfd })),
    })),
  ),
  "probe: counts what came back": [
    answersAll,
    {
      spoil: (device) => ({
        ...device,
        probe: async (port, count, signal) => {
          const result = await device.probe?.(port, count, signal);
          return { sent: result?.sent ?? count, answered: 0 };
        },
      }),
    },
  ],
  "probe: a link that carries nothing does not answer": [answersAll],
  "route: the ports to an address, or not known": [
    {
      spoil: (device) => ({
        ...device,
        routesTo: async (address, signal) => (await device.routesTo(address, signal)) ?? ["mgmt0"],
      }),
    },
    {
      spoil: (device) => ({
        ...device,
        routesTo: async (address, signal) => {
          const ports = await device.routesTo(address, signal);
          return ports && [...ports, "mgmt0"];
        },
      }),
    },
    { spoil: (device) => ({ ...device, routesTo: async () => undefined }) },
  ],
};

/** Errors of transactions come with another code or effect. */
export function errs(
  alter: (error: LinksealError) => Partial<Pick<LinksealError, "code" | "effect">>,
) {
  const retold = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const { code, effect, message, where, next } = error;
      const now = { code, effect, ...alter(error) };
      throw new LinksealError(now.code, message, { effect: now.effect, where, next });
    }
  };
  const wrong: Wrong = {
    spoil: (device, rig) => {
      const wrapped = moves((inner) => ({
        apply: (within, signal) => retold(inner.apply(within, signal)),
      })).spoil(device, rig);
      return {
        ...wrapped,
        observe: (signal) => retold(wrapped.observe(signal)),
        prepare: (change, keys, signal) => retold(wrapped.prepare(change, keys, signal)),
      };
    },
  };
  return wrong;
}

/** An observation that fails is answered from memory. */
const remembers: Wrong = {
  spoil: (device) => {
    let last: DeviceState | undefined;
    return {
      ...device,
      async observe(signal) {
        try {
          last = await device.observe(signal);
          return last;
        } catch (error) {
          if (last === undefined) throw error;
          return last;
        }
      },
    };
  },
};

const deaf: Wrong = {
  spoil: (device) => ({
    ...device,
    observe: () => device.observe(never),
    prepare: (change, keys) => device.prepare(change, keys, never),
  }),
};

/** Previews or errors quote the key that they are about, in one of its forms. */
function quotes(where: "preview" | "error", form: (octets: Uint8Array) => string): Wrong {
  const written = (rig: Rig, change: DeviceChange): string =>
    change
      .flatMap((part) => ("key" in part ? [form(cakOf(rig, part.key.cakSecretId))] : []))
      .join(" ");
  return {
    spoil: (device: Device, rig: Rig): Device => ({
      ...device,
      async prepare(change, keys, signal): Promise<Transaction> {
        try {
          const inner = await device.prepare(change, keys, signal);
          if (where === "error") return inner;
          return { ...inner, preview: `${inner.preview} ${written(rig, change)}` };
        } catch (error) {
          if (where === "preview" || !(error instanceof LinksealError)) throw error;
          const text = `bad line: key ${written(rig, change)}`;
          const { effect, where: place, next } = error;
          throw new LinksealError(error.code, text, { effect, where: place, next });
        }
      },
    }),
  };
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

export const wrongTroubles: WrongTable = {
  "error: printed with a success code is an error": [
    moves((inner) => ({ apply: (within, signal) => swallow(inner.apply(within, signal)) })),
  ],
  "error: a lost reply leaves the effect unknown": [
    errs(({ effect }) => (effect === "unknown" ? { effect: "none" } : {})),
    moves((inner) => ({ apply: (within, signal) => swallow(inner.apply(within, signal)) })),
  ],
  "error: a locked candidate is reported": [
    errs(({ code }) => (code === "device.locked" ? { code: "device.rejected" } : {})),
    errs(() => ({ effect: "unknown" })),
  ],
  "error: a device out of reach": [remembers, errs(() => ({ effect: "unknown" }))],
  "signal: stops every call": [deaf],
  "secret: in no preview, error, reply or log": [
    quotes("preview", hex),
    quotes("preview", (octets) => hex(octets).toUpperCase()),
    quotes("preview", (octets) => Buffer.from(octets).toString("latin1")),
    quotes("preview", (octets) => Buffer.from(octets).toString("base64")),
    quotes("error", hex),
    quotes("error", (octets) => Buffer.from(hex(octets)).toString("base64")),
  ],
  "verify: a pending second key is observed before its confirm": [
    reportsPort((port) => ({ ...port, keys: altered(port.keys, (keys) => keys.slice(0, 1)) })),
  ],
};
