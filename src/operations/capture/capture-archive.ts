import { ImprintError } from '../../foundation/errors.ts';
import type { CapturedSource, SourceCapture } from './captured-source.ts';

/** Captures a tar archive. */
export async function captureTar(capture: SourceCapture): Promise<CapturedSource> {
  throw new ImprintError('internal', { problem: `${capture.place.kind} is not written yet` });
}

/** Captures an OCI image. */
export async function captureOci(capture: SourceCapture): Promise<CapturedSource> {
  throw new ImprintError('internal', { problem: `${capture.place.kind} is not written yet` });
}
