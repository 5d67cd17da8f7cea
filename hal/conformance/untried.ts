// What a bench has not, found out in the middle of a case: no verdict on the driver.

/** A bench lacks something that a case turned out to need. */
export class Untried extends Error {
  readonly lacks: string;

  constructor(lacks: string) {
    super(`the bench lacks ${lacks}`);
    this.lacks = lacks;
  }
}
