//! Collects what stands in a text and in everything encoded in it, within a bounded amount of work.

use std::ops::Range;

use super::decode::{self, View, base64};
use super::found::{ApiKey, Bag, IdItem, SecretItem};
use super::label::{self, Label};
use super::needles::{Form, Hit, Needles};
use super::pair::{self, Distance};
use super::{Encoding, Options, bedrock, key_id, secret};
use crate::secret::SecretAccessKey;

/// How far around a hit a text is read.
const AROUND: usize = 4096;
/// How far an encoded text is decoded before and behind a hit, in encoded characters.
const BEFORE: usize = AROUND * 2;
const BEHIND: usize = 64 << 10;
/// How far around a hit is decoded to see whether there is anything.
const TASTE: usize = 96;
/// How much of a text is freed of its escapes at once, and how much of the next part is looked at with it.
const PART: usize = 256 << 10;
const OVERLAP: usize = 1024;
/// How long a gzip member may be, in base64.
const PACKED: usize = 24 << 20;
/// How much a gzip member may unpack to.
const UNPACKED: usize = 32 << 20;
/// How often something may be encoded. Each escape undone and each segment entered counts.
const DEPTH: u8 = 5;
/// Behind the word "secret", how far a secret may be; and before it, what is read of its name.
const FAR_BEHIND: usize = 192;
const FAR_BEFORE: usize = 64;

/// Does the collecting for one text.
pub(super) struct Collector<'n> {
    needles: &'n Needles,
    options: Options,
    /// How many more bytes may be read or decoded.
    left: usize,
    /// How many were.
    pub(super) work: usize,
    /// Whether a limit cut something off.
    pub(super) cut: bool,
}

/// What a text is to the one around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    /// The whole, or something encoded as a whole: what stands in it is paired there.
    Whole,
    /// The same text without its escapes: the text itself pairs.
    Unescaped,
}

impl<'n> Collector<'n> {
    /// A collector that reads, all encodings together, at most so many bytes.
    pub(super) fn new(needles: &'n Needles, options: Options, budget: usize) -> Self {
        Self { needles, options, left: budget, work: 0, cut: false }
    }

    /// Everything in a text.
    pub(super) fn collect(&mut self, text: &[u8]) -> Bag {
        self.layer(text, 0, Layer::Whole)
    }

    fn spend(&mut self, bytes: usize) -> bool {
        if bytes > self.left {
            self.cut = true;
            return false;
        }
        self.left -= bytes;
        self.work += bytes;
        true
    }

    fn layer(&mut self, text: &[u8], depth: u8, layer: Layer) -> Bag {
        let mut bag = Bag::default();
        if !self.spend(text.len()) {
            return bag;
        }
        let hits: Vec<Hit> = self.needles.hits(text, 0..text.len(), self.options.loose).collect();
        if hits.is_empty() {
            return bag;
        }
        let windows = windows(hits.iter().map(|hit| hit.at), text.len(), AROUND, AROUND);
        let mut rest = &hits[..];
        for window in &windows {
            let inside = rest.partition_point(|hit| hit.at < window.end);
            let (these, later) = rest.split_at(inside);
            rest = later;
            if !self.spend(window.len()) {
                break;
            }
            self.read(text, window, these, depth, &mut bag);
        }
        self.segments(text, &hits, depth, &mut bag);
        bag.settle();
        if layer == Layer::Whole {
            pair::pair(text, &mut bag, Distance::Near);
            if bag.ids.iter().any(|id| id.secret.is_none()) {
                self.far(text, &windows, &mut bag);
            }
            give_tokens(&mut bag);
            if depth > 0 {
                // To the text around, a secret without a name is noise.
                bag.secrets.retain(|secret| secret.as_ref().is_some_and(|secret| secret.label != Label::None));
            }
        }
        bag
    }

    /// Reads a window: what stands there as it is, and without its escapes.
    fn read(&mut self, text: &[u8], window: &Range<usize>, hits: &[Hit], depth: u8, bag: &mut Bag) {
        for hit in hits {
            match hit.form {
                Form::Plain => bag.ids.extend(id_at(text, hit.at, self.options.loose)),
                Form::Bedrock => bag.api_keys.extend(api_key_at(text, hit.at)),
                Form::Torn | Form::Utf16 | Form::Hex | Form::Base64(_) | Form::Gzip | Form::Label => {}
            }
        }
        secrets_in(text, window, bag);
        tokens_in(text, window, bag);
        let mut start = window.start;
        while start < window.end {
            let end = window.end.min(start + PART + OVERLAP);
            let part = between_words(text, start..end);
            if let Some(view) = text.get(part.clone()).and_then(decode::inline::view) {
                self.unescaped(text, part.start, view, depth, bag);
            }
            start += PART;
        }
        let mut done = 0;
        for hit in hits {
            let could_be = matches!(hit.form, Form::Torn | Form::Plain | Form::Label | Form::Bedrock | Form::Base64(_));
            if hit.at < done || !could_be {
                continue;
            }
            let (part, view) = decode::quoted_printable::segment(text, hit.at, AROUND);
            done = part.end;
            self.work += part.len();
            if let Some(view) = view {
                self.unescaped(text, 0, view, depth, bag);
            }
        }
    }

