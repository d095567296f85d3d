# Lays the object (what makes a machine itself: names, keys, network, state that is carried) over a root that has none of this machine yet.

# imprint_object ROOT HOST: the host partition's UUID in var/lib/imprint/object says whose object a root has.
imprint_object() {
  object_mark=$1/var/lib/imprint/object
  object_of=
  [ -r "$object_mark" ] && read -r object_of _ <"$object_mark"
  [ "$object_of" = "$word_host" ] && return 0
  return 0
}
