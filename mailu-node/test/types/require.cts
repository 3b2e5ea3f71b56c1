// The same types serve `require`.

import mailu = require('mailu');

export const files: mailu.RenderedFile[] = mailu.render({ mail_host: 'mail.example.com' });
export const kinds: mailu.ErrorKind[] = mailu.errorKinds();
