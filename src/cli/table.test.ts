import { expect, it } from 'vitest';
import { renderTable } from './table.ts';

const columns = [{ title: 'NAME' }, { title: 'SIZE', align: 'right' as const }, { title: 'SAYS', shrink: true }];

it('aligns columns and leaves no blanks at the end of a line', () => {
  expect(
    renderTable(columns, [
      ['web', '12', ''],
      ['database', '3', 'x'],
    ]),
  ).toBe('NAME      SIZE  SAYS\nweb         12\ndatabase     3  x\n');
});

it('lets one column give way in a narrow window', () => {
  const text = renderTable(columns, [['web', '1', 'a very long remark indeed']], { width: 24 });
  expect(text.split('\n').every((line) => line.length <= 24)).toBe(true);
  expect(text).toContain('…');
});
