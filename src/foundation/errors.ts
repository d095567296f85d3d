import { type ErrorCode, type ErrorDetails, errorCatalogue } from './error-catalogue.ts';

/** An error as it travels: between worker and main thread, over HTTP, in a task's last event. */
export interface ErrorValue {
  code: ErrorCode;
  message: string;
  hint: string;
  details: Record<string, string | number>;
}

/** The one error class: a code of the catalogue and the details that its message needs. */
export class ImprintError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'ImprintError';
  readonly code: Code;
  readonly details: Readonly<Record<string, string | number>>;
  /** What to do next. */
  readonly hint: string;

  constructor(code: Code, details: ErrorDetails<Code>, options?: { cause?: unknown }) {
    super(fill(errorCatalogue[code].message, details), options);
    this.code = code;
    this.details = details;
    this.hint = fill(errorCatalogue[code].hint, details);
  }

  get exitStatus(): number {
    return errorCatalogue[this.code].exit;
  }

  get httpStatus(): number {
    return errorCatalogue[this.code].http;
  }

  toValue(): ErrorValue {
    return { code: this.code, message: this.message, hint: this.hint, details: { ...this.details } };
  }

  /** The error again from its value; a code that this build does not know becomes `internal`. */
  static fromValue(value: { code: string; message: string; details?: Record<string, string | number> }): ImprintError {
    if (!Object.hasOwn(errorCatalogue, value.code)) return new ImprintError('internal', { problem: value.message });
    return new ImprintError(value.code as ErrorCode, (value.details ?? {}) as ErrorDetails<ErrorCode>);
  }
}

/**
 * Any thrown thing as an ImprintError. An abort becomes `interrupted`, ENOSPC `disk-full`, EROFS `read-only`, another
 * system error `io-failed` with the path it names; what is not known becomes `internal` with its message.
 */
export function toImprintError(thrown: unknown): ImprintError {
  if (thrown instanceof ImprintError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (error.name === 'AbortError') return new ImprintError('interrupted', {}, { cause: error });
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new ImprintError('disk-full', { path: path ?? 'the disk' }, { cause: error });
  if (code === 'EROFS') {
    return new ImprintError(
      'read-only',
      { path: path ?? 'the disk', problem: 'it is mounted read-only' },
      { cause: error },
    );
  }
  if (code !== undefined && syscall !== undefined) {
    return new ImprintError(
      'io-failed',
      { operation: syscall, path: path ?? '', problem: error.message },
      { cause: error },
    );
  }
  return new ImprintError('internal', { problem: error.message }, { cause: error });
}

function fill(template: string, details: Readonly<Record<string, string | number>>): string {
  return template.replaceAll(/\{([a-zA-Z]+)\}/g, (whole, name: string) => String(details[name] ?? whole));
}
