/** Gives each part of a captured layout a name of its own that people can read. */
export class LayoutNames {
  readonly #taken = new Set<string>();

  /** The name that is wished for, or with a number behind it where that is taken. */
  take(wish: string): string {
    const plain = wish
      .replaceAll(/[^A-Za-z0-9_.-]+/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '')
      .replace(/-+$/, '')
      .slice(0, 55);
    const base = plain === '' ? 'part' : plain;
    let name = base;
    for (let number = 2; this.#taken.has(name); number += 1) name = `${base}-${number}`;
    this.#taken.add(name);
    return name;
  }
}
