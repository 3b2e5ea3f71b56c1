// ghost.js FILE TO SUBJECT PATIENCE: sends a message as Ghost does: with its configuration (a file, or variables where FILE has names with `__`)
// read by nconf, and its mailer. Prints {"ok": …, "why": …}.
const fs = require('node:fs');
const path = require('node:path');
const load = require('node:module').createRequire(path.join(__dirname, '../../.cache/node/package.json'));
const [file, to, subject, patience] = process.argv.slice(2);

const given = JSON.parse(fs.readFileSync(file, 'utf8'));
const config = new (load('nconf').Provider)();
if (Object.keys(given).some(name => name.includes('__'))) {
    Object.assign(process.env, given);
    config.env({separator: '__', parseValues: true});
} else {
    config.file('custom-env', file);
}
const mail = config.get('mail');
const transport = load('@tryghost/nodemailer')(mail.transport, {...mail.options, greetingTimeout: patience * 1000});
transport.sendMail({from: mail.from, to, subject, text: 'from Ghost', html: '<p>from Ghost</p>', encoding: 'base64'}).then(
    () => ({ok: true, why: ''}),
    error => ({ok: false, why: `${error.code} ${error.message}`})
).then((said) => {
    console.log(JSON.stringify(said));
    transport.close();
});
