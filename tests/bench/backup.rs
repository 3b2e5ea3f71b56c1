//! Backups and restores of many messages, against `tar` and `zstd`.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{install, layout, program, quiet, row};

/// As the archives of ours have it.
const LEVEL: &str = "-3";

const TIMES: usize = 3;

/// Numbers that look drawn, and are the same in every run (xorshift*).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % end
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let all = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        all.take(count).collect()
    }
}

/// Writes mail that compresses about as real mail does.
struct Author {
    dice: Dice,
    words: Vec<String>,
}

impl Author {
    fn new() -> Self {
        const SYLLABLES: [&str; 24] = [
            "an", "be", "con", "der", "es", "fi", "ge", "hal", "in", "ket", "lo", "mu", "ne", "or",
            "pre", "qui", "re", "sta", "ti", "un", "ver", "wo", "ya", "zen",
        ];
        let mut dice = Dice(0x6d61_696c_7521);
        let words = (0..4_000).map(|_| {
            let count = 1 + dice.below(4);
            (0..count)
                .map(|_| SYLLABLES[dice.below(SYLLABLES.len())])
                .collect()
        });
        Self {
            words: words.collect(),
            dice,
        }
    }

    /// So many bytes of text in lines.
    fn text(&mut self, length: usize) -> String {
        let mut out = String::new();
        let mut line = 0;
        while out.len() < length {
            // Some words are much more frequent than others.
            let most = 1 + self.dice.below(self.words.len());
            let word = &self.words[self.dice.below(most)];
            let end = if line + word.len() > 70 { "\r\n" } else { " " };
            out.push_str(word);
            out.push_str(end);
            line = if end == " " { line + word.len() + 1 } else { 0 };
        }
        out
    }

    fn encoded(&mut self, length: usize) -> String {
        let text = STANDARD.encode(self.dice.bytes(length * 3 / 4));
        let lines = text
            .as_bytes()
            .chunks(76)
            .map(|line| std::str::from_utf8(line).unwrap());
        lines.collect::<Vec<_>>().join("\r\n")
    }

    /// A message of 20 kB on average: most are shorter, some have something attached.
    fn message(&mut self, to: &str) -> String {
        let length = match self.dice.below(10) {
            0..=5 => 4_000,
            6..=8 => 20_000,
            _ => 112_000,
        };
        let [id, queue, from] = [(); 3].map(|()| self.dice.next());
        let domain = format!("sender{}.example", from % 500);
        let (subject, signature) = (self.text(40), self.encoded(340));
        let text = self.text((length / 2).min(6_000));
        let mut out = format!(
            "Return-Path: <{from:x}@{domain}>\r\nDelivered-To: <{to}>\r\nReceived: from mx.{domain} (mx.{domain} [198.51.100.{}])\r\n\tby mail.d0.example (Postfix) with ESMTPS id {queue:X}\r\n\tfor <{to}>; Fri, 27 Nov 2026 10:{:02}:{:02} +0000 (UTC)\r\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=dkim;\r\n\tb={signature}\r\nFrom: <{from:x}@{domain}>\r\nTo: <{to}>\r\nSubject: {}\r\nMessage-ID: <{id:x}@{domain}>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"{id:x}\"\r\n\r\n--{id:x}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--{id:x}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>{}</p></body></html>\r\n",
            from % 250,
            id % 60,
            queue % 60,
            subject.trim().replace("\r\n", " "),
            text.replace("\r\n", "<br>\r\n"),
        );
        let left = length.saturating_sub(out.len());
        if left > 1_000 {
            let attached = self.encoded(left);
            let _ = write!(
                out,
                "--{id:x}\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"{queue:x}.jpg\"\r\n\r\n{attached}\r\n"
            );
        }
        out + &format!("--{id:x}--\r\n")
    }

    /// Delivers the messages with these numbers, and returns how many bytes they have.
    fn deliver(&mut self, mail: &Path, numbers: std::ops::Range<usize>) -> u64 {
        const BOXES: usize = 50;
        const FOLDERS: [&str; 4] = ["cur", "new", ".Archive/cur", ".Sent/cur"];
        let mut sum = 0;
        for number in numbers {
            let address = format!("user{}@d0.example", number % BOXES);
            let folder = FOLDERS[number / BOXES % FOLDERS.len()];
            let directory = mail.join(&address).join(folder);
            let text = self.message(&address);
            let flags = if folder == "new" { "" } else { ":2,S" };
            let name = format!(
                "{}.M{}P{}.mail,S={},W={}{flags}",
                1_700_000_000 + number,
                self.dice.below(1_000_000),
                100 + self.dice.below(900),
                text.len(),
                text.len(),
            );
            DirBuilder::new()
                .recursive(true)
                .create(&directory)
                .unwrap();
            fs::write(directory.join(name), &text).unwrap();
            sum += text.len() as u64;
        }
        sum
    }
}

/// How long something took and how long it had a processor, in milliseconds, and the most memory of its first process, in MB.
#[derive(Clone, Copy)]
struct Took {
    time: f64,
    processor: f64,
    memory: f64,
}

