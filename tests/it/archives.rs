//! Archives that nobody should restore, made of a good one.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tar::EntryType as Type;

/// An archive, and how an error about it begins (`backup.refused`, `backup.`).
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) code: &'static str,
}

/// A member of a tar file.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) header: tar::Header,
    pub(crate) path: Vec<u8>,
    pub(crate) target: Option<Vec<u8>>,
    pub(crate) content: Vec<u8>,
}

impl Member {
    fn new(path: &str, kind: tar::EntryType, content: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(if kind == tar::EntryType::Directory {
            0o755
        } else {
            0o600
        });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_size(content.len() as u64);
        Self {
            header,
            path: path.as_bytes().to_vec(),
            target: None,
            content: content.to_vec(),
        }
    }

    fn file(path: &str, content: &[u8]) -> Self {
        Self::new(path, tar::EntryType::Regular, content)
    }

    fn link(path: &str, target: &str, kind: tar::EntryType) -> Self {
        Self {
            target: Some(target.as_bytes().to_vec()),
            ..Self::new(path, kind, b"")
        }
    }

    fn is(&self, path: &str) -> bool {
        self.path == path.as_bytes()
    }
}

fn unpacked(archive: &[u8]) -> Vec<u8> {
    zstd::decode_all(archive).unwrap()
}

fn packed(tar: &[u8]) -> Vec<u8> {
    zstd::encode_all(tar, 1).unwrap()
}

fn gzipped(tar: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap()
}

/// The members of an archive.
pub(crate) fn members(archive: &[u8]) -> Vec<Member> {
    let tar = unpacked(archive);
    let mut reader = tar::Archive::new(tar.as_slice());
    reader
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            Member {
                header: entry.header().clone(),
                path: entry.path_bytes().into_owned(),
                target: entry.link_name_bytes().map(std::borrow::Cow::into_owned),
                content,
            }
        })
        .collect()
}

/// A long name as GNU tar writes it, and what it belongs to.
fn raw(out: &mut Vec<u8>, member: &Member) {
    let mut put = |header: &tar::Header, content: &[u8]| {
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(content);
        out.resize(out.len().div_ceil(512) * 512, 0);
    };
    let mut header = member.header.clone();
    let long = |kind: u8, text: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(text.len() as u64 + 1);
        header.set_cksum();
        (header, [text, &[0]].concat())
    };
    let gnu = header.as_gnu_mut().unwrap();
    gnu.name = [0; 100];
    if member.path.len() > 100 {
        let (header, text) = long(b'L', &member.path);
        put(&header, &text);
    } else {
        gnu.name[..member.path.len()].copy_from_slice(&member.path);
    }
    gnu.linkname = [0; 100];
    if let Some(target) = &member.target {
        gnu.linkname[..target.len()].copy_from_slice(target);
    }
    header.set_cksum();
    put(&header, &member.content);
}

