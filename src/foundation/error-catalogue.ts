/**
 * Every error that Imprint knows, once: its exit status (the command line's contract), HTTP status, message, and what
 * to do next. `{name}` stands for a detail that the thrower gives. `docs/errors.md` documents each; a test holds the two
 * together.
 *
 * Exit status: 1 failed · 2 wrong usage · 3 not found · 4 refused for safety · 5 verification failed · 6 unreachable ·
 * 130 interrupted.
 */
export const errorCatalogue = {
  // ── usage ──────────────────────────────────────────────────────────────────────────────────────────────────────
  usage: { exit: 2, http: 400, message: '{problem}', hint: '{hint}' },
  'input-invalid': {
    exit: 2,
    http: 400,
    message: '{field}: {problem}',
    hint: 'Mend {field} and try again.',
  },
  'recipe-invalid': {
    exit: 2,
    http: 400,
    message: '{place}: {problem}.',
    hint: 'What a recipe may say is in docs/edit-and-build.md.',
  },
  'layout-invalid': {
    exit: 2,
    http: 400,
    message: '{place}: {problem}.',
    hint: 'What a layout may say is in docs/layouts.md; imprint layout check FILE tells of all that is wrong.',
  },
  'script-invalid': {
    exit: 2,
    http: 400,
    message: '{script} is no script that could run: {problem}.',
    hint: 'Mend it, or take it away: imprint script rm. What a script may be is in docs/scripts.md.',
  },
  'local-config-wrong': {
    exit: 2,
    http: 400,
    message: '{file} is wrong: {problems}.',
    hint: 'Mend it in any editor; what may stand in it is in docs/media.md.',
  },
  // ── not found ──────────────────────────────────────────────────────────────────────────────────────────────────
  'image-not-found': {
    exit: 3,
    http: 404,
    message: 'There is no image “{reference}” in {store}.',
    hint: 'List what there is: imprint images',
  },
  'path-not-found': {
    exit: 3,
    http: 404,
    message: '{path} is not in {reference}.',
    hint: 'Look around: imprint image ls {reference}',
  },
  'machine-not-found': {
    exit: 3,
    http: 404,
    message: 'There is no machine “{machine}”.',
    hint: 'List what there is: imprint machines',
  },
  'task-not-found': {
    exit: 3,
    http: 404,
    message: 'There is no task {task}.',
    hint: 'List what there is: imprint tasks',
  },
  'edit-not-found': {
    exit: 3,
    http: 404,
    message: 'There is no edit “{edit}”.',
    hint: 'List what there is: imprint edit --list',
  },
  'script-not-found': {
    exit: 3,
    http: 404,
    message: 'There is no {phase} script “{script}” for {audience}.',
    hint: 'List what there is: imprint scripts',
  },
  'nothing-before': {
    exit: 3,
    http: 404,
    message: '{machine} has no version to go back to.',
    hint: 'See what is there (imprint slots), or name one: imprint update --image REF',
  },
  'store-not-found': {
    exit: 3,
    http: 404,
    message: '{store} is not an Imprint store.',
    hint: 'Name one with --store DIR, or make one by capturing into it.',
  },
  'source-not-found': {
    exit: 3,
    http: 404,
    message: 'The source {source} does not exist or is not a directory.',
    hint: 'Give a directory, an archive, a disk image, or ssh://root@HOST.',
  },
  'file-not-found': {
    exit: 3,
    http: 404,
    message: 'There is no file {file}.',
    hint: 'Look at how it is written; a relative path begins where you are.',
  },
  'directory-not-found': {
    exit: 3,
    http: 404,
    message: '{directory} does not exist or is not a directory.',
    hint: 'Look at how it is written; a relative path begins where you are.',
  },
  'key-not-found': {
    exit: 3,
    http: 404,
    message: '{key} is no key for ISO files: {problem}.',
    hint: 'Make one: imprint key create {key}',
  },
  'iso-not-found': {
    exit: 3,
    http: 404,
    message: 'There is no {iso} on {key}.',
    hint: 'It holds: {known}.',
  },
  'oci-image-not-found': {
    exit: 3,
    http: 404,
    message: 'There is no image {reference} in {source}.',
    hint: 'It holds: {known}.',
  },
  'boot-disk-unknown': {
    exit: 3,
    http: 404,
    message: 'It is not known which disk is meant: {problem}.',
    hint: 'Name it: --disk /dev/NAME, --disk serial=…, or a disk image.',
  },
  'boot-copy-missing': {
    exit: 3,
    http: 404,
    message: 'The server keeps no such safety copy of {machine}.',
    hint: 'See what there is: imprint boot copies {machine}. Make one on it: imprint boot save --machine {machine}',
  },
  'boot-entry-unknown': {
    exit: 3,
    http: 404,
    message: 'The boot menu has no entry “{entry}”.',
    hint: 'It has: {known}. Name one of them.',
  },
  // ── refused for safety ─────────────────────────────────────────────────────────────────────────────────────────
  'disk-none': {
    exit: 4,
    http: 409,
    message: 'No disk of {machine} can take the image: {reasons}. Nothing was written.',
    hint: 'Add a disk, or say which one: imprint machine set {machine} --disk RULE',
  },
  'disk-ambiguous': {
    exit: 4,
    http: 409,
    message: '{machine} has {count} disks that could take the image: {disks}. Nothing was written.',
    hint: 'Say which one: imprint machine set {machine} --disk {example}',
  },
  'disk-too-small': {
    exit: 4,
    http: 409,
    message: '{disk} of {machine} holds {size}; {reference} needs at least {needed}. Nothing was written.',
    hint: 'Use a larger disk, or a smaller image (imprint capture --exclude GLOB).',
  },
  'disk-in-use': {
    exit: 4,
    http: 409,
    message: '{disk} of {machine} is in use ({use}). Nothing was written.',
    hint: 'Let go of it (umount, swapoff, mdadm --stop, vgchange -an), then install again; or name another disk: imprint machine set {machine} --disk RULE',
  },
  'disk-holds-data': {
    exit: 4,
    http: 409,
    message: '{disk} of {machine} holds what the layout does not allow to be lost: {content}. Nothing was written.',
    hint: 'Save what is needed, then allow it for that disk in the layout (erase: {example}), or take another disk.',
  },
  'disk-erase-unsaid': {
    exit: 4,
    http: 409,
    message: '{disk} of {machine} holds what no install erases without being told to: {content}. Nothing was written.',
    hint: 'Save what is needed, then say that it may go: imprint machine set {machine} --erase {kinds}; or take another disk, or a layout of your own that leaves it where it is.',
  },
  'disk-shared': {
    exit: 4,
    http: 409,
    message:
      '{partition} of {machine} belongs to {group}, which also lies on {others}: erasing it would destroy both. Nothing was written.',
    hint: 'Name another disk, or take it out of there first (mdadm, vgreduce). A layout of your own may have both disks, or say erase: shared beside what is to go.',
  },
  'layout-unsolvable': {
    exit: 4,
    http: 409,
    message: 'The layout cannot be laid on the disks of {machine}: {problem}. Nothing was written.',
    hint: '{hint}',
  },
  'image-unfit': {
    exit: 4,
    http: 409,
    message: '{reference} cannot be installed on {machine}: {problem}. Nothing was written.',
    hint: '{hint}',
  },
  'boot-copy-foreign': {
    exit: 4,
    http: 409,
    message: 'The safety copy {file} is not of {disk}: {problem}. Nothing was written.',
    hint: 'Name the right disk (--disk), or take its own copy. A clone, or one without a serial number that was installed since: --disk DISK --force',
  },
  'boot-unsaved': {
    exit: 4,
    http: 409,
    message: 'What boots from {disk} of {machine} cannot be kept before the install: {problem}. Nothing was written.',
    hint: '{hint}',
  },
  'boot-place-unfit': {
    exit: 4,
    http: 409,
    message: 'The boot menu cannot lie in {directory}: {problem}.',
    hint: 'Mount a partition that all systems leave alone (ext4, xfs, btrfs, FAT), and name a directory of it.',
  },
  'grub-unfit': {
    exit: 4,
    http: 409,
    message: 'The GRUB of this machine cannot start the imager for exactly one time: {problem}.',
    hint: 'Start it from a stick (imprint media usb) or from the network (imprint serve --netboot).',
  },
  'boot-restore-refused': {
    exit: 4,
    http: 409,
    message: '{disk} cannot get back what {file} holds: {problem}. Nothing was written.',
    hint: '{hint}',
  },
  'scripts-unfit': {
    exit: 4,
    http: 409,
    message: 'The scripts for {machine} cannot be run: {problem}.',
    hint: '{hint}',
  },
  'device-refused': {
    exit: 4,
    http: 409,
    message: '{device} is not touched: {problem}. Nothing was written.',
    hint: '{hint}',
  },
  'iso-unfit': {
    exit: 4,
    http: 409,
    message: '{iso} is not put onto the key: {problem}',
    hint: '{hint}',
  },
  'key-full': {
    exit: 4,
    http: 409,
    message: '{key} has no room: {problem}. Nothing was written.',
    hint: 'Take something off it (imprint key remove), or let it use the whole stick (imprint key grow {key}).',
  },
  'machine-not-approved': {
    exit: 4,
    http: 409,
    message: '{machine} is only discovered: it has no name and no order, so nothing is installed on it.',
    hint: 'Name it first: imprint machine approve {machine} --name NAME',
  },
  'machine-conflict': {
    exit: 4,
    http: 409,
    message: '{problem}',
    hint: 'See what is registered: imprint machines',
  },
  'machine-busy': {
    exit: 4,
    http: 409,
    message: '{machine} is busy: {task}.',
    hint: 'Watch it (imprint watch {machine}) or wait until it is done.',
  },
  'agent-missing': {
    exit: 4,
    http: 409,
    message: '{machine} has no agent that could do it.',
    hint: 'An agent comes with the install: imprint install {machine}',
  },
  'machine-unmanaged': {
    exit: 4,
    http: 409,
    message: 'This machine cannot be updated: {problem}.',
    hint: 'Updates need a disk that Imprint installed: imprint install MACHINE --layout slots',
  },
  'update-running': {
    exit: 4,
    http: 409,
    message: 'This machine is being updated already ({what}).',
    hint: 'Wait until it is done.',
  },
  'trial-running': {
    exit: 4,
    http: 409,
    message: '{reference} runs on trial here.',
    hint: 'Wait until it is proven, keep it now (imprint commit), or go back (imprint revert).',
  },
  'slot-unfit': {
    exit: 4,
    http: 409,
    message: 'The slot {slot} cannot be filled: {problem}.',
    hint: 'See what there is: imprint slots',
  },
  'slot-needed': {
    exit: 4,
    http: 409,
    message: 'The slot {slot} is not given back: {problem}.',
    hint: 'See what there is: imprint slots',
  },
  'order-stale': {
    exit: 4,
    http: 409,
    message:
      'The order {order} is no longer one of this machine: it was cancelled, done, or begun again by a later boot.',
    hint: 'The machine asks the server again what it is to do.',
  },
  'server-running': {
    exit: 4,
    http: 409,
    message: 'A server already runs on {data} ({url}, process {pid}).',
    hint: 'Use that one, stop it first, or give this one another directory: --data DIR',
  },
  'dhcp-foreign': {
    exit: 4,
    http: 409,
    message: 'Another DHCP server answers on {interface}: {servers}. Ours was not started.',
    hint: 'Serve beside it with --proxy-dhcp, or say that two are meant with --allow-foreign-dhcp.',
  },
  'target-not-empty': {
    exit: 4,
    http: 409,
    message: '{path} is not an empty directory. Nothing was written.',
    hint: 'Name a directory that is empty or does not exist yet.',
  },
  'key-exists': {
    exit: 4,
    http: 409,
    message: '{path} is there already; a key is never written over.',
    hint: 'Name another PATH, or move the old key away first.',
  },
  'target-exists': {
    exit: 4,
    http: 409,
    message: '{path} cannot be written: {problem}. Nothing was changed.',
    hint: 'Name another place, or replace it with --force.',
  },
  'export-unfit': {
    exit: 4,
    http: 409,
    message: '{reference} cannot be written as {format}: {problem}. Nothing was written.',
    hint: '{hint}',
  },
  'edit-busy': {
    exit: 4,
    http: 409,
    message: 'Another process works in the edit {edit}.',
    hint: 'Wait until it is done (imprint edit --list), or begin another edit of the same image: they do not meet.',
  },
  'edit-unfit': {
    exit: 4,
    http: 409,
    message: '{reference} cannot be edited: {problem}.',
    hint: '{hint}',
  },
  'object-refused': {
    exit: 4,
    http: 403,
    message: 'What makes {machine} itself is not exchanged with the server: {problem}.',
    hint: 'Ask for it: imprint machine set {machine} --object server. Begin anew: imprint machine object {machine} --forget',
  },
  'object-unfit': {
    exit: 5,
    http: 422,
    message: 'What makes this machine itself cannot be kept or brought back: {problem}.',
    hint: '{hint}',
  },
  'live-source-missing': {
    exit: 3,
    http: 404,
    message: '{store} has no {fileSystem} of {reference} that a machine could start from before it is installed.',
    hint: 'Where the store is: imprint image live {reference} --file-system {fileSystem}. An ext4 needs no such thing.',
  },
  'live-unfit': {
    exit: 4,
    http: 409,
    message: '{reference} cannot be in use on {machine} before it is installed: {problem}.',
    hint: '{hint}',
  },
  'live-not-here': {
    exit: 4,
    http: 409,
    message: 'This system cannot move onto a disk while it runs: {problem}.',
    hint: '{hint}',
  },
  'live-busy': {
    exit: 4,
    http: 409,
    message: 'This system was told to move onto {disk} already: {state}.',
    hint: 'Watch it: imprint install --live --wait',
  },
  'live-disk-changed': {
    exit: 4,
    http: 409,
    message: 'The disks have changed: {disk} would be written now, and you were asked about {meant}.',
    hint: 'Nothing was written. Give the order again and look at what it shows, or name the disk: --disk.',
  },
  'live-idle': {
    exit: 3,
    http: 404,
    message: 'This system is not moving onto any disk.',
    hint: 'Have it do so: imprint install --live',
  },
  'live-broken-off': {
    exit: 1,
    http: 500,
    message: 'The move onto {disk} broke off: {problem}. The system runs on, and {state}.',
    hint: 'Look at the disk (dmesg, smartctl), and give the order again: it goes on from there. Another disk is possible only before what is written goes to this one: save what matters, and restart.',
  },
  'live-changes-lost': {
    exit: 1,
    http: 500,
    message: 'What was changed since the move onto the disk began is lost: the disk could not keep it, or was full.',
    hint: 'Save what is still to be read, and restart: what had been synced before is there, as long as the disk can be read. Look at it (dmesg, smartctl).',
  },
  'live-start-unfit': {
    exit: 4,
    http: 409,
    message: 'The live system cannot start: {problem}.',
    hint: 'Plug in what it lies on, or make it anew: imprint media usb --live, imprint media frugal',
  },
  'memory-short': {
    exit: 4,
    http: 507,
    message: 'There is too little memory for {what}: its {content} want {needed} to be free, and {available} are.',
    hint: 'Start it from the medium itself, or give the machine more memory.',
  },
  'in-place-unfit': {
    exit: 4,
    http: 409,
    message: 'This system cannot become {reference} in place: {problem}. Nothing was changed.',
    hint: '{hint}',
  },
  'confirmation-needed': {
    exit: 4,
    http: 409,
    message: '{action} needs a yes, and there is no terminal to ask on.',
    hint: 'Look at it with --dry-run, then add --yes.',
  },
  declined: {
    exit: 4,
    http: 409,
    message: 'Not done: the answer was no.',
    hint: 'Nothing was changed.',
  },
  'version-in-use': {
    exit: 4,
    http: 409,
    message: '{reference} is in use: {use}.',
    hint: 'Give those another image first, or take the tag away (imprint image tag --delete IMAGE TAG), or add --force.',
  },
  'store-locked': {
    exit: 4,
    http: 423,
    message: '{store} is being changed by another process ({owner}).',
    hint: 'Wait until it is done; the lock goes by itself with its process.',
  },
  // ── verification ───────────────────────────────────────────────────────────────────────────────────────────────
  'corrupt-pack': {
    exit: 5,
    http: 500,
    message: 'The pack {pack} in {store} is damaged: {problem}.',
    hint: 'See all that is damaged: imprint store check. Restore the pack from a copy of the store, or capture again.',
  },
  'corrupt-manifest': {
    exit: 5,
    http: 500,
    message: 'The manifest {digest} in {store} is damaged: {problem}.',
    hint: 'See all that is damaged: imprint store check. Restore it from a copy of the store, or capture again.',
  },
  'corrupt-record': {
    exit: 5,
    http: 500,
    message: 'The version record {record} in {store} is damaged: {problem}.',
    hint: 'See all that is damaged: imprint store check. Restore it from a copy of the store.',
  },
  'chunk-missing': {
    exit: 5,
    http: 500,
    message: 'The content {chunk} that {digest} needs is in no pack of {store}.',
    hint: 'A pack is gone: imprint store check says which versions it touches. Restore it from a copy of the store.',
  },
  'store-damaged': {
    exit: 5,
    http: 500,
    message: '{store} is damaged; defects: {count}.',
    hint: 'Each is named above. Mend it: imprint store check --repair, with --from PLACE if there is a copy; without one, capture again.',
  },
  'blob-corrupt': {
    exit: 5,
    http: 422,
    message: 'In {source}, {blob} is not what its digest says: {problem}. No version was made.',
    hint: 'Fetch or make the image again.',
  },
  'signature-missing': {
    exit: 5,
    http: 409,
    message: '{reference} carries no signature.',
    hint: 'Sign it where the key is: imprint image sign {reference}',
  },
  'signature-wrong': {
    exit: 5,
    http: 409,
    message: 'The signature of {what} was not made by a key that is trusted here ({key}). Nothing was written.',
    hint: 'Make the imager again on the server that holds the key (imprint media netboot), or sign with that key.',
  },
  'signatures-few': {
    exit: 5,
    http: 409,
    message: '{reference} carries {count} of the {threshold} signatures by release keys that it needs.',
    hint: 'Another who holds a release key signs it: imprint image sign {reference} --key FILE',
  },
  'version-withdrawn': {
    exit: 5,
    http: 409,
    message: '{reference} was withdrawn: the security floor of the image is {floor}.',
    hint: 'Use {floor} or a newer one. To bring the old content back under a new number: imprint image renew {reference}',
  },
  'version-expired': {
    exit: 5,
    http: 409,
    message: '{reference} expired on {expired}, and no newer version vouches for it.',
    hint: 'Get the newest records from the server. There: imprint image renew {reference}. Should it be good still, the clock here is wrong (date).',
  },
  'trust-missing': {
    exit: 5,
    http: 409,
    message: 'No key is known here that could vouch for what {store} holds.',
    hint: 'Keep the server’s key (its DATA/keys/server.pub): imprint trust pin FILE. To read it all the same: --trust none',
  },
  'trust-wrong': {
    exit: 5,
    http: 409,
    message: 'The trust document {document} cannot be trusted: {problem}.',
    hint: 'Ask the people who run the server before you trust another: imprint trust pin FILE',
  },
  'trust-expired': {
    exit: 5,
    http: 409,
    message: 'The trust document {document} expired on {expired}.',
    hint: 'Its root keys sign a new one: imprint trust change --expires 1y',
  },
  'in-place-damaged': {
    exit: 5,
    http: 500,
    message: 'The in-place update {id} is damaged: {problem}.',
    hint: 'Boot the other entry of the boot menu; if that does not help, install the machine again.',
  },
  'boot-copy-invalid': {
    exit: 5,
    http: 422,
    message: '{file} is no safety copy that can be used: {problem}.',
    hint: 'Take another copy; what is whole in this one can still be had by hand: tar xzf {file}',
  },
  'boot-unproven': {
    exit: 5,
    http: 500,
    message: '{disk} does not read back as it was written: {problem}. Do not restart this machine yet.',
    hint: 'Restore again; what was there before is in {undo}. Look at the kernel’s log (dmesg): the disk may be failing.',
  },
  'boot-differs': {
    exit: 5,
    http: 409,
    message: '{disk} differs from {file} in {count} places.',
    hint: 'Each is named above. Bring it back: imprint boot restore {file}',
  },
  'boot-damaged': {
    exit: 5,
    http: 409,
    message: '{disk} will not boot as it is: {problem}.',
    hint: 'Each fault is named above. Bring back what was kept: imprint boot restore FILE; where nothing was: imprint boot mend --dry-run',
  },
  'iso-unsigned': {
    exit: 5,
    http: 422,
    message: 'Nobody whose key was given vouches for {iso}: {problem}.',
    hint: '{hint}',
  },
  'iso-corrupt': {
    exit: 5,
    http: 422,
    message: '{iso} is not what it should be: {problem}.',
    hint: 'Fetch it again, from its makers; should that not help, use another stick.',
  },
  'iso-not-started': {
    exit: 5,
    http: 422,
    message: '{count} did not come up: {isos}.',
    hint: 'What each said and showed lies in {directory}. More time: --limit SECONDS',
  },
  'key-damaged': {
    exit: 5,
    http: 500,
    message: 'The file system of {key} is damaged beyond what is mended without asking.',
    hint: 'Have it mended ({command}), or make the key anew (imprint key create).',
  },
  'tree-differs': {
    exit: 5,
    http: 409,
    message: '{directory} differs from {reference} in {count} places.',
    hint: 'Each is named above.',
  },
  // ── unreachable ────────────────────────────────────────────────────────────────────────────────────────────────
  'server-unreachable': {
    exit: 6,
    http: 503,
    message: 'The server {server} does not answer: {problem}.',
    hint: 'Is it running (imprint serve), and is the address right (--server, IMPRINT_SERVER)?',
  },
  'machine-silent': {
    exit: 6,
    http: 503,
    message: '{machine} has not been heard of since {since}, in the middle of its install.',
    hint: 'Look at its console and power. The order stands: when it boots from the network again, the install begins anew.',
  },
  'agent-silent': {
    exit: 6,
    http: 503,
    message: '{machine} has not been heard of since {since}, in the middle of its update.',
    hint: 'Look at its console and power: it boots into the old or the new version by itself. The order stands.',
  },
  'store-unreachable': {
    exit: 6,
    http: 503,
    message: 'The store {store} does not answer: {problem}.',
    hint: 'Is it reachable from here? What was fetched so far is kept; try again.',
  },
  'golden-unreachable': {
    exit: 6,
    http: 502,
    message: 'The golden machine {host} cannot be reached over ssh: {problem}.',
    hint: 'Try: ssh {host} true',
  },
  'golden-lost': {
    exit: 6,
    http: 502,
    message: 'The golden machine {host} went away in the middle of the capture: {problem}. No version was made.',
    hint: 'Capture again; what was already stored is used again.',
  },
  // ── failed ─────────────────────────────────────────────────────────────────────────────────────────────────────
  'not-authorised': {
    exit: 1,
    http: 401,
    message: 'The server does not accept this token.',
    hint: 'Give the admin token with IMPRINT_TOKEN or --token; imprint serve printed it at its first start.',
  },
  'door-unused': {
    exit: 6,
    http: 504,
    message: 'Nobody came through the door within {minutes} minutes; it is closed.',
    hint: 'Open another: imprint prepare. A firewall may stand in the way; see --port and --address.',
  },
  'trial-failed': {
    exit: 1,
    http: 500,
    message: '{reference} did not prove healthy: {reason}',
    hint: 'The version before runs again. Look at what it says, mend the image, then update once more.',
  },
  'golden-unfit': {
    exit: 1,
    http: 409,
    message: 'The golden machine {host} cannot be captured: {problem}.',
    hint: '{hint}',
  },
  'edit-discarded': {
    exit: 1,
    http: 409,
    message: 'In {reference}, {command} ended with {status}: what was done is thrown away, and no version was made.',
    hint: 'With --keep it stays, to go on from there: imprint edit --resume',
  },
  'edit-kept': {
    exit: 1,
    http: 409,
    message: 'In the edit {edit}, {command} ended with {status}: no version was made.',
    hint: 'Go on: imprint edit --resume {edit}. Throw it away: imprint edit --discard {edit}',
  },
  'build-failed': {
    exit: 1,
    http: 500,
    message: 'The build of {image} failed: {step} ended with {status}. No version was made.',
    hint: 'What it said stands above. To look around where it failed: imprint build --keep, then imprint edit --resume',
  },
  'database-unfit': {
    exit: 1,
    http: 500,
    message: 'The database {path} cannot be used: {problem}.',
    hint: 'If a newer Imprint wrote it, run that one; else put it back from a copy, or move it away and register the machines again.',
  },
  'port-in-use': {
    exit: 1,
    http: 500,
    message: 'Nothing can listen on {address}: {problem}.',
    hint: 'Stop what listens there (ss -ltnp), or choose another address: --listen HOST:PORT',
  },
  'netboot-unfit': {
    exit: 1,
    http: 500,
    message: 'Machines cannot boot from {interface}: {problem}.',
    hint: '{hint}',
  },
  'source-unfit': {
    exit: 1,
    http: 422,
    message: '{source} cannot be captured: {problem}.',
    hint: '{hint}',
  },
  'archive-damaged': {
    exit: 1,
    http: 422,
    message: '{source} cannot be decompressed ({compression}): {problem}. No version was made.',
    hint: 'Copy or make the archive again.',
  },
  'oci-invalid': {
    exit: 1,
    http: 422,
    message: '{source} is not an OCI image that can be read: {problem}.',
    hint: 'It must be an OCI image layout (a directory with oci-layout and index.json), or what docker save writes.',
  },
  'tar-invalid': {
    exit: 1,
    http: 422,
    message: 'The tar archive {source} is damaged at byte {offset}: {problem}.',
    hint: 'Make the archive again, with GNU tar’s --format=pax.',
  },
  'disk-full': {
    exit: 1,
    http: 507,
    message: 'No space is left on {path}. What was there before is as it was.',
    hint: 'Make room, then try again; what was already stored is reused.',
  },
  'fetch-no-room': {
    exit: 1,
    http: 507,
    message:
      'There is no room for {reference} in {path}: {needed} bytes are needed, {free} are free. Nothing was fetched.',
    hint: 'Make room there, then try again.',
  },
  'read-only': {
    exit: 1,
    http: 500,
    message: '{path} cannot be written: {problem}.',
    hint: 'Mount it writable, or name another place.',
  },
  'process-failed': {
    exit: 1,
    http: 500,
    message: '{command} failed ({status}): {stderr}',
    hint: 'The command and the end of what it said stand above.',
  },
  'tool-missing': {
    exit: 1,
    http: 500,
    message: 'The program {tool} is not installed.',
    hint: 'Install the package {package}.',
  },
  'mount-impossible': {
    exit: 1,
    http: 500,
    message: 'Nothing can be mounted on {directory}: {problem}.',
    hint: 'Take an empty directory on this machine; where the kernel has no FUSE, use: imprint image checkout.',
  },
  'not-root': {
    exit: 1,
    http: 500,
    message: '{action} needs root.',
    hint: 'Run it again with sudo.',
  },
  'firmware-silent': {
    exit: 1,
    http: 500,
    message: 'The firmware’s boot entries cannot be seen: {problem}.',
    hint: 'It must be UEFI, and this system started by it; where it was: mount -t efivarfs efivarfs /sys/firmware/efi/efivars',
  },
  'boot-partition-missing': {
    exit: 1,
    http: 500,
    message: 'The boot partition of this machine is not found: {problem}.',
    hint: 'It is labelled IMPRINT-BOOT and comes with the install; see what there is: lsblk --output NAME,LABEL,UUID',
  },
  'boot-partition-unfit': {
    exit: 1,
    http: 500,
    message: 'The boot partition {device} cannot be used: {problem}.',
    hint: 'What booted last still boots. Look at it with: imprint slots; for the disk, see the kernel’s log (dmesg).',
  },
  'runtime-unfit': {
    exit: 1,
    http: 500,
    message: 'This Node ({version}) lacks {feature}.',
    hint: 'Run ./imprint, which uses the Node that the project installs (npm ci).',
  },
  'imager-unbuilt': {
    exit: 1,
    http: 500,
    message: 'The imager cannot be made: {problem}.',
    hint: '{hint}',
  },
  'imager-unfit': {
    exit: 1,
    http: 502,
    message: 'The imager of {server} cannot be used: {problem}. Nothing was changed.',
    hint: 'Make it again on the server: imprint media netboot',
  },
  'script-failed': {
    exit: 1,
    http: 500,
    message: 'The {phase} script “{script}” ({audience}) failed on {machine} with {status}: {log}',
    hint: 'Mend it (imprint script show; of the version: imprint image cat), then install again. All that it said is in the log: imprint tasks {task}',
  },
  'first-boot-failed': {
    exit: 1,
    http: 500,
    message: 'The first-boot script “{script}” failed on {machine} with status {status}: {log}',
    hint: 'On the machine: mend what it wants, then systemctl restart imprint-first-boot-scripts, or restart the machine. Its log is /var/lib/imprint/first-boot/log.',
  },
  'step-failed': {
    exit: 1,
    http: 500,
    message: 'Step “{step}” failed on {machine}: {problem}',
    hint: 'The machine stays up with a shell on its console; install it again when the cause is mended.',
  },
  'io-failed': {
    exit: 1,
    http: 500,
    message: '{operation} {path} failed: {problem}.',
    hint: 'Look at the kernel’s log (dmesg) for the device below it.',
  },
  interrupted: {
    exit: 130,
    http: 499,
    message: 'Interrupted.',
    hint: 'Nothing half-done is visible; start it again at any time.',
  },
  internal: {
    exit: 1,
    http: 500,
    message: 'Something that should not happen did: {problem}',
    hint: 'Run it again with --debug and report what it prints.',
  },
} as const satisfies Record<string, ErrorDefinition>;

/** How one error shows itself. */
export interface ErrorDefinition {
  exit: 1 | 2 | 3 | 4 | 5 | 6 | 130;
  http: number;
  message: string;
  hint: string;
}

export type ErrorCode = keyof typeof errorCatalogue;

type PlaceholdersOf<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PlaceholdersOf<Rest>
  : never;

/** The details that an error's message and hint need. */
export type ErrorDetails<Code extends ErrorCode> = {
  readonly [Name in PlaceholdersOf<`${(typeof errorCatalogue)[Code]['message']}${(typeof errorCatalogue)[Code]['hint']}`>]:
    | string
    | number;
};
