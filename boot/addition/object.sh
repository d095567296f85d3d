# Lays the object (what makes a machine itself: names, keys, network, state that is carried) over a root in an image file that has none of
# this machine yet: one that somebody dropped, or copied from another machine.

# imprint_object ROOT HOST: the mark in a root says whose object it has, by the UUID of the host partition.
imprint_object() {
  object_root=$1 object_host=$2
  object_mark=$object_root/var/lib/imprint/object
  object_of=
  [ -r "$object_mark" ] && read -r object_of _ <"$object_mark"
  [ "$object_of" = "$word_host" ] && return 0
  # The first image of a machine is what its objects are taken from.
  object_good=$(good_image "$object_host")
  if [ "$object_good" = "$object_host/$word_image" ] || [ -z "$object_good$(newest_object)" ]; then return 0; fi
  echo "imprint: this root gets the object of this machine"
  mount -o remount,rw "$object_root" || give_up 'The root could not be made writable to lay the object over it'
  rm -f "$object_root"/etc/ssh/ssh_host_*_key "$object_root"/etc/ssh/ssh_host_*_key.pub
  object_from=$here/good
  mkdir -p "$object_from"
  # Not replayed: it is only read, and what is kept of a machine was on the disk long ago.
  if [ -n "$object_good" ] && mount -t ext4 -o ro,noload,loop "$object_good" "$object_from"; then
    [ -n "$(newest_object)" ] || lay_paths "$object_from"
    lay_fstab "$object_from/etc/fstab"
    umount "$object_from"
  else
    lay_fstab /dev/null
  fi
  object_newest=$(newest_object)
  if [ -n "$object_newest" ]; then
    set +f
    # Not its directory itself: nobody but root could enter a root that has the mode of that.
    for object_path in "$object_newest"/* "$object_newest"/.[!.]*; do
      [ -e "$object_path" ] || [ -h "$object_path" ] || continue
      LC_ALL=C cp -a --remove-destination "$object_path" "$object_root/" || give_up 'The object could not be laid over the root'
    done
  fi
  mkdir -p "$object_root/var/lib/imprint"
  # Nothing of another machine's state holds here, and whoever cuts this begins again: the mark comes last.
  rm -f "$object_root"/var/lib/imprint/version.json*
  sync
  echo "$word_host 0" >"$object_mark"
  sync
  return 0
}

# The tree of the newest object that was kept; nothing where there is none.
newest_object() {
  [ -d "$object_host/data/imprint/object/latest/tree" ] && echo "$object_host/data/imprint/object/latest/tree"
}

# The image file that was good last: the view says it, which is made anew after each change.
good_image() {
  good_image=$(readlink "$1/hn-root.img") || return 0
  case $good_image in images/*/*) ;; images/*.img) [ -f "$1/$good_image" ] && echo "$1/$good_image" ;; esac
}

# The default list, from a root. A name that is not there is left out; globs are of the shell.
lay_paths() (
  cd "$1" || exit 0
  while read -r object_glob; do
    set +f
    for object_path in $object_glob; do
      [ -e "$object_path" ] || [ -h "$object_path" ] || continue
      rm -rf "${object_root:?}/$object_path"
      LC_ALL=C cp -a --parents "$object_path" "$object_root/"
    done
  done <"$here/object-paths"
)

# What the good root mounts beside itself is what this one mounts. The lines of the image's own disks say nothing here.
lay_fstab() {
  object_fstab=$object_root/etc/fstab
  object_uuid=$(blkid -o value -s UUID "$loop" 2>/dev/null)
  {
    echo '# Made by the boot addition of Imprint: this root is an image file that was dropped.'
    echo "${object_uuid:+UUID=}${object_uuid:-$loop} / ext4 defaults,noatime 0 1"
    while read -r fs_device fs_point fs_rest; do
      case "$fs_device $fs_point" in '#'* | ' ' | *' /') ;; *) echo "$fs_device $fs_point $fs_rest" ;; esac
    done <"$1"
  } >"$object_fstab.imprint-new"
  mv -f "$object_fstab.imprint-new" "$object_fstab"
}
