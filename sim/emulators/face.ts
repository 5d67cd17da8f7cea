// A simulated router as a device of one vendor: its configuration in the vendor's own form beside
// the one that runs. What changes either is taken over by the other.

import type { Router } from "../router/router.ts";
import type { Draft } from "../router/router-commit.ts";
import { diffConfig, effectsBetween, type MutableConfig } from "../router/router-config.ts";
import { tellFarEndRoutes } from "./far-end-routes.ts";

const upMs = 40 * 86_400_000;

/** `Form`: a configuration as the vendor writes it; one is replaced, and never changed. */
export abstract class Face<Form> {
  readonly router: Router;
  readonly #after: (form: Form, router: Router) => Form;
  readonly #known = new WeakMap<MutableConfig, Form>();
  #current: Form;
  #seen: MutableConfig;
  #saved: MutableConfig;
  #bootedAt: number;
  #boot: string;

  /** `after`: what a form becomes where the router was changed by another way than this face. */
  constructor(router: Router, first: Form, after: (form: Form, router: Router) => Form) {
    this.router = router;
    this.#after = after;
    tellFarEndRoutes(router);
    this.#current = after(first, router);
    this.#seen = router.running;
    this.#saved = router.running;
    this.#known.set(this.#seen, this.#current);
    this.#bootedAt = router.wall() - upMs;
    this.#boot = this.#bootId();
  }

  /** The configuration in force. */
  get current(): Form {
    return this.#current;
  }

  get bootedAt(): number {
    return this.#bootedAt;
  }

  /** What is in force is what the next boot begins with. */
  isSaved(): boolean {
    return this.#saved === this.router.running;
  }

  save(): void {
    this.#saved = this.router.running;
  }

  #bootId(): string {
    const { control } = this.router.state();
    return control.kind === "known" ? control.value.bootId : this.#boot;
  }

  /** Whether the router has started anew since the last question. */
  protected hasRebooted(): boolean {
    const boot = this.#bootId();
    if (boot === this.#boot) return false;
    this.#boot = boot;
    this.#bootedAt = this.router.wall();
    return true;
  }

  /**
   * Takes over what another way, or a timer, made of the router; undefined = nothing. The form that
   * belonged to what runs now comes back, unless the present one means the same and is kept.
   */
  protected followRunning({ keepsSame = false } = {}): "same" | "changed" | undefined {
    const { running } = this.router;
    if (running === this.#seen) return undefined;
    const isSame = diffConfig(this.#seen, running).length === 0;
    const before = isSame && keepsSame ? this.#current : this.formOf(running);
    this.settle(before ?? (isSame ? this.#current : this.#after(this.#current, this.router)));
    return isSame ? "same" : "changed";
  }

  /** undefined = it was never seen to run. */
  protected formOf(config: MutableConfig): Form | undefined {
    return this.#known.get(config);
  }

  /** The router itself has put a form of before in the place of the present one. */
  protected restore(form: Form): void {
    this.#current = form;
  }

  /** This is the form of what runs now. */
  settle(form: Form): void {
    this.#current = form;
    this.#seen = this.router.running;
    this.#known.set(this.#seen, form);
  }
}

/** A commit of what a configuration comes to. */
export function draftOf(configured: () => MutableConfig, effects = effectsBetween): Draft {
  return {
    apply: (running) => {
      const config = configured();
      return { config, effects: effects(running, config) };
    },
    operations: [],
  };
}
