import { ActionError } from '../errors.ts';

/** What went wrong at a registry. */
export type RegistryErrorCode =
  | 'DENIED'
  | 'MISSING'
  | 'CORRUPT'
  | 'THROTTLED'
  | 'UNAVAILABLE'
  | 'REFUSED';

/** A registry's refusal or failure. `status` is the HTTP status, where there was an answer. */
export class RegistryError extends ActionError {
  override readonly name = 'RegistryError';
  readonly code: RegistryErrorCode;
  readonly status: number | undefined;

  constructor(
    message: string,
    options: {
      code: RegistryErrorCode;
      status?: number | undefined;
      cause?: unknown;
      hint?: string | undefined;
    },
  ) {
    super(message, options);
    this.code = options.code;
    this.status = options.status;
  }
}
