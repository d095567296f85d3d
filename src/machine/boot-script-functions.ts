/**
 * The functions of `grub.cfg`. `@NAME@` are filled in by `boot-script-grub.ts`. What holds for GRUB 2.06's shell and is easily forgotten:
 * every variable is global; there is no arithmetic; `$x` outside quotes is split at spaces; a function or file that fails goes on;
 * each `[ ]` has one condition, since GRUB reads `-a` wrongly after words that look like operators.
 */
export const bootScriptFunctions = `
# Reads one record of the pointer ($1): imprint_whole=1 where it is whole as far as GRUB can tell.
function imprint_read {
  set imprint_whole=
  set seq=
  set good=
  set previous=
  set trial=
  set tries=
  set sum=
  set end=
  if load_env -f "$1" seq good previous trial tries sum end; then
    if [ "x$end" = "x$seq,$good,$previous,$trial,$tries,$sum" ]; then
      if regexp @SEQUENCE@ "$seq"; then if regexp @TRIES@ "$tries"; then
        if regexp @ID@ "$good"; then if regexp @ID-OR-NONE@ "$previous"; then if regexp @ID-OR-NONE@ "$trial"; then
          set imprint_whole=1
        fi; fi; fi
      fi; fi
    fi
  fi
}

function imprint_take {
  set imprint_seq=$seq
  set imprint_good=$good
  set imprint_previous=$previous
  set imprint_trial=$trial
  set imprint_tries=$tries
}

# Reads the count of tries; imprint_form=1 where it can be read.
function imprint_count {
  set form=
  set seq=
  set left=
  set revert=
  set new_left=
  set imprint_form=
  if load_env -f $imprint_dir/tries.env form seq left revert new_left; then
    if [ "x$form" = x1 ]; then
      set imprint_form=1
    fi
  fi
  if regexp @SEQUENCE@ "$seq"; then true; else set seq=; fi
  if regexp @TRIES@ "$left"; then true; else set left=0; fi
  if [ -n "$new_left" ]; then
    if regexp @TRIES@ "$new_left"; then true; else set new_left=0; fi
  fi
}

# imprint_less: one less than $1.
function imprint_less {
  set imprint_less=0
  if [ "x$1" = x9 ]; then set imprint_less=8
  elif [ "x$1" = x8 ]; then set imprint_less=7
  elif [ "x$1" = x7 ]; then set imprint_less=6
  elif [ "x$1" = x6 ]; then set imprint_less=5
  elif [ "x$1" = x5 ]; then set imprint_less=4
  elif [ "x$1" = x4 ]; then set imprint_less=3
  elif [ "x$1" = x3 ]; then set imprint_less=2
  elif [ "x$1" = x2 ]; then set imprint_less=1
  fi
}

# imprint_there=1 where the entry $1 is there.
function imprint_look {
  set imprint_there=
  if [ -n "$1" ]; then
    if [ -s "$imprint_slots/$1/entry.cfg" ]; then
      set imprint_there=1
    fi
  fi
}

# Decides: imprint_entry, imprint_kind, imprint_more (tries left after this boot). Writes down a revert that begins.
function imprint_decide {
  set imprint_seq=
  set imprint_good=
  set imprint_previous=
  set imprint_trial=
  set imprint_tries=
  set imprint_entry=
  set imprint_kind=
  set imprint_more=
  imprint_read $imprint_dir/a.env
  if [ -n "$imprint_whole" ]; then
    imprint_take
  fi
  imprint_read $imprint_dir/b.env
  if [ -n "$imprint_whole" ]; then
    if [ -z "$imprint_seq" ]; then
      imprint_take
    elif [ "$seq" -gt "$imprint_seq" ]; then
      imprint_take
    fi
  fi
  imprint_count
  if [ -n "$imprint_form" ]; then
    imprint_drop
    if [ -n "$imprint_seq" ]; then
      imprint_back
      if [ -z "$imprint_kind" ]; then
        imprint_try
      fi
      if [ -z "$imprint_kind" ]; then
        imprint_new
      fi
    fi
  fi
}

# Forgets the tries of a hand-dropped image that is there no longer. imprint_dropped=1 where one is there.
function imprint_drop {
  set imprint_dropped=
  if [ -n "$imprint_host" ]; then
    if [ -s "$imprint_host/@DROPPED@" ]; then
      set imprint_dropped=1
    elif [ -n "$new_left" ]; then
      set new_left=
      save_env -f $imprint_dir/tries.env new_left
      imprint_count
    fi
  fi
}

# system-revert: to the good entry where a trial has begun, else to the one before.
function imprint_back {
  set imprint_target=$imprint_previous
  if [ -n "$imprint_trial" ]; then
    if [ "x$seq" = "x$imprint_seq" ]; then
      set imprint_target=$imprint_good
    fi
  fi
  imprint_look "$imprint_target"
  if [ -n "$imprint_there" ]; then
    if [ "x$revert" != "x$imprint_seq" ]; then
      if [ -n "$imprint_host" ]; then
        if [ -e "$imprint_host/@REVERT@" ]; then
          set revert=$imprint_seq
          save_env -f $imprint_dir/tries.env revert
          imprint_count
        fi
      fi
    fi
    if [ "x$revert" = "x$imprint_seq" ]; then
      set imprint_entry=$imprint_target
      set imprint_kind=revert
    fi
  fi
}

function imprint_try {
  imprint_look "$imprint_trial"
  if [ -n "$imprint_there" ]; then
    set imprint_now=$imprint_tries
    if [ "x$seq" = "x$imprint_seq" ]; then
      if [ "$left" -lt "$imprint_tries" ]; then
        set imprint_now=$left
      fi
    fi
    if [ "x$imprint_now" != x0 ]; then
      imprint_less $imprint_now
      set imprint_more=$imprint_less
      set imprint_entry=$imprint_trial
      set imprint_kind=trial
    fi
  fi
}

function imprint_new {
  imprint_look "$imprint_good"
  if [ -n "$imprint_there" ]; then
    if [ -n "$imprint_dropped" ]; then
      if [ -z "$new_left" ]; then
        set new_left=3
      fi
      if [ "x$new_left" != x0 ]; then
        imprint_less $new_left
        set imprint_more=$imprint_less
        set imprint_entry=new
        set imprint_kind=new
      fi
    fi
  fi
}

# Every entry that is there: imprint_all.
function imprint_list {
  set imprint_all=
  set imprint_step=list
  for file in $imprint_slots/*/entry.cfg; do
    if [ -s "$file" ]; then
      source "$file"
    fi
  done
  set imprint_step=
}

function imprint_menu {
  set imprint_step=menu
  for id in $imprint_all; do
    source $imprint_slots/$id/entry.cfg
  done
  set imprint_step=
}

# Where nothing was decided for: the good one, or whatever is there. Then the label of the menu's first entry.
function imprint_settle {
  for id in $imprint_good $imprint_previous $imprint_trial $imprint_all; do
    if [ -z "$imprint_kind" ]; then
      imprint_look "$id"
      if [ -n "$imprint_there" ]; then
        set imprint_entry=$id
        set imprint_kind=rescue
        if [ "x$id" = "x$imprint_good" ]; then
          set imprint_kind=good
        fi
      fi
    fi
  done
  set imprint_title=$imprint_entry
  if [ "x$imprint_kind" = xnew ]; then
    set imprint_title=@DROPPED@
  elif [ -n "$imprint_kind" ]; then
    source $imprint_slots/$imprint_entry/entry.cfg
  else
    set imprint_title="nothing that can boot"
  fi
  set imprint_label="$imprint_title"
  if [ -n "$imprint_more" ]; then
    set imprint_label="$imprint_title (on trial, tries left after this: $imprint_more)"
  elif [ "x$imprint_kind" = xrevert ]; then
    set imprint_label="$imprint_title (going back)"
  elif [ "x$imprint_kind" = xrescue ]; then
    set imprint_label="$imprint_title (rescue: the good entry is missing)"
  fi
}

# Writes down that a try is used; imprint_counted=1 where it really stands there.
function imprint_use {
  set imprint_counted=
  if [ "x$imprint_kind" = xnew ]; then
    set new_left=$imprint_more
    save_env -f $imprint_dir/tries.env new_left
    imprint_count
    if [ "x$new_left" = "x$imprint_more" ]; then
      set imprint_counted=$imprint_form
    fi
  else
    set seq=$imprint_seq
    set left=$imprint_more
    save_env -f $imprint_dir/tries.env seq left
    imprint_count
    if [ "x$seq" = "x$imprint_seq" ]; then
      if [ "x$left" = "x$imprint_more" ]; then
        set imprint_counted=$imprint_form
      fi
    fi
  fi
}

# Loads the entry $1 and boots it as kind $2. Comes back where that does not work.
function imprint_boot {
  if [ -n "$imprint_seq" ]; then
    set imprint_words="imprint.slot=$1 imprint.seq=$imprint_seq imprint.kind=$2 imprint.boot=$imprint_uuid"
  else
    set imprint_words="imprint.slot=$1 imprint.seq=0 imprint.kind=$2 imprint.boot=$imprint_uuid"
  fi
  if [ "x$2" = xtrial ]; then
    set imprint_words="$imprint_words imprint.try=$imprint_more"
  elif [ "x$2" = xnew ]; then
    set imprint_words="$imprint_words imprint.try=$imprint_more"
  fi
  set imprint_loaded=
  if [ "x$2" = xnew ]; then
    imprint_find
    if [ -n "$imprint_kernel" ]; then
      set imprint_step=dropped
      source $imprint_slots/$imprint_good/entry.cfg
    fi
  else
    set imprint_step=load
    source $imprint_slots/$1/entry.cfg
  fi
  set imprint_step=
  if [ -n "$imprint_loaded" ]; then
    echo "Imprint: starting $1 ($2)"
    boot
  fi
  echo "Imprint: $1 cannot be started."
}

# Kernel and initial RAM disk of the hand-dropped image: imprint_kernel, imprint_initrd.
function imprint_find {
  set imprint_kernel=
  set imprint_initrd=
  loopback -d imprint_new
  if loopback imprint_new "$imprint_host/@DROPPED@"; then
    for file in (imprint_new)/boot/vmlinuz-* (imprint_new)/boot/vmlinuz (imprint_new)/vmlinuz; do
      if [ -s "$file" ]; then
        set imprint_kernel=$file
      fi
    done
    for file in (imprint_new)/boot/initramfs-*.img (imprint_new)/boot/initrd.img-* (imprint_new)/boot/initrd (imprint_new)/boot/initrd.img (imprint_new)/initrd.img; do
      if [ -s "$file" ]; then
        set imprint_initrd=$file
      fi
    done
  fi
}

# The first entry of the menu: what was decided; where it cannot be started, the next that can.
function imprint_start {
  set imprint_failed=
  if [ -n "$imprint_more" ]; then
    imprint_use
    if [ -n "$imprint_counted" ]; then
      imprint_boot "$imprint_entry" $imprint_kind
    else
      echo "Imprint: the try cannot be counted, so it is not made."
    fi
    set imprint_failed=$imprint_entry
  fi
  for id in $imprint_entry $imprint_good $imprint_previous $imprint_trial $imprint_all; do
    if [ "x$id" != "x$imprint_failed" ]; then
      imprint_look "$id"
      if [ -n "$imprint_there" ]; then
        if [ "x$id $imprint_kind" = "x$imprint_entry revert" ]; then
          imprint_boot $id revert
        elif [ "x$id" = "x$imprint_good" ]; then
          imprint_boot $id good
        else
          imprint_boot $id rescue
        fi
      fi
    fi
  done
  if [ -n "$imprint_failed" ]; then
    imprint_look "$imprint_failed"
    if [ -n "$imprint_there" ]; then
      imprint_boot $imprint_failed rescue
    fi
  fi
  echo "Imprint: nothing here can be started. Next try in 60 seconds."
  sleep --interruptible 60
  reboot
}

# An entry that somebody chose in the menu: a trial is counted then, too.
function imprint_pick {
  if [ "x$1 $imprint_kind" = "x$imprint_entry trial" ]; then
    imprint_use
    if [ -n "$imprint_counted" ]; then
      imprint_boot $1 trial
    fi
  elif [ "x$1" = "x$imprint_good" ]; then
    imprint_boot $1 good
  else
    imprint_boot $1 chosen
  fi
  sleep --interruptible 5
}
`.trimStart();
