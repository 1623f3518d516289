//! The terminal's echo, for what nobody is to read over a shoulder.

/// Runs `ask` with the echo of the terminal off from before its first word is printed, so that an answer that comes at
/// once, pasted say, is not shown either. Without a terminal it just runs.
pub fn without_echo<T>(ask: impl FnOnce() -> T) -> T {
    #[cfg(unix)]
    {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let terminal = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty").ok();
        let shown = terminal.as_ref().and_then(|terminal| tcgetattr(terminal).ok());
        if let (Some(terminal), Some(shown)) = (&terminal, &shown) {
            let mut silent = shown.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(terminal, OptionalActions::Now, &silent);
        }
        let answer = ask();
        if let (Some(terminal), Some(shown)) = (&terminal, &shown) {
            let _ = tcsetattr(terminal, OptionalActions::Now, shown);
        }
        answer
    }
    #[cfg(not(unix))]
    {
        ask()
    }
}
