// What the checks of a scorecard judge: the edge as the agent observed it, and Azure.

import type { Verdict } from "../../model/health.ts";
import { at, type Estate, type Resource } from "./estate.ts";
import { listAt, nameOf, type Outcome, textAt, unverifiable } from "./outcome.ts";

/** The far end of a link as the management API or a document reported it. */
interface FarEnd {
  readonly admin: "up" | "down" | "unknown";
  /** The identifiers of CAK and CKN; undefined = it names none. */
  readonly ids: readonly string[] | undefined;
}

/** What the agent observed of the router's end of a link. */
interface Observed {
  readonly verdict: Verdict;
  readonly codes: readonly string[];
  /** The CKN of the key in use; null = not known. */
  readonly ckn: string | null;
  /** The CKN of the accepted key; null = not known. */
  readonly meant: string | null;
  /** The CKN that a campaign of the agent brings in; null = none. */
  readonly next: string | null;
}

export interface EdgeLink {
  /** `group/link`; of a document `port/link`. */
  readonly name: string;
  /** Undefined = there is no agent. */
  readonly observed: Observed | undefined;
  /** Undefined = it was not read lately. */
  readonly farEnd: FarEnd | undefined;
  /** How long ago it was last read, where that is too long; in milliseconds. */
  readonly farEndAgeMs?: number;
}

export interface EdgeTunnel {
  readonly name: string;
  readonly verdict: Verdict;
  readonly codes: readonly string[];
}

export interface ScorecardFacts {
  readonly links: readonly EdgeLink[];
  readonly tunnels: readonly EdgeTunnel[];
  /** `simulated`: the site's socket is the vault, which has no address in Azure. */
  readonly vaults:
    | { readonly kind: "named"; readonly addresses: readonly string[] }
    | { readonly kind: "simulated" };
  /** Resource ids of the ExpressRoute ports. */
  readonly ports: readonly string[];
  /** Resource ids of the connections that the config's tunnels run over. */
  readonly connections: readonly string[];
  readonly estate: Estate;
}

/** Returns the far end of a link if it was read lately, else the outcome that says why not. */
export function freshFarEnd({ name, farEnd, farEndAgeMs, observed }: EdgeLink): FarEnd | Outcome {
  if (farEnd !== undefined) return farEnd;
  if (farEndAgeMs !== undefined) {
    const minutes = Math.floor(farEndAgeMs / 60_000);
    const text = `the far end of ${name} was last read ${minutes} min ago`;
    return unverifiable(text, "linkseal doctor");
  }
  const next = observed === undefined ? "export the whole port" : "linkseal doctor";
  return unverifiable(`the far end of ${name} was not read`, next);
}

/** What judges the edge where there are only documents. */
export const besideAgent = "run linkseal scorecard beside an agent";

/** Returns the links that the document of a port shows. */
export function linksOf(port: Resource): readonly EdgeLink[] {
  return listAt(port, "properties", "links").map((link): EdgeLink => {
    const config = at(link, "properties", "macSecConfig");
    const ids = ["cakSecretIdentifier", "cknSecretIdentifier"].map((field) =>
      textAt(config, field),
    );
    return {
      name: `${nameOf(port)}/${nameOf(link)}`,
      observed: undefined,
      // A port whose MACsec is off shows its settings without identifiers.
      farEnd:
        config === undefined
          ? undefined
          : {
              admin: adminOf(at(link, "properties", "adminState")),
              ids: ids.every((id) => id !== undefined) ? ids : undefined,
            },
    };
  });
}

function adminOf(state: unknown): FarEnd["admin"] {
  return state === "Enabled" ? "up" : state === "Disabled" ? "down" : "unknown";
}

/** Returns the addresses of the vaults that the far ends name, each `https://NAME.SUFFIX`. */
export function vaultsNamed(links: readonly EdgeLink[]): readonly string[] {
  const found = links
    .flatMap(({ farEnd }) => farEnd?.ids ?? [])
    .flatMap((id) => {
      const [, address] = /^(https:\/\/[\w.-]{1,200})(?::443)?\/secrets\//i.exec(id) ?? [];
      return address === undefined ? [] : [address.toLowerCase()];
    });
  return [...new Set(found)];
}
