# Hook `pre-pivot` of dracut: a root that dracut mounted itself. Read by dracut's shell.

[ -n "$(getarg imprint.host=)" ] || /imprint/start root "$NEWROOT"
