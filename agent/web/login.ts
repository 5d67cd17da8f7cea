// The login form, for a code that an operator got on the agent's host.

import { type ComponentChild, h } from "preact";
import { useState } from "preact/hooks";

export interface LoginProps {
  /** Why no session is open any more; empty = there was none before. */
  readonly text: string;
  /** The host on which a code is made, and the command that makes it. */
  readonly host: string;
  readonly command: string;
  /** Opens a session; resolves to undefined, or to what is wrong with the code. */
  readonly enter: (code: string) => Promise<string | undefined>;
}

export function Login({ text, host, command, enter }: LoginProps): ComponentChild {
  const [message, setMessage] = useState("");
  const [code, setCode] = useState("");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setMessage("");
    setMessage((await enter(code)) ?? "");
  };
  const typed = (event: Event): void => setCode((event.currentTarget as HTMLInputElement).value);
  return h(
    "main",
    { class: "login" },
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
      h("button", { type: "submit" }, "Sign in"),
      h("p", { role: "alert", class: "wrong" }, message),
      h(
        "p",
        { class: "faint" },
        `On ${host} `,
        h("code", null, command),
        " prints one. It works once, within two minutes.",
      ),
    ),
  );
}
