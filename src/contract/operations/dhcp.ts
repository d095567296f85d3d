import { z } from 'zod';
import { machineNameSchema, macSchema } from '../machine.ts';
import { defineOperation } from '../operation.ts';

export const dhcpLinesInputSchema = z.object({
  kind: z.enum(['dnsmasq', 'isc', 'kea']),
  /** URL of the image server as machines reach it. */
  server: z
    .url({ protocol: /^https?$/, error: 'must be a URL: http://10.0.0.1:4280' })
    .max(300)
    .transform((url) => url.replace(/\/+$/, '')),
  /** Address of the TFTP server; absent: the image server's own, where its URL has one. */
  tftp: z.ipv4({ error: 'must be an IPv4 address' }).optional(),
  /** Machines that are to have a fixed address. A name stands in the lines as it is: nothing in it may end one. */
  hosts: z.array(z.object({ mac: macSchema, address: z.ipv4(), name: machineNameSchema.optional() })).default([]),
});
export type DhcpLinesInput = z.infer<typeof dhcpLinesInputSchema>;

/** `imprint dhcp dnsmasq|isc|kea`: what somebody else's DHCP server must say, so that its machines start the imager. */
export const dhcpLines = defineOperation({
  name: 'dhcp.lines',
  summary: 'Lines for a DHCP server that is not ours',
  input: dhcpLinesInputSchema,
  output: z.object({
    kind: z.enum(['dnsmasq', 'isc', 'kea']),
    /** To be pasted. */
    text: z.string(),
    hosts: z.array(z.object({ mac: macSchema, address: z.string(), name: z.string() })),
  }),
  errors: ['input-invalid'],
  effect: 'read',
  runsOn: 'anywhere',
  long: false,
});
export type DhcpLinesOutput = z.infer<(typeof dhcpLines)['output']>;
