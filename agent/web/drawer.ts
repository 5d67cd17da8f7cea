// The detail on a small screen: a drawer over the page, which stays where it was.

import { type ComponentChild, type ComponentChildren, h } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** Names nothing, so that the drawer closes. */
const nothing = "#/";

/** Shows its content until it is closed: by its button, by Escape, or by a tap beside it. */
export function Drawer({ children }: { readonly children?: ComponentChildren }): ComponentChild {
  const drawer = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    drawer.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  const close = (): void => drawer.current?.close();
  return h(
    "dialog",
    {
      ref: drawer,
      class: "drawer",
      "aria-labelledby": "detail",
      onClose: () => {
        location.hash = nothing;
      },
      onClick: (event: Event) => {
        if (event.target === drawer.current) close();
      },
    },
    h("button", { type: "button", class: "close", onClick: close }, "Close"),
    children,
  );
}
