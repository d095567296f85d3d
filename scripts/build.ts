import { existsSync, globSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { build } from 'esbuild';

const root = resolve(import.meta.dirname, '..');

/**
 * Bundles the program into `directory`, each entry one file that needs no `node_modules`: `imprint.mjs` (command line and
 * server), `agent.mjs` (the service of an installed machine), `imager.mjs` (what runs in the imager), and one
 * `<name>-worker.mjs` for each worker thread, found beside the bundle. The same sources give the same bytes. `only` leaves
 * out all other entries (`imager`, `restore-worker`).
 * Returns the files' names, sorted.
 */
export async function buildBundle(directory: string, only?: readonly string[]): Promise<string[]> {
  const all = bundleEntries();
  const entries = Object.fromEntries(Object.entries(all).filter(([name]) => only === undefined || only.includes(name)));
  await rm(directory, { recursive: true, force: true });
  const result = await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: resolve(directory),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // No shared chunks: the imager takes single files out of here.
    splitting: false,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    charset: 'utf8',
    legalComments: 'none',
    minifySyntax: true,
    minifyWhitespace: true,
    // Names stay, so that a stack trace from a machine can be read.
    minifyIdentifiers: false,
    keepNames: false,
    sourcemap: false,
    metafile: true,
    logLevel: 'warning',
    // Some dependencies are CommonJS and ask for Node's modules with require().
    banner: {
      js: "import { createRequire as imprintRequire } from 'node:module'; const require = imprintRequire(import.meta.url);",
    },
  });
  return Object.keys(result.metafile.outputs)
    .map((path) => basename(path))
    .sort();
}

/** Name of each entry and its source. */
function bundleEntries(): Record<string, string> {
  const workers = globSync('src/**/*-worker.ts', { cwd: root }).sort();
  const entries = ['src/imprint.ts', 'src/agent/agent.ts', 'src/agent/imager.ts', ...workers].filter((path) =>
    existsSync(join(root, path)),
  );
  return Object.fromEntries(entries.map((path) => [basename(path, '.ts'), path]));
}

if (import.meta.main) {
  const [directory = join(root, 'dist'), ...only] = process.argv.slice(2);
  const files = await buildBundle(directory, only.length > 0 ? only : undefined);
  process.stdout.write(`${files.map((file) => join(directory, file)).join('\n')}\n`);
}
