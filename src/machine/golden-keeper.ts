import { snapshotScript } from './golden-snapshots.ts';

/**
 * The keeper: one POSIX sh script that holds a machine still while it is captured. It runs there as root, needs what every Linux has, and
 * undoes all that it did: at the end, when its standard input ends (the capture was killed), when no `beat` comes any more (the network is
 * gone), when it is killed itself (its watch, a process of its own), and after a crash (the next capture).
 *
 * All state lies in one directory, `/run/imprint/capture-ID`. What must be undone is written to `undo` before it is done. Snapshots are
 * mounted in a mount namespace of the keeper's own, which nobody else sees and which goes with it.
 *
 * Modes: `start DIR PATIENCE SCRIPTS STEP…` · `inner …` (in the namespace) · `watch DIR PATIENCE` · `clean DIR`. A step is seven words:
 * method, mount point, source, file system's directory that is mounted, type, place in the view, size.
 * It reads lines `beat` and `release`, and writes lines that begin with `keeperMarker`.
 */
export const keeperMarker = '@@imprint-keeper';

/** The first command: `sh -c keeperStart sh DIR SCRIPT PATIENCE SCRIPTS STEP…`. SCRIPTS is the directory of scripts, or empty. */
export const keeperStart =
  'umask 077; d=$1; s=$2; shift 2; mkdir -p "$d" && echo $$ > "$d/outer" && printf %s "$s" > "$d/keeper" && exec sh "$d/keeper" start "$d" "$@"';

export const keeperDirectory = '/run/imprint';

