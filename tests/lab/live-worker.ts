import type { Laboratory } from './laboratory.ts';

/**
 * Somebody who works in a system that moves: reads and checks what he wrote forty turns ago, writes 64 KiB, syncs, renames, syncs the directory. One process,
 * so that a turn is short also where the processor is an emulated one. What he had synced is told by the number in the files. A second process only sleeps:
 * where it is late, too, the whole machine stood still.
 */
const script = `use strict; use IO::Handle; use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);
chdir '/var/tmp' or die; my ($i, $longest, $when, $over) = (0, 0, 0, 0);
for my $slot (0 .. 39) { my $n = look($slot); $i = $n + 1 if defined $n and $n >= $i; }
sleeper() if fork() == 0;
my $last = clock_gettime(CLOCK_MONOTONIC);
while (1) {
  my $slot = $i % 40; look($slot);
  open(my $file, '>', "work-$slot.new") or broken("open: $!");
  syswrite($file, pack('Q<', $i) x 8192) == 65536 or broken("write: $!"); $file->sync or broken("sync: $!"); close $file;
  rename("work-$slot.new", "work-$slot") or broken("rename: $!");
  open(my $here, '<', '.'); $here->sync; close $here;
  my $now = clock_gettime(CLOCK_MONOTONIC); my $took = $now - $last; $last = $now;
  $over++ if $took > 1; ($longest, $when) = ($took, $now) if $took > $longest;
  open(my $state, '>', '/run/work-state'); printf $state "%d %.2f %.0f %d\\n", $i, $longest, $when, $over; close $state;
  $i++; sleep 0.02; $last = clock_gettime(CLOCK_MONOTONIC);
}
sub look {
  my ($slot) = @_; open(my $file, '<', "work-$slot") or return undef;
  my $read = sysread($file, my $bytes, 65536); my ($n) = unpack('Q<', $bytes);
  broken("work-$slot has $read bytes") unless $read == 65536; broken("work-$slot is torn") unless $bytes eq pack('Q<', $n) x 8192;
  return $n;
}
sub sleeper {
  my $worst = 0;
  while (1) {
    my $before = clock_gettime(CLOCK_MONOTONIC); sleep 0.02; my $took = clock_gettime(CLOCK_MONOTONIC) - $before;
    if ($took > $worst) { $worst = $took; open(my $state, '>', '/run/work-sleeper'); printf $state "%.2f\n", $worst; close $state; }
  }
}
sub broken { open(my $c, '>', '/dev/console'); print $c "WORK BROKEN: @_\\n"; close $c; die "@_\\n"; }
`;

/** Reads every file, and says the greatest number and how many there are. */
const look = `chdir '/var/tmp'; my ($n, $m) = (0, -1); for my $s (0 .. 39) { open(my $f, '<', "work-$s") or next; sysread($f, my $b, 65536); my ($t) = unpack('Q<', $b); die "work-$s is broken\\n" unless length $b == 65536 and $b eq pack('Q<', $t) x 8192; $n++; $m = $t if $t > $m; } print "$n $m\\n";`;

/** What the worker did, in seconds. */
export interface WorkState {
  turns: number;
  longest: number;
  /** Seconds since the kernel began. */
  when: number;
  /** Turns that took more than a second. */
  over: number;
  /** How late a process was, at most, that only sleeps. */
  asleep: number;
}

export class LiveWorker {
  readonly #lab: Laboratory;
  readonly #address: string;

  constructor(lab: Laboratory, address: string) {
    this.#lab = lab;
    this.#address = address;
  }

  /** Resolves when he has done some turns: what he needs himself may have had to be fetched first. */
  async start(): Promise<void> {
    const start = `rm -f /run/work-state; cat > /root/work.pl <<'X'\n${script}X\nsystemctl reset-failed work 2>/dev/null; systemd-run --quiet --unit=work perl /root/work.pl`;
    await this.#lab.ssh(this.#address, start);
    const isAtWork = 'test "$(cut -d" " -f1 /run/work-state 2>/dev/null)" -ge 5 2>/dev/null && echo yes || true';
    await this.#lab.until('somebody works', 180_000, async () => {
      return (await this.#lab.ssh(this.#address, isAtWork)).trim() === 'yes';
    });
  }

  async state(): Promise<WorkState> {
    const text = await this.#lab.ssh(this.#address, 'cat /run/work-state /run/work-sleeper');
    const [turns = 0, longest = 0, when = 0, over = 0, asleep = 0] = text.trim().split(/\s+/).map(Number);
    return { turns, longest, when, over, asleep };
  }

  /** How many files there are, each whole, and the turn that was synced last. */
  async check(): Promise<{ files: number; turn: number }> {
    const text = await this.#lab.ssh(this.#address, `cat > /root/look.pl <<'X'\n${look}\nX\nperl /root/look.pl`);
    const [files = 0, turn = 0] = text.trim().split(' ').map(Number);
    return { files, turn };
  }
}

/** Bytes that its task said to be on the disk. */
export async function copiedBytes(lab: Laboratory, mac: string): Promise<number> {
  const machine = (await lab.machines())?.find(({ macs }) => macs.includes(mac));
  if (machine?.task === undefined) return 0;
  const { events } = await lab.imprintJson<{ events: { unit?: string; done?: number }[] }>(['tasks', machine.task]);
  return events.findLast(({ unit }) => unit === 'bytes')?.done ?? 0;
}
