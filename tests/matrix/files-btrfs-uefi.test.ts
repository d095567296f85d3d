import { testRow } from './update-row.ts';

testRow({ number: 65, firmware: 'uefi', options: { layout: 'files', fileSystem: 'btrfs' } }, [
  'inOne',
  'badVersions',
  'byHand',
  'droppedBroken',
  'agentless',
  'release',
]);
