// The way in: a code that somebody on the agent's host asked for.

import { type ComponentChild, h } from "preact";
import { useState } from "preact/hooks";

export interface DoorProps {
  /** Why nobody is in any more; empty = it is the first time. */
  readonly text: string;
  /** Undefined once it is open, else what is wrong. */
  readonly enter: (code: string) => Promise<string | undefined>;
}

export function Door({ text, enter }: DoorProps): ComponentChild {
  const [said, setSaid] = useState("");
  const [code, setCode] = useState("");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setSaid("");
    setSaid((await enter(code)) ?? "");
  };
  const typed = (event: Event): void => setCode((event.currentTarget as HTMLInputElement).value);
  return h(
    "main",
    { class: "door" },
    h(
      "form",
      { class: "card", onSubmit: submit },
      h("h1", null, h("img", { src: "/icon.svg", alt: "" }), "linkseal"),
      text === "" ? null : h("p", { role: "status" }, text),
      h("label", { for: "code" }, "One-time code"),
      h("input", {
        id: "code",
        name: "code",
        autoComplete: "one-time-code",
        autoCapitalize: "characters",
        spellCheck: false,
        maxLength: 40,
        required: true,
        placeholder: "XXXX-XXXX-XXXX",
        value: code,
        onInput: typed,
      }),
      h("button", { type: "submit" }, "Look"),
      h("p", { role: "alert", class: "wrong" }, said),
      h(
        "p",
        { class: "faint" },
        "On the agent's host ",
        h("code", null, "linkseal page code"),
        " prints one. It is good once, for two minutes.",
      ),
    ),
  );
}
