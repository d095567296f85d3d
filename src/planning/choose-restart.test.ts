import { expect, it } from 'vitest';
import { chooseRestart, type RestartSituation } from './choose-restart.ts';

const slot: RestartSituation = {
  asked: 'auto',
  inPlace: false,
  reasons: ['another version'],
  sameKernel: false,
  hasKexec: true,
  rootInFile: false,
  systemd: 257,
};
const inPlace: RestartSituation = { ...slot, inPlace: true, sameKernel: true, reasons: ['libc'] };

it.each<[string, RestartSituation, string, number]>([
  ['another slot in full', slot, 'full', 0],
  ['another slot by kexec where asked', { ...slot, asked: 'kexec' }, 'kexec', 0],
  ['no kexec, no kexec', { ...slot, asked: 'kexec', hasKexec: false }, 'full', 1],
  ['no kexec under lockdown', { ...slot, asked: 'kexec', kexecRefused: 'the kernel is locked down' }, 'full', 1],
  ['another slot never softly', { ...slot, asked: 'soft' }, 'full', 1],
  ['not at all where asked', { ...slot, asked: 'none' }, 'none', 0],
  ['in place: nothing to restart', { ...inPlace, reasons: [] }, 'none', 0],
  ['in place: something to restart', inPlace, 'full', 0],
  ['in place, softly', { ...inPlace, asked: 'soft' }, 'soft', 0],
  ['in place with another kernel', { ...inPlace, asked: 'soft', sameKernel: false }, 'full', 1],
  ['in place in an image file', { ...inPlace, asked: 'soft', rootInFile: true }, 'full', 1],
  ['in place with an old systemd', { ...inPlace, asked: 'soft', systemd: 252 }, 'full', 1],
])('%s', (_, situation, method, remarks) => {
  const choice = chooseRestart(situation);
  expect(choice.method).toBe(method);
  expect(choice.remarks).toHaveLength(remarks);
});
