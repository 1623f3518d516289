//! CloudTrail logs.
