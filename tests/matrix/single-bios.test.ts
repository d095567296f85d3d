import { testRow } from './update-row.ts';

testRow({ number: 66, firmware: 'bios', options: { layout: 'single', fileSystem: 'ext4' } }, [
  'inOne',
  'badStarts',
  'serviceRestarted',
  'release',
]);
