//! Times: medians, tables, and their place in `docs/benchmarks.md`.

use crate::command::{capture, command};
use crate::folders;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs a program whose output nobody wants, and says how long it took. Anything but success is an error that shows
/// what it said.
pub(crate) fn time(command: &mut Command) -> Result<Duration, String> {
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let started = Instant::now();
    let output = command.output().map_err(|error| format!("cannot start {}: {error}", name(command)))?;
    let took = started.elapsed();
    if output.status.success() {
        Ok(took)
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{} ended with {}:\n{}", name(command), output.status, said.trim()))
    }
}

/// The middle one; of two, the mean.
pub(crate) fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    match sorted.len() {
        0 => Duration::ZERO,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => (sorted[even / 2 - 1] + sorted[even / 2]) / 2,
    }
}

/// The fastest and the slowest, in the form of `seconds`.
pub(crate) fn range(times: &[Duration]) -> String {
    match (times.iter().min(), times.iter().max()) {
        (Some(least), Some(most)) => format!("{:.1}–{:.1}", least.as_secs_f64(), most.as_secs_f64()),
        _ => String::new(),
    }
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

/// How many times longer the first is.
pub(crate) fn ratio(longer: Duration, shorter: Duration) -> f64 {
    longer.as_secs_f64() / shorter.as_secs_f64().max(f64::EPSILON)
}

/// A table in Markdown that reads well in a terminal, too.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("| {} |\n", padded.join(" | "))
    };
    let mut text = line(header.to_vec());
    let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    text.push_str(&line(rules.iter().map(String::as_str).collect()));
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

/// When, on what and of what: a figure without these is worth nothing.
pub(crate) fn circumstances(programs: &[String]) -> String {
    let first_line = |program: &str, arguments: &[&str]| {
        let (_, text) = capture(command(program).args(arguments)).unwrap_or_default();
        text.lines().next().unwrap_or("unknown").trim().to_owned()
    };
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = file("/proc/cpuinfo");
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let processor = processor.map_or("unknown processor", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = file("/proc/loadavg");
    format!(
        "{}, commit {}. {processor}, {cores} cores, {}, load {} at the end. {}. {}.\n",
        first_line("date", &["-u", "+%Y-%m-%d"]),
        first_line("git", &["describe", "--always", "--dirty", "--abbrev=12"]),
        first_line("uname", &["-sm"]),
        load.split(' ').next().unwrap_or("unknown"),
        first_line("rustc", &["--version"]),
        programs.join(", "),
    )
}

/// Puts the figures between the markers `<!-- bench NAME -->` and `<!-- end of bench NAME -->` of the page.
pub(crate) fn write(bench: &str, figures: &str) -> Result<(), String> {
    let path = folders::root().join("docs/benchmarks.md");
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let new = between_markers(&text, bench, figures)
        .ok_or_else(|| format!("{} has no markers for bench {bench}", path.display()))?;
    fs::write(&path, new).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("written into {}", path.display());
    Ok(())
}

fn between_markers(text: &str, bench: &str, figures: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- bench {bench} -->\n"), format!("<!-- end of bench {bench} -->"));
    let from = text.find(&begin)? + begin.len();
    let to = from + text[from..].find(&end)?;
    Some(format!("{}{figures}{}", &text[..from], &text[to..]))
}

/// The size of a file in MB.
pub(crate) fn megabytes(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| format!("cannot look at {}: {error}", path.display()))?.len();
    #[expect(clippy::cast_precision_loss, reason = "a binary's size is far below what f64 counts exactly")]
    Ok(format!("{:.1} MB", size as f64 / 1e6))
}

fn name(command: &Command) -> String {
    Path::new(command.get_program()).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        let of = |times: &[u64]| median(&times.iter().map(|ms| Duration::from_millis(*ms)).collect::<Vec<_>>());
        assert_eq!(of(&[]), Duration::ZERO);
        assert_eq!(of(&[9, 1, 5]), Duration::from_millis(5));
        assert_eq!(of(&[1, 3, 100, 2]), Duration::from_micros(2_500));
    }

    #[test]
    fn figures_go_between_their_own_markers_and_nowhere_else() {
        let page = "a\n<!-- bench x -->\nold\n<!-- end of bench x -->\nb\n<!-- bench y -->\n<!-- end of bench y -->\n";
        let once = between_markers(page, "x", "new\n").unwrap();
        assert_eq!(once, page.replace("old", "new"));
        assert_eq!(between_markers(&once, "x", "new\n").unwrap(), once);
        assert_eq!(between_markers(page, "z", "new\n"), None);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = table(&["a", "long"], &[vec!["wide".into(), "b".into()]]);
        assert_eq!(text, "| a    | long |\n| ---- | ---- |\n| wide | b    |\n");
    }
}
