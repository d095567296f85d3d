/** Times and spans for people. */

/** A span: `0.4 s`, `12 s`, `3:07`, `1:02:09`. Milliseconds in. */
export function formatSpan(milliseconds: number): string {
  if (milliseconds < 9950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** A moment as people say it: `just now`, `5 minutes ago`, `yesterday`, `3 weeks ago`, and past a year the date. */
export function formatAgo(time: number, now: number): string {
  const seconds = Math.round((now - time) / 1000);
  if (seconds < -60) return formatDate(time);
  if (seconds < 10) return 'just now';
  if (seconds < 60) return `${seconds} seconds ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return count(minutes, 'minute');
  const hours = Math.round(minutes / 60);
  if (hours < 24) return count(hours, 'hour');
  const days = Math.round(hours / 24);
  if (days < 14) return days === 1 ? 'yesterday' : count(days, 'day');
  if (days < 60) return count(Math.round(days / 7), 'week');
  if (days < 365) return count(Math.round(days / 30.4), 'month');
  return formatDate(time);
}

/** Local date and time, `2026-11-21 14:05`. */
export function formatDate(time: number): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

function count(value: number, unit: string): string {
  return `${value} ${unit}${value === 1 ? '' : 's'} ago`;
}
