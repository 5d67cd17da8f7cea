// A device emulator: a simulated router as a device of one vendor, with its configuration in the
// vendor's own form beside the router's. A change of either is followed by the other.

import type { Router } from "../router/router.ts";
import type { Draft } from "../router/router-commit.ts";
import { diffConfig, effectsBetween, type MutableConfig } from "../router/router-config.ts";
import { advertiseFarEndRoutes } from "./far-end-routes.ts";

const upMs = 40 * 86_400_000;

/** `Form` is a configuration as the vendor writes it; a form is replaced and never changed. */
export abstract class Emulator<Form> {
  readonly router: Router;
  readonly #after: (form: Form, router: Router) => Form;
  readonly #known = new WeakMap<MutableConfig, Form>();
  #current: Form;
  #lastRunning: MutableConfig;
  #saved: MutableConfig;
  #bootedAt: number;
  #boot: string;

  /**
   * `after` returns the form that follows when the router was changed other than through this
   * emulator.
   */
  constructor(router: Router, first: Form, after: (form: Form, router: Router) => Form) {
    this.router = router;
    this.#after = after;
    advertiseFarEndRoutes(router);
    this.#current = after(first, router);
    this.#lastRunning = router.running;
    this.#saved = router.running;
    this.#known.set(this.#lastRunning, this.#current);
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

  /** True if the next boot starts from the configuration that is in force. */
  isSaved(): boolean {
    return this.#saved === this.router.running;
  }

  save(): void {
    this.#saved = this.router.running;
  }

  /** Makes a boot start from what was saved, where that is apart from a commit. */
  protected bootFromSaved(): void {
    this.router.bootsFrom = () => this.#saved;
  }

  #bootId(): string {
    const { control } = this.router.state();
    return control.kind === "known" ? control.value.bootId : this.#boot;
  }

  /** True if the router has rebooted since the last call. */
  protected hasRebooted(): boolean {
    const boot = this.#bootId();
    if (boot === this.#boot) return false;
    this.#boot = boot;
    this.#bootedAt = this.router.wall();
    return true;
  }

  /**
   * Follows a change that was made otherwise, or by a timer; undefined if there is none. The form
   * that belonged to the running configuration returns, unless the present one is equivalent and is
   * kept.
   */
  protected followRunning({ keepsSame = false } = {}): "same" | "changed" | undefined {
    const { running } = this.router;
    if (running === this.#lastRunning) return undefined;
    const isSame = diffConfig(this.#lastRunning, running).length === 0;
    const before = isSame && keepsSame ? this.#current : this.formOf(running);
    this.settle(before ?? (isSame ? this.#current : this.#after(this.#current, this.router)));
    return isSame ? "same" : "changed";
  }

  /** Returns the form of a configuration; undefined if it never ran. */
  protected formOf(config: MutableConfig): Form | undefined {
    return this.#known.get(config);
  }

  /** Puts an earlier form in place of the present one, as the router itself does. */
  protected restore(form: Form): void {
    this.#current = form;
  }

  /** Sets the form of the running configuration. */
  settle(form: Form): void {
    this.#current = form;
    this.#lastRunning = this.router.running;
    this.#known.set(this.#lastRunning, form);
  }
}

/** Makes a draft from a configuration that is computed when it is applied. */
export function draftOf(configured: () => MutableConfig, effects = effectsBetween): Draft {
  return {
    apply: (running) => {
      const config = configured();
      return { config, effects: effects(running, config) };
    },
    operations: [],
  };
}
