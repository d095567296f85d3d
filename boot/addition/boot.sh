# What the boot addition does in the initramfs, where a root is mounted (docs/boot-addition.md). POSIX sh, run by the shell that came with it.
#
#   boot.sh modules                  loads the modules that the initramfs does not bring
#   boot.sh mount-file DEVICE ROOT   mounts the host partition DEVICE and, from the image file on it, ROOT; then as `root`
#   boot.sh root ROOT                ROOT is mounted: brings it to its version, gives it its object, arms the trial
#
# Returns 0, or does not return: it says why on the console and restarts the machine, which counts as a failed try.

here=${IMPRINT_HERE:-/imprint}
run=${IMPRINT_RUN:-/run}/imprint
# Programs of the image, with their own libraries: functions by their names.
[ -r "$here/tools" ] && . "$here/tools"
. "$here/words.sh"
. "$here/in-place.sh"
. "$here/object.sh"
. "$here/trial.sh"

main() {
  mkdir -p "$run/start"
  imprint_words
  case $1 in
    modules) load_modules ;;
    mount-file) mount_file "$2" "$3" && root_is_there "$3" ;;
    root) root_is_there "$2" ;;
  esac
}

# What a root needs before it is used. ROOT is mounted as the kernel command line says, `ro` or `rw`, and is left so.
root_is_there() {
  if [ -n "$word_journal" ]; then
    case $word_journal in
      redo:* | undo:*) ;;
      *) give_up "imprint.journal=$word_journal is neither redo:ID nor undo:ID" ;;
    esac
    imprint_in_place "${word_journal%%:*}" "$1" "${word_journal#*:}" ||
      give_up "The root could not be brought to the version that belongs to this kernel"
    as_asked "$1"
  fi
  if [ -n "$word_host" ]; then
    imprint_object "$1" "$1/hostpart"
    as_asked "$1"
  fi
  imprint_trial "$1"
  return 0
}

# Mounts the file system in an image file. The host partition is mounted below a private mount, for nothing can be moved out of a shared one.
mount_file() {
  case $word_image in
    images/*/* | images/.*) give_up "imprint.image=$word_image leads out of images/" ;;
    images/*.img | hn-root-new.img) ;;
    *) give_up "imprint.image=$word_image is no image file of ours" ;;
  esac
  load_modules
  mkdir -p "$here/mnt"
  mount -t tmpfs -o mode=0755 imprint "$here/mnt" || give_up 'No memory file system could be mounted'
  mount --make-private "$here/mnt"
  host=$here/mnt/host
  mkdir "$host"
  mount ${host_type:+-t "$host_type"} -o rw,noatime "$1" "$host" || give_up "The host partition $1 could not be mounted"
  [ -f "$host/$word_image" ] || give_up "There is no $word_image on the host partition $1"
  loop=$(losetup --find --show "$host/$word_image") || give_up "$word_image could not be attached to a loop device"
  # What fstrim gave back would be a hole in the file, and the host partition may be full when it is wanted again.
  { echo 0 >"/sys/block/${loop##*/}/queue/discard_max_bytes"; } 2>/dev/null
  mount -t ext4 -o "$(access_asked)" "$loop" "$2" || give_up "$word_image holds no file system that can be mounted"
  if [ ! -d "$2/hostpart" ] || [ ! -h "$2/data0" ] && [ ! -e "$2/data0" ]; then
    mount -o remount,rw "$2"
    mkdir -p "$2/hostpart"
    [ -e "$2/data0" ] || [ -h "$2/data0" ] || ln -s hostpart/data "$2/data0"
    as_asked "$2"
  fi
  mkdir -p "$host/data"
  mount --move "$host" "$2/hostpart" || give_up "The host partition could not be moved to /hostpart"
  umount "$here/mnt"
  return 0
}

# Loads what the initramfs did not bring. Each line of the list: name as in /sys/module, and file.
load_modules() {
  [ -r "$here/modules/list" ] || return 0
  while read -r module file; do
    load_module "$module" "$file"
  done <"$here/modules/list"
}

load_module() {
  [ -d "/sys/module/$1" ] || modprobe -q "$1" 2>/dev/null || insmod "$here/modules/$2" 2>/dev/null
}

access_asked() { [ "$word_rw" = yes ] && echo rw || echo ro; }

# The root again as the command line wants it: the system checks it before it makes it writable.
as_asked() {
  sync
  mount -o "remount,$(access_asked)" "$1" 2>/dev/null
  return 0
}

# Nothing may be started: says why, and restarts. On a trial GRUB counted this try already.
give_up() {
  echo "imprint: $1."
  echo "$1" >"$run/start/failure"
  echo 'imprint: The machine restarts in ten seconds.'
  sleep 10
  sync
  echo b >"${IMPRINT_SYSRQ:-/proc/sysrq-trigger}"
  sleep 60
  exit 1
}

[ -n "$IMPRINT_HERE" ] || [ -d "$here" ] || exit 1
[ -r "$here/settings" ] && . "$here/settings"
main "$@"
