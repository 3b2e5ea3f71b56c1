// Made by generate.js. Do not edit.
import mailu from './index.js';

export const {
  Mailu,
  MailuError,
  accountsSchema,
  appList,
  checkConfig,
  configSchema,
  dnsRecords,
  errorKinds,
  render,
  settingsOfApp,
  version,
} = mailu;
