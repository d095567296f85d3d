import type { PartitionKind } from '../contract/partition-kind.ts';

/** What a partition's type says, in the words of who defined it. */
export interface PartitionType {
  readonly kind: PartitionKind;
  readonly title: string;
}

const type = (kind: PartitionKind, title: string): PartitionType => ({ kind, title });

/**
 * Types of GPT partitions, in upper case. Sources: the UEFI specification 2.10, table 5.7 (ESP); Microsoft, “PARTITION_INFORMATION_GPT” (basic,
 * reserved, recovery, LDM, storage spaces); the Discoverable Partitions Specification (Linux); util-linux, include/pt-gpt-partnames.h (all others).
 * Root, usr and verity partitions of other processors are `linux` by their names there; what is not listed is `unknown` and stays.
 */
export const gptTypes: Readonly<Record<string, PartitionType>> = {
  'C12A7328-F81F-11D2-BA4B-00A0C93EC93B': type('esp', 'EFI system'),
  '21686148-6449-6E6F-744E-656564454649': type('linux', 'BIOS boot'),
  '0FC63DAF-8483-4772-8E79-3D69D8477DE4': type('linux', 'Linux data'),
  '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F': type('linux', 'Linux swap'),
  '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709': type('linux', 'Linux root (x86-64)'),
  '44479540-F297-41B2-9AF7-D131D5F0458A': type('linux', 'Linux root (x86)'),
  'B921B045-1DF0-41C3-AF44-4C6F280D3FAE': type('linux', 'Linux root (arm64)'),
  '8484680C-9521-48C6-9C11-B0720656F69E': type('linux', 'Linux /usr (x86-64)'),
  '933AC7E1-2EB4-4F13-B844-0E14E2AEF915': type('linux', 'Linux home'),
  '773F91EF-66D4-49B5-BD83-D683BF40AD16': type('linux', 'Linux home of a user'),
  '3B8F8425-20E0-4F3B-907F-1A25A76F98E8': type('linux', 'Linux server data'),
  '4D21B016-B534-45C2-A9FB-5C16E091FD2D': type('linux', 'Linux variable data'),
  '7EC6F557-3BC5-4ACA-B293-16EF5DF639D1': type('linux', 'Linux temporary data'),
  'BC13C2FF-59E6-4262-A352-B275FD6F7172': type('linux', 'Linux extended boot'),
  '8DA63339-0007-60C0-C436-083AC8230908': type('linux', 'Linux reserved'),
  'A19D880F-05FC-4D3B-A006-743F0F84911E': type('raid', 'Linux RAID'),
  'E6D6D379-F507-44C2-A23C-238F2A3DF928': type('lvm', 'Linux LVM'),
  'CA7D7CCB-63ED-4C53-861C-1742536059CC': type('luks', 'LUKS'),
  '7FFEC5C9-2D00-49B7-8941-3EA10A5586B7': type('luks', 'dm-crypt'),
  'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7': type('windows', 'Microsoft basic data'),
  'E3C9E316-0B5C-4DB8-817D-F92DF00215AE': type('windows', 'Microsoft reserved'),
  '5808C8AA-7E8F-42E0-85D2-E1E90434CFB3': type('windows', 'Microsoft LDM metadata'),
  'AF9B60A0-1431-4F62-BC68-3311714A69AD': type('windows', 'Microsoft LDM data'),
  'E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D': type('windows', 'Microsoft storage spaces'),
  'DE94BBA4-06D1-4D40-A16A-BFD50179D6AC': type('recovery', 'Windows recovery environment'),
  'D3BFE2DE-3DAF-11DF-BA40-E3A556D89593': type('vendor', 'Intel Fast Flash'),
  'F4019732-066E-4E12-8273-346C5641494F': type('vendor', 'Sony boot'),
  'BFBFAFE7-A34F-448A-9A5B-6213EB736C22': type('vendor', 'Lenovo boot'),
  '7412F7D5-A156-4B13-81DC-867174929325': type('vendor', 'ONIE boot'),
  'D4E6E2CD-4469-46F3-B5CB-1BFF57AFC149': type('vendor', 'ONIE configuration'),
  '9E1A2D38-C612-4316-AA26-8B49521E5A8B': type('vendor', 'PowerPC PReP boot'),
  '48465300-0000-11AA-AA11-00306543ECAC': type('other', 'Apple HFS+'),
  '7C3457EF-0000-11AA-AA11-00306543ECAC': type('other', 'Apple APFS'),
  '426F6F74-0000-11AA-AA11-00306543ECAC': type('recovery', 'Apple boot'),
  '5265636F-7665-11AA-AA11-00306543ECAC': type('recovery', 'Apple recovery'),
  '52637672-7900-11AA-AA11-00306543ECAC': type('recovery', 'Apple silicon recovery'),
  '69646961-6700-11AA-AA11-00306543ECAC': type('recovery', 'Apple silicon boot'),
  '516E7CB4-6ECF-11D6-8FF8-00022D09712B': type('other', 'FreeBSD data'),
  '516E7CB5-6ECF-11D6-8FF8-00022D09712B': type('other', 'FreeBSD swap'),
  '516E7CB6-6ECF-11D6-8FF8-00022D09712B': type('other', 'FreeBSD UFS'),
  '516E7CBA-6ECF-11D6-8FF8-00022D09712B': type('other', 'FreeBSD ZFS'),
  '83BD6B9D-7F41-11DC-BE0B-001560B84F0F': type('other', 'FreeBSD boot'),
  '6A898CC3-1DD2-11B2-99A6-080020736631': type('other', 'ZFS'),
  '6A945A3B-1DD2-11B2-99A6-080020736631': type('other', 'Solaris reserved'),
  'FE3A2A5D-4F32-41A7-B725-ACCC3285A309': type('other', 'ChromeOS kernel'),
  '3CB8E202-3B7E-47DD-8A3C-7FF2A13CFCEC': type('other', 'ChromeOS root'),
  'AA31E02A-400F-11DB-9590-000C2911D1B8': type('other', 'VMware VMFS'),
};

