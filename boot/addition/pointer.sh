# The boot partition as a shell reads and writes it (docs/boot.md). Needs what every system has: mount, dd, sed, sha256sum, sync.

# Mounts the boot partition where nobody else looks; `boot` is the directory. Waits for whoever has it open; 1: that was in vain.
open_boot() {
  boot=${IMPRINT_RUN:-/run}/imprint/agentless
  boot_device=/dev/disk/by-uuid/$word_boot
  [ -e "$boot_device" ] || boot_device=$(blkid -U "$word_boot") || return 1
  mkdir -p "$boot"
  lock_boot || return 1
  # Left by one that was killed.
  mountpoint -q "$boot" && umount "$boot"
  mount -t ext4 -o "$1,noatime,nosuid,nodev,noexec" "$boot_device" "$boot" && boot_open=yes && return 0
  unlock_boot
  return 1
}

# All that was written, in its place: GRUB replays no journal.
close_boot() {
  sync
  fsfreeze --freeze "$boot" 2>/dev/null && fsfreeze --unfreeze "$boot"
  umount "$boot"
  boot_open=
  unlock_boot
}

# The lock that the agent and the command line take, too (src/system/boot-mount.ts): on descriptor 9, by the kernel, which lets go of it however this
# ends. Only -n, for busybox's flock knows no time limit.
lock_boot() {
  command -v flock >/dev/null || { say 'there is no flock: nothing else may change the boot partition now' && return 0; }
  lock_file=${IMPRINT_RUN:-/run}/imprint/boot.lock
  touch "$lock_file" || return 1
  exec 9>>"$lock_file"
  lock_waited=0
  while ! flock -n 9; do
    [ "$lock_waited" -lt "${IMPRINT_PATIENCE:-60}" ] || { unlock_boot && return 1; }
    sleep 1
    lock_waited=$((lock_waited + 1))
  done
}
unlock_boot() { exec 9>&-; }

# read_block FILE NAME...: sets block_NAME from a block in GRUB's form.
read_block() {
  block_file=$1
  shift
  for block_name; do eval "block_$block_name="; done
  while IFS='=' read -r block_key block_value; do
    for block_name; do
      case $block_value in *[!a-z0-9,-]*) continue ;; esac
      [ "$block_key" = "$block_name" ] && eval "block_$block_name=\$block_value"
    done
  done <"$block_file"
}

# The record that counts: pointer_seq, pointer_good, pointer_previous, pointer_trial, pointer_tries; pointer_file is its copy. pointer_goods: the good
# ones of both copies, which are never taken away. 1: there is none.
read_pointer() {
  pointer_seq=0 pointer_file= pointer_goods=
  for pointer_copy in a b; do
    [ -r "$boot/imprint/$pointer_copy.env" ] || continue
    read_block "$boot/imprint/$pointer_copy.env" seq good previous trial tries sum end
    [ "$block_sum" = "$(block_text "$block_seq" "$block_good" "$block_previous" "$block_trial" "$block_tries" | checksum)" ] || continue
    [ "$block_end" = "$block_seq,$block_good,$block_previous,$block_trial,$block_tries,$block_sum" ] || continue
    pointer_goods="$pointer_goods $block_good"
    [ "$block_seq" -gt "$pointer_seq" ] || continue
    pointer_file=$pointer_copy pointer_seq=$block_seq pointer_good=$block_good
    pointer_previous=$block_previous pointer_trial=$block_trial pointer_tries=$block_tries
  done
  [ -n "$pointer_file" ]
}

# What GRUB counted: tries_seq, tries_left, tries_revert, tries_new_left.
read_tries() {
  read_block "$boot/imprint/tries.env" form seq left revert new_left 2>/dev/null
  tries_seq=$block_seq tries_left=$block_left tries_revert=$block_revert tries_new_left=$block_new_left
}

# What GRUB counted for a hand-dropped image that is there no longer.
forget_dropped_tries() {
  read_tries
  [ -n "$tries_new_left" ] || return 0
  printf '# GRUB Environment Block\nform=1\nseq=%s\nleft=%s\nrevert=%s\nnew_left=\n' "$tries_seq" "${tries_left:-0}" "$tries_revert" >"$boot.new"
  write_block "$boot/imprint/tries.env"
  tries_new_left=
}

# write_block FILE: what $boot.new holds, filled up, over a block, in place and in one piece.
write_block() {
  { cat "$boot.new"; printf '%01024d' 0 | tr 0 '#'; } | dd bs=1024 count=1 iflag=fullblock 2>/dev/null >"$boot.block"
  dd if="$boot.block" of="$1" bs=1024 count=1 conv=notrunc,fsync 2>/dev/null || return 1
  rm -f "$boot.new" "$boot.block"
}

# write_pointer GOOD PREVIOUS: the next record, without a trial, over the copy that does not count, in place and in one piece.
write_pointer() {
  read_tries
  next=$pointer_seq
  for used in "$tries_seq" "$tries_revert"; do [ "${used:-0}" -gt "$next" ] && next=$used; done
  next=$((next + 1))
  pointer_other=a
  [ "$pointer_file" = a ] && pointer_other=b
  {
    block_text "$next" "$1" "$2" '' 0
    next_sum=$(block_text "$next" "$1" "$2" '' 0 | checksum)
    printf 'sum=%s\nend=%s\n' "$next_sum" "$next,$1,$2,,0,$next_sum"
  } >"$boot.new"
  write_block "$boot/imprint/$pointer_other.env" || return 1
  pointer_goods="$pointer_good $1"
  pointer_file=$pointer_other pointer_seq=$next pointer_good=$1 pointer_previous=$2 pointer_trial=
}

block_text() {
  printf '# GRUB Environment Block\nseq=%s\ngood=%s\nprevious=%s\ntrial=%s\ntries=%s\n' "$1" "$2" "$3" "$4" "$5"
}

checksum() {
  sha256sum | {
    read -r checksum_whole _
    echo "${checksum_whole%????????????????????????????????????????????????}"
  }
}

# write_failure REASON: notes in place why a trial ends. ASCII without quotes, so that it needs no escaping.
write_failure() {
  [ -e "$boot/imprint/failure.json" ] || return 0
  failure_reason=$(printf '%.400s' "$1" | LC_ALL=C tr -c 'A-Za-z0-9 .,:;()@/_=+-' '?')
  printf '%-4095s\n' "{\"sequence\":${word_seq:-0},\"entry\":\"$word_slot\",\"reason\":\"$failure_reason\",\"time\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"}" |
    dd of="$boot/imprint/failure.json" bs=4096 count=1 iflag=fullblock conv=notrunc,fsync 2>/dev/null
}
