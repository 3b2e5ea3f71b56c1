// The same types serve `require`.

import mailu = require('mailu');

export const files: mailu.RenderedFile[] = mailu.render({ mail_host: 'mail.example.com' });
export const kinds: mailu.ErrorKind[] = mailu.errorKinds();

export async function hosts(): Promise<string[]> {
  const server: mailu.Mailu = new mailu.Mailu();
  const found = await server.list();
  return found.map((one) => one.mail_host);
}
