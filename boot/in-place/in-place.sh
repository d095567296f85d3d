# Brings a root file system that is mounted, and used by nobody, to one of the two versions of an in-place update.
# Read by the scripts of the initramfs; POSIX sh. The form of the journal is in docs/update.md.
#
#   imprint_in_place redo|undo ROOT ID
#
# Needs: chmod, mv, rm, rmdir, sync, mount; chattr, where there is one, for paths that somebody protects from changes; and cp as GNU has it (busybox's, which its shell takes for any `cp` without a function, will not link what is
# linked already, and has no nanoseconds). Does nothing, and returns 0, where the root is that version already or where there is no
# such update any more. May be cut at any instant and begun again. Returns 1 where it could not be done; nothing may then be started.

imprint_in_place() {
  imprint_want=new imprint_other=old imprint_going=redoing
  [ "$1" = undo ] && imprint_want=old imprint_other=new imprint_going=undoing
  imprint_root=${2%/}
  imprint_update=$imprint_root/.imprint/in-place/$3
  if [ ! -d "$imprint_update" ]; then
    echo "imprint: there is no update $3 any more; the root stays as it is"
    return 0
  fi
  imprint_state=
  # Where it says nothing, power was cut while it was written: between the two.
  [ -e "$imprint_update/state" ] && read -r imprint_state < "$imprint_update/state"
  [ "$imprint_state" = "$imprint_want" ] && return 0
  echo "imprint: bringing the root to the $imprint_want version of update $3"
  imprint_check_journal "$3" || return 1
  mount -o remount,rw "$imprint_root" 2> /dev/null
  imprint_bring && return 0
  imprint_release
  imprint_bring
}

# One try of it; begun anew after another, wherever that ended.
imprint_bring() {
  imprint_state=
  [ -e "$imprint_update/state" ] && read -r imprint_state < "$imprint_update/state"
  if [ "$imprint_state" = "$imprint_other" ]; then
    # What was changed since belongs to the version that is left now.
    imprint_each imprint_keep && sync || return 1
    echo "$imprint_going" > "$imprint_update/state" && sync || return 1
  fi
  imprint_each imprint_clear || return 1
  cp -a -l -T --remove-destination "$imprint_update/$imprint_want" "$imprint_root/" || return 1
  sync
  echo "$imprint_want" > "$imprint_update/state" && sync
}

# What may help where the first try came to no end: room on a full disk, and files that are no longer protected (chattr +i, +a), for a machine that does not
# start is worse.
imprint_release() {
  echo 'imprint: that did not work; it is tried again with the room that was kept for it, and with all its files made changeable (chattr -i -a)'
  rm -f "$imprint_update/reserve"
  sync
  command -v chattr > /dev/null || return 0
  chattr -f -i -a "$imprint_root/"
  imprint_each imprint_unlock
  return 0
}
imprint_unlock() {
  [ -e "$imprint_root/$imprint_path" ] && [ ! -h "$imprint_root/$imprint_path" ] && imprint_chosen=./$imprint_path
  return 0
}
imprint_unlock_many() (
  cd "$imprint_root/" && chattr -f -i -a "$@"
  return 0
)

# The journal is whole: its first line, its id, and a last line that counts the others.
imprint_check_journal() {
  imprint_count=-2 imprint_last=
  while IFS= read -r imprint_line; do
    case $imprint_count in
      -2) [ "$imprint_line" = "imprint in-place 1" ] || break ;;
      -1) [ "$imprint_line" = "id $1" ] || break ;;
    esac
    imprint_count=$((imprint_count + 1))
    imprint_last=$imprint_line
  done < "$imprint_update/journal"
  [ "$imprint_count" -gt 0 ] && [ "$imprint_last" = "end $((imprint_count - 1))" ] && return 0
  echo "imprint: the journal of update $1 is damaged"
  return 1
}

