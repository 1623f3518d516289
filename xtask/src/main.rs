//! akia.
fn main() {}