/// A tar file with these members, whatever their names are.
pub(crate) fn tarred(members: &[Member]) -> Vec<u8> {
    let mut out = Vec::new();
    for member in members {
        raw(&mut out, member);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// The same, with the list and the end that belong to them: as somebody would do it who wants it to be believed.
pub(crate) fn signed(members: &[Member]) -> Vec<u8> {
    let mut all: Vec<Member> = members
        .iter()
        .filter(|one| !one.is("files.jsonl") && !one.is("end.json"))
        .cloned()
        .collect();
    let mut list = String::new();
    let (mut count, mut files, mut messages, mut bytes) = (0, 0, 0, 0);
    for member in all.iter().filter(|one| !one.is("mailu-backup.json")) {
        let kind = match member.header.entry_type() {
            tar::EntryType::Directory => "directory",
            tar::EntryType::Symlink => "link",
            _ => "file",
        };
        let path = mailu_core::backup::Member::text(
            member.path.strip_suffix(b"/").unwrap_or(&member.path),
        );
        let mut line = format!(
            "{{\"path\":{},\"kind\":\"{kind}\",\"size\":{},\"mode\":{},\"uid\":{},\"gid\":{},\"mtime\":{}",
            Value::String(path.clone()),
            member.content.len(),
            member.header.mode().unwrap() & 0o7777,
            member.header.uid().unwrap(),
            member.header.gid().unwrap(),
            member.header.mtime().unwrap()
        );
        if kind == "file" {
            write!(line, ",\"sha256\":\"{}\"", hex(&member.content)).unwrap();
            files += 1;
            bytes += member.content.len();
            let parts: Vec<&str> = path.split('/').collect();
            let folder = parts.iter().rev().nth(1);
            messages += usize::from(
                path.starts_with("deployment/data/mail/")
                    && matches!(folder, Some(&"cur" | &"new")),
            );
        }
        if let Some(target) = &member.target {
            let target = mailu_core::backup::Member::text(target);
            write!(line, ",\"target\":{}", Value::String(target)).unwrap();
        }
        list += &(line + "}\n");
        count += 1;
    }
    let end = serde_json::json!({
        "members": count, "files": files, "messages": messages, "bytes": bytes, "files_sha256": hex(list.as_bytes()),
    });
    all.push(Member::file("files.jsonl", list.as_bytes()));
    all.push(Member::file("end.json", end.to_string().as_bytes()));
    tarred(&all)
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in Sha256::digest(bytes) {
        write!(out, "{byte:02x}").unwrap();
    }
    out
}

/// More than a hundred of them, made of `good`: an archive packed with zstd.
pub(crate) fn damaged(good: &[u8]) -> Vec<Case> {
    let mut all = Vec::new();
    let mut case = |name: String, bytes: Vec<u8>, code: &'static str| {
        all.push(Case { name, bytes, code });
    };
    let tar = unpacked(good);
    let gz = gzipped(&tar);
    // Cut off.
    for part in 0..20 {
        let at = good.len() * part / 20;
        case(
            format!("zstd cut off at {at}"),
            good[..at].to_vec(),
            "backup.",
        );
        let at = gz.len() * part / 20;
        case(
            format!("gzip cut off at {at}"),
            gz[..at].to_vec(),
            "backup.",
        );
    }
    for less in [1, 2, 4, 8] {
        case(
            format!("zstd without its last {less}"),
            good[..good.len() - less].to_vec(),
            "backup.",
        );
        case(
            format!("gzip without its last {less}"),
            gz[..gz.len() - less].to_vec(),
            "backup.",
        );
    }
    // A bit that is another.
    for part in 0..20 {
        let mut bytes = good.to_vec();
        let at = bytes.len() * part / 20;
        bytes[at] ^= 0x10;
        // A few mean nothing to who unpacks it.
        let same = zstd::decode_all(bytes.as_slice()).is_ok_and(|all| all == tar);
        if !same {
            case(format!("a bit of zstd at {at}"), bytes, "backup.");
        }
        let mut bytes = tar.clone();
        let at = (bytes.len() - 2048) * part / 20 + 7;
        bytes[at] ^= 0x01;
        // What is between two members means nothing, and is nothing but zeros.
        if tar[at] != 0 {
            case(format!("a bit of tar at {at}"), packed(&bytes), "backup.");
        }
    }
    // Whole members.
    let there = members(good);
    let head = there
        .iter()
        .position(|one| one.is("mailu-backup.json"))
        .unwrap();
    let file = there
        .iter()
        .position(|one| one.path.ends_with(b"mailu.toml"))
        .unwrap();
    let message = there
        .iter()
        .position(|one| one.path.windows(5).any(|part| part == b"/cur/"))
        .unwrap();
    let mut change = |name: &str, code: &'static str, change: &dyn Fn(&mut Vec<Member>)| {
        let mut changed = there.clone();
        change(&mut changed);
        case(name.to_owned(), packed(&tarred(&changed)), code);
    };
    change("content of a message", "backup.differs", &|all| {
        all[message].content[0] ^= 1;
    });
    change("a shorter message", "backup.differs", &|all| {
        all[message].content.pop();
        let length = all[message].content.len() as u64;
        all[message].header.set_size(length);
    });
    change("another owner", "backup.differs", &|all| {
        all[message].header.set_uid(0x1234);
    });
    change("another mode", "backup.differs", &|all| {
        all[message].header.set_mode(0o777);
    });
    change("another time", "backup.differs", &|all| {
        all[message].header.set_mtime(1);
    });
    change("another name", "backup.differs", &|all| {
        all[message].path.push(b'X');
    });
    change("a file less", "backup.differs", &|all| {
        drop(all.remove(message));
    });
    change("two files in another order", "backup.differs", &|all| {
        all.swap(file, file + 1);
    });
    change("a file more", "backup.differs", &|all| {
        all.insert(file, Member::file("deployment/more", b"x"));
    });
    change("a line of the list less", "backup.damaged", &|all| {
        let list = all.iter_mut().find(|one| one.is("files.jsonl")).unwrap();
        let at = list.content.iter().position(|byte| *byte == b'\n').unwrap();
        list.content.drain(..=at);
        let length = list.content.len() as u64;
        list.header.set_size(length);
    });
    change("no list", "backup.refused", &|all| {
        all.retain(|one| !one.is("files.jsonl"));
    });
    change("no end", "backup.truncated", &|all| {
        all.retain(|one| !one.is("end.json"));
    });
    change("no list and no end", "backup.truncated", &|all| {
        all.retain(|one| !one.is("end.json") && !one.is("files.jsonl"));
    });
    change("no head", "backup.foreign", &|all| drop(all.remove(head)));
    change("two heads", "backup.refused", &|all| {
        let again = all[head].clone();
        all.insert(1, again);
    });
    change("a head that is no JSON", "backup.damaged", &|all| {
        all[head].content = b"{".to_vec();
        all[head].header.set_size(1);
    });
    change("a head without a name", "backup.damaged", &|all| {
        all[head].content = b"{\"format\":1}".to_vec();
        all[head].header.set_size(12);
    });
    change("a newer format", "backup.newer", &|all| {
        all[head].content = b"{\"format\":99}".to_vec();
        all[head].header.set_size(13);
    });
    change("an end that is no JSON", "backup.damaged", &|all| {
        let end = all.iter_mut().find(|one| one.is("end.json")).unwrap();
        end.content = b"[]".to_vec();
        end.header.set_size(2);
    });
    change("something after the end", "backup.damaged", &|all| {
        all.push(Member::file("deployment/after", b"x"));
    });
    change("nothing at all", "backup.truncated", &Vec::clear);
    let mut more = tar.clone();
    more.extend_from_slice(b"more");
    case(
        "bytes after the end".to_owned(),
        packed(&more),
        "backup.damaged",
    );
    case(
        "two archives in one".to_owned(),
        [good, good].concat(),
        "backup.damaged",
    );
    case(
        "bytes behind zstd".to_owned(),
        [good, b"more"].concat(),
        "backup.damaged",
    );

    // Believable ones: list and end say the same.
    let mut hostile = |name: &str, code: &'static str, member: Member| {
        let mut changed = there.clone();
        changed.insert(file, member);
        case(
            format!("believable: {name}"),
            packed(&signed(&changed)),
            code,
        );
    };
    for path in [
        "../outside",
        "deployment/../../outside",
        "deployment/../secrets/x",
        "/etc/outside",
        "deployment//x",
        "deployment/./x",
        "outside",
        "deployment/data/mail/../../../x",
        "secrets/../deployment/x",
        "deployment/..",
        "..",
        ".",
        "",
        "deploymentX/x",
        "deployment/no/such/directory",
        "deployment\\..\\x",
    ] {
        hostile(&format!("`{path}`"), "backup.", Member::file(path, b"x"));
    }
    for target in [
        "/etc/passwd",
        "../../../etc/passwd",
        "../secrets/x",
        "..",
        "/",
        "data/../../x",
        "",
    ] {
        hostile(
            &format!("a link to `{target}`"),
            "backup.refused",
            Member::link("deployment/link", target, Type::Symlink),
        );
    }
    hostile(
        "a hard link",
        "backup.refused",
        Member::link("deployment/hard", "deployment/mailu.toml", Type::Link),
    );
    hostile(
        "a hard link out",
        "backup.refused",
        Member::link("deployment/hard", "/etc/passwd", Type::Link),
    );
    hostile(
        "a character device",
        "backup.refused",
        Member::new("deployment/null", Type::Char, b""),
    );
    hostile(
        "a block device",
        "backup.refused",
        Member::new("deployment/sda", Type::Block, b""),
    );
    hostile(
        "a pipe",
        "backup.refused",
        Member::new("deployment/pipe", Type::Fifo, b""),
    );
    hostile(
        "a kind that nobody knows",
        "backup.refused",
        Member::new("deployment/odd", Type::new(b'Z'), b""),
    );
    hostile(
        "a sparse file",
        "backup.",
        Member::new("deployment/sparse", Type::GNUSparse, b""),
    );
    hostile(
        "a long name",
        "backup.refused",
        Member::file(&format!("deployment/{}", "a".repeat(300)), b"x"),
    );
    hostile(
        "a long path",
        "backup.refused",
        Member::file(&format!("deployment/{}", "a/".repeat(3000)), b"x"),
    );
    hostile(
        "a file that is there twice",
        "backup.refused",
        Member::file("deployment/.env", b"x"),
    );
    hostile(
        "a directory that is there twice",
        "backup.refused",
        Member::new("deployment/data", Type::Directory, b""),
    );
    hostile(
        "a directory for a file",
        "backup.refused",
        Member::file("deployment/data", b"x"),
    );
    hostile(
        "a directory with content",
        "backup.damaged",
        Member::new("deployment/full", Type::Directory, b"x"),
    );
    let mut setuid = Member::file("deployment/setuid", b"x");
    setuid.header.set_mode(0o4755);
    hostile("setuid", "backup.refused", setuid);
    let mut setgid = Member::file("deployment/setgid", b"x");
    setgid.header.set_mode(0o2755);
    hostile("setgid", "backup.refused", setgid);
    let mut nul = Member::file("deployment/nul", b"x");
    nul.path = [&b"deployment/"[..], &[b'a'; 90], b"\0b/../../../x"].concat();
    hostile("a zero byte", "backup.refused", nul);
    // Below a link.
    let mut through = there.clone();
    through.insert(file, Member::link("deployment/way", "data", Type::Symlink));
    through.insert(file + 1, Member::file("deployment/way/x", b"x"));
    case(
        "believable: through a link".to_owned(),
        packed(&signed(&through)),
        "backup.refused",
    );

    // Headers that are too much.
    let extension = |kind: u8, length: usize| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(length as u64);
        header.set_cksum();
        let mut out = header.as_bytes().to_vec();
        out.resize(512 + length.div_ceil(512) * 512, b'a');
        out
    };
    for (kind, name) in [(b'L', "name"), (b'K', "target"), (b'x', "header")] {
        let mut bytes = tar[..1024].to_vec();
        bytes.extend(extension(kind, 64 << 20));
        bytes.extend_from_slice(&tar[1024..]);
        case(format!("64 MB of {name}"), packed(&bytes), "backup.damaged");
    }
    let mut huge = Member::file("deployment/huge", b"");
    huge.header.set_size(u64::MAX / 2);
    let mut bytes = tarred(&there[..2]);
    bytes.truncate(bytes.len() - 1024);
    raw(&mut bytes, &huge);
    case(
        "a size of exabytes".to_owned(),
        packed(&bytes),
        "backup.truncated",
    );
    // A bomb: it is read to its end and is not what it says.
    let mut bomb = there[..2].to_vec();
    bomb.push(Member::file("deployment/zeros", &vec![0; 64 << 20]));
    case(
        "64 MB of zeros without an end".to_owned(),
        packed(&tarred(&bomb)),
        "backup.truncated",
    );

    // Not archives.
    case("nothing".to_owned(), Vec::new(), "backup.foreign");
    case("a text".to_owned(), b"hello\n".to_vec(), "backup.foreign");
    case("a bare tar".to_owned(), tar.clone(), "backup.foreign");
    case("zstd of a text".to_owned(), packed(b"hello\n"), "backup.");
    case("gzip of a text".to_owned(), gzipped(b"hello\n"), "backup.");
    case("gzip of zstd".to_owned(), gzipped(good), "backup.");
    case(
        "somebody's files".to_owned(),
        packed(&tarred(&[Member::file("photo.jpg", b"x")])),
        "backup.foreign",
    );
    case(
        "an age file without content".to_owned(),
        b"age-encryption.org/v1\n".to_vec(),
        "backup.",
    );
    all
}

/// An archive for another mail host, whole as it is.
pub(crate) fn of_another(good: &[u8], mail_host: &str) -> Vec<u8> {
    let mut all = members(good);
    let head = &mut all[0];
    let mut value: Value = serde_json::from_slice(&head.content).unwrap();
    value["mail_host"] = mail_host.into();
    head.content = value.to_string().into_bytes();
    let length = head.content.len() as u64;
    head.header.set_size(length);
    packed(&signed(&all))
}