    fn unescaped(&mut self, text: &[u8], base: usize, view: View, depth: u8, bag: &mut Bag) {
        if depth >= DEPTH {
            self.cut = true;
            return;
        }
        let view = shifted(view, base);
        let inner = self.layer(&view.bytes, depth + 1, Layer::Unescaped);
        bag.take_over(text, &view, &[], inner);
    }

    /// Enters what is encoded as a whole.
    fn segments(&mut self, text: &[u8], hits: &[Hit], depth: u8, bag: &mut Bag) {
        // Up to where each way of reading has come: hits in what was read are not read again.
        let mut done = [0_usize; 9];
        for hit in hits {
            let (way, kind) = match hit.form {
                Form::Plain | Form::Torn | Form::Bedrock | Form::Label => continue,
                Form::Base64(skip) => (skip % 4, Encoding::Base64),
                Form::Gzip => (4, Encoding::Base64),
                Form::Hex => (5 + hit.at % 2, Encoding::Hex),
                Form::Utf16 => (7 + hit.at % 2, Encoding::Utf16),
            };
            if hit.at < done[way] || !self.tastes_of_keys(text, *hit) {
                continue;
            }
            let Some(view) = opened(text, *hit, BEFORE, BEHIND, PACKED) else { continue };
            done[way] = view.span(&(0..view.bytes.len())).end;
            if depth >= DEPTH {
                self.cut = true;
                return;
            }
            if !self.spend(view.bytes.len()) {
                return;
            }
            let mut inner = self.layer(&view.bytes, depth + 1, Layer::Whole);
            if hit.form == Form::Gzip
                && let Some((unpacked, cut)) = decode::gzip::member(&view.bytes, UNPACKED.min(self.left))
            {
                self.cut |= cut || view.bytes.len() >= PACKED / 4 * 3;
                let packed = self.layer(&unpacked.bytes, depth + 2, Layer::Whole);
                inner.take_over(&view.bytes, &unpacked, &[Encoding::Gzip], packed);
            }
            bag.take_over(text, &view, &[kind], inner);
        }
    }

    /// Whether the surroundings of a hit, decoded, have a hit themselves: a head of four letters occurs by chance, too.
    fn tastes_of_keys(&mut self, text: &[u8], hit: Hit) -> bool {
        self.work += TASTE * 2;
        opened(text, hit, TASTE, TASTE, TASTE).is_some_and(|view| {
            hit.form == Form::Gzip && view.bytes.starts_with(&[0x1f, 0x8b])
                || self.needles.hits(&view.bytes, 0..view.bytes.len(), self.options.loose).next().is_some()
        })
    }

    /// Secrets elsewhere in the text, for ids that found none nearby: what is called a secret access key.
    fn far(&mut self, text: &[u8], read: &[Range<usize>], bag: &mut Bag) {
        if !self.spend(text.len()) {
            return;
        }
        let places = memchr::memmem::find_iter(text, b"ecret").chain(memchr::memmem::find_iter(text, b"ECRET"));
        let mut places: Vec<usize> = places.collect();
        places.sort_unstable();
        for window in windows(places.into_iter(), text.len(), FAR_BEFORE, FAR_BEHIND) {
            let next = read.partition_point(|known| known.end <= window.start);
            let is_read = read.get(next).is_some_and(|known| known.start <= window.start && window.end <= known.end);
            if !is_read && self.spend(window.len()) {
                secrets_in(text, &window, bag);
                if let Some(view) = text.get(window.clone()).and_then(decode::inline::view) {
                    let view = shifted(view, window.start);
                    let mut inner = Bag::default();
                    secrets_in(&view.bytes, &(0..view.bytes.len()), &mut inner);
                    bag.take_over(text, &view, &[], inner);
                }
            }
        }
        bag.settle();
        let mut others = Vec::new();
        for secret in &mut bag.secrets {
            if secret.as_ref().is_some_and(|secret| secret.label != Label::SecretAccessKey) {
                others.push(secret.take());
            }
        }
        pair::pair(text, bag, Distance::Far);
        bag.secrets.extend(others);
    }
}

/// A part of a text without the words that its ends cut: what is left of one may look like an id.
fn between_words(text: &[u8], part: Range<usize>) -> Range<usize> {
    let is_word = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let (mut start, mut end) = (part.start, part.end);
    if start > 0 && is_word(start - 1) {
        while start < part.end && is_word(start) {
            start += 1;
        }
    }
    if is_word(end) {
        while end > start && is_word(end - 1) {
            end -= 1;
        }
    }
    start..end
}

