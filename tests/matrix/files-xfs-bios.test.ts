import { testRow } from './update-row.ts';

testRow({ number: 64, firmware: 'bios', options: { layout: 'files', fileSystem: 'xfs' } }, [
  'inOne',
  'badVersions',
  'byHand',
  'droppedBroken',
  'agentless',
  'release',
]);
