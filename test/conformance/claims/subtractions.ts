// Takes facts away from what a router reported: a reading goes missing, grows old or weak, comes as
// nonsense, or says the opposite.

import { type ClaimName, claims, type FactRow } from "#agent/model/claims.ts";
import type { DeviceState, IpsecTunnel, MacsecPort, Reading } from "#hal/model.ts";
import { unknown } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { lookEveryMs, type Scene } from "./scenes.ts";

/** Older than any span within which a reading counts here. */
const agedMs = 600_000;

/** How a reading is taken away. */
export const losses = {
  "is missing": ({ at }) => unknown("queryFailed", at),
  "is nonsense": ({ at }) => unknown("unparsed", at),
  "contradicts itself": ({ at }) => unknown("contradicted", at),
  "is not offered": ({ at }) => unknown("notSupported", at),
  "is weak": (reading) => (reading.kind === "known" ? { ...reading, weak: true } : reading),
  "is old": (reading) => ({ ...reading, at: (reading.at - agedMs) as Instant }),
} as const satisfies Record<string, (reading: Reading<unknown>) => Reading<unknown>>;

type Loss = (typeof losses)[keyof typeof losses];
type Bent<T> = { readonly [K in keyof T]?: Reading<unknown> };

const newestOf = ({ states }: Scene): DeviceState => {
  const newest = states.at(-1);
  if (newest === undefined) throw new RangeError("a scene without a look");
  return newest;
};

/** The moment of the newest look. */
export const nowOf = (scene: Scene): Instant => newestOf(scene).at;

/** The newest look with other contents; the ones before stay. */
export function withNewest(scene: Scene, bend: (state: DeviceState) => DeviceState): Scene {
  return { ...scene, states: [...scene.states.slice(0, -1), bend(newestOf(scene))] };
}

export function portOfScene({ link }: Scene, { macsec }: DeviceState): MacsecPort | undefined {
  return macsec.find(({ port }) => port === link.port);
}

export function tunnelOfScene(scene: Scene, { ipsec }: DeviceState): IpsecTunnel | undefined {
  return ipsec.find(({ name }) => name === scene.tunnel.name);
}

export function withPort(scene: Scene, bent: Bent<MacsecPort>): Scene {
  return withNewest(scene, (state) => {
    const bend = (one: MacsecPort): MacsecPort =>
      one.port === scene.link.port ? ({ ...one, ...bent } as MacsecPort) : one;
    return { ...state, macsec: state.macsec.map(bend) };
  });
}

export function withTunnel(scene: Scene, bent: Bent<IpsecTunnel>): Scene {
  return withNewest(scene, (state) => {
    const bend = (one: IpsecTunnel): IpsecTunnel =>
      one.name === scene.tunnel.name ? ({ ...one, ...bent } as IpsecTunnel) : one;
    return { ...state, ipsec: state.ipsec.map(bend) };
  });
}

export function withDevice(scene: Scene, bent: Bent<DeviceState>): Scene {
  return withNewest(scene, (state) => ({ ...state, ...bent }) as DeviceState);
}

const onPort = [
  ...["settings", "session", "failOpen", "keyAgreement", "liveSuite", "frames"],
  ...["linkUp", "keys", "rate"],
] as const;
const onTunnel = ["ike", "sas"] as const;
const onDevice = ["routing", "control", "blocked", "ways"] as const;

/** Returns the newest reading of that name, by the names of the contract; undefined = none. */
export function readingOf(scene: Scene, name: string): Reading<unknown> | undefined {
  const state = newestOf(scene);
  const place = onPort.includes(name as never)
    ? portOfScene(scene, state)
    : onTunnel.includes(name as never)
      ? tunnelOfScene(scene, state)
      : state;
  return (place as Record<string, Reading<unknown> | undefined> | undefined)?.[nameOn(scene, name)];
}

/** A platform without a forwarding table of its own shows its routes by BGP. */
function nameOn(scene: Scene, name: string): string {
  if (name !== "routes") return name;
  return newestOf(scene).ways === undefined ? "routing" : "ways";
}

function withReading(scene: Scene, name: string, reading: Reading<unknown>): Scene {
  const bent = { [nameOn(scene, name)]: reading };
  if (onPort.includes(name as never)) return withPort(scene, bent);
  if (onTunnel.includes(name as never)) return withTunnel(scene, bent);
  if (name === "routes" || onDevice.includes(name as never)) return withDevice(scene, bent);
  throw new RangeError(`no reading ${name}`);
}

/** Returns the scene without any reading that shows the fact; undefined = none of them is there. */
export function without(scene: Scene, { shownBy }: FactRow, loss: Loss): Scene | undefined {
  const there = shownBy.filter((name) => readingOf(scene, name) !== undefined);
  if (there.length === 0) return undefined;
  return there.reduce((left, name) => {
    const reading = readingOf(left, name);
    return reading === undefined ? left : withReading(left, name, loss(reading));
  }, scene);
}

/** Returns the facts of a claim with their rows. */
export function factsOf(claim: ClaimName): readonly (readonly [string, FactRow])[] {
  return Object.entries<FactRow>(claims[claim].facts);
}

/** Lets the newest look be so long ago that nothing of it counts. */
export const laterMs = agedMs + lookEveryMs;
