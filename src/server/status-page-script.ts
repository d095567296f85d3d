/**
 * The status page's script, as the browser gets it: plain JavaScript without back quotes. Text from the server only ever
 * becomes text nodes, never HTML.
 */
export const pageScript = `
'use strict';
const state = { machines: new Map(), tasks: new Map(), progress: new Map(), images: [], status: null, live: false };
let source = null, drawing = false;
const $ = (id) => document.getElementById(id);
const tones = {
  discovered: 'violet', registered: 'grey', assigned: 'accent', installing: 'blue', installed: 'green', healthy: 'green',
  updating: 'blue', trial: 'blue', reverted: 'amber', failed: 'red', waiting: 'grey', running: 'blue', finished: 'green',
};
const words = { waiting: 'ordered', trial: 'on trial' };

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'tone') node.style.setProperty('--tone', 'var(--' + value + ')');
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat()) if (child !== undefined && child !== null && child !== '') node.append(child);
  return node;
}
function chip(word) {
  const live = ['installing', 'updating', 'trial', 'running'].includes(word);
  return el('span', { class: 'chip', tone: tones[word] || 'grey' }, el('span', { class: live ? 'dot live' : 'dot' }), words[word] || word);
}
function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0, value = count;
  while (value >= 1023.5 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return (unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)).replace(/\\.0$/, '') + ' ' + units[unit];
}
function amount(count, unit) { return unit === 'bytes' ? bytes(count) : count.toLocaleString('en') + (unit ? ' ' + unit : ''); }
function ago(time) {
  if (!time) return 'never';
  const seconds = Math.max(0, (Date.now() - time) / 1000);
  if (seconds < 10) return 'just now';
  if (seconds < 60) return Math.round(seconds) + ' s ago';
  if (seconds < 3600) return Math.round(seconds / 60) + ' min ago';
  if (seconds < 86400) return Math.round(seconds / 3600) + ' h ago';
  return Math.round(seconds / 86400) + ' days ago';
}
function duration(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return seconds + ' s';
  if (seconds < 3600) return Math.floor(seconds / 60) + ' min ' + (seconds % 60) + ' s';
  return Math.floor(seconds / 3600) + ' h ' + Math.round((seconds % 3600) / 60) + ' min';
}
function clock(time) { return new Date(time).toLocaleTimeString('en-GB'); }
/** Hints carry commands after a colon; those are set as code. */
function hint(text) {
  const at = text.indexOf('imprint ');
  return at < 0 ? [text] : [text.slice(0, at), el('code', {}, text.slice(at))];
}

/** What a task is at: its parts by path, as their events told. */
function note(event) {
  let task = state.progress.get(event.taskId);
  if (!task) state.progress.set(event.taskId, task = { parts: new Map(), log: [], seen: 0, seq: 0 });
  if (event.seq <= task.seq) return;
  task.seq = event.seq;
  const key = event.path.join('\\u0000');
  if (event.kind === 'started' && event.path.length === 1) task.parts.clear();
  const part = task.parts.get(key) || { depth: event.path.length, name: event.path[event.path.length - 1], begun: event.time };
  if (event.total !== undefined) Object.assign(part, { done: event.done || 0, total: event.total, unit: event.unit });
  part.open = event.kind !== 'finished' && event.kind !== 'failed';
  part.time = event.time;
  if (event.kind === 'started' || event.kind === 'progress' || event.kind === 'finished' || event.kind === 'failed') task.parts.set(key, part);
  if (event.kind !== 'progress') {
    const depth = event.path.length;
    if (event.kind === 'log' || event.kind === 'warning' || event.kind === 'failed' || depth <= 2) task.log.push(event);
    if (task.log.length > 300) task.log.shift();
  }
}
/** Fraction done, and words for it. */
function measure(id) {
  const task = state.progress.get(id);
  if (!task) return null;
  const parts = [...task.parts.values()];
  const open = parts.filter((part) => part.open && part.depth > 1);
  const current = open[open.length - 1];
  const steps = parts.find((part) => part.total && part.unit === 'steps');
  const inner = current && current.total && current.unit !== 'steps' ? current.done / current.total : 0;
  let fraction;
  if (steps) fraction = Math.min(1, (steps.done + inner) / steps.total);
  else if (current && current.total) fraction = current.done / current.total;
  const much = current && current.total && current.unit !== 'steps'
    ? amount(current.done, current.unit === 'bytes' ? 'bytes' : '') + ' of ' + amount(current.total, current.unit) : '';
  let rest = '';
  if (inner > 0.03 && inner < 1) {
    const left = (current.time - current.begun) * (1 - inner) / inner;
    if (left > 2000) rest = 'about ' + duration(left) + ' left';
  }
  return { fraction, much, rest, what: current ? current.name : 'beginning' };
}
function progressBar(id) {
  const at = measure(id) || { what: 'beginning' };
  const fill = el('i');
  const known = at.fraction !== undefined;
  if (known) fill.style.width = (100 * at.fraction).toFixed(1) + '%';
  return el('div', { class: 'under progress' },
    el('div', { class: 'words number' }, known ? el('b', {}, Math.floor(100 * at.fraction) + ' %') : '', el('span', { class: 'what' }, at.what),
      el('span', { class: 'much' }, [at.much, at.rest].filter(Boolean).join(' · '))),
    el('div', { class: known ? 'bar' : 'bar unknown', role: 'progressbar', 'aria-valuenow': known ? Math.floor(100 * at.fraction) : undefined }, fill));
}

function machineRow(machine) {
  const facts = machine.facts;
  const disks = facts ? facts.disks.filter((disk) => !disk.removable && !disk.readOnly) : [];
  const hardware = facts ? [facts.cores + (facts.cores === 1 ? ' core' : ' cores'), bytes(facts.memory), disks.length === 1 ? bytes(disks[0].size) + ' disk' : disks.length + ' disks', facts.firmware.toUpperCase()].join(' · ') : '';
  const onDisk = machine.installed && machine.installed.image;
  const wanted = machine.order ? machine.order.image : machine.image;
  const image = machine.order ? [el('div', {}, wanted), el('div', { class: 'sub' }, { installing: 'being installed', failed: machine.task ? 'ordered' : 'order stands' }[machine.state] || 'ordered')]
    : machine.update ? [el('div', {}, (onDisk || '?') + ' → ' + machine.update.image), el('div', { class: 'sub' }, { waiting: 'ordered', running: 'on its way', trial: 'on trial' }[machine.update.phase])]
    : onDisk ? [el('div', {}, onDisk), wanted && onDisk.split(':')[0] !== wanted.split(':')[0] ? el('div', { class: 'sub' }, 'wanted: ' + wanted) : '']
    : [el('div', { class: 'soft' }, wanted || '—')];
  const problem = machine.problem;
  return el('div', { class: 'row' },
    el('div', { class: 'machine' },
      el('div', {}, el('div', { class: 'name' }, machine.name), el('div', { class: 'sub mono' }, machine.address || machine.macs[0] || 'no MAC address yet')),
      el('div', {}, chip(machine.state)),
      el('div', {}, image),
      el('div', {}, el('div', { class: 'soft number' }, hardware), facts && facts.product ? el('div', { class: 'sub' }, facts.product) : ''),
      el('div', { class: 'heard' }, machine.lastSeen ? ago(machine.lastSeen) : 'not seen yet')),
    machine.state === 'installing' && machine.order ? progressBar(machine.order.id) : machine.state === 'updating' && machine.update ? progressBar(machine.update.id) : '',
    machine.state === 'discovered' && !problem ? el('div', { class: 'under sub hint' }, 'It waits for a name: ', el('code', {}, 'imprint machine approve ' + machine.name + ' --name NAME')) : '',
    problem ? el('div', { class: 'under problem' }, problem.message, el('div', { class: 'hint' }, hint(problem.hint))) : '');
}
function imageRow(image) {
  const rows = image.versions.slice(0, 5).map((version) => el('tr', {},
    el('td', {}, image.name + ':' + version.number, version.tags.map((tag) => el('span', { class: 'tag' }, tag))),
    el('td', { class: 'number' }, bytes(version.contentBytes) + ', ' + version.entries.toLocaleString('en') + ' entries'),
    el('td', {}, version.machines.length === 0 ? el('span', { class: 'faint' }, 'on no machine') : 'on ' + (version.machines.length > 4 ? version.machines.length + ' machines' : version.machines.join(', ')), version.signed ? '' : el('span', { class: 'tag' }, 'not signed')),
    el('td', { title: version.created }, ago(Date.parse(version.created)))));
  const more = image.versions.length - rows.length;
  const newest = image.versions[0];
  return el('div', { class: 'row image' },
    el('div', { class: 'head' }, el('span', { class: 'name' }, image.name), el('span', { class: 'sub' }, (newest && newest.system) || '')),
    el('table', { class: 'versions' }, el('tbody', {}, rows)),
    more > 0 ? el('div', { class: 'sub' }, more + ' older: ', el('code', {}, 'imprint image log ' + image.name)) : '');
}
function taskRow(task) {
  const told = state.progress.get(task.id);
  const took = task.state === 'waiting' ? '' : duration((task.ended || Date.now()) - task.started);
  const log = el('div', { class: 'log' }, (told ? told.log : []).map((event) => el('div', { class: 'said-' + event.kind },
    el('span', { class: 'time' }, clock(event.time)), line(event))));
  const row = el('details', { class: 'row', 'data-task': task.id, open: state.open === task.id },
    el('summary', {}, el('div', {}, el('div', { class: 'name' }, task.title), task.state === 'failed' && task.last && task.last.error ? el('div', { class: 'sub' }, task.last.error.message) : ''),
      el('div', {}, chip(task.state)), el('div', { class: 'heard number', title: new Date(task.started).toLocaleString('en-GB') }, task.state === 'running' ? took : [took, ago(task.started)].filter(Boolean).join(' · '))),
    task.state === 'running' ? progressBar(task.id) : '', log);
  row.addEventListener('toggle', () => {
    if (row.open && state.open !== task.id) { state.open = task.id; loadTask(task.id); }
    else if (!row.open && state.open === task.id && row.isConnected) state.open = undefined;
  });
  return row;
}
function line(event) {
  const name = event.path.slice(1).join(' › ') || event.path[0];
  if (event.kind === 'started') return name + ' …';
  if (event.kind === 'finished') return name + ': done';
  return event.path.length > 1 && event.kind !== 'failed' ? name + ': ' + event.message : event.message;
}

function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; paint(); });
}
function paint() {
  const machines = [...state.machines.values()].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  const count = (...names) => machines.filter((machine) => names.includes(machine.state)).length;
  const tiles = [
    ['Machines', machines.length, 'ink'], ['At work', count('installing', 'updating', 'trial'), 'blue'],
    ['In service', count('healthy', 'installed'), 'green'], ['Need you', count('failed', 'reverted', 'discovered'), count('failed') ? 'red' : count('reverted') ? 'amber' : 'violet'],
  ];
  $('tiles').replaceChildren(...tiles.map(([label, value, tone]) => el('div', { class: value ? 'tile' : 'tile zero', tone },
    el('div', { class: 'value number' }, String(value)), el('div', { class: 'label' }, label))));
  $('machines').replaceChildren(...(machines.length ? machines.map(machineRow) : [el('div', { class: 'empty' },
    el('p', {}, 'No machine yet. Let one boot from the network, or register some:'), el('code', {}, 'imprint machine add web[01-20] --address 10.0.0.11+ --image web'))]));
  $('images').replaceChildren(...(state.images.length ? state.images.map(imageRow) : [el('div', { class: 'empty' },
    el('p', {}, 'No image yet. Capture a machine that you like:'), el('code', {}, 'imprint capture ssh://root@HOST --name web'))]));
  const tasks = [...state.tasks.values()].sort((a, b) => b.started - a.started).slice(0, 20);
  $('tasks').replaceChildren(...(tasks.length ? tasks.map(taskRow) : [el('div', { class: 'empty' }, el('p', {}, 'Nothing was asked for yet.'))]));
  const shown = document.querySelector('details[open] .log');
  if (shown) shown.scrollTop = shown.scrollHeight;
  paintStatus();
}
function paintStatus() {
  const status = state.status;
  if (!status) return;
  $('where').textContent = status.url.replace(/^https?:\\/\\//, '');
  const pills = [el('span', { class: 'pill', tone: state.live ? 'green' : 'amber' }, el('span', { class: state.live ? 'dot live' : 'dot' }), state.live ? 'live' : 'connecting …')];
  const netboot = status.netboot;
  if (netboot) pills.push(el('span', { class: 'pill', tone: netboot.state === 'running' && netboot.imager ? 'green' : 'amber' }, el('span', { class: 'dot' }),
    (netboot.mode === 'proxy' ? 'proxyDHCP' : 'DHCP') + ' on ' + netboot.interface + (netboot.state === 'running' ? '' : ': ' + netboot.state)));
  else pills.push(el('span', { class: 'pill' }, el('span', { class: 'dot' }), 'netboot is off'));
  $('pills').replaceChildren(...pills);
  const notices = [];
  if (netboot && netboot.problem) notices.push(el('div', { class: 'notice', tone: 'amber' }, el('b', {}, 'Netboot: '), netboot.problem));
  if (netboot && !netboot.imager) notices.push(el('div', { class: 'notice hint', tone: 'amber' }, el('b', {}, 'Netboot: '), 'the imager is missing, so machines have nothing to boot. Make it: ', el('code', {}, 'imprint media netboot')));
  if (status.storeProblem && state.images.length) notices.push(el('div', { class: 'notice', tone: 'red' }, el('b', {}, 'Store: '), status.storeProblem));
  $('notices').replaceChildren(...notices);
  const leave = el('button', {}, 'Log out');
  leave.addEventListener('click', () => fetch('/logout', { method: 'POST' }).then(() => location.reload()));
  $('footer').replaceChildren(el('span', {}, 'Imprint ' + status.version), el('span', {}, 'up since ' + new Date(status.started).toLocaleString('en-GB')),
    el('span', {}, 'key ', el('code', {}, status.key)), el('span', { class: 'end' }, el('a', { href: '/api/openapi.json' }, 'API'), leave));
}

async function get(path) {
  const response = await fetch('/api/v1/' + path);
  if (response.status === 401) { showLogin(); throw new Error('not logged in'); }
  if (!response.ok) throw new Error(path + ': ' + response.status);
  return response.json();
}
async function loadTask(id) {
  const told = await get('task.show?task=' + encodeURIComponent(id)).catch(() => null);
  if (!told) return;
  state.progress.delete(id);
  told.events.forEach(note);
  draw();
}
async function load() {
  const [status, machines, tasks, images] = await Promise.all([get('server.status'), get('machine.list'), get('task.list?limit=20'), get('image.list').catch(() => ({ images: [] }))]);
  state.status = status;
  state.images = images.images;
  state.machines = new Map(machines.machines.map((machine) => [machine.name, machine]));
  state.tasks = new Map(tasks.tasks.map((task) => [task.id, task]));
  $('login').hidden = true;
  $('page').hidden = false;
  draw();
  await Promise.all(tasks.tasks.filter((task) => task.state === 'running' || task.id === state.open).map((task) => loadTask(task.id)));
}
async function refresh() {
  try {
    const [status, images] = await Promise.all([get('server.status'), get('image.list')]);
    state.status = status;
    state.images = images.images;
    draw();
  } catch { draw(); }
}
function connect() {
  if (source) source.close();
  source = new EventSource('/api/v1/events');
  const on = (name, take) => source.addEventListener(name, (message) => { take(JSON.parse(message.data)); draw(); });
  source.addEventListener('open', () => { state.live = true; load().catch(() => {}); });
  source.addEventListener('error', () => {
    state.live = false;
    draw();
    if (source.readyState === EventSource.CLOSED) setTimeout(() => get('server.status').then(connect, () => $('login').hidden && connect()), 3000);
  });
  on('machine', (machine) => {
    const before = state.machines.get(machine.name);
    state.machines.set(machine.name, machine);
    if (before && before.state !== machine.state) refresh();
  });
  on('machine-removed', ({ name }) => state.machines.delete(name));
  on('task-state', (task) => state.tasks.set(task.id, task));
  on('task', (event) => {
    note(event);
    const task = state.tasks.get(event.taskId);
    if (task) task.last = event;
  });
}
function showLogin(wrong) {
  if (source) source.close();
  $('page').hidden = true;
  $('login').hidden = false;
  $('wrong').hidden = !wrong;
  $('wrong').textContent = wrong || '';
  $('token').focus();
}
async function login(token) {
  const response = await fetch('/login', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token }) });
  if (!response.ok) return showLogin('That is not the token of this server.');
  $('token').value = '';
  connect();
}
$('login').addEventListener('submit', (event) => { event.preventDefault(); login($('token').value); });
const given = /^#token=(.+)$/.exec(location.hash);
if (given) {
  history.replaceState(null, '', location.pathname);
  login(decodeURIComponent(given[1]));
} else {
  get('server.status').then(connect, () => {});
}
setInterval(() => { if (!$('page').hidden) draw(); }, 5000);
setInterval(() => { if (!$('page').hidden) refresh(); }, 20000);
`;
