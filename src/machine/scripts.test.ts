import { describe, expect, it } from 'vitest';
import type { NamedScript, Script, ScriptAudience } from '../contract/scripts.ts';
import { chooseScripts, joinScripts, renderVariables, scriptProblem, scriptVariables } from './scripts.ts';

const reader = { name: 'web01', image: 'web', groups: ['rack1', 'db'] };
const all: ScriptAudience = { kind: 'all' };
const named = (name: string, audience: ScriptAudience): NamedScript => ({ phase: 'pre-install', name, for: audience });
const chosen = (...scripts: NamedScript[]) =>
  chooseScripts(scripts, 'pre-install', reader).map((each) => `${each.name} ${each.for.kind}`);

describe('the scripts of a machine', () => {
  it('run in the order of their names, whomever they are for', () => {
    expect(
      chosen(
        named('9-last', all),
        named('20-b', { kind: 'machine', name: 'web01' }),
        named('20-B', { kind: 'group', name: 'db' }),
        named('100-a', { kind: 'image', name: 'web' }),
      ),
    ).toEqual(['100-a image', '20-B group', '20-b machine', '9-last all']);
  });

  it('are those for it', () => {
    expect(
      chosen(
        named('1', { kind: 'machine', name: 'web02' }),
        named('2', { kind: 'image', name: 'db' }),
        named('3', { kind: 'group', name: 'rack2' }),
        named('4', { kind: 'machine', name: 'WEB01' }),
        { phase: 'first-boot', name: '5', for: all },
      ),
    ).toEqual(['4 machine']);
  });

  it.each<[string, ScriptAudience[], ScriptAudience]>([
    ['the image before all', [all, { kind: 'image', name: 'web' }], { kind: 'image', name: 'web' }],
    [
      'a group before the image',
      [
        { kind: 'group', name: 'db' },
        { kind: 'image', name: 'web' },
      ],
      { kind: 'group', name: 'db' },
    ],
    [
      'the group named first',
      [
        { kind: 'group', name: 'db' },
        { kind: 'group', name: 'rack1' },
      ],
      { kind: 'group', name: 'rack1' },
    ],
    [
      'the machine before its groups',
      [
        { kind: 'machine', name: 'web01' },
        { kind: 'group', name: 'rack1' },
      ],
      { kind: 'machine', name: 'web01' },
    ],
  ])('of one name: %s', (_, audiences, wanted) => {
    for (const order of [audiences, audiences.toReversed()]) {
      const scripts = order.map((audience) => named('10-x', audience));
      expect(chooseScripts(scripts, 'pre-install', reader).map((each) => each.for)).toEqual([wanted]);
    }
  });

  it('take the place of those of the version, or just take them away', () => {
    const ordered: Script[] = [
      { phase: 'post-install', name: '10-own', for: all, text: '#!/bin/sh\n' },
      { phase: 'post-install', name: '20-own', for: { kind: 'group', name: 'db' }, text: '' },
    ];
    expect(joinScripts(['30-own', '20-own', '10-own'], ordered)).toEqual([
      { name: '10-own', from: 'all' },
      { name: '30-own', from: 'the version' },
    ]);
  });
});

it.each([
  ['', undefined],
  ['#!/bin/sh\n', undefined],
  ['#! /usr/bin/env python3\nprint(1)\n', undefined],
  ['echo\n', /first line/],
  ['#!sh\n', /first line/],
  ['#!/bin/sh\r\n', /Windows/],
  ['#!/bin/sh\n\0', /no text/],
])('of %j says what is wrong', (text, problem) => {
  if (problem === undefined) expect(scriptProblem(text)).toBeUndefined();
  else expect(scriptProblem(text)).toMatch(problem);
});

it('tells scripts of the install, in a form that a shell reads as it is', () => {
  const facts = {
    ...{
      architecture: 'x86_64',
      cpu: 'qemu',
      cores: 1,
      memory: 1,
      firmware: 'uefi' as const,
      interfaces: [],
      disks: [],
    },
  };
  const network = {
    mac: '52:54:00:00:00:01',
    address: '10.0.0.5',
    prefix: 20,
    gateway: '10.0.0.1',
    dns: ['10.0.0.2', '10.0.0.3'],
  };
  const variables = scriptVariables({
    ...reader,
    reference: 'web:3',
    digest: 'sha256:0',
    facts,
    disk: '/dev/vda',
    network,
  });
  expect(variables).toMatchObject({
    IPADDR: '10.0.0.5',
    NETMASK: '255.255.240.0',
    GATEWAY: '10.0.0.1',
    DNS: '10.0.0.2 10.0.0.3',
  });
  expect(variables).toMatchObject({ HOSTNAME: 'web01', IMAGENAME: 'web', GROUPNAMES: 'rack1 db', DISK: '/dev/vda' });
  expect(variables).not.toHaveProperty('IMAGESERVER');
  expect(renderVariables({ ONE: "it's", TWO: '$(reboot)' })).toBe("ONE='it'\\''s'\nTWO='$(reboot)'\n");
});
