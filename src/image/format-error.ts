/**
 * Bytes that are not what the image format says. Thrown by every reader in this room; the store turns it into the error
 * of the catalogue that names the file (`corrupt-pack`, `corrupt-manifest` …).
 */
export class FormatError extends Error {
  override readonly name = 'FormatError';
}
