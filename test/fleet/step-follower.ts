// A person who does what linkseal prints and nothing else, and the states from which that begins.

import type { EndsReport, LinkDetail } from "#agent/api/link-detail.ts";
import type { Prng } from "#sim/base/prng.ts";
import { pointAtNewestPair, setKeys } from "#sim/faults/manual-operators.ts";
import { group, type Pair } from "../unit/kit/rotate-kit.ts";

export type Name = "primary" | "secondary";
export const names: readonly Name[] = ["primary", "secondary"];

/** What came before, with a backup of the state folder in it. */
export const histories = {
  none: async () => {},
  /** The backup is older than the keys of both links. */
  before: async (pair: Pair) => await rotated(pair, pair.disk.contents()),
  /** The backup is of the middle of the campaign that ended since. */
  within: async (pair: Pair, prng: Prng) => {
    pair.newKeys();
    await pair.rotate();
    await pair.run(prng.between(1_000, 240_000));
    const backup = pair.disk.contents();
    await pair.run(3_600_000, () => pair.outcomes().every((one) => one !== undefined));
    await back(pair, backup);
  },
  /** The backup is older than a campaign that is in its middle. */
  cut: async (pair: Pair, prng: Prng) => {
    const backup = pair.disk.contents();
    pair.newKeys();
    await pair.rotate();
    await pair.run(prng.between(1_000, 240_000));
    await back(pair, backup);
  },
  /** No backup: a campaign runs, and may have stopped. */
  running: async (pair: Pair, prng: Prng) => {
    pair.newKeys();
    await pair.rotate();
    await pair.run(prng.between(1_000, 240_000));
  },
  after: async (pair: Pair) => await rotated(pair, undefined),
} as const;

async function rotated(pair: Pair, backup: ReturnType<Pair["disk"]["contents"]> | undefined) {
  pair.newKeys();
  await pair.rotate();
  await pair.run(3_600_000, () => pair.outcomes().every((one) => one === "rotated"));
  await back(pair, backup ?? pair.disk.contents());
}

async function back(pair: Pair, backup: ReturnType<Pair["disk"]["contents"]>): Promise<void> {
  await pair.end();
  await pair.restore(backup);
  await pair.live();
  await pair.run(120_000);
}

/** One person at one site, who does what is printed and nothing else. */
export class Follower {
  readonly pair: Pair;
  readonly writes: string[] = [];
  readonly faults: string[] = [];
  readonly #drained = new Set<Name>();

  /** Links whose ends people changed, which may go dark by that later. */
  readonly #struck: ReadonlySet<Name>;

  constructor(pair: Pair, struck: ReadonlySet<Name>) {
    this.pair = pair;
    this.#struck = struck;
  }

  truth(name: Name) {
    const found = this.pair.site.truth().groups[0]?.links[names.indexOf(name)];
    if (found === undefined) throw new Error(`no link ${name}`);
    return found;
  }

  carries(name: Name): boolean {
    const { carries, bgpUp } = this.truth(name);
    return carries && bgpUp;
  }

  /** The link's two ends hold one key, or the one end has none for the other to miss. */
  parted(name: Name): boolean {
    const { farKey } = this.truth(name);
    const { msee, azureLink, key } = this.pair.link(name);
    const { pointsAt } = msee.observe(azureLink);
    const pairs = this.pair.site.vault.pairs(key);
    const named = pairs.find(({ cakSecretId }) => cakSecretId === pointsAt?.cakSecretId)?.ckn;
    const held: readonly string[] = this.pair.keysOn(name);
    return ![farKey, named].every((ckn) => ckn !== undefined && held.includes(ckn));
  }

  async detail(name: Name): Promise<LinkDetail> {
    return (await this.pair.ask(`GET /v1/link?name=${group}/${name}`)) as LinkDetail;
  }

  /** No step of any code writes an end by itself. */
  async readsSteps(name: Name): Promise<void> {
    for (const { code, steps } of (await this.detail(name)).reasons) {
      const lines = steps.flatMap(({ commands }) => commands.flatMap((one) => one.lines));
      const raw = lines.filter((line) => !/^(linkseal (?!sim)|ls |systemctl status)/.test(line));
      if (raw.length > 0) this.faults.push(`${code} of ${name} prints ${raw.join("; ")}`);
    }
  }

