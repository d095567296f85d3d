import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BootEntry, BootPointer, TrialCount } from '../../src/machine/boot-pointer.ts';
import { parsePointer, parseTries, renderPointer, renderTries } from '../../src/machine/boot-pointer-block.ts';
import { parseBootEntry } from '../../src/machine/boot-records.ts';
import { renderEntryConfig, renderPointerConfig } from '../../src/machine/boot-script-grub.ts';

/** What lies on the boot partitions of machines that were installed long ago (docs/boot.md): these bytes never change. */
const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/boot', name));
const vectors: { pointers: Record<string, BootPointer>; tries: Record<string, TrialCount> } = JSON.parse(
  fixture('vectors.json').toString('utf8'),
);

describe('the boot partition', () => {
  it.each(Object.entries(vectors.pointers))('has records as in %s', (name, pointer) => {
    expect(parsePointer(fixture(name))).toEqual(pointer);
    expect(renderPointer(pointer).equals(fixture(name))).toBe(true);
  });

  it.each(Object.entries(vectors.tries))('counts tries as in %s', (name, count) => {
    expect(parseTries(fixture(name))).toEqual(count);
    expect(renderTries(count).equals(fixture(name))).toBe(true);
  });

  it('describes an entry as in entry.json and entry.cfg', () => {
    const entry = parseBootEntry(fixture('entry.json').toString('utf8')) as BootEntry;
    expect(renderEntryConfig(entry)).toBe(fixture('entry.cfg').toString('utf8'));
  });

  it('has scripts that GRUB can read', () => {
    const scripts = [
      renderPointerConfig({ boot: 'b', timeout: 2 }),
      renderPointerConfig({ boot: 'b', timeout: 0, host: 'h', serial: { unit: 1, speed: 9600 } }),
      renderEntryConfig(parseBootEntry(fixture('entry.json').toString('utf8')) as BootEntry),
    ];
    for (const input of scripts) execFileSync('grub-script-check', { input, stdio: 'pipe' });
  });

  it('passes titles and options on as they are, whatever is in them', () => {
    const entry = parseBootEntry(fixture('entry.json').toString('utf8')) as BootEntry;
    const hostile = { ...entry, title: "it's } $root `\n; reboot", kernelOptions: ["a='b c'; reboot", '$x', '}', '#'] };
    const script = renderEntryConfig(hostile);
    execFileSync('grub-script-check', { input: script, stdio: 'pipe' });
    expect(script).toContain(`set imprint_title='it'\\''s } $root \` ; reboot'`);
    expect(script).toContain(`vmlinuz 'a='\\''b c'\\''; reboot' '$x' '}' '#' $imprint_words; then`);
  });
});
