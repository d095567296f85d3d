import { fileRow } from './update-row.ts';

fileRow({ number: 65, firmware: 'uefi', fileSystem: 'btrfs' });
