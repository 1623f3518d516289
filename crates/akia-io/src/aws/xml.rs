//! Answers in XML, as a tree: the lists of EC2 and its like are nested, and their items have items.
//!
//! Invariant: what comes out is no deeper and has no more elements than the limits here; entities other than XML's own five
//! and numbers are refused, so that nothing is expanded.

use quick_xml::events::Event;
use quick_xml::{Reader, XmlVersion};

/// How deep elements may stand in each other. Those of EC2 are a dozen deep.
const DEPTH: usize = 32;
/// How many elements an answer may have: a page of a thousand instances has some 200,000.
const ELEMENTS: usize = 500_000;

/// An element.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// The outermost element of an answer; `None` for what is no whole XML, or beyond the limits.
    pub(super) fn parse(xml: &[u8]) -> Option<Self> {
        let mut reader = Reader::from_str(std::str::from_utf8(xml).ok()?);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        let mut count = 0;
        loop {
            let closed = match reader.read_event().ok()? {
                Event::Start(tag) => {
                    count += 1;
                    if open.len() >= DEPTH || count > ELEMENTS || root.is_some() {
                        return None;
                    }
                    open.push(Self::named(tag.local_name().as_ref()));
                    continue;
                }
                Event::Empty(tag) => {
                    count += 1;
                    if count > ELEMENTS || root.is_some() {
                        return None;
                    }
                    Self::named(tag.local_name().as_ref())
                }
                Event::End(_) => open.pop()?,
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text.xml_content(XmlVersion::Explicit1_0));
                    }
                    continue;
                }
                Event::CData(text) => {
                    open.last_mut()?.text.push_str(&text.xml_content(XmlVersion::Explicit1_0));
                    continue;
                }
                Event::GeneralRef(entity) => {
                    let character = match entity.resolve_char_ref().ok()? {
                        Some(character) => character,
                        None => super::signed::entity(&entity.xml_content(XmlVersion::Explicit1_0))?,
                    };
                    open.last_mut()?.text.push(character);
                    continue;
                }
                Event::Eof => return root.filter(|_| open.is_empty()),
                Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => continue,
            };
            match open.last_mut() {
                Some(parent) => parent.children.push(closed),
                None => root = Some(closed),
            }
        }
    }

    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The first element of that name right below.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The same, taken out.
    pub(super) fn into_child(self, name: &str) -> Option<Self> {
        self.children.into_iter().find(|child| child.name == name)
    }

    /// The text of the first element of that name right below, where it is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }

    /// The same with the white space at its ends: what people wrote stays as it is.
    pub(super) fn raw_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str()).filter(|text| !text.is_empty())
    }

    /// The items of a list right below: `item` in EC2, `member` in the query protocol.
    pub(super) fn items<'a>(&'a self, list: &str) -> impl Iterator<Item = &'a Self> + use<'a> {
        let items = self.child(list).map(|list| list.children.as_slice()).unwrap_or_default();
        items.iter().filter(|item| matches!(item.name.as_str(), "item" | "member"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_in_lists_are_told_apart() {
        let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
            <DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
              <reservationSet>
                <item><instancesSet>
                  <item><instanceId>i-1</instanceId><tagSet><item><key>a &amp; b</key><value/></item></tagSet></item>
                  <item><instanceId>i-2</instanceId></item>
                </instancesSet></item>
                <item><instancesSet/></item>
              </reservationSet>
              <nextToken><![CDATA[a<b]]>&#x3d;&lt;</nextToken>
            </DescribeInstancesResponse>"#;
        let root = Element::parse(xml.as_bytes()).unwrap();
        let ids: Vec<_> = root
            .items("reservationSet")
            .flat_map(|reservation| reservation.items("instancesSet"))
            .filter_map(|instance| instance.text("instanceId"))
            .collect();
        assert_eq!(ids, ["i-1", "i-2"]);
        assert_eq!(root.text("nextToken"), Some("a<b=<"));
        let tags: Vec<_> = root
            .items("reservationSet")
            .flat_map(|reservation| reservation.items("instancesSet"))
            .flat_map(|instance| instance.items("tagSet"))
            .map(|tag| (tag.text("key"), tag.text("value")))
            .collect();
        assert_eq!(tags, [(Some("a & b"), None)]);
    }

    #[test]
    fn what_is_cut_deep_or_would_expand_is_no_answer() {
        let whole = "<a><b>x</b><c/></a>";
        assert!(Element::parse(whole.as_bytes()).is_some());
        for length in 0..whole.len() {
            assert_eq!(Element::parse(&whole.as_bytes()[..length]), None, "{length}");
        }
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(Element::parse(nested(DEPTH).as_bytes()).is_some());
        assert_eq!(Element::parse(nested(DEPTH + 1).as_bytes()), None);
        assert_eq!(Element::parse(nested(100_000).as_bytes()), None);
        let many = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS));
        assert_eq!(Element::parse(many.as_bytes()), None);
        let bomb = r#"<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;">]><a>&y;</a>"#;
        assert_eq!(Element::parse(bomb.as_bytes()), None);
        for text in ["", "hello", "<a></b>", "<a/><b/>", "<a>&bogus;</a>", "<a>&#x110000;</a>", "{\"a\":1}"] {
            assert_eq!(Element::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Element::parse(b"<a>\xff</a>"), None);
    }
}
