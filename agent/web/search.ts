// The search field of a list.

import { type ComponentChild, h } from "preact";
import { useEffect, useRef } from "preact/hooks";

export interface SearchProps {
  readonly text: string;
  readonly label: string;
  readonly placeholder: string;
  readonly change: (text: string) => void;
}

/** A field that the key `/` leads to. */
export function Search({ text, label, placeholder, change }: SearchProps): ComponentChild {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.key !== "/" || event.target instanceof HTMLInputElement) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
  return h("input", {
    ref: field,
    type: "search",
    class: "search",
    "aria-label": label,
    "aria-keyshortcuts": "/",
    placeholder: `${placeholder}  ( / )`,
    maxLength: 100,
    spellCheck: false,
    value: text,
    onInput: (event: Event) => change((event.currentTarget as HTMLInputElement).value),
  });
}
