//! What processes were started with: their environments and arguments, as Linux shows them.

use std::fs;
use std::io::Read;
use std::path::Path;

use akia_core::leak::{Part, Place, Why};

use crate::file::{self, Links};
use crate::walk::Walk;

/// The kernel lets arguments and environment be 6 MiB by default; what is longer is scanned up to here and told.
const LONGEST: u64 = 64 << 20;

/// Looks at every process.
pub(super) fn scan(walk: &Walk<'_>, place: &Place, proc: &Path) {
    let Ok(entries) = fs::read_dir(proc) else {
        return walk.skip(place, Why::Unsupported, "processes show their environment on Linux only, in /proc");
    };
    let mut pids: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect();
    pids.sort_unstable();
    if pids.is_empty() {
        return walk.skip(place, Why::Unsupported, "there are no processes in /proc: it is not mounted");
    }
    // Each Linux has a first process, and each process sees itself.
    if proc.join("self").exists() && !proc.join("1").exists() {
        walk.skip(place, Why::Unreadable, "the processes of other users are not shown (hidepid): run akia as root");
    }
    let mut closed = 0u64;
    for pid in pids {
        if walk.scan().limits.is_over() {
            walk.skip(
                place,
                Why::TimedOut,
                format!("processes from {pid} on were left when the time was over: --timeout"),
            );
            break;
        }
        let folder = proc.join(pid.to_string());
        let name = fs::read_to_string(folder.join("comm")).unwrap_or_default();
        for (file, part, separator) in [("environ", Part::Variable, b'\n'), ("cmdline", Part::Content, b' ')] {
            let place = Place { path: format!("{}/{pid}/{file} ({})", place.path, name.trim()), part, ..place.clone() };
            match read(&folder.join(file)) {
                Ok(mut bytes) => {
                    for byte in bytes.iter_mut().filter(|byte| **byte == 0) {
                        *byte = separator;
                    }
                    if bytes.len() as u64 >= LONGEST {
                        walk.skip(&place, Why::TooLarge, format!("only its first {LONGEST} bytes were looked at"));
                    }
                    walk.count_object();
                    walk.count_bytes(bytes.len() as u64);
                    walk.short(&place, &bytes, false);
                }
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    closed += u64::from(part == Part::Variable);
                }
                // It has ended: there is nothing any more that could leak from it.
                Err(_) => {}
            }
        }
        walk.flush();
    }
    if closed > 0 {
        let detail = format!("the environment of {closed} processes of other users: run akia as root");
        walk.skip(place, Why::Unreadable, detail);
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file::open(path, Links::Leave)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
