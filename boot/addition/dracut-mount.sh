# Hook `mount` of dracut: mounts the image file as the new root. Read by dracut's shell, again and again until the root is there.

case $root in
  imprint:*) /imprint/start mount-file "/dev/disk/by-uuid/${root#imprint:UUID=}" "$NEWROOT" ;;
esac
