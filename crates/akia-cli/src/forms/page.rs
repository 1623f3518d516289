//! One page that people open in a meeting: no network, no script needed, light and dark, on paper and on a phone.
//!
//! The content security policy in its head allows nothing but the style and the script that stand here, by their
//! hashes: even markup that slipped through the escaping could not run. The page is well-formed XML as well, which
//! tests use.

use jiff::Timestamp;

use super::xml::{escape, push};
use crate::audit::words::VERSION;

pub(crate) const STYLE: &str = include_str!("style.css");
pub(crate) const SCRIPT: &str = include_str!("script.js");

/// SHA-256 of the two; a test compares, and names the right ones.
const STYLE_HASH: &str = "sha256-lsYbrjwGJy4MA/2DuoovOx2Bht8oNOfwIYuk3Ogg+LY=";
const SCRIPT_HASH: &str = "sha256-+iVpiGXuFmzbvv9Y6FGo+qxE8O7oF/MNl8E1+KiQqNo=";

/// A page with this title, these links to its sections, and a body that `main` writes; `note` is the last word.
pub(crate) fn page(
    title: &str,
    below: &str,
    links: &[(&str, &str)],
    note: &str,
    main: impl FnOnce(&mut String),
) -> String {
    let mut html = String::with_capacity(1 << 20);
    let title = escape(title);
    push(
        &mut html,
        format_args!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{STYLE_HASH}'; script-src \
             '{SCRIPT_HASH}'; base-uri 'none'; form-action 'none'\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"referrer\" content=\"no-referrer\"/>\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n\
             <header>\n<h1>{title}</h1>\n<p class=\"soft\">{}</p>\n<nav aria-label=\"Contents\"><ul>",
            escape(below)
        ),
    );
    for (id, name) in links {
        push(&mut html, format_args!("<li><a href=\"#{id}\">{name}</a></li>"));
    }
    html.push_str("</ul></nav>\n</header>\n<main id=\"main\">\n");
    main(&mut html);
    push(
        &mut html,
        format_args!(
            "</main>\n<footer><p>Made by akia {}. {}</p></footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
            escape(VERSION),
            escape(note)
        ),
    );
    html
}

/// A moment as pages tell it.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use quick_xml::Reader;
    use quick_xml::events::Event;
    use sha2::{Digest as _, Sha256};

    /// Every start tag with its attributes, in order; fails on markup that is not well-formed.
    pub(crate) fn tags(html: &str) -> Vec<(String, Vec<(String, String)>)> {
        let text = |text: &str| text.to_owned();
        let mut reader = Reader::from_str(html);
        let mut tags = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) | Event::Empty(tag) => {
                    let attributes = tag.attributes().map(|attribute| {
                        let attribute = attribute.unwrap();
                        (text(attribute.key.as_ref()), text(&attribute.value))
                    });
                    tags.push((text(tag.name().as_ref()), attributes.collect()));
                }
                Event::Eof => return tags,
                _ => {}
            }
        }
    }

    /// Fails on a page that cannot be walked without eyes.
    pub(crate) fn assert_accessible(html: &str) {
        let tags = tags(html);
        let ids: Vec<&str> = tags
            .iter()
            .flat_map(|(_, attributes)| attributes)
            .filter(|(name, _)| name == "id")
            .map(|(_, id)| id.as_str())
            .collect();
        let unique: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(unique.len(), ids.len(), "an id stands twice: {ids:?}");
        let mut heading = 0;
        for (name, attributes) in &tags {
            let value =
                |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
            if let Some(level) = name.strip_prefix('h').and_then(|level| level.parse::<u32>().ok()) {
                assert!(level <= heading + 1, "a heading of level {level} below one of {heading}");
                heading = level;
            }
            if name == "th" {
                assert!(value("scope").is_some(), "a header of neither a row nor a column");
            }
            if name == "svg" {
                let said = value("aria-hidden").is_some() || value("role") == Some("img");
                assert!(said, "a picture that says nothing: {attributes:?}");
            }
            for reference in ["aria-labelledby", "aria-describedby"] {
                assert!(
                    value(reference).is_none_or(|id| unique.contains(id)),
                    "{reference} leads nowhere: {attributes:?}"
                );
            }
            if let Some(target) = value("href") {
                assert!(unique.contains(target.trim_start_matches('#')), "{target} leads nowhere");
            }
        }
        let count = |wanted: &str| tags.iter().filter(|(name, _)| name == wanted).count();
        assert_eq!(count("caption"), count("table"), "a table without a caption");
        assert_eq!(count("h1"), 1);
    }

    #[test]
    fn the_policy_in_the_head_allows_its_style_and_script_and_nothing_else() {
        let hash = |text: &str| format!("sha256-{}", data_encoding::BASE64.encode(&Sha256::digest(text.as_bytes())));
        assert_eq!([STYLE_HASH, SCRIPT_HASH], [hash(STYLE), hash(SCRIPT)].each_ref().map(String::as_str));
    }
}
