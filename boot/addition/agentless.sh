# What an image without an agent does about its boot (docs/boot-addition.md). POSIX sh, by the programs of the system that runs.
#
#   agentless.sh run         proves the trial that runs, or gives it up; ends a revert; says what is what on the host partition
#   agentless.sh adopt       the same, without the proof: an agent has made it
#   agentless.sh over        the time of the trial is over: nothing where it was committed, else the machine restarts
#   agentless.sh checkpoint  everything on the host partition in its place, where GRUB reads it

run=${IMPRINT_RUN:-/run}/imprint
host=${IMPRINT_HOST:-/hostpart}
root=$IMPRINT_ROOT
export PATH=${IMPRINT_PATH:-/usr/sbin:/usr/bin:/sbin:/bin} LC_ALL=C
. "${0%/*}/words.sh"
. "${0%/*}/pointer.sh"

main() {
  # A dropped image that was committed since is an entry like any other.
  [ -r "$run/boot-words" ] && IMPRINT_CMDLINE=$run/boot-words
  imprint_words
  case $1 in
    run)
      case $word_kind in trial | new) prove || fail "$problem" ;; esac
      look
      ;;
    adopt) look ;;
    over) over ;;
    checkpoint) checkpoint ;;
  esac
}

# How this boot stands to the pointer (src/machine/trial.ts does the same for the agent), and what follows.
look() {
  open_boot rw || give_up 'The boot partition cannot be mounted, or another process keeps it'
  read_pointer || give_up 'The boot pointer cannot be read'
  read_tries
  case $word_kind in
    trial)
      if [ "$word_slot" = "$pointer_trial" ]; then
        # Where another system starts by itself, that stays so.
        if [ -e "$boot/slots/$pointer_good/entry.json" ] && [ "$(system_of "$word_slot")" != "$(system_of "$pointer_good")" ]; then
          write_pointer "$pointer_good" "$pointer_previous" || give_up 'The trial could not be committed'
        else
          write_pointer "$word_slot" "$pointer_good" || give_up 'The trial could not be committed'
        fi
        say "$word_slot is committed"
      fi
      ;;
    new) adopt ;;
    revert) go_back ;;
    good)
      # GRUB went past the trial: it has no try left.
      if [ -n "$pointer_trial" ] && [ "$tries_seq" = "$pointer_seq" ] && [ "$tries_left" = 0 ]; then
        say "$pointer_trial was given up"
        [ -z "$word_host" ] || show_broken "$(image_of "$pointer_trial")"
        write_pointer "$pointer_good" "$pointer_previous"
      fi
      if [ -n "$word_host" ] && [ "$tries_new_left" = 0 ] && [ -f "$host/hn-root-new.img" ] && [ ! -h "$host/hn-root-new.img" ]; then
        say 'hn-root-new.img was given up and is hn-root-broken.img now'
        mv -f "$host/hn-root-new.img" "$host/hn-root-broken.img"
        checkpoint
      fi
      # It asks for the next boot only: nothing to go back to now must not become something later.
      if [ -n "$word_host" ] && [ -z "$pointer_previous" ] && [ -e "$host/system-revert" ]; then
        say 'system-revert is removed: there is nothing to go back to'
        rm -rf "$host/system-revert"
        checkpoint
      fi
      # The next one that is dropped has its own tries, also where GRUB never sees that none is there.
      [ -z "$word_host" ] || [ -e "$host/hn-root-new.img" ] || forget_dropped_tries
      ;;
  esac
  [ -z "$word_host" ] || show_images
  close_boot
  : >"$run/committed"
  systemctl stop imprint-trial.timer 2>/dev/null
  [ -z "$word_host" ] || checkpoint
  # An agent, where there is one, learns anew what runs.
  [ "$word_kind" != new ] || systemctl try-restart --no-block imprint-agent.service 2>/dev/null
  return 0
}

