//! Words for a shell line that can be pasted: `bash`, `zsh` and `fish` read `'…'` alike, the `$'…'` form is for `bash` and `zsh`.

/// One word, quoted where a shell would take it apart, with control characters spelled out.
#[must_use]
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let shown = super::escape::visible(word);
    if shown == word {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\\' | '\'' => quoted.extend(['\\', c]),
            c if super::escape::visible(&c.to_string()) != c.to_string() => {
                quoted.push_str(&format!("\\U{:08x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn words_survive_a_shell() {
        let words = ["work", "my profile", "it's", "$(reboot)", "ü", "a\"b", "~", "", "new\nline\\'x", "\u{202e}"];
        for word in words {
            let line = format!("printf %s {}", quote(word));
            let output =
                std::process::Command::new("bash").args(["-c", &line]).env("LC_ALL", "C.UTF-8").output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word, "{line}");
        }
        assert_eq!(quote("work"), "work");
        assert_eq!(quote("my profile"), "'my profile'");
    }
}
