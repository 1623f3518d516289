//! What `-v` prints on stderr.
//!
//! Invariant: no secret at any level. The SDK prints requests and answers at its debug and trace levels, and answers
//! in full when `LOG_SENSITIVE_BODIES=true`; therefore only warnings are taken from crates that are not ours, and
//! `RUST_LOG` is not read.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging for this many `-v`. Without any it costs nothing.
pub fn start(verbose: u8, colors: bool) {
    if verbose == 0 {
        return;
    }
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colors).with_target(true);
    // A second start, as in tests, keeps the first.
    let _ = tracing_subscriber::registry().with(targets(verbose)).with(lines).try_init();
}

fn targets(verbose: u8) -> Targets {
    let own = match verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let own_crates = ["akia", "akia_cli", "akia_core", "akia_io", "akia_sandbox"];
    Targets::new().with_default(LevelFilter::WARN).with_targets(own_crates.map(|name| (name, own)))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn the_sdk_never_gets_to_print_a_body() {
        let targets = targets(u8::MAX);
        for target in ["aws_smithy_runtime::client::orchestrator", "aws_sigv4", "aws_config::profile", "hyper", "sqlx"]
        {
            assert!(!targets.would_enable(target, &Level::INFO), "{target}");
            assert!(targets.would_enable(target, &Level::WARN), "{target}");
        }
        assert!(targets.would_enable("akia_io::driver", &Level::TRACE));
    }
}
