import { describe, expect, it } from 'vitest';
import { withImagerMenu } from './imager-once.ts';
import { renderFrugalMenu, withLiveMenu } from './live-menu.ts';
import { readLiveStart } from './live-start.ts';

const place = {
  uuid: 'ABCD-1234',
  directory: '/imprint-live',
  image: 'web:3',
  changes: true,
  options: ['console=tty0'],
};

describe('the menu of a live system on a partition', () => {
  const starts = (menu: string) =>
    [...menu.matchAll(/^ {2}linux \/imprint-live\/vmlinuz (.*)$/gm)].map(([, words = '']) => readLiveStart(words));

  it('starts it with what it wrote before, without, or from memory', () => {
    const common = { kind: 'frugal', uuid: 'ABCD-1234', directory: '/imprint-live', image: 'web:3' };
    const without = [
      { ...common, toram: false },
      { ...common, toram: true },
    ];
    expect(starts(renderFrugalMenu(place))).toEqual([{ ...common, changes: 'changes', toram: false }, ...without]);
    expect(starts(renderFrugalMenu({ ...place, changes: false }))).toEqual(without);
    expect(renderFrugalMenu(place)).toContain('search --no-floppy --fs-uuid --set=root ABCD-1234\n');
  });

  it('goes into a custom.cfg beside what others wrote, once, and out of it again', () => {
    const others = "menuentry 'mine' {\n  true\n}\n";
    const imager = { uuid: 'ABCD-1234', directory: '/boot/grub/imprint-imager', words: ['a'] };
    const both = withImagerMenu(others, imager);
    const once = withLiveMenu(both, place);
    expect(withLiveMenu(once, place)).toBe(once);
    expect(withLiveMenu(once, { ...place, image: 'web:4' })).toContain("'web:4, live (Imprint)' --id imprint-live");
    expect(withLiveMenu(once, undefined)).toBe(both);
    expect(withImagerMenu(once, undefined)).toBe(withLiveMenu(others, place));
    expect(withLiveMenu(others, undefined)).toBe(others);
    expect(withLiveMenu('no end of line', place)).toMatch(/^no end of line\n###/);
  });
});
