import { expect, it } from 'vitest';
import { problemOfGrubConfig, withImagerMenu } from './imager-once.ts';

const menu = { uuid: '5b1c3d5e-8f0a-4d8e-9c39-2d9c1f6b7a01', directory: '/boot/grub/imprint-imager', words: ['a=b'] };

it('puts the imager beside what others wrote, replaces it, and takes it away again', () => {
  for (const own of ['', "menuentry 'theirs' { true; }\n", 'no end of line']) {
    const once = withImagerMenu(own, menu);
    expect(once.startsWith(own)).toBe(true);
    expect(once).toContain('linux /boot/grub/imprint-imager/vmlinuz a=b\n');
    const more = withImagerMenu(`${once}set theirs=1\n`, { ...menu, words: ['c=d'] });
    expect(more.match(/menuentry 'Imprint/g)).toHaveLength(1);
    expect(more).toContain('c=d');
    expect(more).toContain('set theirs=1\n');
    expect(withImagerMenu(once, undefined).trimEnd()).toBe(own.trimEnd());
  }
});

it('says what a grub.cfg lacks', () => {
  const whole = 'set boot_once=true\nset next_entry=\nsave_env next_entry\nsource $prefix/custom.cfg\n';
  expect(problemOfGrubConfig(whole)).toBeUndefined();
  expect(problemOfGrubConfig(whole.replace('custom.cfg', 'other.cfg'))).toMatch('custom.cfg');
  expect(problemOfGrubConfig(whole.replace('save_env next_entry', ''))).toMatch('next_entry');
});
