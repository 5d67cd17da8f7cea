// Says whether what the page shows is current.

import { type ComponentChild, h } from "preact";
import type { Connection, ViewAge } from "./model.ts";
import { spanText } from "./words.ts";

/** Says whether snapshots come. */
export function liveMark({ isStale, ageMs }: ViewAge, connection: Connection): ComponentChild {
  if (!isStale) return h("span", { class: "live" }, "live");
  const word = connection.kind === "open" ? "silent" : "not connected";
  return h("span", { class: "live lost" }, `${word} for ${spanText(ageMs)}`);
}

/** Says that nothing below is current. */
export function lostNote(
  { isStale, ageMs }: ViewAge,
  connection: Connection,
  sender = "the agent",
): ComponentChild {
  const why = connection.kind === "lost" ? connection.why : `${sender} sends nothing`;
  const sentence = `No data from ${sender} for ${spanText(ageMs)}: ${why}.`;
  const text = `${sentence} Everything below is as it was then; how it is now is unknown.`;
  return h("div", { class: "lost-note", role: "alert" }, isStale ? h("p", null, text) : null);
}