/// The time that processes had which have ended and were waited for, theirs included, in milliseconds.
fn processor() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after) = text.rsplit_once(')').unwrap();
    // cutime and cstime, in hundredths of a second.
    let fields = after.split_whitespace().skip(13).take(2);
    fields
        .map(|field| field.parse::<f64>().unwrap() * 10.0)
        .sum()
}

fn watched(command: &mut Command) -> Took {
    // What others have left to write is not on anybody's account.
    quiet(&mut Command::new("sync"));
    let (had, begun) = (processor(), Instant::now());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut memory = 0.0_f64;
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        let text = fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kilobytes) = peak.and_then(|peak| peak.trim().strip_suffix(" kB")) {
            memory = memory.max(kilobytes.parse::<f64>().unwrap() / 1024.0);
        }
        thread::sleep(Duration::from_millis(5));
    };
    let time = begun.elapsed().as_secs_f64() * 1e3;
    assert!(ended.success(), "{command:?}");
    Took {
        time,
        processor: processor() - had,
        memory,
    }
}

/// One against the other, in turns; both get the number of the turn. Returns the most memory that ours had.
fn against(names: [&str; 2], ours: impl Fn(usize) -> Took, theirs: impl Fn(usize) -> Took) -> f64 {
    let all: Vec<[Took; 2]> = (0..TIMES).map(|turn| [ours(turn), theirs(turn)]).collect();
    let sorted = |of: &dyn Fn(&[Took; 2]) -> f64| {
        let mut numbers: Vec<f64> = all.iter().map(of).collect();
        numbers.sort_by(f64::total_cmp);
        [numbers[0], numbers[TIMES / 2], numbers[TIMES - 1]]
    };
    let times = [0, 1].map(|who| sorted(&|took| took[who].time));
    let [_, processor, _] = sorted(&|[ours, theirs]| ours.processor / theirs.processor);
    let [_, _, memory] = sorted(&|[ours, _]| ours.memory);
    for (name, times) in names.into_iter().zip(times) {
        row(name, times);
    }
    println!(
        "  ratio, ours to theirs: {:.2} (medians), of processor time {processor:.2}; the most memory that ours had: {memory:.1} MB",
        times[0][1] / times[1][1]
    );
    memory
}

fn shell(script: &str, arguments: &[&Path]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script, "sh"]).args(arguments);
    command
}

pub(crate) fn measure(directory: &Path) {
    let root = directory.join("backup");
    let (archive, other) = (directory.join("a.tar.zst"), directory.join("b.tar.zst"));
    install(&root, 1, &[]);
    let mail = layout(&root).file("data/mail");
    let mut author = Author::new();
    let (mut there, mut bytes) = (0, 0);
    let mut first: Option<[f64; 2]> = None;
    for count in [10_000, 100_000] {
        bytes += author.deliver(&mail, there..count);
        there = count;
        println!(
            "\nBackup and restore of {count} messages, {} MB (warm cache; all of it is on disk at the end: `sync` is part of the time)",
            bytes / 1_000_000
        );
        let ours = |_| {
            let _ = fs::remove_file(&archive);
            watched(
                Command::new(program())
                    .arg("--root")
                    .arg(&root)
                    .args(["backup", "--cold", "--output"])
                    .arg(&archive),
            )
        };
        let theirs = |_| {
            let _ = fs::remove_file(&other);
            let script = format!(
                "tar -C \"$1\" -c mailu secrets | zstd -q -T0 {LEVEL} -o \"$2\"; sync \"$2\""
            );
            watched(&mut shell(&script, &[&root, &other]))
        };
        let kept = against(
            [
                "mailu backup (of one moment, each file hashed)",
                "tar -c | zstd -T0 -3",
            ],
            ours,
            theirs,
        );
        let size = |path: &Path| fs::metadata(path).unwrap().len() / 1_000_000;
        println!(
            "  size of the archive: {} MB, theirs {} MB",
            size(&archive),
            size(&other)
        );

        // Nothing is removed in between: for minutes, ext4 steps over every inode that was, which takes longer than all the rest.
        let tree = |who: &str, turn: usize| directory.join(format!("{who}-{count}-{turn}"));
        let ours = |turn| {
            let mut command = Command::new(program());
            watched(
                command
                    .arg("--root")
                    .arg(tree("ours", turn))
                    .args(["restore", "--no-start"])
                    .arg(&archive),
            )
        };
        let theirs = |turn| {
            let unpacked = tree("theirs", turn);
            fs::create_dir(&unpacked).unwrap();
            let script =
                "zstd -q -d -c \"$1\" | tar -C \"$2\" -x -p --numeric-owner; sync -f \"$2\"";
            watched(&mut shell(script, &[&other, &unpacked]))
        };
        let back = against(
            [
                "mailu restore (read to its end first, then unpacked)",
                "zstd -d | tar -x",
            ],
            ours,
            theirs,
        );
        quiet(
            Command::new("diff")
                .arg("-r")
                .args([&mail, &layout(&tree("ours", 0)).file("data/mail")]),
        );
        let [kept_first, back_first] = *first.get_or_insert([kept, back]);
        println!(
            "  memory, to that for the first row: {:.2} times to back up, {:.2} times to restore",
            kept / kept_first,
            back / back_first
        );
    }
}
