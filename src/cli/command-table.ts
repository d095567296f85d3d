import type { CommandDefinition, OptionDefinition } from './command.ts';
import { bootCommands } from './command-table-boot.ts';
import { editCommands } from './command-table-edit.ts';
import { imageCommands } from './command-table-images.ts';
import { layoutCommands } from './command-table-layouts.ts';
import { machineCommands } from './command-table-machines.ts';
import { mediaCommands } from './command-table-media.ts';
import { serverCommands } from './command-table-server.ts';
import { retentionCommands, storeCommands } from './command-table-store.ts';
import { trustCommands } from './command-table-trust.ts';
import { updateCommands } from './command-table-updates.ts';

/** Options that every command takes, before or after its name. */
export const globalOptions: readonly OptionDefinition[] = [
  { flags: '--json', description: 'results as JSON on stdout, progress and errors as NDJSON on stderr' },
  { flags: '--dry-run', description: 'say what would be done, and do nothing' },
  { flags: '-y, --yes', description: 'do not ask' },
  { flags: '-q, --quiet', description: 'no progress; warnings and errors only' },
  { flags: '--debug', description: 'tell errors with their causes and stack traces' },
  { flags: '--server <url>', description: 'the image server (IMPRINT_SERVER; else the one that runs here)' },
  { flags: '--token <token>', description: 'token for the server (IMPRINT_TOKEN; else DATA/admin-token)' },
  { flags: '--store <dir|url>', description: 'the store (IMPRINT_STORE; else DATA/store)' },
  { flags: '--trust <file>', description: 'whom to trust: a trust document or public key; “none” checks nothing' },
  { flags: '--data <dir>', description: 'the data directory (IMPRINT_DATA; else /var/lib/imprint)' },
];

/** Every command of the program, in the order in which help tells of them. */
export const commands: readonly CommandDefinition[] = [
  ...imageCommands,
  ...retentionCommands,
  ...editCommands,
  ...layoutCommands,
  ...machineCommands,
  ...updateCommands,
  ...bootCommands,
  ...serverCommands,
  ...mediaCommands,
  ...storeCommands,
  ...trustCommands,
];
