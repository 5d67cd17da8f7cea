// Wrong far ends and vaults: case by case what it must catch.

import type { PeerPort, PeerState, PeerWant } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { FarSide } from "./site.ts";

const never = new AbortController().signal;

/** `neighbour` is the right port of the other link. */
export type SpoilPeer = (right: PeerPort, far: FarSide, neighbour: PeerPort) => PeerPort;
export type SpoilVault = (right: KeyVault, far: FarSide) => KeyVault;

const reports =
  (alter: (state: PeerState) => PeerState): SpoilPeer =>
  (right) => ({ ...right, observe: async (signal) => alter(await right.observe(signal)) });

const wished =
  (alter: (want: PeerWant) => PeerWant): SpoilPeer =>
  (right) => ({
    ...right,
    put: (want, accepted, signal) => right.put(alter(want), accepted, signal),
  });

const codeless = (alter: (error: LinksealError) => LinksealError): SpoilPeer => {
  const retold = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer;
    } catch (error) {
      throw error instanceof LinksealError ? alter(error) : error;
    }
  };
  return (right) => ({
    observe: (signal) => retold(right.observe(signal)),
    put: (want, accepted, signal) => retold(right.put(want, accepted, signal)),
  });
};

const as = (code: LinksealError["code"]) => (error: LinksealError) =>
  new LinksealError(code, error.message, {
    effect: error.effect,
    where: error.where,
    next: error.next,
  });

const off: PeerState = {
  pointsAt: undefined,
  suite: undefined,
  sci: "off",
  admin: "up",
  provisioning: "settled",
  revision: "1",
  operation: undefined,
};

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

const caksOf = ({ vault }: FarSide): string =>
  vault
    .secretsForOracle()
    .map(({ bytes }) => hex(bytes))
    .join(" ");

export const wrongPeers: Readonly<Record<string, readonly SpoilPeer[]>> = {
  "far end: off is reported as off": [
    reports((state) => ({ ...state, suite: state.suite ?? "gcm-aes-256" })),
    reports((state) => ({ ...state, provisioning: "updating" })),
  ],
  "far end: an observation changes nothing": [
    (right, far) => ({
      ...right,
      async observe(signal) {
        const state = await right.observe(signal);
        if (state.provisioning === "settled") far.msee.manualEdit("link1", { key: "off" });
        return state;
      },
    }),
  ],
  "far end: takes the key and reads it back": [
    wished((want) => ({ ...want, key: { ...want.key, cknSecretId: want.key.cakSecretId } })),
    reports((state) => ({ ...state, sci: "off" })),
    (right) => ({ ...right, put: (_want, accepted) => accepted("operations/none") }),
  ],
  "far end: put ends when it is accepted": [
    (right) => ({
      ...right,
      async put(want, accepted, signal) {
        await right.put(want, accepted, signal);
        while ((await right.observe(signal)).provisioning === "updating");
      },
    }),
    reports((state) => ({ ...state, provisioning: "settled", operation: undefined })),
  ],
  "far end: the operation is written down before put ends": [
    (right) => ({
      ...right,
      put: (want, accepted, signal) =>
        right.put(
          want,
          async (operation) => {
            accepted(operation).catch(() => undefined);
          },
          signal,
        ),
    }),
  ],
  "far end: an operation that cannot be recorded is not a success": [
    (right) => ({
      ...right,
      put: (want, accepted, signal) =>
        right.put(want, (operation) => accepted(operation).catch(() => undefined), signal),
    }),
  ],
  "far end: the same wish again interrupts nothing": [
    (right, far) => {
      let puts = 0;
      return {
        ...right,
        async put(want, accepted, signal) {
          puts += 1;
          if (puts > 1) far.programmed.link1 += 1;
          await right.put(want, accepted, signal);
        },
      };
    },
  ],
  "far end: busy is refused": [
    codeless((error) => (error.code === "peer.rejected" ? as("transport.closed")(error) : error)),
    (right) => ({
      ...right,
      async put(want, accepted, signal) {
        try {
          await right.put(want, accepted, signal);
        } catch (error) {
          if (!(error instanceof LinksealError) || error.code !== "peer.rejected") throw error;
          await accepted("operations/none");
        }
      },
    }),
  ],
  "far end: the other link is left alone": [
    (right, _far, neighbour) => ({
      ...right,
      put: (want, accepted, signal) => neighbour.put(want, accepted, signal),
    }),
    (right, far) => ({
      ...right,
      async put(want, accepted, signal) {
        await right.put(want, accepted, signal);
        far.msee.manualEdit("link2", { admin: "down" });
      },
    }),
  ],
  "far end: a key that another session configured stays": [
    wished(({ over: _over, ...want }) => want),
    wished((want) => ({ ...want, over: [] })),
    codeless((error) => (error.code === "peer.rejected" ? as("peer.throttled")(error) : error)),
  ],
  "far end: a failed operation is reported": [
    reports((state) => ({
      ...state,
      provisioning: state.provisioning === "failed" ? "settled" : state.provisioning,
    })),
  ],
  "far end: throttling is an error of its own": [codeless(as("peer.rejected"))],
  "far end: unreadable is an error": [
    (right) => ({ ...right, observe: (signal) => right.observe(signal).catch(() => off) }),
  ],
  "far end: no key is in its replies": [
    (right, far) => ({
      ...right,
      async observe(signal) {
        const state = await right.observe(signal);
        return { ...state, operation: caksOf(far) };
      },
    }),
  ],
  "far end: the signal stops every call": [
    (right) => ({
      observe: () => right.observe(never),
      put: (want, accepted) => right.put(want, accepted, never),
    }),
  ],
};

