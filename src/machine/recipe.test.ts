import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImprintError } from '../foundation/errors.ts';
import { parseRecipe } from './recipe.ts';

function mistakeIn(text: string): string {
  try {
    parseRecipe(text, 'web.yaml');
  } catch (error) {
    if (error instanceof ImprintError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'none';
}

describe('a recipe', () => {
  it('says what to build, in words only', () => {
    const recipe = parseRecipe(
      [
        'name: web',
        'base:',
        '  suite: bookworm',
        '  sources:',
        '    - deb http://deb.example/debian bookworm main',
        'packages: [nginx-light, libc6:amd64, php8.2=8.2.7-1]',
        'files:',
        '  - path: /etc/motd',
        '    content: |',
        '      hello',
        '    mode: 0640',
        '    owner: www-data',
        '  - { path: /srv/empty, directory: true }',
        'scripts:',
        '  - systemctl enable nginx',
        '  - file: setup.sh',
        'epoch: 2026-01-31T00:00:00Z',
      ].join('\n'),
      'web.yaml',
    );
    expect(recipe).toMatchObject({
      name: 'web',
      base: { suite: 'bookworm', sources: ['deb http://deb.example/debian bookworm main'] },
      packages: ['nginx-light', 'libc6:amd64', 'php8.2=8.2.7-1'],
      recommends: false,
      files: [
        { path: '/etc/motd', content: 'hello\n', mode: 0o640, owner: 'www-data', early: false },
        { directory: true },
      ],
      scripts: ['systemctl enable nginx', { file: 'setup.sh' }],
      epoch: 1769817600,
    });
  });

  it('may be short, and its lists empty', () => {
    expect(parseRecipe('name: web\nbase: { image: "debian:12" }\npackages:\n', 'x')).toMatchObject({
      packages: [],
      files: [],
    });
  });

  it.each([
    ['', 'recipe-invalid web.yaml:1:1: name is missing'],
    ['- a', 'recipe-invalid web.yaml:1:1: a recipe must be a mapping'],
    ['name: Web\nbase: { suite: bookworm }', 'recipe-invalid web.yaml:1:7: name must be lower-case'],
    ['name: web', 'recipe-invalid web.yaml:1:1: base is missing'],
    ['name: web\nbase: {}', 'recipe-invalid web.yaml:2:7: base must name either an image or a suite'],
    ['name: web\nbase: { image: a, suite: b }', 'recipe-invalid web.yaml:2:7: base must name either'],
    ['name: web\nbase: { image: a, variant: apt }', 'recipe-invalid web.yaml:2:7: base an image has'],
    ['name: web\nbase:\n  suite: sid\n  siute: x', 'recipe-invalid web.yaml:4:3: there is no “siute” in base'],
    ['name: web\nbase:\n  suite: sid\npackges: []', 'recipe-invalid web.yaml:4:1: there is no “packges” in a recipe'],
    [
      'name: web\nbase: {suite: sid}\npackages:\n  - good\n  - -bad',
      'recipe-invalid web.yaml:5:5: packages[1] must be',
    ],
    ['name: web\nbase: {suite: sid}\npackages: nginx', 'recipe-invalid web.yaml:3:11: packages must be a list'],
    [
      'name: web\nbase: {suite: sid}\nfiles:\n  - path: etc/x\n    content: x',
      'recipe-invalid web.yaml:4:11: files[0].path',
    ],
    [
      'name: web\nbase: {suite: sid}\nfiles:\n  - path: /a/../b\n    content: x',
      'recipe-invalid web.yaml:4:11: files[0].path',
    ],
    ['name: web\nbase: {suite: sid}\nfiles:\n  - path: /x', 'recipe-invalid web.yaml:4:5: files[0] needs one of'],
    [
      'name: web\nbase: {suite: sid}\nfiles:\n  - {path: /x, content: y, mode: 888}',
      'recipe-invalid web.yaml:4:34: files[0].mode',
    ],
    ['name: web\nname: web\nbase: {suite: sid}', 'recipe-invalid web.yaml:2:1: Map keys must be unique'],
    ['name: "web', 'recipe-invalid web.yaml:1:11: Missing closing "quote'],
    ['name: &a web\nbase: {suite: sid}\nmessage: *a', 'recipe-invalid web.yaml:3:10: aliases'],
    ['name: web\nbase: {suite: sid}\nepoch: soon', 'recipe-invalid web.yaml:3:8: epoch must be seconds'],
    ['name: web\nbase: {suite: sid}\nexcludes: ["[a"]', 'recipe-invalid web.yaml:3:11: the exclude'],
    [
      'name: web\nbase: {suite: sid}\nscripts:\n  - [a]',
      'recipe-invalid web.yaml:4:5: scripts[0] must be lines of shell',
    ],
  ])('that says %j is refused with its place', (text, message) => {
    expect(mistakeIn(text).startsWith(message), mistakeIn(text)).toBe(true);
  });

  it('is read, or refused with a place, whatever it is', () => {
    const word = fc.constantFrom(
      'name:',
      'base:',
      'suite: sid',
      '- ',
      '  ',
      '\n',
      '{',
      '}',
      '[',
      ']',
      '"',
      '&a',
      '*a',
      ': ',
      '|',
      '? ',
      '!!x ',
      '#',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word, { maxLength: 30 }).map((words) => words.join('')),
        ),
        (text) => {
          expect(mistakeIn(text)).toMatch(/^(none|recipe-invalid web\.yaml:\d+:\d+: )/);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
