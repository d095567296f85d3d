import { describe, expect, it } from 'vitest';
import { expandAddresses, expandNodeRange } from './node-range.ts';

describe('expandNodeRange', () => {
  it.each([
    ['web01', ['web01']],
    ['web[01-03]', ['web01', 'web02', 'web03']],
    ['web[9-11]', ['web9', 'web10', 'web11']],
    ['a,b', ['a', 'b']],
    ['r[1-2]n[1,3]', ['r1n1', 'r1n3', 'r2n1', 'r2n3']],
    ['web[01-02].lab, db', ['web01.lab', 'web02.lab', 'db']],
    ['n[08-10]', ['n08', 'n09', 'n10']],
  ])('%s', (text, names) => {
    expect(expandNodeRange(text)).toEqual(names);
  });

  it.each([
    ['', 'empty'],
    ['web[3-1]', 'backwards'],
    ['web[1-', 'brackets'],
    ['web]1[', 'brackets'],
    ['web[[1]]', 'brackets'],
    ['web[a-b]', 'not a range'],
    ['web_1', 'not a host name'],
    ['-web', 'not a host name'],
    ['a,a', 'twice'],
    ['n[1-999999999]', 'more than'],
    ['n[1-1000]x[1-1000]', 'more than'],
  ])('refuses %j', (text, problem) => {
    expect(() => expandNodeRange(text)).toThrow(problem);
  });
});

describe('expandAddresses', () => {
  it('counts up across a byte', () => {
    expect(expandAddresses('10.0.0.254+', 3)).toEqual(['10.0.0.254', '10.0.0.255', '10.0.1.0']);
  });
  it('takes a single address for one machine', () => {
    expect(expandAddresses('10.0.0.1', 1)).toEqual(['10.0.0.1']);
  });
  it.each([
    ['10.0.0.1', 2, 'write 10.0.0.1+'],
    ['10.0.0.256+', 1, 'not an IPv4'],
    ['10.0.0.01', 1, 'not an IPv4'],
    ['255.255.255.255+', 2, 'run past'],
  ])('refuses %s for %d', (text, count, problem) => {
    expect(() => expandAddresses(text, count)).toThrow(problem);
  });
});
