/** The status page's script. */
export const pageScript = '';