# True where the system is up and every program of health.d is content; else `problem` says what is not.
prove() {
  waited=0
  while :; do
    state=$(systemctl is-system-running 2>/dev/null)
    case $state in initializing | starting | '') ;; *) break ;; esac
    sleep 2
    waited=$((waited + 2))
    [ "$waited" -lt "$word_limit" ] || break
  done
  case $state in
    running) ;;
    degraded)
      if [ "$word_degraded" != accept ]; then
        problem="failed units: $(systemctl list-units --failed --no-legend --plain | sed 's/ .*//' | tr '\n' ' ')"
        return 1
      fi
      ;;
    *)
      problem="the system did not come up: $state"
      return 1
      ;;
  esac
  for check in "$root"/etc/imprint/health.d/*; do
    if [ -f "$check" ] && [ -x "$check" ]; then
      if ! timeout 60 "$check" >/dev/null 2>&1 </dev/null; then
        problem="$check failed"
        return 1
      fi
    fi
  done
}

# The trial is not healthy: writes down why, and restarts. GRUB counts.
fail() {
  say "this version is not healthy: $1"
  if open_boot rw; then
    write_failure "$1"
    close_boot
  fi
  [ -z "$word_host" ] || checkpoint
  systemctl reboot
  sleep 120
  systemctl reboot --force
  sleep 60
  exit 1
}

give_up() {
  say "$1"
  if [ -n "$boot_open" ]; then
    [ -z "$word_try" ] || write_failure "$1"
    close_boot
  fi
  exit 1
}

over() {
  [ -e "$run/committed" ] && return 0
  if open_boot ro; then
    read_pointer && [ "$pointer_good" = "$word_slot" ] && : >"$run/committed"
    umount "$boot"
    boot_open=
    unlock_boot
  fi
  [ -e "$run/committed" ] && return 0
  fail "not proven within $word_limit seconds"
}

# Somebody made system-revert, and GRUB booted what was good before. The file goes first: power may be cut between the two, and then
# GRUB's own note has it boot the same entry again.
go_back() {
  if [ -e "$host/system-revert" ]; then
    rm -rf "$host/system-revert"
    checkpoint
  fi
  case $word_slot in
    "$pointer_previous") write_pointer "$pointer_previous" "$pointer_good" ;;
    "$pointer_good") [ -z "$pointer_trial" ] || write_pointer "$pointer_good" "$pointer_previous" ;;
  esac
  say "$word_slot is the good version again"
}

# The hand-dropped image is healthy: it gets a name that never changes, an entry made of the good one's, and the pointer. Each step may be
# cut: the file that was dropped goes last, and one that has its name already is known by its inode.
adopt() {
  dropped=$host/hn-root-new.img
  [ -f "$dropped" ] || give_up 'hn-root-new.img has gone'
  image=
  for each in "$host"/images/*.img; do [ "$each" -ef "$dropped" ] && image=images/${each##*/}; done
  if [ -z "$image" ]; then
    hex=$({ cat /proc/sys/kernel/random/uuid; ls -i "$dropped"; } | sha256sum | sed 's/ .*//')
    image=images/$hex.img
    ln "$dropped" "$host/$image" || give_up "hn-root-new.img could not be linked to $image"
    sync
  fi
  hex=${image#images/} hex=${hex%.img}
  id=file-$(printf %.12s "$hex")
  if [ "$id" != "$pointer_good" ]; then
    write_entry || give_up 'The entry of the dropped image could not be written; is the boot partition full?'
    write_pointer "$id" "$pointer_good" || give_up 'The dropped image could not be committed'
  fi
  word_slot=$id
  sed -e 's/ imprint\.try=[0-9]*//' -e "s/imprint\.slot=[^ ]*/imprint.slot=$id/" -e 's/imprint\.kind=new/imprint.kind=good/' \
    -e "s/imprint\.seq=[0-9]*/imprint.seq=$pointer_seq/" "${IMPRINT_CMDLINE:-/proc/cmdline}" >"$run/boot-words"
  rm -f "$dropped"
  tidy
  checkpoint
  forget_dropped_tries
  say "hn-root-new.img is committed as $id"
}

