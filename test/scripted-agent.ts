// A scripted agent without the real one's code. `enrol` and `rotate` keep to the documented order;
// a test may use the single moves to break it.

import type { Device, DeviceChange, KeyResolver, PortChange } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { DeviceState, KeyRef, MacsecPort } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { shownInService } from "#sim/oracle/moment.ts";
import type { Site, SiteLink } from "#sim/site/site.ts";
import { handMadeSettings } from "#sim/site/site-plan.ts";

const { policy: _, ...settings } = handMadeSettings;
const never = new AbortController().signal;
const probeFrames = 30;
const stepMs = 5_000;
/** Half an hour, the time for which a campaign waits for the far end. */
const roundsMax = 360;

export class ScriptedAgent {
  readonly site: Site;
  /** Steps that the script gave up, with their links. */
  readonly held: string[] = [];

  readonly #given: ReadonlyMap<string, KeyRef>;

  constructor(site: Site) {
    this.site = site;
    this.#given = new Map(site.links.map((link) => [link.id, this.#newestKey(link)]));
  }

  link(id: string): SiteLink {
    const link = this.site.link(id);
    if (link === undefined) throw new RangeError(`no link ${id}`);
    return link;
  }

  sibling(link: SiteLink): SiteLink {
    const sibling = this.site.links.find(({ group, id }) => group === link.group && id !== link.id);
    if (sibling === undefined) throw new RangeError(`${link.id} has no sibling`);
    return sibling;
  }

  device(link: SiteLink): Device {
    const device = this.site.device(link.device);
    if (device === undefined) throw new RangeError(`no device ${link.device}`);
    return device;
  }

  observe(link: SiteLink): Promise<DeviceState> {
    return this.device(link).observe(never);
  }

  /** Applies one change as final, without an observation. */
  async change(link: SiteLink, ...parts: DeviceChange): Promise<void> {
    const transaction = await this.device(link).prepare(parts, this.keys, never);
    await transaction.apply("final", never);
  }

  drain(link: SiteLink): Promise<void> {
    return this.change(link, { kind: "port.drain", port: link.port, means: "prepend" });
  }

  shut(link: SiteLink): Promise<void> {
    return this.change(link, { kind: "port.shut", port: link.port });
  }

  put(link: SiteLink, key: KeyRef): void {
    link.msee.put(link.azureLink, { key, suite: settings.suite, sci: "on", admin: "up" });
  }

  newKey(link: SiteLink): KeyRef {
    return this.site.vault.generatePair(link.key, settings.suite);
  }

  /** Returns the pair that was in the vault when the script was created. */
  givenKey(link: SiteLink): KeyRef {
    const key = this.#given.get(link.id);
    if (key === undefined) throw new RangeError(`no key for ${link.id}`);
    return key;
  }

  keyOf(cakSecretId: string, cknSecretId: string): KeyRef {
    const text = this.site.vault.valueForFarEnd(cknSecretId).toLowerCase();
    return { ckn: text as KeyRef["ckn"], cakSecretId, cknSecretId };
  }

  keyChange(link: SiteLink, kind: "addKey" | "replaceKey", key: KeyRef): PortChange {
    const { port } = link;
    return kind === "addKey"
      ? { kind: "macsec.addKey", port, key, role: "primary" }
      : { kind: "macsec.replaceKey", port, key };
  }

  protect(link: SiteLink): PortChange {
    return { kind: "macsec.protect", port: link.port, settings };
  }

