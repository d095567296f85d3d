import { testRow } from './update-row.ts';

testRow({ number: 67, firmware: 'uefi', options: { layout: 'single', fileSystem: 'xfs' } }, [
  'inOne',
  'badStarts',
  'serviceRestarted',
  'release',
]);
