// read_settings.js ghost: a JSON list of {file, env} comes in; what Ghost finds there under `mail` goes out, read as its
// `shared/config/loader.js` does: the environment before the file, both by nconf.
// read_settings.js addresses FILE…: the lines of each taken apart as nodemailer does.
const fs = require('node:fs');
const path = require('node:path');
const load = require('node:module').createRequire(path.join(__dirname, '../../.cache/node/package.json'));
const [kind, ...paths] = process.argv.slice(2);

function ghost({file, env}) {
    const Provider = load('nconf').Provider;
    const before = {...process.env};
    Object.assign(process.env, env || {});
    const nconf = new Provider();
    nconf.env({separator: '__', parseValues: true});
    if (file) {
        nconf.file('custom-env', file);
    }
    // As Ghost's mailer asks for it.
    const mail = nconf.get('mail');
    process.env = before;
    return mail;
}

let read;
if (kind === 'ghost') {
    read = JSON.parse(fs.readFileSync(0, 'utf8')).map(ghost);
} else {
    const parse = load('nodemailer/lib/addressparser');
    read = paths.map(one => fs.readFileSync(one, 'utf8').split('\n').slice(0, -1).map((line) => {
        const all = parse(line);
        return all.length === 1 ? [all[0].name, all[0].address] : all;
    }));
}
process.stdout.write(JSON.stringify(read));
