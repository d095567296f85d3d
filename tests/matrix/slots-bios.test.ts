import { testRow } from './update-row.ts';

testRow({ number: 61, firmware: 'bios', options: { layout: 'slots', fileSystem: 'ext4' } }, [
  'commit',
  'brokenInit',
  'startHangs',
  'badVersions',
  'releaseReverted',
]);
