/**
 * Debian's self-made certificate (package ssl-cert) is a machine's secret, so a capture leaves it out; services that name it in
 * their configuration (PostgreSQL, Postfix) would not start without. This unit makes the machine's own, at its first boot,
 * before any service starts, under its own host name.
 */
export const ownCertificatePaths = {
  key: 'etc/ssl/private/ssl-cert-snakeoil.key',
  maker: 'usr/sbin/make-ssl-cert',
  unit: 'etc/systemd/system/imprint-own-certificate.service',
  wanted: 'etc/systemd/system/sysinit.target.wants/imprint-own-certificate.service',
} as const;

/** The systemd unit; it does nothing once there is a certificate. */
export function renderOwnCertificateUnit(): string {
  return [
    '[Unit]',
    "Description=Make this machine's own snakeoil certificate",
    `ConditionPathExists=!/${ownCertificatePaths.key}`,
    `ConditionFileIsExecutable=/${ownCertificatePaths.maker}`,
    'DefaultDependencies=no',
    'After=local-fs.target',
    'Before=sysinit.target shutdown.target',
    'Conflicts=shutdown.target',
    '',
    '[Service]',
    'Type=oneshot',
    `ExecStart=/${ownCertificatePaths.maker} generate-default-snakeoil`,
    '',
    '[Install]',
    'WantedBy=sysinit.target',
    '',
  ].join('\n');
}
