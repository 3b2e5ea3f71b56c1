"""What people do with their mailboxes, from outside: `python3 -c SCRIPT VERB`, with one line of JSON on stdin that says the rest.

load    senders over port 25 and one mail program for each account, all with connections that stay open, until stdin ends
relay   messages handed to the mail server here, which tries again, until stdin ends
seed    folders and messages, to begin with
post    messages over port 25
append  messages into a folder
clear   takes messages and folders away
look    everything that is there, as one JSON value

All but `look` write a ledger: one JSON line for each operation that the server has acknowledged, with the time before and after
(`t0`, `t1`; `mono` is `t1` by a clock that nobody sets) and what is so from then on.
"""
import email.utils
import hashlib
import imaplib
import json
import random
import re
import smtplib
import socket
import ssl
import sys
import threading
import time

imaplib._MAXLINE = 10_000_000
HOST = "mail.example.com"
SOURCE = "198.51.100.10"
SENDER = "load@outside.test"
FIELDS = (b"dkim-signature", b"from", b"to", b"subject", b"date", b"message-id", b"x-load")
FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "$Forwarded", "$Label1", "NonJunk", "Project-X")
SYSTEM = ("INBOX", "Trash", "Drafts", "Sent", "Junk")
NAMES = ("Clients", "Entw&APw-rfe", "two words", "2026", "Offers", "To do", "K&APY-ln", "x&-y", "quo'te", "_hidden")
WORDS = (
    "the meeting about our new contract has moved to Thursday afternoon because two people from the office in Hamburg cannot come earlier and "
    "somebody wants to see the numbers of last month before we decide what to do with old invoices which were never paid please bring your "
    "notes on printing costs and a copy of that letter they sent in spring thanks for everything until then greetings from all in this house"
).split()

stopping = threading.Event()
printing = threading.Lock()
config = {}


def tell(op, account, t0, events, **more):
    now, mono = time.time(), time.monotonic()
    line = json.dumps({"op": op, "account": account, "t0": t0, "t1": now, "mono": mono, "events": events, **more})
    with printing:
        print(line, flush=True)


# ------------------------------------------------------------------------------------------------------------------------ messages
def part_sent(raw):
    """What the sender wrote: servers on the way put fields of their own at the head."""
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    ours = [field for field in fields if field.partition(b":")[0].lower() in FIELDS]
    return hashlib.sha256(b"\r\n".join(ours) + b"\r\n\r\n" + body).hexdigest()


def message_id(raw):
    found = re.search(rb"^message-id:\s*(<[^>]*>)", raw.partition(b"\r\n\r\n")[0], re.IGNORECASE | re.MULTILINE)
    return found[1].decode() if found else ""


def facts(raw):
    return {"id": message_id(raw), "sha": hashlib.sha256(raw).hexdigest(), "sent": part_sent(raw)}


def compose(dice, to, kind):
    """A message that no other has the text of."""
    number = f"{dice.getrandbits(64):016x}"
    lines = []
    for _ in range(dice.choice((3, 8, 20, 60))):
        lines.append(" ".join(dice.choices(WORDS, k=dice.randint(4, 12))))
    lines[1:1] = [".", "..two dots", "From here on", "Grüße aus Köln", ""]
    if dice.random() < 0.05:
        lines += [f"{dice.getrandbits(256):064x}" for _ in range(dice.choice((500, 4000)))]
    head = [
        f"From: Somebody <{SENDER}>",
        f"To: {to}",
        f"Subject: {' '.join(dice.choices(WORDS, k=6))}\r\n {number}",
        f"Date: {email.utils.formatdate()}",
        f"Message-ID: <{number}.{kind}@outside.test>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        f"X-Load: {kind}",
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + "\r\n".join(lines) + "\r\n").encode()