export const keeperScript = `
LC_ALL=C; export LC_ALL
LVM_SUPPRESS_FD_WARNINGS=1; export LVM_SUPPRESS_FD_WARNINGS
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"; export PATH
umask 077
mode=$1; dir=$2; shift 2
id=\${dir##*/capture-}
tab=$(printf '\\t')

say() { printf '\\n${keeperMarker} %s\\n' "$(printf %s "$*" | tr '\\n' ' ')"; }
now() { read -r up rest < /proc/uptime; echo "\${up%.*}"; }
undo() { printf '%s\\n' "$1" >> "$dir/undo"; }
runs() { [ -n "$1" ] && { tr '\\0' ' ' < "/proc/$1/cmdline"; } 2>/dev/null | grep -qF "$2"; }
content() { cat "$dir/$1" 2>/dev/null; }

# stale DIR PATIENCE: nobody is at work there any more
stale() {
  runs "$(cat "$1/outer" 2>/dev/null)" "$1" || return 0
  beat=$(cat "$1/beat" 2>/dev/null)
  [ -n "$beat" ] && [ $(($(now) - beat)) -gt "$2" ]
}

run_scripts() {
  result=0
  for file in "$scripts/$1-capture.d"/*; do
    name=\${file##*/}
    case $name in *[!A-Za-z0-9_.-]*|*.dpkg-*|*.bak|*.rpmsave|*.rpmnew) continue;; esac
    [ -f "$file" ] && [ -x "$file" ] || continue
    limit=; command -v timeout >/dev/null 2>&1 && limit='timeout 900'
    IMPRINT_CAPTURE=$id IMPRINT_STAGE=$1 $limit "$file" > "$dir/output" 2>&1 < /dev/null 3<&-
    status=$?
    tail -n 20 "$dir/output" | while read -r line; do say "output $name: $line"; done
    say "script $1 $status $name"
    [ "$status" = 0 ] || { result=1; [ "$1" = post ] || break; }
  done
  return $result
}

post_scripts() {
  [ -n "$scripts" ] && [ -e "$dir/pre-begun" ] || return 0
  # Once only, whoever comes first.
  mkdir "$dir/post-begun" 2>/dev/null || return 0
  run_scripts post
}
${snapshotScript}
# Undoes everything; what fails is tried again by the watch.
clean() {
  [ -d "$dir" ] || return 0
  while ! (set -C; echo $$ > "$dir/cleaner") 2>/dev/null; do
    runs "$(content cleaner)" "$dir" && return 0
    rm -f "$dir/cleaner"
    [ -d "$dir" ] || return 0
  done
  for pid in $(content inner) $(content listener); do runs "$pid" "$dir" && kill -9 "$pid" 2>/dev/null; done
  # Any process in the namespace, or in the view, would keep the snapshots in use.
  space=$(content namespace)
  if [ -n "$space" ] && [ "$space" != "$(readlink /proc/self/ns/mnt)" ]; then
    for process in /proc/[0-9]*; do
      [ "$(readlink "$process/ns/mnt" 2>/dev/null)" != "$space" ] || kill -9 "\${process#/proc/}" 2>/dev/null
    done
  fi
  for pid in $(content readers); do
    case $(cat "/proc/$pid/comm" 2>/dev/null) in find|tar|sh) case $(readlink "/proc/$pid/cwd") in *"$dir/view"*) kill -9 "$pid" 2>/dev/null;; esac;; esac
  done
  scripts=$(content scripts)
  post_scripts
  if [ -s "$dir/undo" ]; then
    sed '1!G;h;$!d' "$dir/undo" > "$dir/undoing"
    : > "$dir/undone"
    while IFS= read -r line; do undo_one "$line" < /dev/null || printf '%s\\n' "$line" >> "$dir/undone"; done < "$dir/undoing"
    sed '1!G;h;$!d' "$dir/undone" > "$dir/undo"
  fi
  if [ -s "$dir/undo" ]; then
    say "left $(tr '\\t\\n' '  ' < "$dir/undo")"
    rm -f "$dir/cleaner"
    return 1
  fi
  # Nothing is removed by descending: were anything still mounted below, its content would go.
  rm -f "$dir"/* 2>/dev/null
  rmdir "$dir"/* "$dir" 2>/dev/null
  return 0
}

sweep() {
  for other in "${keeperDirectory}"/capture-*; do
    [ "$other" != "$dir" ] && [ -f "$other/keeper" ] && stale "$other" "$(cat "$other/patience" 2>/dev/null || echo 120)" || continue
    say "log cleaning up what a capture left that was cut short (\${other##*/capture-})"
    sh "$other/keeper" clean "$other" > /dev/null 2>&1
  done
}

case $mode in
start)
  patience=$1; scripts=$2; shift 2
  trap : HUP PIPE TERM INT
  exec 3<&0 < /dev/null
  now > "$dir/beat"; echo "$patience" > "$dir/patience"; echo "$scripts" > "$dir/scripts"
  mkfifo "$dir/gate" "$dir/up" || { say "unable its /run/imprint cannot be written"; exit 1; }
  setsid sh "$dir/keeper" watch "$dir" "$patience" > /dev/null 2>&1 < /dev/null 3<&- &
  (
    while read -r word; do
      case $word in
        beat) now > "$dir/beat.new" && mv "$dir/beat.new" "$dir/beat";;
        release) break;;
      esac
    done <&3
    : > "$dir/released"
    echo > "$dir/gate"
  ) > /dev/null 2>&1 &
  reader=$!; echo $reader > "$dir/listener"
  sweep
  ok=yes
  if [ -n "$scripts" ]; then : > "$dir/pre-begun"; run_scripts pre || { ok=; say 'failed'; }; fi
  if [ "$ok" ] && [ ! -e "$dir/released" ]; then
    if [ $# -eq 0 ]; then
      say ready
      read -r word < "$dir/gate"
    else
      ( exec unshare -m --propagation private sh "$dir/keeper" inner "$dir" "$@" 6> "$dir/up" ) 3<&- &
      inner=$!
      # Opening waits for the other side, which may never come: then it is opened here, both ways, which waits for nobody. Where the first
      # process reaps no orphans (containers), a dead one still counts as there: the directory tells, too.
      ( sleep 1; while [ -d "$dir" ] && kill -0 $inner 2>/dev/null; do sleep 1; done
        while [ -p "$dir/up" ]; do : <> "$dir/up"; sleep 1; done ) > /dev/null 2>&1 3<&- &
      opener=$!
      read -r word < "$dir/up"
      case $word in
        still) say ready; post_scripts;;
        mixed) say ready;;
        *) say 'unable its own mount namespace could not be made';;
      esac
      wait $inner
      kill $opener 2>/dev/null
    fi
  fi
  kill $reader 2>/dev/null
  tries=0
  until clean; do
    tries=$((tries + 1)); [ $tries -lt 10 ] || break
    sleep 1
  done
  say done
  ;;
inner)
  trap : HUP PIPE TERM INT
  echo $$ > "$dir/inner"; readlink /proc/$$/ns/mnt > "$dir/namespace"
  hold_still "$@"
  ;;
watch)
  patience=$1
  pause=$((patience / 4)); [ $pause -gt 5 ] && pause=5; [ $pause -lt 1 ] && pause=1
  tries=0
  while sleep $pause; do
    [ -d "$dir" ] || exit 0
    # Whoever is at work on the end of it gets time for that.
    if [ -e "$dir/released" ]; then stale "$dir" $((patience * 5)) || continue; else stale "$dir" "$patience" || continue; fi
    kill -9 $(content outer) 2>/dev/null
    clean > /dev/null 2>&1 && exit 0
    tries=$((tries + 1)); [ $tries -lt 720 ] || exit 1
  done
  ;;
clean)
  clean
  ;;
esac
`;
