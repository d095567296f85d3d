import { describe, expect, it } from 'vitest';
import type { PartitionKind } from '../contract/partition-kind.ts';
import { eraseProblem } from './erase-problem.ts';
import type { Loss } from './layout-solution.ts';

const losses = (...kinds: PartitionKind[]): Loss[] =>
  kinds.map((kind, index) => ({ disk: '/dev/sda', path: `/dev/sda${index + 1}`, what: kind, kind, bytes: 2 ** 30 }));

describe('what a built-in layout erases without being told to', () => {
  it.each<{ lost: PartitionKind[]; erase?: string; layout?: 'own' | 'multi'; refused?: string }>([
    { lost: [] },
    { lost: ['linux', 'esp', 'linux', 'empty'] },
    { lost: ['luks'], refused: 'luks' },
    { lost: ['raid', 'raid'], refused: 'raid' },
    { lost: ['linux', 'lvm'], layout: 'multi', refused: 'lvm' },
    { lost: ['esp', 'windows', 'recovery'], refused: 'windows,recovery' },
    { lost: ['vendor'], refused: 'vendor' },
    { lost: ['other'], refused: 'other' },
    { lost: ['unknown'], refused: 'unknown' },
    { lost: ['luks'], erase: 'luks' },
    { lost: ['windows', 'recovery'], erase: 'windows', refused: 'windows,recovery' },
    { lost: ['luks', 'unknown', 'raid'], erase: 'all' },
    // There the layout itself says it.
    { lost: ['luks'], layout: 'own' },
  ])('$lost with erase $erase: refused for $refused', ({ lost, erase, layout, refused }) => {
    const options = { ...(erase !== undefined && { erase }), ...(layout !== undefined && { layout }) };
    const problem = eraseProblem({ name: 'web01', options }, losses(...lost));
    expect(problem?.details.kinds).toBe(refused);
    if (problem !== undefined) expect(problem.code).toBe('disk-erase-unsaid');
  });

  it('names what would be lost, and how to say that it may be', () => {
    const problem = eraseProblem({ name: 'web01', options: { erase: 'windows' } }, losses('linux', 'windows', 'luks'));
    expect(problem?.message).toContain('/dev/sda3 (luks, 1 GiB). Nothing was written.');
    expect(problem?.hint).toContain('imprint machine set web01 --erase windows,luks;');
  });
});
