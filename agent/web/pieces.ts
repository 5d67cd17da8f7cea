// Small parts of several views.

import { type ComponentChild, type ComponentChildren, h } from "preact";
import { useState } from "preact/hooks";
import type { Because, Reason, Verdict } from "../model/health.ts";
import { verdictGlyph } from "./glyph.ts";
import { fragmentOf } from "./model.ts";

/** Shows a value below its name. */
export function fact(name: string, value: ComponentChildren, more?: string): ComponentChild {
  return h("div", { class: `fact ${more ?? ""}` }, h("dt", null, name), h("dd", null, value));
}

const saidMs = 1_500;

/** Shows the next safe command, and a button that copies it to the clipboard. */
export function Command({ text }: { readonly text: string }): ComponentChild {
  const [caption, setCaption] = useState("copy");
  const copy = async (): Promise<void> => {
    const word = await navigator.clipboard.writeText(text).then(
      () => "copied",
      () => "not copied",
    );
    setCaption(word);
    setTimeout(() => setCaption("copy"), saidMs);
  };
  return h(
    "span",
    { class: "command" },
    h("code", null, text),
    h("button", { type: "button", onClick: copy, "aria-label": `${caption}: ${text}` }, caption),
  );
}

/**
 * Shows the reasons of a state, with the next command or without it where the warning beside it has
 * that; a consequence names its cause alone.
 */
export function reasonList(
  reasons: readonly Reason[],
  form: "commands" | "reasons" = "commands",
): ComponentChild {
  if (reasons.length === 0) return null;
  return h(
    "ul",
    { class: "reasons" },
    reasons.map(({ code, text, next, because }) =>
      because === undefined ? ownReason({ code, text, next }, form) : causeLine(code, because),
    ),
  );
}

function causeLine(code: string, because: Because): ComponentChild {
  return h(
    "li",
    { key: code, class: "follows" },
    "because of ",
    placeLink(because.about),
    ` (${because.code}) `,
    h("code", { class: "code" }, code),
  );
}

/** Shows the name of a link as a way to its detail; a device has none. */
function placeLink(about: string): ComponentChild {
  return about.includes("/")
    ? h("a", { href: fragmentOf("link", about) }, about)
    : h("b", null, about);
}

function ownReason({ code, text, next }: Reason, form: "commands" | "reasons"): ComponentChild {
  return h(
    "li",
    { key: code },
    h("span", null, text, " ", h("code", { class: "code" }, code)),
    form === "reasons" ? null : h(Command, { text: next }),
  );
}

export interface PathEnds {
  readonly near: readonly [string, string];
  readonly far: readonly [string, string];
  readonly kind: "link" | "tunnel";
  readonly note: string | null;
  /** True if the path is out of service on purpose. */
  readonly planned: boolean;
}

/** Draws both ends and the path between them in the style of the verdict. */
export function pathPicture(
  { near, far, kind, note, planned }: PathEnds,
  verdict: Verdict,
): ComponentChild {
  const end = ([name, place]: readonly [string, string], side: string): ComponentChild =>
    h("span", { class: `end ${side}` }, h("b", null, name), h("span", null, place));
  const label = `${near.join(" ")} to ${far.join(" ")}: ${kind} ${verdict}`;
  return h(
    "div",
    {
      class: `path ${kind} ${verdict}${planned ? " planned" : ""}`,
      role: "img",
      "aria-label": label,
    },
    end(near, "near"),
    h(
      "span",
      { class: "fibre" },
      h("i", { class: "strand" }),
      h("span", { class: "seal" }, verdictGlyph(verdict)),
      h("i", { class: "strand" }),
      note === null ? null : h("span", { class: "note" }, note),
    ),
    end(far, "far"),
  );
}