# /slots/ID of the boot partition, entry.cfg last: without it, it is none.
write_entry() {
  from=$boot/slots/$pointer_good
  to=$boot/slots/$id
  kernel=$(uname -r)
  title="Hand-dropped image of $(date -u '+%Y-%m-%d %H:%M')"
  rm -rf "$to"
  tidy
  mkdir -p "$to" && cp "$root/boot/vmlinuz-$kernel" "$to/vmlinuz" || return 1
  for each in "boot/initrd.img-$kernel" "boot/initramfs-$kernel.img" "boot/initrd-$kernel" boot/initrd.img initrd.img; do
    [ -f "$root/$each" ] && break
  done
  cp "$root/$each" "$to/initrd" && cp "$from/addition.cpio" "$to/addition.cpio" || { rm -rf "$to"; return 1; }
  sed -e "s,\"id\": \".*\",\"id\": \"$id\"," -e "s,\"reference\": \".*\",\"reference\": \"hand-dropped\"," \
    -e "s,\"digest\": \".*\",\"digest\": \"sha256:$hex\"," -e "s,\"title\": \".*\",\"title\": \"$title\"," \
    -e "s,\"kernelVersion\": \".*\",\"kernelVersion\": \"$kernel\"," \
    -e "s,\"imprint\.image=[^\"]*\",\"imprint.image=$image\"," \
    -e "s,\"vmlinuz\": \".*\",\"vmlinuz\": \"$(hash_of vmlinuz)\"," -e "s,\"initrd\": \".*\",\"initrd\": \"$(hash_of initrd)\"," \
    -e "s,\"created\": \".*\",\"created\": \"$(date -u +%Y-%m-%dT%H:%M:%S.000Z)\"," "$from/entry.json" >"$to/entry.json" || return 1
  sed -e "1s,.*,# hand-dropped sha256:$hex," -e "2s,.*,set imprint_title='$title'," -e "s,$pointer_good,$id,g" \
    -e "s,imprint\.image=images/[0-9a-f]*\.img,imprint.image=$image,g" "$from/entry.cfg" >"$boot/entry.new" || return 1
  sync
  mv "$boot/entry.new" "$to/entry.cfg" && sync
}

hash_of() { sha256sum "$to/$1" | sed 's/ .*//'; }

# What the pointer no longer names makes room: entries of image files, each with its image.
tidy() {
  for each in "$boot"/slots/*; do
    case ${each##*/} in
      "$pointer_good" | "$pointer_previous" | "$pointer_trial") ;;
      *)
        # Should the present record be damaged, the other one counts.
        case " $pointer_goods " in *" ${each##*/} "*) continue ;; esac
        if [ -e "$each/entry.cfg" ]; then unneeded "$each"; fi ;;
    esac
  done
}
unneeded() {
  old_image=$(image_of "${1##*/}")
  [ -n "$old_image" ] || return 0
  rm -f "$1/entry.cfg"
  rm -rf "$1"
  # Another kernel of the same root has an entry of its own.
  for other in "$boot"/slots/*; do
    [ "$(image_of "${other##*/}")" != "$old_image" ] || return 0
  done
  rm -f "$host/$old_image"
}

# The image file that an entry boots, as in its menu line.
system_of() { sed -n 's/^ *"system": "\([^"]*\)".*/\1/p' "$boot/slots/$1/entry.json" 2>/dev/null | sed 1q; }
image_of() { sed -n "s/.*imprint\.image=\(images\/[0-9a-f]*\.img\).*/\1/p" "$boot/slots/$1/entry.cfg" 2>/dev/null | sed 1q; }

# The names that people know: links to what the pointer names.
show_images() {
  show hn-root.img "$(image_of "$pointer_good")"
  show hn-root-old.img "$(image_of "$pointer_previous")"
}
show_broken() { show hn-root-broken.img "$1"; }
show() {
  [ -n "$2" ] || return 0
  # Somebody's own file under that name is kept; but not one that was given up before.
  if [ "$1" != hn-root-broken.img ] && [ -e "$host/$1" ] && [ ! -h "$host/$1" ]; then
    aside=$host/$1.aside
    while [ -e "$aside" ] || [ -h "$aside" ]; do aside=$aside~; done
    mv "$host/$1" "$aside"
  fi
  ln -sfn "$2" "$host/$1.imprint-new" && mv -fT "$host/$1.imprint-new" "$host/$1"
}

# Frozen for a moment, a file system has everything in its place. The root may lie on it: should nothing more be started meanwhile, another
# process thaws it, which needs no program and no file for that.
checkpoint() {
  sync
  mountpoint -q "$host" || return 0
  { sleep 5 && echo j >"${IMPRINT_SYSRQ:-/proc/sysrq-trigger}"; } </dev/null >/dev/null 2>&1 9>&- &
  fsfreeze --freeze "$host" && fsfreeze --unfreeze "$host" && kill $! 2>/dev/null
  return 0
}

say() { echo "imprint: $1"; }

main "$@"
