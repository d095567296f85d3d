# Hands the boot over to what watches it in the running system: units below /run, which work whatever the image is. POSIX sh.

# imprint_trial ROOT
imprint_trial() {
  start=$run/start
  mkdir -p "$start" "${run%/imprint}/systemd/system/sysinit.target.wants"
  cp "$here/words.sh" "$here/pointer.sh" "$here/agentless.sh" "$start/"
  units=${run%/imprint}/systemd/system
  [ -z "$word_host" ] || unit_checkpoint
  no_other_reboot "$1"
  [ -n "$word_slot" ] && [ -n "$word_boot" ] || return 0
  if [ ! -e "$1/usr/lib/imprint/agent.mjs" ]; then unit_agentless; fi
  [ -n "$word_try" ] || return 0
  unit_limit
  start_watchdog
  start_guard
  return 0
}

# Debian's kexec-tools, as it installs itself, has every reboot start the kernel of the root that runs, past GRUB: no trial would ever be begun,
# and none would end. Who asks for kexec gets it by `imprint`.
no_other_reboot() {
  for each in kexec-load kexec; do
    [ ! -e "$1/etc/init.d/$each" ] || ln -sf /dev/null "$units/$each.service"
  done
}

# GRUB replays no journal: what people drop on the host partition must be in its place when the machine goes down.
unit_checkpoint() {
  cat >"$units/imprint-checkpoint.service" <<END
[Unit]
Description=Let GRUB see what was dropped on the host partition
DefaultDependencies=no
RequiresMountsFor=/hostpart
Conflicts=shutdown.target
Before=sysinit.target shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh $start/agentless.sh checkpoint
TimeoutStopSec=60
END
  wanted imprint-checkpoint.service
}

# An image with no agent: a trial is proven, or given up, by the shell.
unit_agentless() {
  cat >"$units/imprint-agentless.service" <<END
[Unit]
Description=Imprint for an image without its agent: prove a trial, go back, say what is what
After=local-fs.target
RequiresMountsFor=/run
StartLimitIntervalSec=0

[Service]
Type=simple
ExecStart=/bin/sh $start/agentless.sh run
StandardOutput=journal+console
Restart=on-failure
RestartSec=20
END
  wanted imprint-agentless.service
}

# Who has not committed in time restarts, whatever the agent does.
unit_limit() {
  cat >"$units/imprint-trial.timer" <<END
[Unit]
Description=End of the trial
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target

[Timer]
OnBootSec=$word_limit
AccuracySec=1s
END
  cat >"$units/imprint-trial.service" <<END
[Unit]
Description=Give up a trial that was not proven in time
DefaultDependencies=no

[Service]
Type=oneshot
ExecStart=/bin/sh $start/agentless.sh over
StandardOutput=journal+console
END
  wanted imprint-trial.timer
}

wanted() { ln -sf "../$1" "$units/sysinit.target.wants/$1"; }

# A watchdog, where the machine has one: systemd feeds it, and a machine that hangs stops doing so.
start_watchdog() {
  if [ -r "$here/modules/watchdogs" ]; then
    while read -r module file; do
      load_module "$module" "$file"
    done <"$here/modules/watchdogs"
  fi
  mkdir -p "${units%/system}/system.conf.d"
  printf '[Manager]\nRuntimeWatchdogSec=60\n' >"${units%/system}/system.conf.d/50-imprint-trial.conf"
}

# A process that lives on beside init, whatever init does or does not: a fifth of its time after the limit it restarts the machine without asking.
# Its name begins with @, which systemd in an initramfs leaves alone; its files are gone by then, so it needs none.
start_guard() {
  [ -x "$here/guard/@imprint-guard" ] || return 0
  (
    cd "$run" && PATH=$here/guard:$PATH || exit 0
    @imprint-guard --library-path "$here/lib" "$here/bin/sh" "$here/guard.sh" $((word_limit + word_limit / 5)) \
      9>"${IMPRINT_SYSRQ:-/proc/sysrq-trigger}" </dev/null >/dev/null 2>&1 &
  )
}
