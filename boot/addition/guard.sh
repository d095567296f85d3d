# Restarts the machine after $1 seconds unless there is a file `committed` in the current directory. Everything that it needs then is open
# by now: the root that it was started from is empty when the time has come. Descriptor 9 is /proc/sysrq-trigger.

trap '' HUP INT TERM
@imprint-guard --library-path "${0%/*}/lib" "${0%/*}/bin/sleep" "$1"
[ -e committed ] && exit 0
echo s >&9
echo u >&9
echo b >&9
