//! The fast loops of gradus.
#[doc(hidden)]
pub fn placeholder() {}
