// Thrown when a case finds that the bench lacks something it needs; the driver is not judged.

/** A bench lacks something that a case turned out to need. */
export class Untried extends Error {
  readonly lacks: string;

  constructor(lacks: string) {
    super(`the bench lacks ${lacks}`);
    this.lacks = lacks;
  }
}
