//! What a long run is doing, on stderr: one moving line for each piece of work on a terminal, plain lines elsewhere.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::context::Context;
use crate::error;
use crate::output::escape::visible;

/// The lines of a run.
#[derive(Debug, Clone)]
pub struct Progress {
    lines: Option<MultiProgress>,
}

/// The line of one piece of work, for example of one rotation.
#[derive(Debug, Clone)]
pub struct Line {
    label: String,
    moving: Option<(MultiProgress, ProgressBar)>,
}

impl Progress {
    /// Progress for this run.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        let lines = context.terminal.stderr.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self { lines }
    }

    /// Adds a line for a piece of work with this name.
    #[must_use]
    pub fn line(&self, label: &str) -> Line {
        let label = visible(label).into_owned();
        let moving = self.lines.as_ref().map(|lines| {
            let bar = lines.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(label.clone());
            bar.enable_steady_tick(Duration::from_millis(120));
            (lines.clone(), bar)
        });
        Line { label, moving }
    }

    /// Says something above the moving lines.
    pub fn say(&self, words: &str) {
        let words = visible(words);
        match &self.lines {
            Some(lines) => {
                // A terminal that is gone has no reader to miss the words.
                let _ = lines.println(words);
            }
            None => error::print_words(&format!("{words}\n")),
        }
    }
}

/// Whether the `done`th of so many is told where there is no terminal, some `times` in all: a line for each would be thousands.
#[must_use]
pub fn is_told(done: usize, of: usize, times: usize) -> bool {
    done == of || done.is_multiple_of((of / times).max(1))
}

impl Line {
    /// Says what is being done now, for example `waiting for AWS to know the new key`.
    pub fn step(&self, words: &str) {
        let words = visible(words);
        match &self.moving {
            Some((_, bar)) => bar.set_message(words.into_owned()),
            None => error::print_words(&format!("{}: {words}\n", self.label)),
        }
    }

    /// Ends the line; these words stay, all of them: a moving line is cut where the terminal ends.
    pub fn finish(&self, words: &str) {
        let words = visible(words);
        match &self.moving {
            Some((lines, bar)) => {
                bar.finish_and_clear();
                // Above those that still move.
                lines.suspend(|| error::print_words(&format!("{}: {words}\n", self.label)));
            }
            None => error::print_words(&format!("{}: {words}\n", self.label)),
        }
    }
}