  /** Sets the first key in the documented order: far end first, then the router, then the proof. */
  async enrol(link: SiteLink, key: KeyRef): Promise<"done" | "held"> {
    const pointed = await this.#pointFarEnd(link, undefined, key);
    // Ids alone do not show the hardware: the router follows only once the link carries no traffic.
    const outage = pointed && (await this.#until(`dark ${link.id}`, () => this.#outage(link)));
    if (outage) {
      const keyed = (own: Own): boolean => own.keys.includes(key.ckn);
      await this.#giving(link, keyed, () =>
        this.change(link, this.protect(link), this.keyChange(link, "addKey", key)),
      );
    }
    const proved = outage && (await this.#until(`proof ${link.id}`, () => this.#proven(link, key)));
    const back = await this.#restore(link);
    return proved && back ? "done" : "held";
  }

  /**
   * Adds a key beside the present one and retires the old one; the router must be able to hold
   * both.
   */
  async rotate(link: SiteLink, old: KeyRef, next: KeyRef): Promise<"done" | "held"> {
    const staged = await this.#taking(
      link,
      "stage",
      (own) => own.keys.includes(next.ckn),
      async (own) => {
        // Ids alone do not show the hardware: the link must be secured by the old key as well.
        const sound = own.secured && own.principal === old.ckn;
        if (!sound || !this.#farSettledOn(link, old)) return;
        await this.change(link, this.keyChange(link, "addKey", next));
      },
    );
    const retired =
      staged &&
      (await this.#pointFarEnd(link, old, next)) &&
      (await this.#until(`proof ${link.id}`, () => this.#proven(link, next))) &&
      (await this.#retire(link, old, next));
    const back = await this.#restore(link);
    return retired && back ? "done" : "held";
  }

  async #pointFarEnd(link: SiteLink, old: KeyRef | undefined, next: KeyRef): Promise<boolean> {
    const put = await this.#taking(
      link,
      "put",
      () => this.#farPointsAt(link, next),
      async () => {
        if (this.#farSettledOn(link, old)) this.put(link, next);
      },
    );
    return put && this.#until(`far end ${link.id}`, async () => this.#farSettledOn(link, next));
  }

  #retire(link: SiteLink, old: KeyRef, next: KeyRef): Promise<boolean> {
    const gone = (own: Own): boolean => !own.keys.includes(old.ckn);
    return this.#taking(link, "retire", gone, async () => {
      // The proof must succeed on this very observation, however long the change had to wait.
      if (!(await this.#proven(link, next)) || !(await this.#carries(this.sibling(link)))) return;
      await this.change(link, { kind: "macsec.removeKey", port: link.port, ckn: old.ckn });
    });
  }

  async #restore(link: SiteLink): Promise<boolean> {
    const { port } = link;
    await this.#giving(
      link,
      (own) => !own.drained,
      () => this.change(link, { kind: "port.restore", port, means: "prepend" }),
    );
    return this.#until(`bgp ${link.id}`, () => this.#carries(link));
  }

  /** Fetches the secrets that a change names. */
  readonly keys: KeyResolver = async (ref) => {
    switch (ref.kind) {
      case "cak": {
        const text = this.site.vault.value(ref.key.cakSecretId);
        return Secret.take("cak", Uint8Array.from(Buffer.from(text, "hex")));
      }
      case "psk":
      case "ppk":
      case "certificate":
      case "authorities":
        return Secret.take("psk", new TextEncoder().encode(this.site.vault.value(ref.secretId)));
    }
  };

