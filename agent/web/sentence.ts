// The state of the site in one sentence: what an operator has to know first.

import type { Verdict } from "../model/health.ts";
import type { PageSnapshot } from "../page/shape.ts";
import { partsOf, plannedNow, type Selected, workText } from "./model.ts";

export interface SiteSentence {
  /** `plan` = what is out of service was taken out on purpose. */
  readonly tone: "bad" | "care" | "plan" | "good";
  readonly text: string;
}

type LinkHere = Extract<Selected, { kind: "link" }>;

const namesMax = 3;

function namesText(names: readonly string[]): string {
  const shown = names.slice(0, namesMax).join(", ");
  return names.length > namesMax ? `${shown} and ${names.length - namesMax} more` : shown;
}

/** Returns the sentence; undefined = nothing is configured, and the reasons say so. */
export function siteSentence(snapshot: PageSnapshot): SiteSentence | undefined {
  const parts = partsOf(snapshot);
  if (parts.length === 0) return undefined;
  const links = parts.filter((part) => part.kind === "link");
  return (
    darkGroups(snapshot, links) ??
    ofLinks(snapshot, links) ??
    ofTunnels(snapshot) ?? { tone: "good", text: "All links and tunnels are protected." }
  );
}

function darkGroups(
  { status: { groups } }: PageSnapshot,
  links: readonly LinkHere[],
): SiteSentence | undefined {
  const dark = groups.filter(
    (group) => group.links.length > 0 && group.links.every(({ verdict }) => verdict === "down"),
  );
  if (dark.length === 0) return undefined;
  const isAll = groups.length > 1 && links.every(({ status }) => status.verdict === "down");
  const names = isAll ? "this site" : namesText(dark.map(({ name }) => name));
  return { tone: "bad", text: `No link of ${names} carries traffic.` };
}

function ofLinks(snapshot: PageSnapshot, links: readonly LinkHere[]): SiteSentence | undefined {
  const workOf = (link: LinkHere) => plannedNow(snapshot, link);
  const those = (verdict: Verdict): readonly LinkHere[] =>
    links.filter((link) => link.status.verdict === verdict && workOf(link) === null);
  const clear = those("unprotected");
  if (clear.length > 0) {
    const text = `${subject(clear)} unprotected: traffic may pass in the clear`;
    return { tone: "bad", text: `${text}.` };
  }
  const down = those("down");
  if (down.length > 0) return { tone: "bad", text: `${subject(down)} down${beside(down, links)}.` };
  for (const verdict of ["unknown", "degraded"] as const) {
    const found = those(verdict);
    if (found.length > 0) return { tone: "care", text: `${subject(found)} ${verdict}.` };
  }
  const planned = links.filter((link) => workOf(link) !== null);
  const [first] = planned;
  if (first === undefined) return undefined;
  const work = workText(workOf(first) ?? "drain");
  const text = `${subject(planned)} out of service as planned (${work})`;
  return { tone: "plan", text: `${text}${beside(planned, links)}.` };
}

function subject(links: readonly LinkHere[]): string {
  const names = namesText(links.map(({ id }) => id));
  return `${names} ${links.length === 1 ? "is" : "are"}`;
}

/** Names the other link of the group, where there is one of each. */
function beside([first, second]: readonly LinkHere[], links: readonly LinkHere[]): string {
  if (first === undefined || second !== undefined) return "";
  const group = first.id.slice(0, -first.status.name.length);
  const [sibling, third] = links.filter(({ id }) => id.startsWith(group) && id !== first.id);
  if (sibling === undefined || third !== undefined) return "";
  return `; ${sibling.id} is ${sibling.status.verdict}`;
}

function ofTunnels(snapshot: PageSnapshot): SiteSentence | undefined {
  const wrong = snapshot.status.tunnels.filter(({ verdict }) => verdict !== "protected");
  const [first] = wrong;
  if (first === undefined) return undefined;
  const names = namesText(wrong.map(({ name, verdict }) => `${name} (${verdict})`));
  const isDown = wrong.some(({ verdict }) => verdict === "down" || verdict === "unprotected");
  const word = wrong.length === 1 ? "Tunnel" : "Tunnels";
  const rest = `All links are protected. ${word} not protected: ${names}.`;
  return { tone: isDown ? "bad" : "care", text: rest };
}
