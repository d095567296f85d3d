/** The status page's style sheet. */
export const pageStyle = '';