const reads =
  (alter: (octets: Uint8Array, id: string) => Uint8Array): SpoilVault =>
  (right) => ({
    ...right,
    async read(id, signal) {
      using secret = await right.read(id, signal);
      return Secret.take(
        "spoilt",
        alter(
          secret.use((octets) => Uint8Array.from(octets)),
          id,
        ),
      );
    },
  });

const fallsBack =
  (code: LinksealError["code"]): SpoilVault =>
  (right) => ({
    ...right,
    async read(id, signal) {
      try {
        return await right.read(id, signal);
      } catch (error) {
        if (!(error instanceof LinksealError) || error.code !== code) throw error;
        return Secret.take("made-up", new Uint8Array(64));
      }
    },
  });

const confuses =
  (from: LinksealError["code"], to: LinksealError["code"]): SpoilVault =>
  (right) => {
    const retold = async <T>(answer: Promise<T>): Promise<T> => {
      try {
        return await answer;
      } catch (error) {
        throw error instanceof LinksealError && error.code === from ? as(to)(error) : error;
      }
    };
    return {
      versions: (name, signal) => retold(right.versions(name, signal)),
      read: (id, signal) => retold(right.read(id, signal)),
    };
  };

export const wrongVaults: Readonly<Record<string, readonly SpoilVault[]>> = {
  "vault: versions come without values": [
    (right, far) => ({
      ...right,
      async versions(name, signal) {
        const versions = await right.versions(name, signal);
        return versions.map((version) => ({
          ...version,
          tags: { value: far.vault.valueForFarEnd(versions[0]?.id ?? "") },
        }));
      },
    }),
    (right) => ({
      ...right,
      async versions(name, signal) {
        const versions = await right.versions(name, signal);
        return versions.map((version) => ({ ...version, enabled: true }));
      },
    }),
  ],
  "vault: an unknown name has no versions": [
    (right) => ({
      ...right,
      async versions(name, signal) {
        const versions = await right.versions(name, signal);
        if (versions.length > 0) return versions;
        const details = { effect: "none", where: name, next: "linkseal keys check" } as const;
        throw new LinksealError("vault.denied", "no such secret", details);
      },
    }),
  ],
  "vault: a version is read as it was stored": [
    reads((octets) => Uint8Array.from(Buffer.from(Buffer.from(octets).toString(), "hex"))),
    (right) => {
      const cache = new Map<string, Secret>();
      return {
        ...right,
        async read(id, signal) {
          const secret = cache.get(id) ?? (await right.read(id, signal));
          cache.set(id, secret);
          return secret;
        },
      };
    },
  ],
  "vault: another version is another value": [
    (right, far) => ({
      ...right,
      read: (id, signal) => {
        const latest = far.vault.versions(id.split("/").at(-2) ?? "").at(-1)?.id;
        return right.read(latest ?? id, signal);
      },
    }),
  ],
  "vault: a disabled version is denied": [fallsBack("vault.denied")],
  "vault: an unknown version is an error": [
    fallsBack("vault.malformedKey"),
    confuses("vault.malformedKey", "vault.denied"),
  ],
  "vault: down is reported as such": [
    confuses("vault.unreachable", "vault.denied"),
    fallsBack("vault.unreachable"),
  ],
  "vault: denied is reported as such": [confuses("vault.denied", "vault.unreachable")],
};
