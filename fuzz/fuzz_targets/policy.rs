//! Policy documents: akia's own reader, and the sandbox's, which also evaluates them.
#![no_main]

use akia_core::policy::PolicyDocument;
use akia_sandbox::Sandbox;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(document) = serde_json::from_str::<PolicyDocument>(text) {
        for written in [document.to_pretty_json(), document.to_compact_json()] {
            assert_eq!(serde_json::from_str(&written).ok().as_ref(), Some(&document), "a policy reads back");
        }
    }
    let sandbox = Sandbox::builder().seed(1).build();
    let user = sandbox.add_user("ann", "/").expect("a fresh sandbox takes a user");
    if let Err(error) = user.put_policy("p", text) {
        let _ = error.to_string();
    }
});
