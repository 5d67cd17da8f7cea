// The fault console of a simulated site: faults that strike and heal on demand, and the oracle's
// findings. It extends the protocol that devices, far ends and vault speak.
//
// GET  /faults   {faults: [{name, title}], active: ["NAME LINK"]}
// POST /fault    {name, link?, cak?, heal?: true} gives {text}; the first link if none is named;
//                cak: the version of the CAK that the far end gets, for far-ahead and far-back
// POST /vault/…  as described in fault-console-vault.ts
// POST /posture  {aspect, state} gives {text}: sets an audited property of the cloud
// GET  /oracle   {seed, at, agentWrites, violations, late, truth}

import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import { aspects, type Posture, postureStates } from "../azure/posture.ts";
import type { Oracle } from "../oracle/oracle.ts";
import { refusalReply, type SiteHandler, type SiteReply, siteHandler } from "../site/protocol.ts";
import { BadRequest, bodyOf, type Fields, text } from "../site/request.ts";
import type { Site, SiteLink } from "../site/site.ts";
import { writeSecret } from "./fault-console-vault.ts";
import {
  cloudFaults,
  demoFaults,
  type FaultKind,
  settingFaults,
  stormFaults,
  strikeFault,
} from "./faults.ts";
import type { Heal } from "./manual-operators.ts";

/** The fault kinds by name; a name in both lists means the same act. */
const siteFaults = [...stormFaults, ...demoFaults, ...settingFaults];
const siteKinds = named(siteFaults);
const cloudKinds = named([...siteFaults, ...cloudFaults]);

/** The faults in which an operator gives a pair to the far end. */
const pairFaults: readonly string[] = ["far-ahead", "far-back"];

function named(kinds: readonly FaultKind[]): ReadonlyMap<string, FaultKind> {
  return new Map(kinds.map((kind) => [kind.name, kind]));
}

/** The fault console of one site. */
export class FaultConsole {
  readonly #site: Site;
  readonly #oracle: Oracle;
  readonly #active = new Map<string, Heal>();
  /**
   * The audited resources of the simulated cloud in front of this site; undefined if there is none.
   */
  posture: Posture | undefined;

  constructor(site: Site, oracle: Oracle) {
    this.#site = site;
    this.#oracle = oracle;
  }

  /**
   * Strikes a fault once; returns a text about the result.
   * @throws RangeError for a name that the site lacks
   */
  strike(name: string, link?: string, cak?: string): string {
    const { kind, at, key } = this.#find(name, link, cak);
    // What is set by its version is a remedy as well, and may be needed again.
    if (this.#active.has(key) && cak === undefined)
      return `${key} was struck before and is not healed yet`;
    this.#active.set(key, strikeFault(this.#site, kind, at, cak));
    return `${key}: ${kind.title}`;
  }

  /**
   * Heals a fault that `strike` struck.
   * @throws RangeError for a name that the site lacks
   */
  heal(name: string, link?: string, cak?: string): string {
    const { key } = this.#find(name, link, cak);
    const heal = this.#active.get(key);
    this.#active.delete(key);
    heal?.();
    return heal === undefined ? `${key} was not struck` : `${key} is healed`;
  }

  /** Returns the present findings of the site's oracle. */
  verdict() {
    const { violations, late, agentWrites } = this.#oracle;
    const { seed, clock } = this.#site;
    return { seed, at: clock.now(), agentWrites, violations, late, truth: this.#site.truth() };
  }

  get #kinds(): ReadonlyMap<string, FaultKind> {
    return this.posture === undefined ? siteKinds : cloudKinds;
  }

  /**
   * Returns the handler of the whole protocol: the console's own requests, and those of the site.
   */
  handler(): SiteHandler {
    const site = siteHandler(this.#site);
    return async (request, signal) => {
      switch (`${request.method} ${request.path}`) {
        case "GET /oracle":
          return good(this.verdict());
        case "GET /faults":
          return good({ faults: titles(this.#kinds), active: [...this.#active.keys()] });
        case "POST /fault":
          return this.#act(request.body, (fields, link) => {
            const name = text(fields, "name");
            const cak = fields["cak"] === undefined ? undefined : text(fields, "cak");
            return healing(fields) ? this.heal(name, link, cak) : this.strike(name, link, cak);
          });
        case "POST /posture":
          return this.#act(request.body, (fields) => this.#pose(fields));
        default:
          return request.method === "POST" && /^\/vault\/secrets\/[^/]+$/.test(request.path)
            ? await this.#write(request.path, request.body, signal)
            : await site(request, signal);
      }
    };
  }

  #pose(fields: Fields): string {
    const [aspect, state] = [text(fields, "aspect"), text(fields, "state")];
    const known = aspects.find((each) => each === aspect);
    const wanted = postureStates.find((each) => each === state);
    if (this.posture === undefined) throw new RangeError("this site has no simulated cloud");
    if (known === undefined) throw new RangeError(`no ${aspect}; there are: ${aspects.join(", ")}`);
    if (wanted === undefined)
      throw new RangeError(`${state} is not one of ${postureStates.join(", ")}`);
    this.posture.set(known, wanted);
    return `${known} is ${wanted}`;
  }

  async #write(path: string, body: string, signal: AbortSignal): Promise<SiteReply> {
    try {
      return good(await writeSecret(this.#site, path, bodyOf(body), signal));
    } catch (error) {
      if (error instanceof BadRequest) return bad(`the request is malformed at: ${error.message}`);
      if (error instanceof LinksealError) return refusalReply(error);
      throw error;
    }
  }

  #act(body: string, act: (fields: Fields, link: string | undefined) => string): SiteReply {
    try {
      const fields = bodyOf(body);
      const link = fields["link"] === undefined ? undefined : text(fields, "link");
      return good({ text: act(fields, link) });
    } catch (error) {
      if (error instanceof RangeError) return bad(error.message);
      if (error instanceof BadRequest) return bad(`the request is malformed at: ${error.message}`);
      throw error;
    }
  }

  #find(
    name: string,
    link: string | undefined,
    cak: string | undefined,
  ): { kind: FaultKind; at: SiteLink; key: string } {
    const kind = this.#kinds.get(name);
    const at = link === undefined ? this.#site.links[0] : this.#linkAt(link);
    if (kind === undefined) throw new RangeError(`no fault ${name}`);
    if (at === undefined) throw new RangeError("the site has no link");
    const place = `${name} ${at.id}`;
    if (cak === undefined) return { kind, at, key: place };
    if (!pairFaults.includes(name)) throw new RangeError(`${name} takes no CAK version`);
    // An operator may point a far end at one pair after the other.
    return { kind, at, key: `${place} ${cak}` };
  }

  #linkAt(id: string): SiteLink {
    const at = this.#site.link(id);
    if (at !== undefined) return at;
    const links = this.#site.links.map((link) => link.id).join(", ");
    throw new RangeError(`no link ${id}; there are: ${links}`);
  }
}

function healing(fields: Fields): boolean {
  const { heal } = fields;
  if (heal === undefined || heal === true) return heal === true;
  throw new BadRequest("heal");
}

function titles(kinds: ReadonlyMap<string, FaultKind>) {
  return [...kinds.values()].map(({ name, title }) => ({ name, title }));
}

function good(value: unknown): SiteReply {
  return { status: 200, body: encodeJson(value) };
}

function bad(what: string): SiteReply {
  const next = "linkseal sim fault --list";
  const where = "simulated site";
  return {
    status: 400,
    body: encodeJson({ code: "usage", effect: "none", where, text: what, next }),
  };
}
