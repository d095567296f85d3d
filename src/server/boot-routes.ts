import { join } from 'node:path';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseMacAddress } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { bootPaths, renderBootScript, renderChainScript } from '../netboot/boot-script.ts';
import { tftpFiles } from '../netboot/dnsmasq.ts';
import { imagerRecordName, imagerSignatureName } from '../operations/build-imager.ts';
import type { Context } from '../operations/context.ts';
import { decideBoot } from '../operations/decide-boot.ts';
import { sendFile } from './send-file.ts';

const query = z.object({
  mac: z.string().max(100).optional(),
  uuid: z.string().max(100).optional(),
  platform: z.string().max(20).optional(),
  buildarch: z.string().max(20).optional(),
});

/** `/boot/…`: what a machine without a system asks for. No token: firmware has none. */
export function bootRoutes(
  untyped: FastifyInstance,
  context: Context,
  urlFor: (request: FastifyRequest) => string,
): void {
  const server = untyped.withTypeProvider<ZodTypeProvider>();
  const { netboot } = context.paths;
  const files = new Map([
    [bootPaths.kernel, join(netboot, 'vmlinuz')],
    [bootPaths.initrd, join(netboot, 'initrd.img')],
    [bootPaths.record, join(netboot, imagerRecordName)],
    [bootPaths.signature, join(netboot, imagerSignatureName)],
    [bootPaths.localDisk, join(netboot, 'localdisk.efi')],
    [`/boot/${tftpFiles.uefi}`, join(netboot, 'tftp', tftpFiles.uefi)],
    [`/boot/${tftpFiles.arm64}`, join(netboot, 'tftp', tftpFiles.arm64)],
  ]);

  // For sites whose own DHCP server names it (`imprint dhcp`).
  server.get(
    bootPaths.chain,
    { schema: { summary: 'iPXE script for all machines', tags: ['boot'] } },
    async (request, reply) =>
      reply.header('content-type', 'text/plain; charset=utf-8').send(renderChainScript(urlFor(request))),
  );

  server.get(
    bootPaths.script,
    { schema: { summary: 'iPXE script for one machine', tags: ['boot'], querystring: query } },
    async (request, reply) => {
      const { mac: macText, platform = 'pcbios' } = request.query;
      const mac = macText === undefined ? undefined : parseMacAddress(macText);
      const { decision, machine } = await decideBoot(context, macText);
      context.log.info({ mac: macText, machine, decision: decision.kind }, 'a machine boots from the network');
      const script = renderBootScript(decision, {
        server: urlFor(request),
        platform,
        ...(mac !== undefined && { mac }),
        ...(machine !== undefined && { machine }),
      });
      return reply.header('content-type', 'text/plain; charset=utf-8').header('cache-control', 'no-store').send(script);
    },
  );

  for (const [url, path] of files) {
    server.route({
      method: ['GET', 'HEAD'],
      url,
      schema: { hide: true },
      handler: async (request, reply) => {
        const options = { contentType: 'application/octet-stream', immutable: false };
        if (await sendFile(request, reply, path, options)) return reply;
        context.log.warn({ url }, 'the imager is missing: imprint media netboot');
        throw new ImprintError('path-not-found', {
          path: url,
          reference: 'the imager (make it: imprint media netboot)',
        });
      },
    });
  }
}
