const end = '### End of Imprint';

/** `custom.cfg` with a block of ours at its end, or (undefined) without; what others wrote there stays. `what`: by which the block is known again. */
export function withMenuBlock(custom: string, what: string, lines: readonly string[] | undefined): string {
  const begin = `### Begin of Imprint: ${what}`;
  const from = custom.indexOf(begin);
  const to = custom.indexOf(end, from);
  const rest = from < 0 || to < 0 ? custom : custom.slice(0, from) + custom.slice(to + end.length).replace(/^\n/, '');
  if (lines === undefined) return rest;
  return `${rest === '' || rest.endsWith('\n') ? rest : `${rest}\n`}${[begin, ...lines, end, ''].join('\n')}`;
}
