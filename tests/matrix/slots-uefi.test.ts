import { testRow } from './update-row.ts';

testRow({ number: 62, firmware: 'uefi', options: { layout: 'slots', fileSystem: 'ext4' } }, [
  'inOne',
  'badVersions',
  'release',
]);