  async follows(name: Name, hidden: "none" | "router" | "farEnd" = "none"): Promise<void> {
    for (let turn = 0; turn < 6; turn += 1) {
      const { status, body } = await this.pair.reply("POST /v1/ends", { link: `${group}/${name}` });
      const said = JSON.parse(body) as EndsReport & { readonly code?: string };
      if (hidden !== "none" && status === 200) {
        this.faults.push(`${name}: ${said.text} with the ${hidden} unread`);
      }
      if (status === 200 && said.write !== null) await this.#write(name, said);
      else if (!this.#tidies(name, said.text) && !(await this.#obeys(name, said.next ?? "")))
        return;
      await this.pair.run(30_000);
    }
  }

  async #write(name: Name, { write, key, text }: EndsReport): Promise<void> {
    const { pair } = this;
    const link = pair.link(name);
    const other = name === "primary" ? "secondary" : "primary";
    const before = { own: this.carries(name), other: this.carries(other) };
    const { drained } = this.truth(name);
    this.writes.push(`${name} ${write}: ${text}`);
    if (key === null) throw new Error("a write names its key");
    if (before.own && !(drained && before.other)) {
      this.faults.push(`${name} carried, and its ${write} was to be written: ${text}`);
    }
    if (write === "farEnd") pointAtNewestPair(pair.site, link, key.cakSecretId.split("/").at(-1));
    else {
      const cak = Uint8Array.from(
        Buffer.from(pair.site.vault.valueForFarEnd(key.cakSecretId), "hex"),
      );
      setKeys(link, [{ ckn: key.ckn, cak, role: "primary" }]);
    }
    await pair.run(120_000);
    if (this.parted(name)) this.faults.push(`${name} has two keys after: ${text}`);
    if (before.own && !this.carries(name)) this.faults.push(`${name} is dark after: ${text}`);
    const isCause = before.other && !this.#struck.has(other);
    if (isCause && !this.carries(other)) this.faults.push(`${other} is dark after: ${text}`);
  }

  /** True if the command was one that may change what is printed next. */
  async #obeys(name: Name, next: string): Promise<boolean> {
    const { pair } = this;
    const link = `${group}/${name}`;
    if (next === `linkseal drain ${link}` && !this.#drained.has(name)) {
      this.#drained.add(name);
      const { status } = await pair.reply("POST /v1/drain", { link });
      await pair.run(20_000);
      return status === 200;
    }
    if (next === `linkseal rotation resume ${group}`) {
      const { status } = await pair.reply("POST /v1/rotation/resume", { group });
      await pair.run(300_000);
      return status === 200;
    }
    const abandons = `linkseal rotation abandon ${group}, then `;
    if (next.startsWith(abandons)) {
      const { status } = await pair.reply("POST /v1/rotation/abandon", { group });
      return status === 200 && (await this.#obeys(name, next.slice(abandons.length)));
    }
    if (next !== `linkseal adopt ${link}`) return false;
    const body = { target: link, risks: [] as string[] };
    const { status, body: said } = await pair.reply("POST /v1/adopt", body);
    if (status === 409 && said.includes("asFound")) {
      const found = await pair.reply("POST /v1/adopt", { ...body, risks: ["asFound"] });
      return found.status === 200;
    }
    return status === 200;
  }

  /** A key that neither end uses is taken off the router, as the steps of `extra-key` say. */
  #tidies(name: Name, text: string): boolean {
    const left = /; ([0-9a-f]{8})…[0-9a-f]{4} on the router is used by neither/.exec(text)?.[1];
    if (left === undefined) return false;
    const link = this.pair.link(name);
    const keys = link.router.configured(link.port)?.keys ?? [];
    setKeys(
      link,
      keys.filter(({ ckn }) => !ckn.startsWith(left)),
    );
    return true;
  }

  async givesBack(): Promise<void> {
    for (const name of names) {
      if (this.truth(name).drained)
        await this.pair.reply("POST /v1/undrain", { link: `${group}/${name}` });
    }
    await this.pair.run(60_000);
  }
}
