import { fileRow } from './update-row.ts';

fileRow({ number: 63, firmware: 'bios', fileSystem: 'ext4' });
