import { fileRow } from './update-row.ts';

fileRow({ number: 64, firmware: 'bios', fileSystem: 'xfs' });
