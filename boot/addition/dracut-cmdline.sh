# Hook `cmdline` of dracut: the root is an image file on the host partition. Read by dracut's shell.

imprint_device=$(getarg imprint.host=)
if [ -n "$imprint_device" ]; then
  root="imprint:$imprint_device"
  # shellcheck disable=SC2034
  rootok=1
  /imprint/start modules
  wait_for_dev "/dev/disk/by-uuid/${imprint_device#UUID=}"
fi