/// What is encoded around a hit, decoded: so far before and behind it, or so far behind the head of what is packed.
fn opened(text: &[u8], hit: Hit, before: usize, behind: usize, packed: usize) -> Option<View> {
    match hit.form {
        Form::Base64(skip) => base64::segment(text, hit.at, skip, before, behind),
        Form::Gzip => Some(base64::from_head(text, hit.at, packed)),
        Form::Hex => decode::hex::segment(text, hit.at, before, behind),
        Form::Utf16 => decode::utf16::segment(text, hit.at, before / 2, behind / 2),
        Form::Plain | Form::Torn | Form::Bedrock | Form::Label => None,
    }
}

/// Merged windows around places, which ascend.
fn windows(places: impl Iterator<Item = usize>, length: usize, before: usize, behind: usize) -> Vec<Range<usize>> {
    let mut windows: Vec<Range<usize>> = Vec::new();
    for at in places {
        let window = at.saturating_sub(before)..length.min(at.saturating_add(behind));
        match windows.last_mut() {
            Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
            _ => windows.push(window),
        }
    }
    windows
}

/// A view of a part of a text, as one of the text.
fn shifted(mut view: View, base: usize) -> View {
    if let decode::Origin::Each(places) = &mut view.origin {
        for place in places {
            *place = (place.0 + base, place.1 + base);
        }
    }
    view
}

fn id_at(text: &[u8], start: usize, loose: bool) -> Option<IdItem> {
    let id = key_id::at(text, start, loose)?;
    Some(IdItem {
        text: id.to_owned(),
        span: start..start + key_id::LENGTH,
        encodings: Vec::new(),
        confidence: key_id::confidence(&id.parse().ok()?, text, start),
        stem: label::stem_before(text, start),
        secret: None,
        session_token: false,
    })
}

fn api_key_at(text: &[u8], start: usize) -> Option<ApiKey> {
    let (span, confidence) = bedrock::at(text, start)?;
    let key = SecretAccessKey::bedrock_api_key(String::from_utf8_lossy(text.get(span.clone())?).into_owned()).ok()?;
    Some(ApiKey { key, span, encodings: Vec::new(), confidence })
}

fn secrets_in(text: &[u8], window: &Range<usize>, bag: &mut Bag) {
    // What ends the reach of a label: the value before.
    let mut before: Option<(usize, Label)> = None;
    for candidate in secret::candidates(text, window.clone()) {
        let floor = before.map_or(0, |(end, _)| end);
        let mut labelled = label::of(text, candidate.span.start, floor);
        if let Some((end, label)) = before
            && labelled.label == Label::None
            && text
                .get(end..candidate.span.start)
                .is_some_and(|gap| gap.len() < 40 && !gap.iter().any(u8::is_ascii_alphanumeric))
        {
            // The next of a list.
            labelled.label = label;
        }
        before = Some((candidate.span.end, labelled.label));
        if let Ok(secret) = SecretAccessKey::parse(candidate.text) {
            bag.secrets.push(Some(SecretItem {
                secret,
                span: candidate.span,
                encodings: candidate.encodings,
                label: labelled.label,
                stem: labelled.stem,
            }));
        }
    }
}

/// What the session tokens of STS begin with, of today and of earlier years.
const TOKENS: [&[u8]; 5] = [b"IQoJb3JpZ2lu", b"FwoGZXIvYXdz", b"FQoGZXIvYXdz", b"FQoDYXdz", b"AQoDYXdz"];
/// The shortest session token.
const SHORTEST_TOKEN: usize = 64;

fn tokens_in(text: &[u8], window: &Range<usize>, bag: &mut Bag) {
    let part = text.get(window.clone()).unwrap_or_default();
    for head in TOKENS {
        for at in memchr::memmem::find_iter(part, head) {
            let start = window.start + at;
            let rest = text.get(start..).unwrap_or_default();
            // Line breaks and escapes may stand in it; its length only tells it from a word about tokens.
            let length = rest
                .iter()
                .take(SHORTEST_TOKEN * 2)
                .take_while(|byte| secret::fits(**byte) || b"%\\=".contains(byte))
                .count();
            if length >= SHORTEST_TOKEN {
                bag.tokens.push(start..start + length);
            }
        }
    }
}

/// Gives each session token to the nearest id of temporary credentials, or else of any.
fn give_tokens(bag: &mut Bag) {
    let mut left = Vec::new();
    for token in std::mem::take(&mut bag.tokens) {
        let near = bag.ids.partition_point(|id| id.span.start < token.start);
        let apart = |id: &IdItem| {
            let to =
                |span: &Range<usize>| token.start.saturating_sub(span.end).max(span.start.saturating_sub(token.end));
            id.secret.as_ref().map_or(usize::MAX, |secret| to(&secret.span)).min(to(&id.span))
        };
        let nearest = (near.saturating_sub(4)..bag.ids.len().min(near + 4))
            .filter(|index| bag.ids.get(*index).is_some_and(|id| apart(id) <= AROUND))
            .min_by_key(|index| bag.ids.get(*index).map(|id| (!id.text.starts_with("ASIA"), apart(id))));
        match nearest.and_then(|index| bag.ids.get_mut(index)) {
            Some(id) => id.session_token = true,
            None => left.push(token),
        }
    }
    bag.tokens = left;
}
