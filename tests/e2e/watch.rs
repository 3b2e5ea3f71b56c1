//! What the arguments of processes show to everybody on the host.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Looks at the arguments of every process, again and again.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<String>>,
}

impl Watch {
    pub(crate) fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                    if let Ok(bytes) = std::fs::read(entry.path().join("cmdline")) {
                        seen.insert(String::from_utf8_lossy(&bytes).replace('\0', " "));
                    }
                }
                std::thread::sleep(Duration::from_millis(3));
            }
            seen
        });
        Self { stop, thread }
    }

    /// Ends it. Says how many processes show a secret, and not what.
    pub(crate) fn shows_none_of(self, secrets: &[&str]) {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.thread.join().unwrap();
        // The program itself has to be among them, or nobody has looked.
        assert!(
            seen.iter().any(|line| line.contains("mailu ")),
            "{} lines",
            seen.len()
        );
        let shown = seen
            .iter()
            .filter(|line| secrets.iter().any(|secret| line.contains(secret)));
        assert_eq!(shown.count(), 0, "processes show a secret");
    }
}
