use proptest::prelude::*;

use super::*;

const OLD: &str = "AKIAIOSFODNN7EXAMPLE";
const NEW: &str = "AKIAI44QH8DHBEXAMPLE";

fn at(text: &str) -> Pointer {
    text.parse().unwrap()
}

fn written(text: &str, format: FieldFormat, values: &[(&str, &str)]) -> Result<String, FieldError> {
    let values: Vec<(Pointer, &str)> = values.iter().map(|(pointer, value)| (at(pointer), *value)).collect();
    set(text.as_bytes(), format, &values).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn only_the_bytes_of_a_string_change() {
    for (format, pointer, text) in [
        (
            FieldFormat::Json,
            "/aws/id",
            "{\r\n  // of billing\r\n\t\"a\": [1.50, true,],\"aws\" : {\"id\":\"@\" /* x */ , \"b\": null}}",
        ),
        (FieldFormat::Json, "/0/a~1b", "[{\"a/b\": \"@\"}]"),
        (FieldFormat::Json, "/ä", "{\"é\": \"ü\", \"ä\": \"@\"}\n\n"),
        (FieldFormat::Toml, "/aws/id", "# of billing\r\n[aws]\r\nid   = \"@\" # mine\r\nn = 0x1F\r\n"),
        (FieldFormat::Toml, "/aws/id", "aws.id = '@'\n[[list]]\nat = 1979-05-27\n"),
        (FieldFormat::Toml, "/list/1/id", "[[list]]\nid = \"x\"\n[[list]]\nid=\"@\""),
        (FieldFormat::Toml, "/a/id", "t = \"\"\"\ntwo\nlines\"\"\"\na = { id = \"@\", b = [ 1,\n 2 ] }\n"),
        (FieldFormat::Yaml, "/aws/id", "# of billing\r\naws:   # c\r\n    id:   @   # mine\r\n    b: [1, 2]\r\n"),
        (FieldFormat::Yaml, "/aws/id", "---\nx: &x {a: 1}\ny: *x\naws: {id: '@', b: |\n  é\n}\n"),
        (FieldFormat::Yaml, "/list/1/id", "list:\n- id: x\n- id: \"@\"\nt: |\n  two\n  lines\n\n...\n"),
        (FieldFormat::Yaml, "/id", "id: \"@\"  # mine\nb: 1\n"),
        (FieldFormat::Yaml, "/é/id", "é: ü\n"),
        (FieldFormat::Yaml, "/b/id", "a: &a 'é'\nb: &b\n  id: @\n  <<: {c: *a}\n"),
    ] {
        let (old, new) = (text.replace('@', OLD), text.replace('@', NEW));
        if !text.contains('@') {
            assert_eq!(written(&old, format, &[(pointer, NEW)]), Err(FieldError::Missing { at: at(pointer) }));
            continue;
        }
        assert_eq!(
            value(old.as_bytes(), format, &at(pointer)).map(|text| text.to_string()),
            Ok(OLD.to_owned()),
            "{text}"
        );
        assert_eq!(written(&old, format, &[(pointer, NEW)]).as_ref(), Ok(&new), "{text}");
        assert_eq!(written(&new, format, &[(pointer, OLD)]), Ok(old), "{text}");
    }
}

#[test]
fn a_style_is_kept_unless_it_cannot_hold_the_value() {
    for (format, before, value, after) in [
        (FieldFormat::Yaml, "id: word", "1e30", "id: \"1e30\""),
        (FieldFormat::Yaml, "id: word", "yes", "id: \"yes\""),
        (FieldFormat::Yaml, "id: word", "+abc", "id: \"+abc\""),
        (FieldFormat::Yaml, "id: word", "a/b+c=", "id: a/b+c="),
        (FieldFormat::Yaml, "id: ''", "it's {\"a\":1}", "id: 'it''s {\"a\":1}'"),
        (FieldFormat::Yaml, "id: ''", "a\nb\n", "id: \"a\\nb\\n\""),
        (FieldFormat::Yaml, "id: \"\"", "{\"a\":1}", "id: \"{\\\"a\\\":1}\""),
        (FieldFormat::Toml, "id = ''", "{\"a\":1}", "id = '{\"a\":1}'"),
        (FieldFormat::Toml, "id = ''", "it's\n", "id = \"it's\\n\""),
        (FieldFormat::Toml, "id = \"\"\"\n\"\"\"", "a", "id = \"a\""),
        (FieldFormat::Json, "{\"id\": \"\"}", "{\"a\":1}", "{\"id\": \"{\\\"a\\\":1}\"}"),
    ] {
        assert_eq!(written(before, format, &[("/id", value)]), Ok(after.to_owned()), "{before}");
    }
}

#[test]
fn what_is_not_clear_is_refused() {
    let here = || at("/a/id");
    let syntax = |format, line| FieldError::Syntax { format, line };
    for (format, text, error) in [
        (FieldFormat::Json, "{\"a\": {}}", FieldError::Missing { at: here() }),
        (FieldFormat::Json, "{\"a\": [\"id\"]}", FieldError::Missing { at: here() }),
        (FieldFormat::Json, "{\"a\": {\"id\": null}}", FieldError::NotString { at: here() }),
        (FieldFormat::Json, "{\"a\": {\"id\": \"x\", \"id\": \"y\"}}", FieldError::Twice { at: here() }),
        (FieldFormat::Json, "{\"a\": {\"id\": \"x\"},\n\n\"a\" {}}", syntax(FieldFormat::Json, 3)),
        (FieldFormat::Json, "", syntax(FieldFormat::Json, 1)),
        (FieldFormat::Toml, "[a]\nid = 1", FieldError::NotString { at: here() }),
        (FieldFormat::Toml, "[a]\nid = \"x\"\nid = \"y\"", syntax(FieldFormat::Toml, 3)),
        (FieldFormat::Yaml, "a: {id: ~}", FieldError::NotString { at: here() }),
        (FieldFormat::Yaml, "a:\n  id:\n", FieldError::NotString { at: here() }),
        (FieldFormat::Yaml, "a:\n  id: |\n    x\n", FieldError::NotString { at: here() }),
        (FieldFormat::Yaml, "a:\n  id: !secret x\n", FieldError::NotString { at: here() }),
        (FieldFormat::Yaml, "a: {id: 12}", FieldError::NotString { at: here() }),
        (FieldFormat::Yaml, "a: {id: &x word}\nb: *x", FieldError::Shared { at: here() }),
        (FieldFormat::Yaml, "a: &x {id: word}\nb: {<<: *x}", FieldError::Shared { at: here() }),
        (FieldFormat::Yaml, "b: &x {id: word}\na: *x", FieldError::Missing { at: here() }),
        (FieldFormat::Yaml, "a: {id: x}\n---\na: {id: x}", FieldError::Unusual),
        (FieldFormat::Yaml, "", FieldError::Missing { at: here() }),
        (FieldFormat::Yaml, "\u{feff}a: {id: x}", FieldError::NotText),
    ] {
        assert_eq!(value(text.as_bytes(), format, &here()).map(|_| ()), Err(error.clone()), "{text}");
        assert_eq!(written(text, format, &[("/a/id", NEW)]), Err(error), "{text}");
    }
    assert_eq!(value(b"a: \xff", FieldFormat::Yaml, &here()).map(|_| ()), Err(FieldError::NotText));
    let deep = "[".repeat(10_000);
    for format in [FieldFormat::Json, FieldFormat::Yaml, FieldFormat::Toml] {
        assert!(value(deep.as_bytes(), format, &here()).is_err());
    }
}

fn soup(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(pieces), 0..24).prop_map(|pieces| pieces.concat())
}

