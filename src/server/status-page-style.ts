/** The status page's style sheet: system fonts, light and dark by the reader's own setting, nothing fetched. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f6f5f1, #14161a);
  --card: light-dark(#ffffff, #1c1f25);
  --line: light-dark(#e5e2da, #2b2f37);
  --line-soft: light-dark(#efede7, #242830);
  --ink: light-dark(#22262d, #e7e6e2);
  --ink-2: light-dark(#5d636d, #a3a8b1);
  --ink-3: light-dark(#8b9099, #747a85);
  --accent: light-dark(#2f5f8a, #7fb2dd);
  --blue: light-dark(#2c6aa0, #78b4e6);
  --green: light-dark(#2f7d4f, #76c893);
  --amber: light-dark(#97640c, #e0b458);
  --red: light-dark(#ac3b34, #ee8e86);
  --grey: light-dark(#6b717b, #9aa0aa);
  --violet: light-dark(#6a55a0, #b6a3e6);
  --mono: ui-monospace, 'SF Mono', 'Cascadia Mono', 'JetBrains Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif;
  -webkit-font-smoothing: antialiased;
}
[hidden] { display: none !important; }
.page { max-width: 1120px; margin: 0 auto; padding: 28px 24px 64px; }
code, .mono { font-family: var(--mono); font-size: .87em; }
.soft { color: var(--ink-2); } .faint { color: var(--ink-3); }
.number { font-variant-numeric: tabular-nums; }

header { display: flex; align-items: center; gap: 14px; margin-bottom: 26px; flex-wrap: wrap; }
.mark { width: 34px; height: 34px; flex: none; }
.mark rect { fill: var(--accent); } .mark path { stroke: var(--card); }
h1 { font-size: 21px; line-height: 1.15; font-weight: 640; letter-spacing: -.012em; margin: 0; }
.where { font-size: 13px; color: var(--ink-2); margin-top: 2px; }
.pills { margin-left: auto; display: flex; gap: 8px; flex-wrap: wrap; }
.pill {
  display: inline-flex; align-items: center; gap: 7px; padding: 4px 11px; border: 1px solid var(--line);
  border-radius: 99px; background: var(--card); font-size: 12.5px; color: var(--ink-2); white-space: nowrap;
}
.dot { width: 8px; height: 8px; border-radius: 50%; background: var(--tone, var(--grey)); flex: none; }
.dot.live { animation: breathe 2.4s ease-in-out infinite; }
@keyframes breathe { 50% { opacity: .35; } }
@media (prefers-reduced-motion: reduce) { .dot.live, .bar i { animation: none; transition: none; } }

.notice {
  border: 1px solid color-mix(in srgb, var(--tone) 38%, transparent); background: color-mix(in srgb, var(--tone) 9%, var(--card));
  border-radius: 12px; padding: 12px 16px; margin: 0 0 20px; font-size: 14px;
}
.notice b { color: var(--tone); font-weight: 600; }

.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 14px; margin-bottom: 30px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 15px 18px 14px; }
.tile .value { font-size: 30px; line-height: 1.1; font-weight: 600; letter-spacing: -.02em; color: var(--tone, var(--ink)); }
.tile .label { color: var(--ink-2); font-size: 13px; margin-top: 3px; }
.tile.zero .value { color: var(--ink-3); font-weight: 500; }

section { margin-bottom: 32px; }
h2 { font-size: 14px; font-weight: 620; margin: 0 0 10px 2px; display: flex; gap: 9px; align-items: baseline; }
h2 small { font-weight: 400; color: var(--ink-3); font-size: 13px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; overflow: hidden; }
.empty { padding: 30px 24px; text-align: center; color: var(--ink-2); }
.empty code, .hint code { background: var(--line-soft); border-radius: 6px; padding: 2px 7px; }
.empty p { margin: 0 0 8px; }

.row { padding: 14px 18px; border-top: 1px solid var(--line-soft); }
.row:first-child { border-top: 0; }
.machine { display: grid; grid-template-columns: minmax(150px, 1.35fr) 124px minmax(100px, 1fr) minmax(140px, 1.5fr) 96px; gap: 16px; align-items: center; }
.name { font-weight: 600; overflow-wrap: anywhere; }
.sub { font-size: 12.5px; color: var(--ink-3); }
.machine .soft.number { font-size: 13.5px; }
.heard { text-align: right; font-size: 12.5px; color: var(--ink-3); }
.chip {
  display: inline-flex; align-items: center; gap: 7px; padding: 2px 10px 2px 8px; border-radius: 99px; font-size: 13px; font-weight: 520;
  color: var(--tone); background: color-mix(in srgb, var(--tone) 11%, transparent);
}
.chip .dot { width: 7px; height: 7px; }
.under { margin-top: 11px; }
.problem { font-size: 13.5px; border-left: 3px solid var(--red); padding: 1px 0 1px 12px; }
.problem .hint { color: var(--ink-2); font-size: 13px; }

.progress .words { display: flex; gap: 12px; font-size: 13px; margin-bottom: 6px; }
.progress .words .what { color: var(--ink-2); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.progress .words .much { margin-left: auto; white-space: nowrap; color: var(--ink-2); }
.progress .words b { color: var(--ink); font-weight: 600; }
.bar { height: 7px; border-radius: 99px; background: var(--line-soft); overflow: hidden; }
.bar i { display: block; height: 100%; width: 0; border-radius: 99px; background: var(--blue); transition: width .5s ease-out; }
.bar.unknown i { width: 28%; animation: slide 1.8s ease-in-out infinite; }
@keyframes slide { 0% { margin-left: -28%; } 100% { margin-left: 100%; } }

.image .head { display: flex; gap: 10px; align-items: baseline; }
.image .head .name { font-size: 15.5px; }
.versions { width: 100%; border-collapse: collapse; margin-top: 6px; font-size: 13.5px; }
.versions td { padding: 5px 14px 5px 0; vertical-align: baseline; color: var(--ink-2); }
.versions td:first-child { color: var(--ink); font-weight: 560; white-space: nowrap; width: 1%; }
.versions td:last-child { text-align: right; padding-right: 0; white-space: nowrap; }
.tag { display: inline-block; border: 1px solid color-mix(in srgb, var(--accent) 40%, transparent); color: var(--accent); border-radius: 6px; padding: 0 6px; font-size: 12px; margin-left: 7px; font-weight: 500; }

details summary { list-style: none; cursor: pointer; display: grid; grid-template-columns: 1fr 124px 132px; gap: 16px; align-items: center; }
details summary::-webkit-details-marker { display: none; }
details summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 4px; border-radius: 6px; }
.log { margin: 12px 0 2px; padding: 10px 14px; background: var(--ground); border-radius: 10px; max-height: 260px; overflow: auto; font: 12.5px/1.65 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; }
.log .time { color: var(--ink-3); margin-right: 12px; } .log .said-warning { color: var(--amber); } .log .said-failed { color: var(--red); } .log .said-finished { color: var(--green); }

.login { max-width: 400px; margin: 12vh auto 0; padding: 32px 32px 28px; }
.login h1 { margin: 16px 0 6px; } .login p { margin: 0 0 18px; color: var(--ink-2); font-size: 14px; }
.login input { width: 100%; padding: 10px 12px; border: 1px solid var(--line); border-radius: 9px; background: var(--ground); color: var(--ink); font: 14px var(--mono); }
.login input:focus { outline: 2px solid var(--accent); outline-offset: 1px; }
.login button { width: 100%; margin-top: 12px; padding: 10px; border: 0; border-radius: 9px; background: var(--accent); color: var(--card); font: 600 15px system-ui, sans-serif; cursor: pointer; }
.login .wrong { color: var(--red); font-size: 13.5px; margin: 12px 0 0; }

footer { display: flex; flex-wrap: wrap; gap: 6px 18px; font-size: 12.5px; color: var(--ink-3); padding: 0 2px; }
footer a, footer button { color: inherit; background: none; border: 0; padding: 0; font: inherit; text-decoration: underline; text-underline-offset: 3px; cursor: pointer; }
footer .end { margin-left: auto; display: flex; gap: 18px; }

@media (max-width: 820px) {
  .page { padding: 20px 14px 48px; }
  .tiles { grid-template-columns: repeat(2, 1fr); gap: 10px; }
  .machine { grid-template-columns: 1fr auto; gap: 4px 12px; }
  .machine > :nth-child(3) { grid-column: 1; font-size: 13.5px; } .machine > :nth-child(4) { display: none; }
  .pills { margin-left: 0; width: 100%; }
  details summary { grid-template-columns: 1fr auto; } details summary .heard { display: none; }
}
`;
