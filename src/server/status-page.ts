/** The status page: one HTML document that needs nothing else. */
export function statusPage(): string {
  return '<!doctype html><title>Imprint</title>';
}
