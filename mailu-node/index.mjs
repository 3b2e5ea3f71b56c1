import mailu from './index.js';

export const { MailuError, checkConfig, configSchema, dnsRecords, errorKinds, render, version } = mailu;
