//! Answers in XML, as the awsQuery protocol shapes them.

use quick_xml::escape::minimal_escape;

/// An element: either text, or elements, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    name: &'static str,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text(String),
    Elements(Vec<Element>),
}

/// An element with text.
pub(crate) fn text(name: &'static str, text: impl Into<String>) -> Element {
    Element { name, content: Content::Text(text.into()) }
}

/// An element with elements.
pub(crate) fn tree(name: &'static str, elements: Vec<Element>) -> Element {
    Element { name, content: Content::Elements(elements) }
}

/// A list, each item in a `<member>`.
pub(crate) fn list(name: &'static str, items: impl IntoIterator<Item = Vec<Element>>) -> Element {
    tree(name, items.into_iter().map(|item| tree("member", item)).collect())
}

/// A list of plain texts.
pub(crate) fn texts(name: &'static str, items: impl IntoIterator<Item = String>) -> Element {
    tree(name, items.into_iter().map(|item| text("member", item)).collect())
}

/// A whole answer. `result` is `None` for actions whose answer carries nothing.
pub(crate) fn answer(action: &str, namespace: &str, result: Option<&[Element]>, request_id: &str) -> String {
    let mut out = format!("<{action}Response xmlns=\"{namespace}\">\n");
    if let Some(elements) = result {
        out.push_str(&format!("  <{action}Result>\n"));
        for element in elements {
            write(&mut out, element, 2);
        }
        out.push_str(&format!("  </{action}Result>\n"));
    }
    write(&mut out, &tree("ResponseMetadata", vec![text("RequestId", request_id)]), 1);
    out.push_str(&format!("</{action}Response>\n"));
    out
}

/// A refusal.
pub(crate) fn refusal(namespace: &str, fault: &str, code: &str, message: &str, request_id: &str) -> String {
    let mut out = format!("<ErrorResponse xmlns=\"{namespace}\">\n");
    let error = tree("Error", vec![text("Type", fault), text("Code", code), text("Message", message)]);
    write(&mut out, &error, 1);
    write(&mut out, &text("RequestId", request_id), 1);
    out.push_str("</ErrorResponse>\n");
    out
}

fn write(out: &mut String, element: &Element, depth: usize) {
    let indent = "  ".repeat(depth);
    let name = element.name;
    match &element.content {
        Content::Text(text) => out.push_str(&format!("{indent}<{name}>{}</{name}>\n", minimal_escape(text.as_str()))),
        Content::Elements(elements) if elements.is_empty() => out.push_str(&format!("{indent}<{name}/>\n")),
        Content::Elements(elements) => {
            out.push_str(&format!("{indent}<{name}>\n"));
            for element in elements {
                write(out, element, depth + 1);
            }
            out.push_str(&format!("{indent}</{name}>\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_lists_have_members() {
        let result = [text("Name", "<a&b>"), texts("Names", ["x".to_owned()]), tree("Empty", Vec::new())];
        let xml = answer("GetThing", "https://example.invalid/", Some(&result), "id-1");
        assert_eq!(
            xml,
            "<GetThingResponse xmlns=\"https://example.invalid/\">\n  <GetThingResult>\n    \
             <Name>&lt;a&amp;b></Name>\n    <Names>\n      <member>x</member>\n    </Names>\n    <Empty/>\n  \
             </GetThingResult>\n  <ResponseMetadata>\n    <RequestId>id-1</RequestId>\n  </ResponseMetadata>\n\
             </GetThingResponse>\n"
        );
    }
}
