import type { Laboratory } from './laboratory.ts';

/** Writes 64 KiB, syncs them, checks what it wrote some turns before, and keeps the longest that a turn took (hundredths of a second). */
const script = `i=0; longest=0; last=$(sed 's/\\.//;s/ .*//' /proc/uptime)
cd /var/tmp
# A cut between two renames leaves the new content with the old sum.
for f in work-*.sum.new; do [ -e "$f" ] && sha256sum --status -c "$f" && mv "$f" "\${f%.new}"; done
while :; do
  slot=$((i % 40))
  [ ! -e work-$slot ] || sha256sum --status -c work-$slot.sum || echo "WORK BROKEN in turn $i" > /dev/console
  head -c 65536 /dev/urandom > work-$slot.new && sha256sum < work-$slot.new | sed "s/-/work-$slot/" > work-$slot.sum.new
  sync work-$slot.new work-$slot.sum.new; mv work-$slot.new work-$slot; mv work-$slot.sum.new work-$slot.sum; sync .
  now=$(sed 's/\\.//;s/ .*//' /proc/uptime); took=$((now - last)); last=$now
  [ $took -le $longest ] || { longest=$took; echo $longest > /run/work-longest; }
  i=$((i + 1)); echo $i > work-turns
done
`;

/** Somebody who works in a system that moves. */
export class LiveWorker {
  readonly #lab: Laboratory;
  readonly #address: string;

  constructor(lab: Laboratory, address: string) {
    this.#lab = lab;
    this.#address = address;
  }

  async start(): Promise<void> {
    const start = `cat > /root/work.sh <<'X'\n${script}X\nsystemctl reset-failed work 2>/dev/null; systemd-run --quiet --unit=work sh /root/work.sh`;
    await this.#lab.ssh(this.#address, start);
  }

  /** Turns so far, and the longest, in seconds. */
  async state(): Promise<{ turns: number; longest: number }> {
    const text = await this.#lab.ssh(this.#address, 'cat /var/tmp/work-turns /run/work-longest');
    const [turns = 0, longest = 0] = text.trim().split('\n').map(Number);
    return { turns, longest: longest / 100 };
  }

  /** Fails where a file is not what was written last; a cut between two renames leaves the new content with the old sum beside the new one. */
  async check(): Promise<number> {
    const said = await this.#lab.ssh(
      this.#address,
      'cd /var/tmp; n=0; for f in work-[0-9] work-[0-9][0-9]; do [ -e $f ] || continue; n=$((n+1)); sha256sum --status -c $f.sum || { [ -e $f.sum.new ] && sha256sum --status -c $f.sum.new; } || echo "BROKEN $f"; done; echo "CHECKED $n"',
    );
    if (said.includes('BROKEN')) throw new Error(`files of the worker are broken: ${said}`);
    return Number(/CHECKED (\d+)/.exec(said)?.[1] ?? 0);
  }
}
