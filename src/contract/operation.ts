import type { z } from 'zod';
import type { ErrorCode } from '../foundation/error-catalogue.ts';

/** What an operation does to the world: what the server asks permission for, and what the audit line says. */
export type Effect = 'read' | 'change' | 'destroy';

/**
 * One operation, defined once: the server derives its route, OpenAPI and permission from it; the command line calls it
 * in-process or over HTTP with the same signature.
 */
export interface Operation<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> {
  /** Noun, dot, verb: `machine.add`. The route is `POST /api/v1/machine.add`, or `GET` for an operation that only reads. */
  readonly name: `${string}.${string}`;
  readonly summary: string;
  readonly input: Input;
  readonly output: Output;
  /** Errors that a caller should expect, beyond those that anything may throw. */
  readonly errors: readonly ErrorCode[];
  readonly effect: Effect;
  readonly runsOn: 'server' | 'machine' | 'anywhere';
  /** Long operations answer at once with `{ taskId }` over HTTP; their result comes with the task's end. */
  readonly long: boolean;
  /** Bytes of a request over HTTP, at most, where one may be larger than the usual MiB. */
  readonly bodyLimit?: number;
}

/** Declares an operation; checks nothing at run time. */
export function defineOperation<Input extends z.ZodType, Output extends z.ZodType>(
  operation: Operation<Input, Output>,
): Operation<Input, Output> {
  return operation;
}
