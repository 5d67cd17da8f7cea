// A row that is redrawn with every snapshot while it is on the screen, and otherwise only when more
// than its ages and rates has changed, so that two hundred rows cost little.

import { Component, type ComponentChild, h } from "preact";

export interface RowProps {
  readonly about: string;
  readonly isChosen: boolean;
  readonly form: "full" | "short" | "of-site";
  /**
   * Everything that the row shows apart from ages and rates, so that a search in the page and a
   * screen reader find current text.
   */
  readonly gist: string;
  readonly draw: () => ComponentChild;
}

/** Rows this close to the screen are drawn as well. */
const margin = "300px";

class Sight {
  readonly #rows = new Map<Element, (isSeen: boolean) => void>();
  readonly #observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) this.#rows.get(target)?.(isIntersecting);
    },
    { rootMargin: margin },
  );

  watch(element: Element, notify: (isSeen: boolean) => void): () => void {
    this.#rows.set(element, notify);
    this.#observer.observe(element);
    return () => {
      this.#rows.delete(element);
      this.#observer.unobserve(element);
    };
  }
}

let sight: Sight | undefined;

export class Row extends Component<RowProps> {
  #isSeen = true;
  #element: Element | null = null;
  #leave: () => void = () => undefined;

  override componentDidMount(): void {
    if (this.#element === null) return;
    sight ??= new Sight();
    this.#leave = sight.watch(this.#element, (isSeen) => {
      const isNew = isSeen && !this.#isSeen;
      this.#isSeen = isSeen;
      if (isNew) this.forceUpdate();
    });
  }

  override componentWillUnmount(): void {
    this.#leave();
  }

  override shouldComponentUpdate({ gist }: RowProps): boolean {
    return this.#isSeen || gist !== this.props.gist;
  }

  render({ about, isChosen, form, draw }: RowProps): ComponentChild {
    const taken = (element: Element | null): void => {
      this.#element = element;
    };
    const named = `row ${form}${isChosen ? " chosen" : ""}`;
    return h("li", { ref: taken, class: named, "data-about": about }, draw());
  }
}
