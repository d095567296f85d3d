# Reads the words that entries of ours, and GRUB, put on the kernel command line (docs/boot-addition.md).

imprint_words() {
  word_slot= word_seq= word_try= word_kind= word_host= word_image= word_journal= word_boot= word_limit=600 word_rw=no word_degraded=
  set -f
  read -r words <"${IMPRINT_CMDLINE:-/proc/cmdline}"
  for word in $words; do
    case $word in
      imprint.slot=*) word_slot=${word#*=} ;;
      imprint.seq=*) word_seq=${word#*=} ;;
      imprint.try=*) word_try=${word#*=} ;;
      imprint.kind=*) word_kind=${word#*=} ;;
      imprint.boot=*) word_boot=${word#*=} ;;
      imprint.host=UUID=*) word_host=${word#imprint.host=UUID=} ;;
      imprint.image=*) word_image=${word#*=} ;;
      imprint.journal=*) word_journal=${word#*=} ;;
      imprint.limit=*) word_limit=${word#*=} ;;
      imprint.degraded=accept) word_degraded=accept ;;
      ro) word_rw=no ;;
      rw) word_rw=yes ;;
    esac
  done
  set +f
  case $word_limit in '' | *[!0-9]*) word_limit=600 ;; esac
}
