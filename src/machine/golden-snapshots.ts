/**
 * The part of the keeper (`golden-keeper.ts`) that makes snapshots, puts them together to a view of the whole tree, and removes them. It
 * says `live N REASON` of a file system that could not be snapshotted, `device VIEW REAL` for each file system's number in the view and in
 * truth, `view PATH`, `full N` of a snapshot that was too small, `checked` when all were looked at for that, and `unable REASON` where there is no view.
 */
export const snapshotScript = `
# each FUNCTION STEP…: calls it for every step, with its words as variables
each() {
  what=$1; shift; n=0
  while [ $# -ge 7 ]; do
    method=$1 point=$2 source=$3 inside=$4 type=$5 place=$6 size=$7; shift 7
    $what
    n=$((n + 1))
  done
}

# Mounting a top level in the host's namespace would show it to everybody: only in one of its own.
with_top() { unshare -m --propagation private sh -c 'mount -t btrfs -o subvolid=5,noatime "$1" "$2" || exit 1; shift 2; "$@"' sh "$@"; }

take_btrfs() {
  top=$dir/top-$n; name=.imprint-capture-$id-$n
  mkdir -p "$top"
  mount -t btrfs -o subvolid=5,noatime "$source" "$top" || return 1
  for old in "$top"/.imprint-capture-*; do
    [ -e "$old" ] || continue
    other=\${old##*/.imprint-capture-}; other=\${other%%-*}
    [ -d "\${dir%/*}/capture-$other" ] || btrfs subvolume delete "$old" > /dev/null
  done
  # Making and removing snapshots changes the time of the directory that they are in: it is put back.
  stamp=$(stat -c %y "$top")
  undo "btrfs$tab$source$tab$name$tab$stamp"
  btrfs subvolume snapshot -r "$top$inside" "$top/$name" > /dev/null || return 1
  below=\${inside#/}
  btrfs subvolume list "$top" | sed 's/^ID [0-9]* gen [0-9]* top level [0-9]* path //' | grep -v '^\\.imprint-capture-' | sort > "$dir/subvolumes-$n"
  k=0
  while IFS= read -r path; do
    case $path in
      "\${below:+$below/}"*)
        k=$((k + 1))
        btrfs subvolume snapshot -r "$top/$path" "$top/$name.$k" > /dev/null || return 1
        printf '%s\\t%s\\n' "$k" "\${path#"\${below:+$below/}"}" >> "$dir/nested-$n"
        ;;
    esac
  done < "$dir/subvolumes-$n"
  touch -d "$stamp" "$top"
}

undo_btrfs() { # SOURCE NAME STAMP
  [ -b "$1" ] || return 0
  mkdir -p "$dir/undo-top"
  with_top "$1" "$dir/undo-top" sh -c 'cd "$1" || exit 1
    failed=0
    for each in "$2" "$2".*; do [ -d "$each" ] || continue; btrfs subvolume delete "$each" > /dev/null || failed=1; done
    touch -d "$3" .; exit $failed' sh "$dir/undo-top" "$2" "$3"
}

take_lvm() {
  group=\${source%%/*}; name=imprint_capture_\${id}_$n
  lvs --noheadings -o vg_name,lv_name @imprint_capture 2>/dev/null | while read -r old_group old; do
    other=\${old#imprint_capture_}; other=\${other%%_*}
    [ -d "\${dir%/*}/capture-$other" ] || lvremove -f -y "$old_group/$old" > /dev/null < /dev/null
  done
  undo "lvm$tab$group/$name"
  if [ "$method" = lvm ]; then lvcreate -y -s --addtag imprint_capture -L "\${size}b" -n "$name" "$source" > /dev/null || return 1
  else lvcreate -y -s --addtag imprint_capture -kn -ay -n "$name" "$source" > /dev/null || return 1; fi
}

mount_lvm() {
  options=ro,noatime; [ "$type" = xfs ] && options=ro,noatime,nouuid
  mkdir -p "$dir/fs-$n"
  path=$(lvs --noheadings -o lv_path "\${source%%/*}/imprint_capture_\${id}_$n") || return 1
  mount -t "$type" -o $options $path "$dir/fs-$n"
}

undo_lvm() { # GROUP/NAME
  lvs "$1" > /dev/null 2>&1 || return 0
  lvremove -f -y "$1" > /dev/null 2>&1
}

# The file system is frozen for the moment that a copy takes which shares all blocks; something of its own thaws it if we cannot.
take_frozen() {
  copy=\${source%/*}/.imprint-capture-$id-$n
  for old in "\${source%/*}"/.imprint-capture-*; do
    [ -f "$old" ] || continue
    other=\${old##*/.imprint-capture-}; other=\${other%%-*}
    [ -d "\${dir%/*}/capture-$other" ] || rm -f "$old"
  done
  stamp=$(stat -c %y "\${source%/*}")
  undo "file$tab$copy$tab$stamp"
  undo "thaw$tab$point$tab$n"
  # All that is needed then is in memory before.
  cp --version > /dev/null; fsfreeze --version > /dev/null; sync -f "$point" 2>/dev/null
  setsid sh -c 'sleep 10; [ -e "$2" ] || fsfreeze -u "$1"' sh "$point" "$dir/thawed-$n" > /dev/null 2>&1 < /dev/null 6>&- &
  fsfreeze -f "$point" || return 1
  cp --reflink=always --sparse=auto "$source" "$copy" 2> "$dir/copying-$n"
  status=$?
  fsfreeze -u "$point"
  : > "$dir/thawed-$n"
  touch -d "$stamp" "\${source%/*}"
  [ $status = 0 ] || cat "$dir/copying-$n"
  return $status
}

mount_frozen() {
  copy=\${source%/*}/.imprint-capture-$id-$n
  options=ro,noatime; [ "$type" = xfs ] && options=ro,noatime,nouuid
  mkdir -p "$dir/fs-$n"
  for try in 1 2 3 4 5; do
    loop=$(losetup -f) || return 1
    # udev must not look at it: it would take the copy for the file system itself, by their common UUID.
    lock=$((n % 3 + 7))
    eval "exec $lock< "$loop""; flock -x $lock 2>/dev/null
    undo "loop$tab$loop$tab$copy"
    losetup "$loop" "$copy" 2> "$dir/attaching" && break
    eval "exec $lock<&-"
    loop=
  done
  [ "$loop" ] || { cat "$dir/attaching"; return 1; }
  mount -t "$type" -o $options "$loop" "$dir/fs-$n"
}

undo_one() {
  IFS=$tab read -r kind one two three <<END
$1
END
  case $kind in
    btrfs) undo_btrfs "$one" "$two" "$three";;
    lvm) undo_lvm "$one";;
    thaw) [ -e "$dir/thawed-$two" ] || fsfreeze -u "$one" 2>/dev/null; return 0;;
    file) rm -f "$one"; touch -d "$two" "\${one%/*}" 2>/dev/null; return 0;;
    # The kernel shows the file's path as far as it can be seen from here: its name tells enough.
    loop)
      case $(losetup -n -O BACK-FILE "$one" 2>/dev/null) in
        *"/\${two##*/}"|*"/\${two##*/} (deleted)") losetup -d "$one";;
      esac
      ;;
    *) return 0;;
  esac
}

take() {
  case $method in
    btrfs) problem=$(take_btrfs 2>&1);;
    lvm|lvm-thin) problem=$(take_lvm 2>&1);;
    frozen-copy) problem=$(take_frozen 2>&1);;
    *) return;;
  esac && echo "$method" > "$dir/how-$n" || say "live $n $problem"
}

attach() {
  case $(content how-$n) in
    lvm|lvm-thin) problem=$(mount_lvm 2>&1);;
    frozen-copy) mount_frozen > "$dir/mounting" 2>&1; result=$?; problem=$(content mounting); [ $result = 0 ];;
    *) return;;
  esac || { rm -f "$dir/how-$n"; say "live $n $problem"; }
}

put() { # DIRECTORY PLACE REAL
  mount --bind "$1" "$view$2" && mount -o remount,bind,ro,noatime "$view$2" || { whole=; problem="$1 has no place in the view"; return 1; }
  say "device $(stat -c %d "$view$2") $(stat -c %d "$3")"
}

build() {
  [ "$whole" ] || return
  below=\${inside%/}; at=\${place:+/$place}
  case $(content how-$n) in
    btrfs)
      top=$dir/top-$n; name=.imprint-capture-$id-$n
      put "$top/$name" "$at" "$point" || return
      if [ -f "$dir/nested-$n" ]; then
        while IFS=$tab read -r k path; do
          put "$top/$name.$k" "$at/$path" "$point/$path" || return
        done < "$dir/nested-$n"
      fi
      ;;
    lvm|lvm-thin|frozen-copy) put "$dir/fs-$n$below" "$at" "$point";;
    *) put "$point" "$at" "$point"; [ "$method" = still ] || still=mixed;;
  esac
}

# A snapshot that is getting full is given more room; one that was full is told.
watch_room() {
  [ "$(content how-$n)" = lvm ] || return
  volume=\${source%%/*}/imprint_capture_\${id}_$n
  used=$(lvs --noheadings -o data_percent "$volume" 2>/dev/null | tr -d ' ')
  [ "\${used%.*}" -ge 60 ] 2>/dev/null && lvextend -l +50%LV "$volume" > /dev/null 2>&1
}

tell_full() {
  [ "$(content how-$n)" = lvm ] || return
  case $(lvs --noheadings -o lv_attr "\${source%%/*}/imprint_capture_\${id}_$n" 2>/dev/null | tr -d ' ') in
    ????I*|????S*) say "full $n";;
  esac
}

hold_still() {
  say "clock $(date +%s.%N)"
  each take "$@"
  each attach "$@"
  view=$dir/view; whole=yes; still=still; problem=
  mkdir -p "$view"
  each build "$@"
  if [ -z "$whole" ]; then say "unable $problem"; exit 1; fi
  if ! cat "$dir"/how-* > /dev/null 2>&1; then say 'unable no snapshot could be made'; exit 1; fi
  say "view /proc/$$/root$view"
  echo $still >&6
  exec 6>&-
  ( while sleep 5; do each watch_room "$@"; done ) > /dev/null 2>&1 &
  monitor=$!
  read -r word < "$dir/gate"
  kill $monitor 2>/dev/null
  each tell_full "$@"
  say checked
}
`;