  #newestKey(link: SiteLink): KeyRef {
    const cak = this.site.vault.versions(link.key.cak).at(-1);
    const ckn = this.site.vault.versions(link.key.ckn).at(-1);
    if (cak === undefined || ckn === undefined) throw new RangeError(`no key for ${link.id}`);
    return this.keyOf(cak.id, ckn.id);
  }

  // Observes both routers immediately before the effect. It does nothing disruptive beside a failed
  // sibling, and restores the link first if it was drained; then it drains the link again.
  async #taking(
    link: SiteLink,
    what: string,
    done: (own: Own) => boolean,
    act: (own: Own) => Promise<void>,
  ): Promise<boolean> {
    const { port } = link;
    return this.#until(`${what} ${link.id}`, async () => {
      const own = ownOf(await this.observe(link), link);
      if (done(own)) return true;
      if (!(await this.#carries(this.sibling(link)))) {
        const restore = { kind: "port.restore", port, means: "prepend" } as const;
        if (own.drained) await this.change(link, restore);
      } else if (own.drained) await act(own);
      else await this.drain(link);
      return false;
    });
  }

  async #giving(link: SiteLink, done: (own: Own) => boolean, act: () => Promise<void>) {
    await this.#until(`give ${link.id}`, async () => {
      if (done(ownOf(await this.observe(link), link))) return true;
      await act();
      return false;
    });
  }

  #farPointsAt(link: SiteLink, key: KeyRef | undefined): boolean {
    return link.msee.observe(link.azureLink).pointsAt?.cakSecretId === key?.cakSecretId;
  }

  #farSettledOn(link: SiteLink, key: KeyRef | undefined): boolean {
    const { provisioning } = link.msee.observe(link.azureLink);
    return this.#farPointsAt(link, key) && provisioning === "settled";
  }

  /** Checks twice in a row: MKA content with the key, and a probe that moves frames both ways. */
  async #proven(link: SiteLink, key: KeyRef): Promise<boolean> {
    for (let round = 0; round < 2; round += 1) {
      const before = ownOf(await this.observe(link), link);
      await this.device(link).probe?.(link.port, probeFrames, never);
      await this.site.clock.sleep(stepMs);
      const own = ownOf(await this.observe(link), link);
      const moved = own.rxOk - before.rxOk >= 20n && own.txProtected - before.txProtected >= 20n;
      if (!own.secured || own.principal !== key.ckn || !moved) return false;
    }
    return true;
  }

  /**
   * Checks that the link is in service and that a probe comes back: MKA alone hides a broken data
   * plane.
   */
  async #carries(link: SiteLink): Promise<boolean> {
    const state = await this.observe(link);
    const port = state.macsec.find((candidate) => candidate.port === link.port);
    if (port === undefined || shownInService(port, state.routing) !== true) return false;
    const probe = await this.device(link).probe?.(link.port, probeFrames, never);
    return probe !== undefined && probe.answered > 0;
  }

  async #outage(link: SiteLink): Promise<boolean> {
    const own = ownOf(await this.observe(link), link);
    const probe = await this.device(link).probe?.(link.port, probeFrames, never);
    return own.keys.length > 0 || probe?.answered === 0;
  }

  async #until(what: string, done: () => Promise<boolean>): Promise<boolean> {
    for (let round = 0; round < roundsMax; round += 1) {
      try {
        if (await done()) return true;
      } catch (error) {
        // The effect of a failed call is not known, so the next round observes first.
        if (!(error instanceof LinksealError)) throw error;
      }
      await this.site.clock.sleep(stepMs);
    }
    this.held.push(what);
    return false;
  }
}

interface Own {
  readonly secured: boolean;
  readonly principal: string | undefined;
  readonly keys: readonly string[];
  readonly drained: boolean;
  readonly rxOk: bigint;
  readonly txProtected: bigint;
}

/** Throws `device.unparsed` if the observation is not enough for a decision. */
function ownOf(state: DeviceState, link: SiteLink): Own {
  const port = state.macsec.find((candidate) => candidate.port === link.port);
  const { routing } = state;
  if (port?.session.kind !== "known" || port.keys.kind !== "known" || routing.kind !== "known") {
    const details = { effect: "none", where: link.id, next: "look again" } as const;
    throw new LinksealError("device.unparsed", "the observation is incomplete", details);
  }
  return {
    secured: port.session.value.controlledPort === "secured",
    principal: port.session.value.principalCkn,
    keys: port.keys.value.map(({ ckn }) => ckn),
    drained: routing.value.drains.some((drain) => drain.port === link.port),
    ...framesOf(port),
  };
}

function framesOf({ frames }: MacsecPort): Pick<Own, "rxOk" | "txProtected"> {
  if (frames.kind !== "known") return { rxOk: 0n, txProtected: 0n };
  return { rxOk: frames.value.rxOk, txProtected: frames.value.txProtected };
}