# ------------------------------------------------------------------------------------------------------------------------- senders
class Sender:
    """Has a message acknowledged before it goes on to the next."""

    def __init__(self, name, host, source):
        self.name, self.host, self.source, self.smtp, self.used = name, host, source, None, 0
        self.dice = random.Random(f"{sys.argv[1]}/{config.get('seed', 0)}/{name}")
        with open("/tls/dkim.key", "rb") as file:
            self.key = file.read()

    def connected(self):
        if self.smtp and self.used >= 40:
            self.leave()
        if not self.smtp:
            self.smtp = smtplib.SMTP(self.host, 25, local_hostname="mx.outside.test", timeout=60, source_address=self.source)
            self.smtp.ehlo_or_helo_if_needed()
            self.used = 0
        self.used += 1
        return self.smtp

    def leave(self):
        if self.smtp:
            try:
                self.smtp.quit()
            except (OSError, smtplib.SMTPException):
                self.smtp.close()
        self.smtp = None

    def send(self, to, give_up=lambda: False):
        import dkim

        message = compose(self.dice, to, "smtp")
        message = dkim.sign(message, b"s1", b"outside.test", self.key, canonicalize=(b"relaxed", b"relaxed")) + message
        while not give_up():
            t0, handed_over = time.time(), False
            try:
                smtp = self.connected()
                for code, text in (smtp.mail(SENDER), smtp.rcpt(to)):
                    if code >= 300:
                        raise smtplib.SMTPResponseException(code, text)
                handed_over = True
                code, text = smtp.data(message)
                handed_over = False
                if code >= 300:
                    raise smtplib.SMTPResponseException(code, text)
            except (OSError, smtplib.SMTPException) as error:
                # Whether the server has taken a message whose acknowledgement is missing, nobody knows.
                event = [{"e": "unsure", "id": message_id(message), "sent": part_sent(message)}] if handed_over else []
                tell("refused", to, t0, event, why=f"{type(error).__name__}: {error}")
                self.leave()
                # As a mail server would, if in more of a hurry.
                stopping.wait(0.5)
                continue
            tell("sent", to, t0, [{"e": "sent", "id": message_id(message), "sent": part_sent(message)}])
            return


def paced(rate, act):
    """`act` so often a second, until it is to end. What was missed is not made up for."""
    due = time.monotonic()
    while not stopping.is_set():
        act()
        due = max(due + 1 / rate, time.monotonic() - 0.5)
        stopping.wait(max(0, due - time.monotonic()))


def sending(name, host, source, rate):
    sender = Sender(name, host, source)
    to = list(config["accounts"])
    paced(rate, lambda: sender.send(sender.dice.choice(to), stopping.is_set))
    sender.leave()


# ------------------------------------------------------------------------------------------------------------------- mail programs
def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


LISTED = re.compile(rb'\((?P<flags>[^)]*)\) (?:"(?:[^"\\]|\\.)*"|NIL) (?P<name>"(?:[^"\\]|\\.)*"|\S+)$')


def listed(answer):
    names = []
    for line in done(answer):
        found = line and LISTED.match(line)
        if found and b"\\Noselect" not in found["flags"] and b"\\NonExistent" not in found["flags"]:
            name = found["name"].decode()
            names.append(re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith('"') else name)
    return sorted(names)


def done(answer):
    kind, data = answer
    if kind != "OK":
        raise imaplib.IMAP4.error(f"{kind} {data}")
    return data


class Client(imaplib.IMAP4_SSL):
    def _create_socket(self, timeout):
        # imaplib knows no source address.
        plain = socket.create_connection((self.host, self.port), timeout, (SOURCE, 0))
        return self.ssl_context.wrap_socket(plain, server_hostname=self.host)


def connect(account):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = Client(HOST, 993, ssl_context=context, timeout=120)
    client.login(account, config["accounts"][account])
    return client


HEAD = re.compile(rb'UID (?P<uid>\d+) FLAGS \((?P<flags>[^)]*)\) INTERNALDATE "(?P<date>[^"]*)"')


