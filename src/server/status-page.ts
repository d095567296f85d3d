import { pageScript } from './status-page-script.ts';
import { pageStyle } from './status-page-style.ts';

const mark = `<svg class="mark" viewBox="0 0 34 34" aria-hidden="true"><rect width="34" height="34" rx="9"/>
<g fill="none" stroke-width="2.2" stroke-linecap="round"><path d="M10 24v-5a7 7 0 0 1 14 0v5"/><path d="M14.2 24v-5a2.8 2.8 0 0 1 5.6 0v5"/>
<path d="M6.8 15.6A10.6 10.6 0 0 1 17 8.200a10.600 10.600 0 0 1 10.200 7.400"/></g></svg>`;

/** The status page: one HTML document that needs nothing else, for people to read. It changes nothing. */
export function statusPage(): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Imprint</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(icon())}">
<style>${pageStyle}</style>
</head>
<body>
<form class="card login" id="login" hidden>
  ${mark}
  <h1>Imprint</h1>
  <p>This server shows itself to whoever has its admin token. <code>imprint serve</code> printed it at its first start; it is
  kept in <code>admin-token</code> in the data directory.</p>
  <input id="token" type="password" autocomplete="current-password" placeholder="Admin token" aria-label="Admin token" required>
  <button>Show the server</button>
  <p class="wrong" id="wrong" role="alert" hidden></p>
</form>
<div class="page" id="page" hidden>
  <header>
    ${mark}
    <div><h1>Imprint</h1><div class="where" id="where"></div></div>
    <div class="pills" id="pills"></div>
  </header>
  <div id="notices" role="status"></div>
  <div class="tiles" id="tiles"></div>
  <section><h2>Machines</h2><div class="card" id="machines"></div></section>
  <section><h2>Images</h2><div class="card" id="images"></div></section>
  <section><h2>Tasks <small>newest first</small></h2><div class="card" id="tasks"></div></section>
  <footer id="footer"></footer>
</div>
<noscript>This page needs JavaScript. On a terminal: imprint status</noscript>
<script>${pageScript}</script>
</body>
</html>
`;
}

function icon(): string {
  return mark
    .replace('<svg class="mark"', '<svg xmlns="http://www.w3.org/2000/svg"')
    .replace('rx="9"', 'rx="9" fill="#2f5f8a"')
    .replace('<g fill="none"', '<g fill="none" stroke="#fff"');
}
