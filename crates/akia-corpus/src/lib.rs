//! What the scan is proven with: files in which access keys are planted, and files that only look as if they held one.
//!
//! Every file is a function of a seed, keys included, so that none of them is in a repository and each run plants others. What is
//! planted is told with the file: the [`Truth`]. Tests of the detector, of the sources of bytes and `cargo xtask corpus` share it;
//! nothing that ships depends on it. Encoders are those of libraries and share no code with akia's decoders.
//!
//! [`trail`] is apart: CloudTrail's logs, in which it is known who uses which key.
//!
//! [`shapes()`] and [`decoys()`] are single files. What lies around files (archives, images, histories) takes them from here.

pub mod decoys;
mod dice;
pub mod encode;
mod key;
pub mod places;
pub mod shapes;
pub mod trail;
mod truth;

pub use decoys::{Decoy, decoys};
pub use dice::Dice;
pub use key::{Key, Prefix};
pub use places::{PLACES, Place};
pub use shapes::{Group, Shape, shapes};
pub use truth::{Planted, Truth};