def fetched(client, uids):
    """UID, flags, date and text of messages."""
    found = []
    for item in done(client.uid("FETCH", uids, "(UID FLAGS INTERNALDATE BODY.PEEK[])")):
        if isinstance(item, tuple):
            head = HEAD.search(item[0])
            flags = sorted(flag for flag in head["flags"].decode().split() if flag != "\\Recent")
            date = int(email.utils.mktime_tz(email.utils.parsedate_tz(head["date"].decode())))
            found.append({"uid": int(head["uid"]), "flags": flags, "date": date, **facts(item[1])})
    return found


class Program:
    """A mail program with one connection, and the only one that changes this account."""

    def __init__(self, account):
        self.account = account
        self.dice = random.Random(f"{sys.argv[1]}/{config.get('seed', 0)}/{account}")
        self.client = connect(account)
        self.selected = None
        self.folders = {}  # name: UIDVALIDITY
        self.messages = {}  # UIDVALIDITY: {UID: what is known}
        self.count = 0
        self.seen_to = 0
        for name in listed(self.client.list()):
            self.open(name)
            self.messages[self.folders[name]] = {one["uid"]: one for one in fetched(self.client, "1:*")} if self.exists else {}
        self.seen_to = max(self.messages[self.folders["INBOX"]], default=0)

    def open(self, name):
        if self.selected != name:
            self.selected = None
            self.exists = int(done(self.client.select(quoted(name)))[0])
            self.folders[name] = int(self.client.response("UIDVALIDITY")[1][0])
            self.selected = name
        return self.folders[name]

    def close(self):
        if self.selected:
            done(self.client.unselect())
            self.selected = None

    def tell(self, op, t0, events):
        tell(op, self.account, t0, events)

    # --- what it does
    def look(self):
        """For what has arrived. This is no operation, but says under which number a message is known from now on."""
        t0 = time.time()
        uv = self.open("INBOX")
        done(self.client.noop())
        there = self.messages[uv]
        events = []
        for one in fetched(self.client, f"{self.seen_to + 1}:*"):
            # What this program has put there itself is among them.
            if one["uid"] > self.seen_to and one["uid"] not in there:
                there[one["uid"]] = one
                events.append({"e": "message", "uv": uv, **one})
            self.seen_to = max(self.seen_to, one["uid"])
        if events:
            self.tell("look", t0, events)

    def some(self, most, avoid=()):
        """A folder that has messages, and some of them."""
        names = [name for name, uv in self.folders.items() if self.messages[uv] and name not in avoid]
        if not names:
            return None, []
        name = self.dice.choice(names)
        uids = list(self.messages[self.folders[name]])
        return name, sorted(self.dice.sample(uids, min(len(uids), self.dice.randint(1, most))))

    def flag(self):
        name, uids = self.some(4)
        if not uids:
            return self.append()
        uv = self.open(name)
        sign, flags = self.dice.choice("+-"), self.dice.sample(FLAGS, self.dice.randint(1, 3))
        t0 = time.time()
        done(self.client.uid("STORE", ",".join(map(str, uids)), f"{sign}FLAGS.SILENT", f"({' '.join(flags)})"))
        events = []
        for uid in uids:
            one = self.messages[uv][uid]
            one["flags"] = sorted(set(one["flags"]) | set(flags) if sign == "+" else set(one["flags"]) - set(flags))
            events.append({"e": "flags", "uv": uv, "uid": uid, "flags": one["flags"]})
        self.tell("flag", t0, events)

    def append(self, name=None, date=None):
        name = name or self.dice.choice([name for name in self.folders if name != "Junk"])
        uv = self.folders[name]
        flags = sorted(self.dice.sample(FLAGS, self.dice.randint(0, 3)))
        raw = compose(self.dice, self.account, "append")
        if self.dice.random() < 0.2:
            raw = raw[:-2]
        t0 = time.time()
        date = date or t0 - self.dice.choice((0, 0, 86400 * 400))
        done(self.client.append(quoted(name), f"({' '.join(flags)})", imaplib.Time2Internaldate(date), raw))
        where, uid = map(int, self.client.response("APPENDUID")[1][0].split())
        one = {"uid": uid, "flags": flags, "date": int(date), **facts(raw)}
        self.messages[uv][uid] = one
        if where != uv:
            raise imaplib.IMAP4.error(f"{name} is {where}, and was {uv}")
        self.tell("append", t0, [{"e": "message", "uv": uv, **one}])

    def to_another(self, verb):
        source, uids = self.some(3, avoid=("Junk",))
        targets = [name for name in self.folders if name not in (source, "Junk")]
        if not uids or not targets:
            return self.append()
        target = self.dice.choice(targets)
        uv, there = self.open(source), self.folders[target]
        self.client.response("COPYUID")
        t0 = time.time()
        done(self.client.uid(verb, ",".join(map(str, uids)), quoted(target)))
        where, old, new = self.client.response("COPYUID")[1][-1].decode().split()
        if int(where) != there:
            raise imaplib.IMAP4.error(f"{target} is {where}, and was {there}")
        events = []
        for before, after in zip(numbers(old), numbers(new), strict=True):
            one = {**self.messages[uv][before], "uid": after}
            self.messages[there][after] = one
            events.append({"e": "message", "uv": there, **one})
            if verb == "MOVE":
                del self.messages[uv][before]
                events.append({"e": "expunged", "uv": uv, "uid": before})
        self.tell(verb.lower(), t0, events)

    def expunge(self):
        name, uids = self.some(2)
        if not uids:
            return self.append()
        uv = self.open(name)
        those = ",".join(map(str, uids))
        t0 = time.time()
        done(self.client.uid("STORE", those, "+FLAGS.SILENT", "(\\Deleted)"))
        done(self.client.uid("EXPUNGE", those))
        for uid in uids:
            del self.messages[uv][uid]
        # The flag was set within the same time, and nobody can have relied on it.
        self.tell("expunge", t0, [{"e": "expunged", "uv": uv, "uid": uid} for uid in uids])

    def unused(self):
        """A name that nobody has used, in rounds before neither."""
        self.count += 1
        return f"{self.dice.choice(NAMES)} {config.get('seed', 0)}-{self.count}"

    def new_name(self):
        name = self.unused()
        parents = [name for name in self.folders if name not in SYSTEM and name.count(".") < 2]
        return f"{self.dice.choice(parents)}.{name}" if parents and self.dice.random() < 0.4 else name

    def create(self, name=None):
        name = name or self.new_name()
        t0 = time.time()
        try:
            done(self.client.create(quoted(name)))
        except imaplib.IMAP4.error as error:
            # Dovecot says so, too, if another of its processes has seen the folder while it was made. Nobody else has this name.
            if "ALREADYEXISTS" not in str(error):
                raise
        done(self.client.subscribe(quoted(name)))
        # STATUS says 0 at times, of a folder that nobody has opened yet.
        uv = self.open(name)
        self.messages[uv] = {}
        self.tell("create", t0, [{"e": "folder", "uv": uv, "name": name}])

    def rename(self):
        names = [name for name in self.folders if name not in SYSTEM]
        if not names:
            return self.create()
        # One with much in it takes longer.
        old = max(self.dice.sample(names, min(3, len(names))), key=lambda name: len(self.messages[self.folders[name]]))
        new = self.new_name()
        if new.startswith(old + "."):
            new = self.unused()
        self.close()
        t0 = time.time()
        done(self.client.rename(quoted(old), quoted(new)))
        events = []
        for name in list(self.folders):
            if name == old or name.startswith(old + "."):
                uv = self.folders.pop(name)
                self.folders[new + name[len(old) :]] = uv
                events.append({"e": "folder", "uv": uv, "name": new + name[len(old) :]})
        self.tell("rename", t0, events)

    def delete(self):
        leaves = [name for name in self.folders if name not in SYSTEM and not any(other.startswith(name + ".") for other in self.folders)]
        if len(leaves) < 3:
            return self.create()
        # A folder full of mail is not what people delete every minute.
        name = min(self.dice.sample(leaves, min(3, len(leaves))), key=lambda name: len(self.messages[self.folders[name]]))
        self.close()
        t0 = time.time()
        done(self.client.delete(quoted(name)))
        uv = self.folders.pop(name)
        del self.messages[uv]
        self.tell("delete", t0, [{"e": "gone", "uv": uv}])

    def anything(self):
        acts = {
            self.flag: 34, self.append: 16, self.create: 4, self.rename: 9, self.delete: 3, self.expunge: 9,
            (lambda: self.to_another("MOVE")): 17, (lambda: self.to_another("COPY")): 8,
        }
        if self.dice.random() < 0.15:
            self.look()
        self.dice.choices(list(acts), list(acts.values()))[0]()