# Calls a function for each line; what it puts into imprint_chosen is given to NAME_many by the hundred.
imprint_each() {
  imprint_visit=$1 imprint_before= imprint_parent=
  imprint_in_root=yes imprint_in_want=yes imprint_in_other=yes
  set --
  while IFS= read -r imprint_line; do
    imprint_kind=${imprint_line%% *} imprint_path=${imprint_line#? }
    case $imprint_kind in f | d) ;; *) continue ;; esac
    case $imprint_path in
      *\\*) imprint_path=$(printf '%b.' "$imprint_path") imprint_path=${imprint_path%.} ;;
    esac
    imprint_find_parent
    [ -n "$imprint_in_root" ] || continue
    # What waits is done before lines of the other kind are looked at.
    if [ "$imprint_kind" != "$imprint_before" ] && [ $# -gt 0 ]; then
      "${imprint_visit}_many" "$@" || return 1
      set --
    fi
    imprint_before=$imprint_kind imprint_chosen=
    "$imprint_visit" || return 1
    [ -n "$imprint_chosen" ] && set -- "$@" "$imprint_chosen"
    if [ $# -ge 200 ]; then
      "${imprint_visit}_many" "$@" || return 1
      set --
    fi
  done < "$imprint_update/journal"
  [ $# -eq 0 ] || "${imprint_visit}_many" "$@"
}

# In which of the three trees the way to imprint_path goes through directories only: behind a symbolic link lies what another path names.
imprint_find_parent() {
  case $imprint_path in
    */*) [ "${imprint_path%/*}" = "$imprint_parent" ] && return 0 ;;
    *) imprint_parent= imprint_in_root=yes imprint_in_want=yes imprint_in_other=yes && return 0 ;;
  esac
  imprint_parent=${imprint_path%/*} imprint_in_root=yes imprint_in_want=yes imprint_in_other=yes
  imprint_part=$imprint_parent
  while :; do
    [ -h "$imprint_root/$imprint_part" ] && imprint_in_root=
    [ -h "$imprint_update/$imprint_want/$imprint_part" ] && imprint_in_want=
    [ -h "$imprint_update/$imprint_other/$imprint_part" ] && imprint_in_other=
    case $imprint_part in */*) imprint_part=${imprint_part%/*} ;; *) return 0 ;; esac
  done
}

# True for what is there and is no directory; a symbolic link is none.
imprint_is_file() { [ -h "$1" ] || { [ -e "$1" ] && [ ! -d "$1" ]; }; }
imprint_is_directory() { [ -d "$1" ] && [ ! -h "$1" ]; }
# Of imprint_path in the version that is wanted.
imprint_want_file() { [ -n "$imprint_in_want" ] && imprint_is_file "$imprint_update/$imprint_want/$imprint_path"; }
imprint_want_directory() { [ -n "$imprint_in_want" ] && imprint_is_directory "$imprint_update/$imprint_want/$imprint_path"; }

# The version that is left keeps what stands there now.
imprint_keep() {
  [ "$imprint_kind" = f ] && [ -n "$imprint_in_other" ] || return 0
  imprint_is_directory "$imprint_update/$imprint_other/$imprint_path" && return 0
  if imprint_is_file "$imprint_root/$imprint_path"; then
    imprint_chosen=$imprint_path
  elif [ ! -e "$imprint_root/$imprint_path" ] && imprint_is_file "$imprint_update/$imprint_other/$imprint_path"; then
    rm -f "$imprint_update/$imprint_other/$imprint_path"
  fi
}
imprint_keep_many() (
  cd "$imprint_root/" && cp -a -l --parents --remove-destination -t "$imprint_update/$imprint_other" -- "$@"
)

# What the wanted version does not have goes; what is in the way of what it has is moved aside, for it is not of either version.
imprint_clear() {
  if [ "$imprint_kind" = f ]; then
    imprint_want_file && return 0
    imprint_is_file "$imprint_root/$imprint_path" && imprint_chosen=$imprint_path
  elif imprint_want_directory; then
    if imprint_is_file "$imprint_root/$imprint_path"; then
      imprint_put_aside "$imprint_root/$imprint_path" || return 1
    elif [ -g "$imprint_root/$imprint_path" ] || [ -k "$imprint_root/$imprint_path" ] || [ -u "$imprint_root/$imprint_path" ]; then
      # cp leaves these bits where it finds them on a directory.
      chmod ug-s,-t "$imprint_root/$imprint_path" || return 1
    fi
  elif imprint_is_directory "$imprint_root/$imprint_path"; then
    imprint_chosen=$imprint_path
  fi
  return 0
}
# All lines of files come before those of directories, and the innermost directory first.
imprint_clear_many() {
  if [ "$imprint_before" = f ]; then
    (cd "$imprint_root/" && rm -f -- "$@")
    return
  fi
  for imprint_path; do
    imprint_is_directory "$imprint_root/$imprint_path" || continue
    rmdir "$imprint_root/$imprint_path" 2> /dev/null && continue
    # Not empty: what is in it is of neither version.
    if imprint_is_file "$imprint_update/$imprint_want/$imprint_path"; then
      imprint_put_aside "$imprint_root/$imprint_path" || return 1
    fi
  done
}
imprint_put_aside() {
  imprint_aside=$1.imprint-aside
  while [ -e "$imprint_aside" ] || [ -h "$imprint_aside" ]; do imprint_aside=$imprint_aside~; done
  echo "imprint: $1 is in the way and becomes $imprint_aside"
  mv "$1" "$imprint_aside"
}
