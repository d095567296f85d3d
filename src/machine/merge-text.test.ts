import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeConfiguration } from './merge-text.ts';

const merge = (before: string, local: string, after: string, path = 'etc/x') =>
  mergeConfiguration(path, before, local, after);

describe('three-way merge of configuration', () => {
  const base = 'a\nb\nc\nd\ne\n';

  it('takes what either side changed', () => {
    expect(merge(base, 'A\nb\nc\nd\ne\n', 'a\nb\nc\nd\nE\n')).toEqual({ text: 'A\nb\nc\nd\nE\n' });
    expect(merge(base, 'a\nb\nnew\nc\nd\ne\n', 'a\nb\nc\ne\n')).toEqual({ text: 'a\nb\nnew\nc\ne\n' });
    expect(merge(base, base, 'all\nnew\n')).toEqual({ text: 'all\nnew\n' });
    expect(merge(base, 'all\nmine\n', base)).toEqual({ text: 'all\nmine\n' });
  });

  it('takes once what both changed alike', () => {
    expect(merge(base, 'a\nB\nc\nd\ne\n', 'a\nB\nc\nd\nE\n')).toEqual({ text: 'a\nB\nc\nd\nE\n' });
  });

  it('says where both changed the same, or what touches it', () => {
    expect(merge(base, 'a\nB\nc\nd\ne\n', 'a\nX\nc\nd\ne\n')).toEqual({ conflict: 'both changed line 2' });
    expect(merge(base, 'a\nB\nc\nd\ne\n', 'a\nb\nC\nd\ne\n')).toEqual({ conflict: 'both changed line 2' });
    expect(merge(base, `${base}mine\n`, `${base}theirs\n`)).toEqual({ conflict: 'both changed line 6' });
  });

  it('knows a missing newline at the end', () => {
    expect(merge('a\nb\nc', 'A\nb\nc', 'a\nb\nc\n')).toEqual({ text: 'A\nb\nc\n' });
  });

  it('leaves alone what is no text', () => {
    expect(merge('a\0', 'b\0', 'c\0')).toEqual({ conflict: 'it is not text' });
  });

  it('merges accounts by their names', () => {
    const passwd = 'root:x:0\ndaemon:x:1\n';
    expect(merge(passwd, `${passwd}ann:x:1000\n`, `${passwd}_chrony:x:105\n`, 'etc/passwd')).toEqual({
      text: `${passwd}ann:x:1000\n_chrony:x:105\n`,
    });
    expect(merge(passwd, 'root:x:0\n', `${passwd}new:x:2\n`, 'etc/passwd')).toEqual({ text: 'root:x:0\nnew:x:2\n' });
    expect(merge('a:1\n', 'a:2\n', 'a:3\n', 'etc/group')).toEqual({ conflict: 'both changed a' });
  });

  it('is the same from both sides, and gives the other side where one changed nothing', () => {
    const text = fc
      .array(fc.constantFrom('a\n', 'b\n', 'c\n', 'd\n', '\n'), { maxLength: 12 })
      .map((lines) => lines.join(''));
    fc.assert(
      fc.property(text, text, text, (before, local, after) => {
        expect(merge(before, local, before)).toEqual({ text: local });
        expect(merge(before, before, after)).toEqual({ text: after });
        expect(merge(before, local, local)).toEqual({ text: local });
        expect('text' in merge(before, local, after)).toBe('text' in merge(before, after, local));
        const [one, other] = [merge(before, local, after), merge(before, after, local)];
        if ('text' in one) expect(other).toEqual(one);
      }),
    );
  });
});