/**
 * Types of MBR partitions, as two hexadecimal digits. Sources: util-linux, include/pt-mbr-partnames.h, and A. E. Brouwer, “Partition identifiers
 * for PCs” (which makers use which). What is not listed is `unknown` and stays.
 */
export const mbrTypes: Readonly<Record<string, PartitionType>> = {
  '01': type('windows', 'FAT12'),
  '04': type('windows', 'FAT16'),
  '06': type('windows', 'FAT16'),
  '07': type('windows', 'NTFS or exFAT'),
  '0b': type('windows', 'FAT32'),
  '0c': type('windows', 'FAT32'),
  '0e': type('windows', 'FAT16'),
  '42': type('windows', 'Windows dynamic disk'),
  '86': type('windows', 'NTFS volume set'),
  '87': type('windows', 'NTFS volume set'),
  // Makers hide their recovery systems from Windows by these.
  '11': type('recovery', 'hidden FAT12'),
  '14': type('recovery', 'hidden FAT16'),
  '16': type('recovery', 'hidden FAT16'),
  '17': type('recovery', 'hidden NTFS'),
  '1b': type('recovery', 'hidden FAT32'),
  '1c': type('recovery', 'hidden FAT32'),
  '1e': type('recovery', 'hidden FAT16'),
  '27': type('recovery', 'Windows recovery environment'),
  '3c': type('recovery', 'PartitionMagic recovery'),
  '12': type('vendor', 'Compaq and HP diagnostics'),
  '18': type('vendor', 'AST SmartSleep'),
  '84': type('vendor', 'Intel hibernation'),
  a0: type('vendor', 'hibernation of laptops'),
  bb: type('vendor', 'Acronis secure zone'),
  bc: type('vendor', 'Acronis FAT32'),
  db: type('vendor', 'Dell recovery, or CP/M'),
  de: type('vendor', 'Dell utilities'),
  fe: type('vendor', 'IBM reference partition, or LANstep'),
  '82': type('linux', 'Linux swap'),
  '83': type('linux', 'Linux'),
  ea: type('linux', 'Linux extended boot'),
  '8e': type('lvm', 'Linux LVM'),
  e8: type('luks', 'LUKS'),
  fd: type('raid', 'Linux RAID'),
  ef: type('esp', 'EFI system'),
  a5: type('other', 'FreeBSD'),
  a6: type('other', 'OpenBSD'),
  a8: type('other', 'Darwin UFS'),
  a9: type('other', 'NetBSD'),
  af: type('other', 'HFS+'),
  bf: type('other', 'Solaris'),
  fb: type('other', 'VMware VMFS'),
};

/** MBR types of the one partition that holds the logical ones. */
export const extendedTypes: ReadonlySet<string> = new Set(['05', '0f', '85']);

/**
 * Labels that makers give the file systems of their recovery and diagnostics partitions, which often have an ordinary type.
 * Sources: disks that were seen with them, as the forums of their makers tell; compared without regard to case.
 */
export const makersLabels: readonly (readonly [pattern: RegExp, kind: PartitionKind])[] = [
  [/^(recovery|winretools|winre|windows ?re|pbr ?image|push ?button ?reset|restore|factory|image)$/i, 'recovery'],
  [
    /^(hp_recovery|recovery image|lenovo_recovery|lenovo_part|acer ?recovery|asus ?recovery|pqservice|sdrecovery)$/i,
    'recovery',
  ],
  [
    /^(diags?|dellutility|dellsupport|dell ?restore|hp_tools|system_drv|servicev\d+|ibm_service|ibm_preload|mytools|asus_?tools)$/i,
    'vendor',
  ],
];