const YAML: &[&str] = &[
    "id: old\n",
    "id: 'old'\n",
    "id: \"old\"\n",
    "id: ",
    "secret: 'x y'\n",
    "secret: \"é\\n\"\n",
    "- ",
    "  ",
    "\n",
    "\r\n",
    "a:\n",
    "b: |\n",
    " # c\n",
    "&x ",
    "*x",
    "{",
    "}",
    ", ",
    "é",
    "'",
    "\"",
    "? ",
    "!!str ",
    "---\n",
];
const TOML: &[&str] = &[
    "id = \"old\"\n",
    "id = 'old'\n",
    "secret = \"\"\n",
    "secret = '''\nx'''\n",
    "[a]\n",
    "[[b]]\n",
    "a.b = 1\n",
    "# é\n",
    "\r\n",
    "{",
    "}",
    ", ",
    "'",
    "\"",
    "é",
    " = ",
];

/// The result has the values, what went before them and after them is what it was, and the way back is open.
fn check(format: FieldFormat, text: &str, id: &str, secret: &str) -> Result<(), TestCaseError> {
    let Ok(new) = written(text, format, &[("/id", id), ("/secret", secret)]) else { return Ok(()) };
    let old = |pointer| value(text.as_bytes(), format, &at(pointer)).unwrap();
    let now = |pointer| value(new.as_bytes(), format, &at(pointer)).unwrap();
    let (new_id, new_secret) = (now("/id"), now("/secret"));
    prop_assert_eq!(new_id.as_str(), id);
    prop_assert_eq!(new_secret.as_str(), secret);
    let back = written(&new, format, &[("/id", &old("/id")), ("/secret", &old("/secret"))]).unwrap();
    prop_assert!(parse(format, &back).unwrap() == parse(format, text).unwrap(), "{back:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn yaml_of_any_kind_is_edited_or_refused(text in soup(YAML), id in "[ -~]{0,12}", secret in "[A-Za-z0-9+/]{1,20}") {
        check(FieldFormat::Yaml, &text, &id, &secret)?;
        check(FieldFormat::Yaml, &format!("id: old\nsecret: 'x'\n{text}"), &id, &secret)?;
    }

    #[test]
    fn toml_of_any_kind_is_edited_or_refused(text in soup(TOML), id in "[ -~]{0,12}", secret in "[A-Za-z0-9+/]{1,20}") {
        check(FieldFormat::Toml, &text, &id, &secret)?;
        check(FieldFormat::Toml, &format!("id = \"old\"\nsecret = 'x'\n{text}"), &id, &secret)?;
    }

    /// serde_json is the judge: it sees the two strings changed, and nothing else.
    #[test]
    fn json_means_the_same_but_for_the_values(
        others in proptest::collection::btree_map("[a-zé\"\\\\ ]{1,4}", "[ -~é\n]{0,6}", 0..5),
        number in any::<i64>(),
        is_pretty in any::<bool>(),
        id in "[ -~é\n]{0,12}",
    ) {
        let mut value = serde_json::json!({ "others": others, "number": number, "aws": [{ "id": "old", "secret": "" }] });
        let text = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let new = written(&text, FieldFormat::Json, &[("/aws/0/id", &id), ("/aws/0/secret", "s")]).unwrap();
        value["aws"][0] = serde_json::json!({ "id": id, "secret": "s" });
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&new).unwrap(), value);
    }
}
