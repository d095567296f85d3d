import { expect, it } from 'vitest';
import { refuseUnreadable } from './readable-words.ts';

/** The command line of a process whose last words these are, and the words as Node reads them. */
function given(...raw: string[]) {
  const bytes = Buffer.from(['node', 'imprint.ts', ...raw].map((word) => `${word}\0`).join(''), 'latin1');
  const words = raw.map((word) => Buffer.from(word, 'latin1').toString('utf8'));
  return refuseUnreadable(words, async () => bytes);
}

it('refuses words that are not UTF-8, and tells which', async () => {
  await expect(given('image', 'cat', 'web', 'etc/a\xff')).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining('etc/a\\xff'),
  });
  await expect(given('capture', '/a', '\xc3')).rejects.toMatchObject({ code: 'usage' });
});

it('takes all that is text, and looks no further where nothing is in doubt', async () => {
  await expect(given('image', 'cat', 'web', 'etc/\xc3\xa4', '')).resolves.toBeUndefined();
  // The replacement character itself is text.
  await expect(given('image', 'cat', 'web', '\xef\xbf\xbd')).resolves.toBeUndefined();
  const never = () => Promise.reject(new Error('read in vain'));
  await expect(refuseUnreadable(['images', 'ä'], never)).resolves.toBeUndefined();
});
