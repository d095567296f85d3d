import { expect, it } from 'vitest';
import { imagerSettings } from './imager-settings.ts';

it.each([
  [[], {}, 'quiet imprint.server=http://10.0.0.1:8080 BOOTIF=01-52', 'http://10.0.0.1:8080'],
  [[], { IMPRINT_SERVER: 'http://e' }, 'imprint.server=http://k', 'http://e'],
  [['--server', 'http://a'], { IMPRINT_SERVER: 'http://e' }, '', 'http://a'],
  [[], {}, 'imprint.server=http://k imprint.server=http://later', 'http://later'],
  [[], {}, 'quiet', undefined],
])('finds the server: %j %j %s', (args, environment, kernel, server) => {
  expect(imagerSettings(args, environment, kernel).server).toBe(server);
});

it('knows the medium that it came from', () => {
  expect(imagerSettings([], {}, 'imprint.medium=ee48dbbd3448fbab loglevel=4').medium).toBe('ee48dbbd3448fbab');
});

it('knows the fixed address that it was given', () => {
  const words = 'BOOTIF=01-52-54-00-09-00-2A imprint.net.address=10.9.0.42/24 imprint.net.gateway=10.9.0.1';
  expect(imagerSettings([], {}, `${words} imprint.net.dns=10.9.0.2 imprint.net.dns=10.9.0.3`).address).toEqual({
    mac: '52:54:00:09:00:2a',
    network: { address: '10.9.0.42', prefix: 24, gateway: '10.9.0.1', dns: ['10.9.0.2', '10.9.0.3'] },
  });
  expect(imagerSettings([], {}, 'BOOTIF=01-52-54-00-09-00-2A').address).toBeUndefined();
});
