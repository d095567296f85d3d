import { testRow } from './update-row.ts';

testRow({ number: 63, firmware: 'bios', options: { layout: 'files', fileSystem: 'ext4' } }, [
  'inOne',
  'badVersions',
  'byHand',
  'droppedBroken',
  'agentless',
  'release',
]);
