/** Where compressed swap in memory has what (relative to the root). */
export const zramPaths = {
  script: 'etc/imprint/zram.sh',
  unit: 'etc/systemd/system/imprint-zram.service',
  wanted: 'etc/systemd/system/multi-user.target.wants/imprint-zram.service',
} as const;

/**
 * Makes swap in compressed memory, with what every system has: no package is needed. `sizes`: bytes, or shares of the memory (`50%`), one for each device. Devices of its own
 * are asked for, beside any that the image makes. POSIX sh.
 */
export function renderZramScript(sizes: readonly string[]): string {
  return `#!/bin/sh
# Written by Imprint: swap in compressed memory, by imprint-zram.service.
made=/run/imprint-zram

start() {
  modprobe zram num_devices=0
  kib=$(sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo)
  for size in ${sizes.join(' ')}; do
    case $size in *%) size=$((kib * 1024 / 100 * \${size%\\%})) ;; esac
    number=$(cat /sys/class/zram-control/hot_add) || return 1
    echo "$number" >>$made
    echo "$size" >"/sys/block/zram$number/disksize" || return 1
    mkswap "/dev/zram$number" && swapon --priority 100 "/dev/zram$number" || return 1
  done
}

stop() {
  [ -r $made ] || return 0
  while read -r number; do
    swapoff "/dev/zram$number"
    echo "$number" >/sys/class/zram-control/hot_remove
  done <$made
  rm -f $made
}

"$1"
`;
}

export function renderZramUnit(): string {
  return `[Unit]
Description=Swap in compressed memory

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /${zramPaths.script} start
ExecStop=/bin/sh /${zramPaths.script} stop

[Install]
WantedBy=multi-user.target
`;
}
