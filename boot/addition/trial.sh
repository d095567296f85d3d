# Sees to it that a trial which is not committed in time ends, whatever the image is.

# imprint_trial ROOT: nothing, unless GRUB said that this is a trial.
imprint_trial() {
  [ -n "$word_try" ] || return 0
  return 0
}