def numbers(text):
    """A set of UIDs, in its order."""
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


def using(account, rate):
    try:
        program = Program(account)
        paced(rate, program.anything)
        program.look()
        program.client.logout()
    except Exception as error:
        tell("broken", account, time.time(), [], why=f"{type(error).__name__}: {error}")


# --------------------------------------------------------------------------------------------------------------------------- verbs
def until_stdin_ends(*threads):
    threads = [threading.Thread(target=target, args=args) for target, *args in threads]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stopping.set()
    for thread in threads:
        thread.join()
    tell("end", "", time.time(), [])


def load():
    until_stdin_ends(
        *((sending, f"sender {n}", HOST, (SOURCE, 0), config["sent"] / 4) for n in range(4)),
        *((using, account, config["used"] / len(config["accounts"])) for account in config["accounts"]),
    )


def relay():
    until_stdin_ends((sending, "relay", "127.0.0.1", None, config["sent"]))


def seed():
    for account in config["accounts"]:
        program = Program(account)
        for name in ("Clients", "Clients.K&APY-ln", "two words"):
            program.create(name)
        for _ in range(config["count"]):
            program.append(date=time.time() - program.dice.randint(0, 10**8))
        for _ in range(config["count"] // 4):
            program.flag()
        program.client.logout()


def post():
    sender = Sender("post", HOST, (SOURCE, 0))
    for _ in range(config["count"]):
        sender.send(config["to"])
    sender.leave()


def append():
    program = Program(config["account"])
    if config["folder"] not in program.folders:
        program.create(config["folder"])
    for _ in range(config["count"]):
        program.append(config["folder"])
    program.client.logout()


def clear():
    """All messages but the first few of the inbox, which get a flag, and all folders."""
    program = Program(config["account"])
    uids = sorted(program.messages[program.open("INBOX")])
    kept, lost = uids[: config["keep"]], uids[config["keep"] :]
    if kept:
        done(program.client.uid("STORE", ",".join(map(str, kept)), "FLAGS", "(\\Flagged Later)"))
    if lost:
        done(program.client.uid("STORE", ",".join(map(str, lost)), "+FLAGS", "(\\Deleted)"))
        done(program.client.uid("EXPUNGE", ",".join(map(str, lost))))
    program.close()
    for name in sorted(program.folders, key=lambda name: -name.count(".")):
        if name != "INBOX":
            done(program.client.delete(quoted(name)))
    program.client.logout()


def look():
    everything = {}
    for account in config["accounts"]:
        client = connect(account)
        subscribed = listed(client.lsub())
        everything[account] = {}
        for name in listed(client.list()):
            exists = int(done(client.select(quoted(name), readonly=True))[0])
            everything[account][name] = {
                "uv": int(client.response("UIDVALIDITY")[1][0]),
                "next": int(client.response("UIDNEXT")[1][0]),
                "subscribed": name in subscribed,
                "messages": fetched(client, "1:*") if exists else [],
            }
        client.logout()
    print(json.dumps(everything))


config = json.loads(sys.stdin.readline())
{verb.__name__: verb for verb in (load, relay, seed, post, append, clear, look)}[sys.argv[1]]()
