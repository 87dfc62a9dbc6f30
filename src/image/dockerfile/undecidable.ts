/**
 * Thrown while a Dockerfile or context is read, when it can't be known what BuildKit would make of
 * it. Never reaches the user as a failure: the image is then built, and `message` says why.
 */
export class Undecidable extends Error {
  override readonly name = 'Undecidable';
}
